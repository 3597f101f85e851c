// Small pieces of graph that hls4ml's arithmetic is made of: casts, comparisons, products by kind of type, sums with a typed accumulator.
import { type Conversion, contains, convert, exponent, fixed, rangeOf } from "../../ir/fixed.js";
import { type GraphBuilder, rangeOfNode } from "../../ir/graph.js";
import { type Shape, sizeOf, type Tensor, tensor, tensorFromNumbers } from "../../ir/tensor.js";
import type { Weights } from "./nodes.js";
import { fixedPrecision, fractionBits, type Precision } from "./precision.js";
import { exponentWeight, weightTensor } from "./weights.js";

export const constant = (b: GraphBuilder, value: Tensor): number => b.add("constant", [], { value });
export const scalar = (b: GraphBuilder, x: number): number => constant(b, tensorFromNumbers([], [x]));
export const shapeOf = (b: GraphBuilder, x: number): Shape => b.node(x).type.shape;
export const reshape = (b: GraphBuilder, x: number, shape: Shape): number => b.add("reshape", [x], { shape });

/** The exponent of the least significant bit; 0 where the value is always 0. */
export function gridOf(b: GraphBuilder, x: number): number {
  const { elem } = b.node(x).type;
  return elem === "real" || elem.width === 0 ? 0 : exponent(elem);
}

/** ap_fixed's conversion; nothing where every value is in the type already. */
export function cast(b: GraphBuilder, x: number, { type, round, overflow }: Conversion): number {
  const node = b.node(x);
  if (!b.isPoisoned(x) && node.type.elem !== "real") {
    const range = rangeOf(type);
    const kept = overflow === "SAT_SYM" && type.signed && type.width > 1 ? { lo: -range.hi, hi: range.hi } : range;
    const drop = exponent(type) - exponent(node.type.elem);
    const now = rangeOfNode(node);
    if (node.type.elem.width === 0) return x;
    if (drop <= 0 && contains(kept, { lo: now.lo << BigInt(-drop), hi: now.hi << BigInt(-drop) })) return x;
  }
  return b.add("quantize", [x], { to: type, round, overflow });
}

/** 1 where x >= 0, else 0: the sign bit of a saturated value, plus one. */
export const isNonNegative = (b: GraphBuilder, x: number): number =>
  b.add("add", [b.add("quantize", [x], { to: fixed(1, 1), round: "TRN", overflow: "SAT" }), scalar(b, 1)], {});

/** 1 where x > y, else 0. */
export function isAbove(b: GraphBuilder, x: number, y: number): number {
  const difference = b.add("sub", [x, y], {});
  return isNonNegative(b, b.add("sub", [difference, scalar(b, 2 ** gridOf(b, difference))], {}));
}

export const times = (b: GraphBuilder, x: number, factor: number): number => (factor === 1 ? x : b.add("mul", [x, scalar(b, factor)], {}));

/** A stored bit of an xnor type as −1 or +1; any other value as it is. */
export const signed = (b: GraphBuilder, x: number, type: Precision): number =>
  type.kind === "xnor" ? b.add("sub", [times(b, x, 2), scalar(b, 1)], {}) : x;

/** Data of a type and the weights that multiply it. */
export interface Product {
  readonly x: number;
  readonly xType: Precision;
  readonly weight: Weights;
  readonly type: Precision;
}

/**
 * x·w element by element, before any accumulator. A power-of-two weight shifts in ap_fixed<2(B+W), B+W>, which drops low bits toward −∞
 * before the sign is applied; all other products are exact. `layout` brings the weights into the shape that broadcasts.
 */
export function product(b: GraphBuilder, { x, xType, weight, type }: Product, layout: (t: Tensor) => Tensor): number {
  if (type.kind !== "exponent") return b.add("mul", [signed(b, x, xType), constant(b, layout(weightTensor(weight, type)))], {});
  const parts = Array.from(weight.values, (v) => exponentWeight(v, type));
  const powers = layout(
    tensorFromNumbers(
      weight.shape,
      parts.map((p) => 2 ** p.exponent),
    ),
  );
  const width = type.type.width + xType.type.width;
  const shifted = cast(b, b.add("mul", [x, constant(b, powers)], {}), fixedPrecision(2 * width, width));
  return b.add(
    "mul",
    [
      shifted,
      constant(
        b,
        layout(
          tensorFromNumbers(
            weight.shape,
            parts.map((p) => (p.negative ? -1 : 1)),
          ),
        ),
      ),
    ],
    {},
  );
}

/** A layer's bias in the accumulator's type. */
export function biasIn(bias: Weights, type: Precision, accum: Precision): Tensor {
  const held = weightTensor(bias, type);
  return tensor(
    held.shape,
    -fractionBits(accum),
    held.data.map((m) => convert(m, held.exp, accum)),
  );
}

/**
 * Whether sums of the terms can be taken exactly and converted once. WRAP: conversion is a homomorphism modulo 2^W. Otherwise every partial
 * sum must lie in the type, or all terms be non-negative, so that a saturated sum stays at the top.
 */
export function isOnceEnough(groups: Iterable<readonly { readonly lo: number; readonly hi: number }[]>, accum: Precision): boolean {
  if (accum.overflow === "WRAP") return true;
  const { lo, hi } = rangeOf(accum.type);
  const unit = 2 ** exponent(accum.type);
  for (const terms of groups) {
    const most = terms.reduce((s, t) => s + Math.max(0, t.hi), 0);
    const least = terms.reduce((s, t) => s + Math.min(0, t.lo), 0);
    const saturates = accum.overflow !== "SAT_ZERO" && least === 0;
    // Bounds in doubles: kept away from the edge by more than their rounding.
    if (!saturates && (most > Number(hi) * unit * 0.999999 || least < Number(lo) * unit * 0.999999)) return false;
  }
  return true;
}

/** Intervals of a value's elements as doubles, in groups of its last axis. */
export function* lastAxisIntervals(b: GraphBuilder, x: number): Generator<readonly { readonly lo: number; readonly hi: number }[]> {
  const { elements = [], type } = b.node(x);
  const n = type.shape.at(-1) ?? 1;
  for (let i = 0; i < elements.length; i += n) {
    yield elements.slice(i, i + n).map((e) => ({ lo: Number(e.lo) * 2 ** e.exp, hi: Number(e.hi) * 2 ** e.exp }));
  }
}

/** Σ over the last axis, started from `bias`, in a typed accumulator that converts after every addition. Terms are in the type already. */
export function sumLast(b: GraphBuilder, x: number, accum: Precision, bias?: Tensor): number {
  const shape = shapeOf(b, x);
  const n = shape.at(-1)!;
  const start = (sums: number): number => (bias ? b.add("add", [sums, constant(b, bias)], {}) : sums);
  const withBias = (terms: readonly { readonly lo: number; readonly hi: number }[], i: number) => {
    if (!bias) return terms;
    const v = Number(bias.data[i % bias.data.length]!) * 2 ** bias.exp;
    return [...terms, { lo: v, hi: v }];
  };
  const groups = accum.overflow === "WRAP" ? [] : Array.from(lastAxisIntervals(b, x), withBias);
  if (isOnceEnough(groups, accum)) {
    const ones = tensor([n, 1], 0, new Array<bigint>(n).fill(1n));
    const sums = b.add("dense", [x], { kernel: ones, bias: undefined });
    return cast(b, start(reshape(b, sums, shape.slice(0, -1))), accum);
  }
  let sum: number | undefined = bias && constant(b, bias);
  for (let i = 0; i < n; i++) {
    const at = b.add("slice", [x], {
      start: [...shape.slice(0, -1).map(() => 0), i],
      stop: [...shape.slice(0, -1), i + 1],
      step: shape.map(() => 1),
    });
    const term = reshape(b, at, shape.slice(0, -1));
    sum = sum === undefined ? term : cast(b, b.add("add", [sum, term], {}), accum);
  }
  return sum!;
}

/** [n, m] as [m, n]. */
export function transposed(t: Tensor): Tensor {
  const [n, m] = [t.shape[0]!, t.shape[1]!];
  return tensor(
    [m, n],
    t.exp,
    Array.from({ length: sizeOf(t.shape) }, (_, i) => t.data[(i % n) * m + Math.floor(i / n)]!),
  );
}
