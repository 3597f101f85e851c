// Pooling and merges (reference: numerics of hls4ml, §3.8).
import { exponent, type FixedType, fixed } from "../../ir/fixed.js";
import type { GraphBuilder } from "../../ir/graph.js";
import { type Shape, sizeOf, tensor } from "../../ir/tensor.js";
import type { Emit, Emitting } from "./emit.js";
import { cast, constant, reshape, scalar, shapeOf, sumLast, times } from "./emitting.js";
import { padded } from "./emit-sums.js";
import type { Merge, Pooling } from "./nodes.js";
import type { Precision } from "./precision.js";

/** y/count toward zero at y's own step: a product with the reciprocal, just above it, whose error cannot reach the next step. */
function dividedBy(b: GraphBuilder, y: number, counts: readonly number[], shape: Shape, type: FixedType): number {
  const unit = exponent(type);
  const most = Math.max(...counts);
  // floor(|n|·ceil(2^s/c)/2^s) = floor(|n|/c) for |n| < 2^W as soon as 2^s >= c·2^W.
  const s = type.width + Math.ceil(Math.log2(most));
  const factors = counts.map((c) => ((1n << BigInt(s)) + BigInt(c) - 1n) / BigInt(c));
  const scaled = b.add("mul", [y, constant(b, tensor(shape, -s, factors))], {});
  return b.add("quantize", [scaled], { to: fixed(type.width, type.width + unit, type.signed), round: "TRN_ZERO", overflow: "WRAP" });
}

/** How many pixels of the data, not of the padding, each window covers. */
function coverage(node: Pooling, x: Shape, at: Shape): readonly number[] {
  const along = at.map((n, d) =>
    Array.from({ length: n }, (_, i) => {
      const start = i * node.strides[d]! - node.pads[d]![0];
      return Math.min(start + node.window[d]!, x[d]!) - Math.max(start, 0);
    }),
  );
  return along.reduce<readonly number[]>((all, axis) => all.flatMap((a) => axis.map((n) => a * n)), [1]);
}

/** The windows of an image [spatial…, channels], one after the other along a last axis: [positions…, channels, taps]. */
function windows(b: GraphBuilder, x: number, node: Pooling, at: Shape): number {
  const shape = shapeOf(b, x);
  const parts = Array.from({ length: sizeOf(node.window) }, (_, k) => {
    const offset = node.window.map((_, d) => Math.floor(k / sizeOf(node.window.slice(d + 1))) % node.window[d]!);
    const stop = offset.map((o, d) => o + (at[d]! - 1) * node.strides[d]! + 1);
    const tap = b.add("slice", [x], { start: [...offset, 0], stop: [...stop, shape.at(-1)!], step: [...node.strides, 1] });
    return reshape(b, tap, [...at, shape.at(-1)!, 1]);
  });
  return parts.length === 1 ? parts[0]! : b.add("concat", parts, { axis: at.length + 1 });
}

export const emitPool: Emit<Pooling> = (cx) => {
  const {
    b,
    node,
    inputs: [x],
    result,
  } = cx;
  const accum = node.accum as Precision;
  const shape = shapeOf(b, x!);
  const at = node.window.map((w, d) => Math.floor((shape[d]! + node.pads[d]![0] + node.pads[d]![1] - w) / node.strides[d]!) + 1);
  const isPadded = node.pads.some(([before, after]) => before + after > 0);
  if (node.op === "max") {
    const most = b.add("maxpool", [isPadded ? padWithLeast(cx) : x!], { window: node.window, strides: node.strides });
    return cast(b, cast(b, reshaped(b, most, node.shape), accum), result);
  }
  const terms = cast(b, windows(b, padded(b, x!, node.pads), node, at), accum);
  const sums = sumLast(b, terms, accum);
  const counts = coverage(node, shape, at);
  const mean = dividedBy(b, sums, counts, [...at, 1], accum.type);
  return cast(b, reshaped(b, mean, node.shape), result);
};

const reshaped = (b: GraphBuilder, x: number, shape: Shape): number => (shapeOf(b, x).length === shape.length ? x : reshape(b, x, shape));

/** hls4ml pads with the most negative number of the type; an unsigned type has none, and its top bit alone stands there. */
function padWithLeast({ b, node, inputs, types, fixes }: Emitting<Pooling>): number {
  const [x, { type }] = [inputs[0]!, types[0]!];
  const pads = [...node.pads.flat(), 0, 0];
  if (type.signed) return b.add("edgepad", [x], { pads });
  fixes.wrong(
    node,
    "hls4ml pads the max pooling of unsigned data with half of its largest number instead of 0",
    "build with --fix for a padding that never wins, or use padding='valid'",
  );
  if (fixes.on) return b.add("edgepad", [x], { pads });
  const least = 2 ** (type.width - 1 + exponent(type));
  return b.add("add", [b.add("pad", [b.add("sub", [x, scalar(b, least)], {})], { pads }), scalar(b, least)], {});
}

export const emitMerge: Emit<Merge> = ({ b, node, inputs, result }) => {
  const [x, y] = inputs as [number, number];
  const ops = { add: "add", subtract: "sub", multiply: "mul", maximum: "max", minimum: "min", average: "add" } as const;
  const merged = b.add(ops[node.op], [x, y], {});
  return cast(b, node.op === "average" ? times(b, merged, 0.5) : merged, result);
};
