// The scales that QKeras computes from the tensor itself (alpha `auto` and `auto_po2`), in float32.
import { type Shape, sizeOf } from "../../ir/tensor.js";
import type { QuantizerOf } from "./quantizers.js";

const f = Math.fround;
const EPSILON = f(1e-7);
const LN2 = f(Math.LN2);
type Auto = "auto" | "auto_po2";

/** One scale for all elements or one per group; `at(i)` is the scale of element i. */
export interface Scales {
  readonly values: Float64Array;
  at(i: number): number;
}

/** Which scale belongs to which element. */
interface Groups {
  readonly count: number;
  of(i: number): number;
}

export interface ScaleOptions {
  readonly scale_axis?: number | null;
  readonly min_po2_exponent?: number | null;
  readonly max_po2_exponent?: number | null;
}

const roundHalfEven = (x: number): number => {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
};
const po2 = (s: number): number => 2 ** roundHalfEven(f(f(Math.log(f(s + EPSILON))) / LN2));

/** Groups along one axis (the last unless said). A rank-1 tensor is one group, or one group per element: QKeras has both. */
function groups(shape: Shape, axis: number | null | undefined, rank1: "one" | "each"): Groups {
  if (shape.length <= 1) return rank1 === "one" ? { count: 1, of: () => 0 } : { count: sizeOf(shape), of: (i) => i };
  const along = axis ?? shape.length - 1;
  const [inner, count] = [sizeOf(shape.slice(along + 1)), shape[along] ?? 1];
  return { count, of: (i) => Math.floor(i / inner) % count };
}

export const scaleOf = (s: number | Float64Array, shape: Shape): Scales => {
  if (typeof s === "number") return { values: Float64Array.of(s), at: () => s };
  const channels = shape.at(-1) ?? 1;
  return { values: s, at: (i) => s[(i % channels) % s.length]! };
};

const grouped = (values: Float64Array, g: Groups): Scales => ({ values, at: (i) => values[g.of(i)]! });

function reduce(x: Float64Array, g: Groups, start: number, step: (acc: number, v: number, i: number) => number): Float64Array {
  const out = new Float64Array(g.count).fill(start);
  x.forEach((v, i) => {
    const k = g.of(i);
    out[k] = step(out[k]!, v, i);
  });
  return out;
}

const maxAbs = (x: Float64Array, g: Groups): Float64Array => reduce(x, g, 0, (a, v) => Math.max(a, Math.abs(v)));

/** s = mean(x·q) / (mean(q·q) + ε) in each group, rounded to a power of two for `auto_po2`. */
export function leastSquares(
  alpha: Auto,
  x: Float64Array,
  q: Float64Array,
  shape: Shape,
  options: ScaleOptions = {},
  rank1: "one" | "each" = "each",
): Scales {
  const g = groups(shape, options.scale_axis, rank1);
  const n = x.length / g.count;
  const xq = reduce(x, g, 0, (a, v, i) => a + f(v * q[i]!));
  const qq = reduce(q, g, 0, (a, v) => a + f(v * v));
  const values = xq.map((s, k) => {
    const raw = f(f(s / n) / f(f(qq[k]! / n) + EPSILON));
    return alpha === "auto_po2" ? limitPo2(po2(raw), options) : raw;
  });
  return grouped(values, g);
}

const limitPo2 = (s: number, o: ScaleOptions): number =>
  Math.min(Math.max(s, 2 ** (o.min_po2_exponent ?? -1074)), 2 ** (o.max_po2_exponent ?? 1023));

/** quantized_bits: levels ±(2^(bits−1) − 1) whatever keep_negative says, halves away from zero, five refinements for `auto_po2`. */
export function autoBits(
  alpha: Auto,
  x: Float64Array,
  shape: Shape,
  q: Pick<QuantizerOf<"quantized_bits">, "bits"> & ScaleOptions,
  mi: number,
  frozen: Scales | undefined,
): { scale: Scales; z: Float64Array } {
  const xs = x.map((v) => f(v / mi));
  const levels = 2 * (2 ** (q.bits - 1) - 1);
  // A channel of zeros has scale 0; comparing 0/0 with < takes the limit, and its sign then gives 0.
  const levelOf = (v: number, s: number): number => {
    const level = Math.floor(f(f(Math.abs(v) / s) + 0.5));
    // biome-ignore lint/complexity/useMathMinMax: Math.min would keep the NaN
    return Math.sign(v) * (level < levels / 2 ? level : levels / 2);
  };
  const quantize = (s: Scales): Float64Array => xs.map((v, i) => levelOf(v, s.at(i)));
  if (frozen) return { scale: frozen, z: quantize(frozen) };
  const g = groups(shape, q.scale_axis, "one");
  const first = maxAbs(xs, g).map((m) => f(f(2 * m) / levels));
  let scale: Scales = grouped(alpha === "auto_po2" ? first.map(po2) : first, g);
  if (alpha === "auto_po2") for (let n = 0; n < 5; n++) scale = leastSquares("auto_po2", xs, quantize(scale), shape, q);
  return { scale, z: quantize(scale) };
}

type Quantum = (v: number, scale: number) => number;

/** quantized_linear: the scale from the largest magnitude, then for `auto_po2` at most five refinements until nothing changes. */
export function autoLinear(
  x: Float64Array,
  shape: Shape,
  q: QuantizerOf<"quantized_linear">,
  quantum: Quantum,
  low: number,
  high: number,
): Scales {
  const g = groups(shape, q.scale_axis, "each");
  const width = high - low;
  const peak = q.keep_negative ? maxAbs(x, g).map((m) => f(2 * m)) : reduce(x, g, Number.NEGATIVE_INFINITY, (a, v) => Math.max(a, v));
  const first = peak.map((m) => Math.max(f(m / width), EPSILON));
  if (q.alpha !== "auto_po2") return grouped(first, g);
  let values: Float64Array = first.map((s) => 2 ** roundHalfEven(f(f(Math.log(s)) / LN2)));
  for (let n = 0; n < (q.bits === 1 ? 1 : 5); n++) {
    const z = x.map((v, i) => quantum(v, values[g.of(i)]!));
    const next = leastSquares("auto_po2", x, z, shape, q).values;
    const same = next.every((s, k) => s === values[k]);
    values = next;
    if (same) break;
  }
  return grouped(values, g);
}

/** ternary: starts at two thirds of the largest magnitude, then alternates threshold and least squares. */
export function autoTernary(alpha: Auto, x: Float64Array, shape: Shape, unrolls: number): { scale: Scales; z: Float64Array } {
  const g = groups(shape, null, "one");
  const first = maxAbs(x, g).map((m) => f(f(2 * m) / 3));
  let scale: Scales = grouped(alpha === "auto_po2" ? first.map(po2) : first, g);
  let z: Float64Array = new Float64Array(x.length);
  for (let n = 0; n < unrolls; n++) {
    z = x.map((v, i) => {
      const s = scale.at(i);
      return f(Math.abs(f(s * roundHalfEven(f(v / s))))) >= f(s / 2) ? Math.sign(v) : 0;
    });
    scale = leastSquares(alpha, x, z, shape);
  }
  return { scale, z };
}
