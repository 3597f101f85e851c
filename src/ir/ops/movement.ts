// reshape, transpose, pad, edgepad, slice, concat, resize: ops that only move elements. Each states where its elements come from.
import type { Arith } from "../arith.js";
import { printShape, type Shape, sizeOf } from "../tensor.js";
import { type AttrSpec, type AttrsOf, op, type Values } from "./op.js";
import { gridOffsets } from "./window.js";

/** For each element of the result its element in all operands one after the other, row-major; −1 is zero. */
export type Source = Int32Array;

interface Movement<N extends string, S extends AttrSpec> {
  readonly name: N;
  readonly doc: string;
  readonly operands: readonly string[];
  readonly attrs: S;
  shape(x: readonly Shape[], a: AttrsOf<S>): Shape | string;
  source(x: readonly Shape[], a: AttrsOf<S>): Source;
}

const movement = <const N extends string, const S extends AttrSpec>(m: Movement<N, S>) =>
  op({
    ...m,
    expand: <V>(k: Arith<V>, x: readonly Values<V>[], a: AttrsOf<S>) => {
      const all = x.length === 1 ? x[0]!.at : x.flatMap((v) => v.at);
      const zero = k.constant(0n, 0);
      return Array.from(m.source(x.map((v) => v.shape), a), (i) => (i < 0 ? zero : all[i]!));
    },
  });

const strides = (shape: Shape): readonly number[] => shape.map((_, d) => sizeOf(shape.slice(d + 1)));
const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0;
const isPositive = (n: number): boolean => Number.isInteger(n) && n > 0;

/** The source of an op that treats the axes apart: `at(d)` lists, for axis d, the operand's index for each of the result's; −1 is zero. */
function axiswise(x: Shape, at: (axis: number) => readonly number[]): Source {
  const step = strides(x);
  let out = [0];
  x.forEach((_, d) => {
    const along = at(d).map((i) => (i < 0 ? -1 : i * step[d]!));
    out = out.flatMap((o) => along.map((a) => (o < 0 || a < 0 ? -1 : o + a)));
  });
  return Int32Array.from(out);
}

const count = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

export const reshape = movement({
  name: "reshape",
  doc: "y has x's elements in row-major order and the given shape",
  operands: ["x"],
  attrs: { shape: "ints" },
  shape: ([x], { shape }) =>
    sizeOf(shape) === sizeOf(x!) && shape.every(isPositive) ? shape : `${printShape(x!)} has ${sizeOf(x!)} elements and ${printShape(shape)} has ${sizeOf(shape)}`,
  source: ([x]) => Int32Array.from(count(sizeOf(x!))),
});

export const transpose = movement({
  name: "transpose",
  doc: "axis d of y is axis order[d] of x",
  operands: ["x"],
  attrs: { order: "ints" },
  shape: ([x], { order }) =>
    order.length === x!.length && x!.every((_, d) => order.includes(d)) ? order.map((d) => x![d]!) : `${printShape(order)} does not name each of the ${x!.length} axes once`,
  source: ([x], { order }) => {
    const step = strides(x!);
    return Int32Array.from(gridOffsets(order.map((d) => x![d]!), order.map((d) => step[d]!)));
  },
});

type Pads = { readonly pads: readonly number[] };

const padShape = ([x]: readonly Shape[], { pads }: Pads): Shape | string =>
  pads.length === 2 * x!.length && pads.every(isCount)
    ? x!.map((n, d) => pads[2 * d]! + n + pads[2 * d + 1]!)
    : `${printShape(pads)} must hold two counts for each of the ${x!.length} axes: before and after`;

export const pad = movement({
  name: "pad",
  doc: "x with pads[2d] zeros before and pads[2d+1] after its elements along each axis d",
  operands: ["x"],
  attrs: { pads: "ints" },
  shape: padShape,
  source: ([x], { pads }) =>
    axiswise(x!, (d) => count(pads[2 * d]! + x![d]! + pads[2 * d + 1]!).map((i) => (i - pads[2 * d]! < x![d]! ? Math.max(-1, i - pads[2 * d]!) : -1))),
});

export const edgepad = movement({
  name: "edgepad",
  doc: "as pad, with the nearest element of x in place of zeros",
  operands: ["x"],
  attrs: { pads: "ints" },
  shape: padShape,
  source: ([x], { pads }) => axiswise(x!, (d) => count(pads[2 * d]! + x![d]! + pads[2 * d + 1]!).map((i) => Math.min(Math.max(i - pads[2 * d]!, 0), x![d]! - 1))),
});

export const slice = movement({
  name: "slice",
  doc: "y[i] = x[start + i·step], from start up to, not including, stop, along each axis",
  operands: ["x"],
  attrs: { start: "ints", stop: "ints", step: "ints" },
  shape: ([x], { start, stop, step }) => {
    if ([start, stop, step].some((list) => list.length !== x!.length)) return `start, stop and step must have one number for each of the ${x!.length} axes`;
    const bad = x!.findIndex((n, d) => !(isCount(start[d]!) && start[d]! < stop[d]! && stop[d]! <= n && isPositive(step[d]!)));
    if (bad >= 0) return `axis ${bad} has ${x![bad]} elements; ${start[bad]} to ${stop[bad]} by ${step[bad]} is no part of it`;
    return x!.map((_, d) => Math.ceil((stop[d]! - start[d]!) / step[d]!));
  },
  source: ([x], { start, stop, step }) => axiswise(x!, (d) => count(Math.ceil((stop[d]! - start[d]!) / step[d]!)).map((i) => start[d]! + i * step[d]!)),
});

export const concat = movement({
  name: "concat",
  doc: "the operands one after the other along one axis",
  operands: ["x…"],
  attrs: { axis: "int" },
  shape: (x, { axis }) => {
    const [first] = x;
    if (!isCount(axis) || axis >= first!.length) return `there is no axis ${axis} in ${printShape(first!)}`;
    const other = x.find((s) => s.length !== first!.length || s.some((n, d) => d !== axis && n !== first![d]));
    if (other) return `shapes ${printShape(first!)} and ${printShape(other)} differ in more than axis ${axis}`;
    return first!.map((n, d) => (d === axis ? x.reduce((sum, s) => sum + s[d]!, 0) : n));
  },
  source: (x, { axis }) => {
    const rows = sizeOf(x[0]!.slice(0, axis));
    const parts = x.map((s) => sizeOf(s.slice(axis)));
    const begins = x.map((_, i) => x.slice(0, i).reduce((sum, s) => sum + sizeOf(s), 0));
    return Int32Array.from(count(rows).flatMap((row) => x.flatMap((_, i) => count(parts[i]!).map((k) => begins[i]! + row * parts[i]! + k))));
  },
});

export const resize = movement({
  name: "resize",
  doc: "y[i] = x[floor(i / factor)] along each axis: every element repeated",
  operands: ["x"],
  attrs: { factors: "ints" },
  shape: ([x], { factors }) =>
    factors.length === x!.length && factors.every(isPositive) ? x!.map((n, d) => n * factors[d]!) : `${printShape(factors)} must be a positive factor for each of the ${x!.length} axes`,
  source: ([x], { factors }) => axiswise(x!, (d) => count(x![d]! * factors[d]!).map((i) => Math.floor(i / factors[d]!))),
});
