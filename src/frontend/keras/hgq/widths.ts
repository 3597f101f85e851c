// A width per element: HGQ's bit widths as fixed-point types, and their use on values of the graph and on arrays of weights.
import { type FixedType, MAX_WIDTH, type Overflow, printFixed, type Rounding, sameType } from "../../../ir/fixed.js";
import type { Precision } from "../../../ir/ops/op.js";
import {
  broadcastIndex,
  broadcastShape,
  printShape,
  sameShape,
  type Shape,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
} from "../../../ir/tensor.js";
import type { Failed, LayerContext } from "../layers/context.js";

/** Types by element of a tensor of `shape`, which broadcasts to what is quantized; one rounding and one overflow mode for all. */
export interface Widths {
  readonly shape: Shape;
  readonly types: readonly FixedType[];
  readonly round: Rounding;
  readonly overflow: Overflow;
}

export const ZERO: FixedType = { signed: false, width: 0, int: 0 };

/**
 * HGQ2's k sign bits, i integer bits without sign, f fraction bits. A width of 0 or less gives 0; so does a symmetric range without
 * magnitude, where ap_fixed's single sign bit would still reach −1.
 */
export function typeOf(k: number, i: number, f: number, overflow: Overflow): FixedType {
  if (k + i + f <= 0 || (overflow === "SAT_SYM" && i + f <= 0)) return ZERO;
  return { signed: k > 0, width: k + i + f, int: i + k };
}

/** The shortest way to write types by element: one, one a channel, or all. */
export function precisionOf(types: readonly FixedType[], shape: Shape): Precision {
  const first = types[0] ?? ZERO;
  if (types.every((t) => sameType(t, first))) return first;
  const channels = shape.at(-1) ?? 1;
  if (channels < types.length && types.every((t, i) => sameType(t, types[i % channels]!)))
    return { per: "channel", types: types.slice(0, channels) };
  return { per: "element", types };
}

/** Far beyond what float32 reaches. */
const MAX_INT = 256;
const isSane = (t: FixedType): boolean =>
  Number.isInteger(t.width) && Number.isInteger(t.int) && t.width <= MAX_WIDTH && Math.abs(t.int) <= MAX_INT;

/** Types for each element of a tensor of shape `to`. */
export function typesFor(cx: LayerContext, w: Widths, to: Shape, what: string): readonly FixedType[] | Failed {
  const broadcast = broadcastShape(w.shape, to);
  if (typeof broadcast === "string" || !sameShape(broadcast, to))
    return cx.error("QN207", `the widths of ${what} have shape ${printShape(w.shape)}, and the values ${printShape(to)}`);
  const wide = w.types.find((t) => !isSane(t));
  if (wide) return cx.error("QN301", `${what} has the type ${printFixed(wide)}, beyond the limit of ${MAX_WIDTH} bits or 2^±${MAX_INT}`);
  return Array.from(broadcastIndex(w.shape, to), (i) => w.types[i]!);
}

/** The values of a graph node in these types. */
export function quantizeValue(cx: LayerContext, x: number, w: Widths, what: string): number | Failed {
  const shape = cx.shapeOf(x);
  const types = typesFor(cx, w, shape, what);
  return types && cx.graph.add("quantize", [x], { to: precisionOf(types, shape), round: w.round, overflow: w.overflow });
}

const f32 = Math.fround;

/** Round half to even. */
export const rint = (x: number): number => {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
};

/** In float32, as HGQ computes them: the sum with ½ is itself rounded. */
export const rounders: { readonly [R in Rounding]: (x: number) => number } = {
  TRN: Math.floor,
  RND: (x) => Math.floor(f32(x + 0.5)),
  RND_CONV: rint,
  TRN_ZERO: Math.trunc,
  RND_ZERO: (x) => -Math.floor(f32(0.5 - Math.abs(x))) * Math.sign(x),
  RND_MIN_INF: (x) => -Math.floor(f32(0.5 - x)),
  RND_INF: (x) => Math.floor(f32(Math.abs(x) + 0.5)) * Math.sign(x),
};

/** One weight in a type, as HGQ rounds and limits it. */
export function quantizeNumber(x: number, t: FixedType, round: Rounding, overflow: Overflow): number {
  if (t.width === 0) return 0;
  const step = 2 ** (t.int - t.width);
  const bound = 2 ** (t.int - Number(t.signed));
  const high = bound - step;
  const low = t.signed ? (overflow === "SAT_SYM" ? -high : -bound) : 0;
  const y = rounders[round](f32(x) / step) * step;
  if (y >= low && y <= high) return y + 0;
  if (overflow === "WRAP") return y - Math.floor((y - low) / (high - low + step)) * (high - low + step);
  return overflow === "SAT_ZERO" ? 0 : y < low ? low : high;
}

/** A quantized weight as an exact tensor. */
export function exactTensor(cx: LayerContext, values: Float64Array, shape: Shape, what: string): Tensor | Failed {
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad < 0) return tensorFromNumbers(shape, values);
  return cx.error("QN208", `weight number ${bad} is ${values[bad]} after ${what}`, undefined, "the file is damaged, or training diverged");
}

/** Weights in these types. */
export function quantizeNumbers(cx: LayerContext, values: ArrayLike<number>, shape: Shape, w: Widths, what: string): Float64Array | Failed {
  const types = typesFor(cx, w, shape, what);
  return types && Float64Array.from({ length: sizeOf(shape) }, (_, i) => quantizeNumber(values[i]!, types[i]!, w.round, w.overflow));
}
