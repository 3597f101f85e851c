// dense and conv: at each position, tiles of outputs by SPAN samples, sums in registers, weights streamed from memory.
import { exponent, trailingZeros } from "../../ir/fixed.js";
import type { NodeWith } from "../../ir/graph.js";
import { rangeOfNode } from "./node-range.js";
import { type EmitContext, type OpEmitter, operandNodes } from "./emitter.js";
import type { Cursor, Expression, Local } from "./function-builder.js";
import { type Geometry, geometryOf, type Runs, runsOf } from "./linear-geometry.js";
import { biasesOf, featuresOf, type Method, methodFor, type Sums, weightBytes } from "./linear-method.js";
import { listedUnits, listMethod } from "./linear-sparse.js";
import { type Layout, pairLayout, rowLayout } from "./linear-operand.js";
import { type Buffer, integerWriter, rowBytes, SPAN } from "./memory.js";
import { ENTRY_UNIT } from "./table-fields.js";
import { splat, type Value } from "./value.js";
import { walk } from "./walk.js";

/** A window of at most this many turns is one stretch of code; a longer one is a loop of some turns each. */
const UNROLLED = 12;
const TURNS_PER_LOOP = 4;

/** Trailing zeros that all have in common: those of their bitwise or. */
function zerosOf(data: readonly bigint[]): number {
  let bits = 0n;
  for (const w of data) bits |= w;
  return bits === 0n ? Number.POSITIVE_INFINITY : trailingZeros(bits);
}

function sumsOf(node: NodeWith<"dense"> | NodeWith<"conv">, x: Buffer): Sums {
  const { kernel, bias } = node.attrs;
  const units = kernel.shape.at(-1)!;
  const exps = [x.exp + kernel.exp + zerosOf(kernel.data), bias ? bias.exp + zerosOf(bias.data) : Number.POSITIVE_INFINITY];
  const finest = Math.min(...exps);
  const exp = finest === Number.POSITIVE_INFINITY ? 0 : finest;
  const at = (m: bigint, from: number): bigint => (m === 0n ? 0n : from >= exp ? m << BigInt(from - exp) : m >> BigInt(exp - from));
  const type = node.type.elem;
  const r = rangeOfNode(node);
  const shift = type === "real" || (r.lo === 0n && r.hi === 0n) ? 0n : BigInt(exponent(type) - exp);
  return {
    features: kernel.data.length / units,
    units,
    weights: kernel.data.map((w) => at(w, x.exp + kernel.exp)),
    bias: Array.from({ length: units }, (_, j) => (bias ? at(bias.data[j]!, bias.exp) : 0n)),
    exp,
    range: { lo: r.lo << shift, hi: r.hi << shift },
  };
}

/** The outputs of a group, tile by tile: full ones, and a last one of what is left. */
const tilesOf = (units: number, rows: number) => ({ full: Math.floor(units / rows), rest: units % rows });

/** Weights as the loops take them: group, tile, run, turn, output of the tile, part, feature of the turn. A feature beyond its run weighs 0. */
function packed(method: Method, s: Sums, g: Geometry, runs: Runs): Uint8Array {
  const together = featuresOf(method);
  const bytes = method.weightLane / 8;
  const turns = runs.begins.length * Math.ceil(runs.length / together);
  const view = new DataView(new ArrayBuffer(s.units * turns * weightBytes(method)));
  const put = integerWriter(view, method.weightLane);
  let at = 0;
  for (let group = 0; group < g.groups; group++) {
    for (let first = 0; first < g.units; first += method.rows) {
      const last = Math.min(first + method.rows, g.units);
      for (let run = 0; run < runs.begins.length; run++) {
        for (let k = 0; k < runs.length; k += together) {
          for (let j = first; j < last; j++) {
            for (const part of method.parts) {
              for (let i = k; i < k + together; i++, at += bytes) {
                if (i < runs.length) put(at, part[(run * runs.length + i) * s.units + group * g.units + j]!);
              }
            }
          }
        }
      }
    }
  }
  return new Uint8Array(view.buffer);
}

export interface Tile {
  readonly cx: EmitContext;
  readonly s: Sums;
  readonly g: Geometry;
  readonly method: Method;
  readonly layout: Layout;
  readonly runs: Runs;
}

/** Code for all outputs at a position, whose window and whose outputs begin at these addresses. */
export type AtPosition = (source: Local, target: Local) => void;

/** All turns of a window: the weights' pointer ends behind them. */
function multiply({ cx, method, layout, runs }: Tile, operand: Local, w: Local, sums: readonly (readonly Local[])[]): void {
  const { f } = cx;
  const perRow = weightBytes(method);
  const turns = Math.ceil(runs.length / featuresOf(method));
  const perTurn = sums.length * perRow;
  const turn = (p: Local, at: number): void => {
    const xs = method.loadOperand(f, p, at);
    sums.forEach((sum, r) => f.scope(() => method.step(f, xs, w, r * perRow, sum)));
  };
  if (runs.begins.length * turns <= UNROLLED) {
    f.block((leave) => {
      for (const begin of runs.begins) {
        for (let t = 0; t < turns; t++) {
          f.scope(() => turn(operand, begin * layout.elementBytes + t * layout.turnBytes));
          f.set(w, f.m.i32.add(f.get(w), f.m.i32.const(perTurn)));
          // Never taken, as weights lie at even addresses: it ends the basic block, for the reason that FunctionBuilder.stretch gives.
          leave(f.m.i32.eq(f.get(w), f.m.i32.const(1)));
        }
      }
    });
    return;
  }
  walk(f, cx.memory, [{ at: runs.begins.map((b) => b * layout.elementBytes), base: operand }], ([run]) => {
    const p = f.copy(run!);
    const moves: Cursor[] = [
      { pointer: p, stride: layout.turnBytes },
      { pointer: w, stride: perTurn },
    ];
    f.stretch(turns, TURNS_PER_LOOP, moves, () => turn(p, 0));
  });
}

function tile(t: Tile, rows: number, operand: Local, w: Local, b: Local, o: Local, unit: Local): void {
  const { cx, s, method } = t;
  const { f } = cx;
  const biasBytes = method.biasLane / 8;
  const biasAt = (r: number): Expression => f.m.v128[biasBytes === 4 ? "load32_splat" : "load64_splat"](r * biasBytes, biasBytes, f.get(b));
  const each = Array.from({ length: rows }, (_, r) => r);
  const finish = (r: number, total: Pick<Value, "lane" | "vectors">): void =>
    cx.finish({ ...s.range, exp: s.exp, ...total }, o, r * rowBytes(cx.out), { pointer: unit, offset: r * ENTRY_UNIT });
  const accumulators = (r: number): readonly Local[] => {
    const start = f.vector(method.startsAtBias ? biasAt(r) : splat(f, 32, 0n));
    return [start, ...Array.from({ length: method.accumulators - 1 }, () => f.copy(start))];
  };
  if (method.startsAtBias) {
    const sums = each.map(accumulators);
    multiply(t, operand, w, sums);
    for (const r of each) f.scope(() => finish(r, method.total(f, sums[r]!)));
    return;
  }
  // From the highest digit down: total·2^16 + the digit's sum, modulo 2^64, and the bias at last.
  const { i64x2, i32 } = f.m;
  const totals = each.map(() => Array.from({ length: (SPAN * 64) / 128 }, () => f.vector(splat(f, 64, 0n))));
  const first = f.copy(w);
  for (let limb = method.limbs - 1; limb >= 0; limb--) {
    f.scope(() => {
      f.set(w, f.get(first));
      const sums = each.map(accumulators);
      multiply(t, f.int(i32.add(f.get(operand), i32.const(limb * t.layout.limbBytes)), false), w, sums);
      for (const r of each) {
        f.scope(() =>
          method.total(f, sums[r]!).vectors.forEach((v, c) => {
            const total = totals[r]![c]!;
            f.set(total, i64x2.add(limb === method.limbs - 1 ? f.get(total) : i64x2.shl(f.get(total), i32.const(16)), f.get(v)));
          }),
        );
      }
    });
  }
  for (const r of each) {
    f.scope(() => {
      const start = f.vector(biasAt(r));
      finish(r, { lane: 64, vectors: totals[r]!.map((v) => f.vector(i64x2.add(f.get(v), f.get(start)))) });
    });
  }
}

/** All outputs at a position, tile by tile. */
function denseUnits(t: Tile): AtPosition {
  const { cx, s, g, method, layout, runs } = t;
  const { f, memory, out } = cx;
  const weights = memory.data(packed(method, s, g, runs));
  const bias = memory.integers(biasesOf(method, s), method.biasLane);
  const { full, rest } = tilesOf(g.units, method.rows);
  return (source, target) => {
    const [w, b, o, operand, unit] = [f.pointer(weights), f.pointer(bias), f.copy(target), f.copy(source), f.pointer(0)] as const;
    const tiles = (count: number, rows: number): void => {
      const moves: Cursor[] = [
        { pointer: b, stride: (rows * method.biasLane) / 8 },
        { pointer: o, stride: rows * rowBytes(out) },
        { pointer: unit, stride: rows * ENTRY_UNIT },
      ];
      if (rows > 0) f.repeat(count, moves, () => tile(t, rows, operand, w, b, o, unit));
    };
    f.repeat(g.groups, [{ pointer: operand, stride: layout.groupStep * layout.elementBytes }], () => {
      tiles(full, method.rows);
      tiles(1, rest);
    });
  };
}

function emit(node: NodeWith<"dense"> | NodeWith<"conv">, cx: EmitContext): void {
  const { f, memory, out } = cx;
  const x = cx.operands[0]!;
  const s = sumsOf(node, x);
  const g = geometryOf(node, operandNodes(cx.graph, node)[0]!.type.shape);
  const listed = listMethod(s, x, g);
  const method = listed ?? methodFor(s, x);
  const layout = method.operand === "pairs" ? pairLayout(f, memory, x, g, method) : rowLayout(x, g);
  const runs = runsOf(g, layout.pixelStep);
  const t: Tile = { cx, s, g, method, layout, runs };
  const atPosition = (listed ? listedUnits : denseUnits)(t);

  const columns = [
    { at: g.starts.map((pixel) => layout.address + pixel * layout.pixelStep * layout.elementBytes) },
    { at: g.starts.map((_, i) => out.address + i * s.units * rowBytes(out)) },
  ];
  walk(f, memory, columns, ([source, target]) => atPosition(source!, target!));
}

export const dense: OpEmitter<"dense"> = { kind: "channels", emit };
export const conv: OpEmitter<"conv"> = { kind: "channels", emit };
