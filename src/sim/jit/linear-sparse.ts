// Matrix ops whose weights are mostly zeros: for each output a list of the pairs of features that count.
import type { AtPosition, Tile } from "./linear.js";
import { type Geometry, type Runs, runsOf, shareOf } from "./linear-geometry.js";
import { biasesOf, dotFor, has16BitWeights, type Method, type Sums } from "./linear-method.js";
import { type Buffer, rowBytes } from "./memory.js";
import { ENTRY_UNIT } from "./table-fields.js";

/**
 * Instructions of one turn for one output: with all turns in order, four outputs share the loads; products of 32-bit lanes where weights
 * pass 16 bits; with a list, each turn reads its place.
 */
const COST = { dense: 25 / 4, dense32: 14, listed: 11 };
const COPIES = 4;
const ENTRY_BYTES = 8;
const LARGEST = (1n << 15n) - 1n;

/** A turn of one output whose weights are not all 0: where it reads, from the window's first element, and its two weights. */
interface Entry {
  readonly at: number;
  readonly weights: readonly bigint[];
}

interface Pair {
  readonly run: number;
  readonly turn: number;
  readonly weights: readonly bigint[];
}

/** The pairs of weights of one output, run by run, that are not both 0. */
function* pairsOf(s: Sums, runs: Runs, output: number): Generator<Pair> {
  for (let run = 0; run < runs.begins.length; run++) {
    for (let k = 0; k < runs.length; k += 2) {
      const weights = [k, k + 1].map((i) => (i < runs.length ? s.weights[(run * runs.length + i) * s.units + output]! : 0n));
      if (weights.some((w) => w !== 0n)) yield { run, turn: k / 2, weights };
    }
  }
}

/** The same pair as several of 16 bits, whose sum it is. */
function* pieces(weights: readonly bigint[]): Generator<readonly bigint[]> {
  for (let rest = weights; rest.some((w) => w !== 0n); ) {
    const piece = rest.map((w) => (w > LARGEST ? LARGEST : w < -LARGEST ? -LARGEST : w));
    yield piece;
    rest = rest.map((w, i) => w - piece[i]!);
  }
}

/** The method for lists, where they are less work: for 16-bit operands and sums of 32 bits. */
export function listMethod(s: Sums, x: Buffer, g: Geometry): Method | undefined {
  const method = dotFor(s, x);
  const runs = runsOf(g, shareOf(g));
  const turns = runs.begins.length * Math.ceil(runs.length / 2) * s.units;
  const budget = (turns * (has16BitWeights(s) ? COST.dense : COST.dense32)) / COST.listed;
  if (!method || s.weights.reduce((n, w) => (w === 0n ? n : n + 1), 0) / 2 >= budget) return undefined;
  let listed = s.units;
  for (let j = 0; j < s.units; j++) {
    for (const { weights } of pairsOf(s, runs, j)) {
      const widest = weights.map((w) => (w < 0n ? -w : w)).reduce((a, b) => (a > b ? a : b));
      listed += Number((widest + LARGEST - 1n) / LARGEST);
    }
  }
  return listed < budget ? method : undefined;
}

function entriesOf({ s, g, layout, runs }: Tile, output: number): readonly Entry[] {
  const group = Math.floor(output / g.units);
  const entries: Entry[] = [];
  for (const { run, turn, weights } of pairsOf(s, runs, output)) {
    const at = (group * layout.groupStep + runs.begins[run]!) * layout.elementBytes + turn * layout.turnBytes;
    for (const piece of pieces(weights)) entries.push({ at, weights: piece });
  }
  return entries.length > 0 ? entries : [{ at: 0, weights: [0n, 0n] }];
}

/** The lists one after the other, each headed by the address of its end and the bias. */
function tableOf(lists: readonly (readonly Entry[])[], biases: readonly bigint[], address: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(lists.reduce((n, l) => n + (l.length + 1) * ENTRY_BYTES, 0)));
  let at = 0;
  lists.forEach((entries, j) => {
    view.setInt32(at, address + at + (entries.length + 1) * ENTRY_BYTES, true);
    view.setInt32(at + 4, Number(BigInt.asIntN(32, biases[j]!)), true);
    at += ENTRY_BYTES;
    for (const e of entries) {
      view.setInt32(at, e.at, true);
      e.weights.forEach((w, i) => view.setInt16(at + 4 + 2 * i, Number(w), true));
      at += ENTRY_BYTES;
    }
  });
  return new Uint8Array(view.buffer);
}

/** All outputs at a position, by their lists. */
export function listedUnits(t: Tile): AtPosition {
  const { cx, s, method } = t;
  const { f, memory, out } = cx;
  const lists = Array.from({ length: s.units }, (_, j) => entriesOf(t, j));
  const address = memory.reserve((at) => tableOf(lists, biasesOf(method, s), at));
  const { m } = f;
  return (source, target) => {
    const [list, o, unit] = [f.pointer(address), f.copy(target), f.pointer(0)] as const;
    const moves = [
      { pointer: o, stride: rowBytes(out) },
      { pointer: unit, stride: ENTRY_UNIT },
    ];
    const next = [{ pointer: list, stride: ENTRY_BYTES }];
    f.repeat(s.units, moves, () => {
      const end = f.int(m.i32.load(0, 4, f.get(list)), false);
      const first = f.vector(m.v128.load32_splat(4, 4, f.get(list)));
      const sums = [first, f.copy(first)];
      f.set(list, m.i32.add(f.get(list), m.i32.const(ENTRY_BYTES)));
      f.until(end, COPIES, next, () => {
        const p = f.int(m.i32.add(m.i32.load(0, 4, f.get(list)), f.get(source)), false);
        method.step(f, method.loadOperand(f, p, 0), list, 4, sums);
      });
      cx.finish({ ...s.range, exp: s.exp, ...method.total(f, sums) }, o, 0, { pointer: unit, offset: 0 });
    });
  };
}
