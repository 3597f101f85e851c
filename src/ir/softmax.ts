// Softmax and argmax along one axis, from ops that every backend has.
import { fixed } from "./fixed.js";
import type { GraphBuilder } from "./graph.js";
import { type Shape, sizeOf, tensor } from "./tensor.js";

/** x as [before, n, after], so that a window of n covers the axis and channels are what comes after it. */
interface Along {
  readonly x: number;
  readonly shape: Shape;
  readonly n: number;
}

function alongAxis(b: GraphBuilder, x: number, axis: number): Along {
  const { shape } = b.node(x).type;
  const d = axis < 0 ? axis + shape.length : axis;
  const split = [sizeOf(shape.slice(0, d)), shape[d]!, sizeOf(shape.slice(d + 1))];
  return { x: reshaped(b, x, split), shape, n: shape[d]! };
}

const reshaped = (b: GraphBuilder, x: number, shape: Shape): number => (b.isPoisoned(x) ? x : b.add("reshape", [x], { shape }));
const pooled = (b: GraphBuilder, op: "maxpool" | "sumpool", { x, n }: Along): number => b.add(op, [x], { window: [n], strides: [n] });
const scalar = (b: GraphBuilder, m: bigint): number => b.add("constant", [], { value: tensor([], 0, [m]) });

/** e^(x − max x) / Σ e^(x − max x): the largest exponential is 1, and the sum lies between 1 and n. The functions are real until a precision is assigned. */
export function addSoftmax(b: GraphBuilder, x: number, axis = -1): number {
  if (b.isPoisoned(x)) return x;
  const along = alongAxis(b, x, axis);
  const below = b.add("sub", [along.x, pooled(b, "maxpool", along)], {});
  // Exactly so, which intervals do not see.
  const distance = b.add("min", [below, scalar(b, 0n)], {});
  const e = b.add("lut", [distance], { f: { name: "exp", params: [] } });
  const sum = b.add("max", [pooled(b, "sumpool", { ...along, x: e }), scalar(b, 1n)], {});
  const share = b.add("lut", [sum], { f: { name: "reciprocal", params: [] } });
  return reshaped(b, b.add("mul", [e, share], {}), along.shape);
}

/** The index of the first largest element: n − max_i (n − i)·[x_i = max x]. The axis is left out of the result's shape, unless it is the only one. */
export function addArgmax(b: GraphBuilder, x: number, axis = -1): number {
  if (b.isPoisoned(x)) return x;
  const along = alongAxis(b, x, axis);
  const below = b.add("sub", [along.x, pooled(b, "maxpool", along)], {});
  // −1 where x_i is smaller than the largest, else 0.
  const smaller = b.add("quantize", [below], { to: fixed(1, 1), round: "TRN", overflow: "SAT" });
  const isLargest = b.add("add", [smaller, scalar(b, 1n)], {});
  const ranks = Array.from({ length: along.n }, (_, i) => BigInt(along.n - i));
  const rank = b.add("mul", [isLargest, b.add("constant", [], { value: tensor([along.n, 1], 0, ranks) })], {});
  // Some element is the largest, which intervals do not see.
  const first = b.add("max", [pooled(b, "maxpool", { ...along, x: rank }), scalar(b, 1n)], {});
  const index = b.add("sub", [scalar(b, BigInt(along.n)), first], {});
  const d = axis < 0 ? axis + along.shape.length : axis;
  const rest = along.shape.filter((_, i) => i !== d);
  return reshaped(b, index, rest.length === 0 ? [1] : rest);
}
