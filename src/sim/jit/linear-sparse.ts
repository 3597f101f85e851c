// Matrix ops whose weights are mostly zeros: for each output a list of the pairs of features that count.
import type { AtPosition, Tile } from "./linear.js";
import { biasesOf, featuresOf } from "./linear-method.js";
import { rowBytes } from "./memory.js";
import { ENTRY_UNIT } from "./table-fields.js";

/** Instructions of one turn for one output: with all turns in order, four outputs share the loads; with a list, each turn reads its place. */
const COST = { dense: 25 / 4, listed: 11 };
const COPIES = 4;
const ENTRY_BYTES = 8;

/** A turn of one output whose weights are not all 0: where it reads, from the window's first element, and its two weights. */
interface Entry {
  readonly at: number;
  readonly weights: readonly bigint[];
}

function entriesOf({ s, g, method, layout, runs }: Tile, group: number, unit: number): readonly Entry[] {
  const together = featuresOf(method);
  const entries: Entry[] = [];
  const column = group * g.units + unit;
  runs.begins.forEach((begin, run) => {
    for (let k = 0; k < runs.length; k += together) {
      const weights = [k, k + 1].map((i) => (i < runs.length ? s.weights[(run * runs.length + i) * s.units + column]! : 0n));
      const at = (group * layout.groupStep + begin) * layout.elementBytes + (k / together) * layout.turnBytes;
      if (weights.some((w) => w !== 0n)) entries.push({ at, weights });
    }
  });
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

/** Code by lists, where that is less work: for pairs of 16-bit features and sums of 32 bits. */
export function sparseUnits(t: Tile): AtPosition | undefined {
  const { cx, s, g, method, runs } = t;
  const { f, memory, out } = cx;
  if (method.operand !== "pairs" || !method.startsAtBias) return undefined;
  const turns = runs.begins.length * Math.ceil(runs.length / featuresOf(method)) * s.units;
  const nonzero = s.weights.reduce((n, w) => (w === 0n ? n : n + 1), 0);
  if ((nonzero / featuresOf(method)) * COST.listed >= turns * COST.dense) return undefined;
  const lists = Array.from({ length: s.units }, (_, j) => entriesOf(t, Math.floor(j / g.units), j % g.units));
  const listed = lists.reduce((n, l) => n + l.length + 1, 0);
  if (listed * COST.listed >= turns * COST.dense) return undefined;
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
