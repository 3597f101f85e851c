// Functions made of straight pieces, exact in fixed point, and the layers that are named after them.
import { isObject, type Json } from "../json.js";
import { type Failed, type LayerContext, type LayerResult, realTensor, show } from "./context.js";
import { below } from "./lower-quantizer.js";

type Import = (cx: LayerContext) => LayerResult | Failed;

export const clip = (cx: LayerContext, x: number, low: number, high: number): number => cx.min(cx.max(x, cx.scalar(low)), cx.scalar(high));

/** max(x, 0) + slope·min(x, 0) */
export const leaky = (cx: LayerContext, x: number, slope: number): number => {
  const positive = cx.max(x, cx.scalar(0));
  return slope === 0 ? positive : cx.add(positive, scaledBy(cx, cx.min(x, cx.scalar(0)), slope));
};

/** x·factor with the factor in float32, which waits for a precision unless it is a power of two. */
export const scaledBy = (cx: LayerContext, x: number, factor: number): number =>
  Number.isInteger(Math.log2(Math.abs(factor))) ? cx.scale(x, factor) : cx.mul(x, cx.float([], [factor], x));

/** clip(x/5 + ½, 0, 1) in Keras 2, clip(x/6 + ½, 0, 1) in Keras 3. */
export const hardSigmoid = (cx: LayerContext, x: number): number =>
  clip(cx, cx.add(scaledBy(cx, x, cx.model.generation === 2 ? 0.2 : 1 / 6), cx.scalar(0.5)), 0, 1);

/** 1 where x > threshold, else 0: minus the −1 of −x < −threshold. */
const above = (cx: LayerContext, x: number, threshold: number): number => cx.scale(below(cx, cx.scale(x, -1), -threshold), -1);

/** Keras' functions by name, and the two of hls4ml's examples. */
export const piecewise: Readonly<Record<string, (cx: LayerContext, x: number) => number>> = {
  linear: (_, x) => x,
  relu: (cx, x) => leaky(cx, x, 0),
  relu6: (cx, x) => clip(cx, x, 0, 6),
  leaky_relu: (cx, x) => leaky(cx, x, 0.2),
  hard_sigmoid: hardSigmoid,
  hard_tanh: (cx, x) => clip(cx, x, -1, 1),
  hard_silu: (cx, x) => cx.mul(x, hardSigmoid(cx, x)),
  hard_swish: (cx, x) => cx.mul(x, hardSigmoid(cx, x)),
  // 1 for x > 0, else −1; and 1 for x > ½, −1 for x <= −½, else 0.
  binary_tanh: (cx, x) => cx.add(cx.scale(above(cx, x, 0), 2), cx.scalar(-1)),
  ternary_tanh: (cx, x) => cx.add(cx.add(above(cx, x, 0.5), above(cx, x, -0.5)), cx.scalar(-1)),
};

/** x where it is greater than the threshold, else 0. */
const gated = (cx: LayerContext, x: number, threshold: number): number => cx.mul(x, above(cx, x, threshold));

/** A number as Keras 3 writes it, or the numpy scalar of Keras 2, in float32. */
export function plainNumber(v: Json | undefined): number | undefined {
  if (isObject(v) && isObject(v.config)) return plainNumber(v.config.value);
  return v === null || v === undefined ? undefined : typeof v === "number" ? Math.fround(v) : Number.NaN;
}

/** clip(x·[x > threshold], 0, max_value) − negative_slope·max(threshold − x, 0), without the clip where neither bound is given. */
export const reluLayer: Import = (cx) => {
  const x = cx.input();
  const top = plainNumber(cx.get("max_value"));
  const slope = plainNumber(cx.get("negative_slope")) ?? 0;
  const threshold = plainNumber(cx.get("threshold")) ?? 0;
  if (x === undefined) return undefined;
  if ((top !== undefined && !(Number.isFinite(top) && top >= 0)) || !(Number.isFinite(slope) && slope >= 0) || !Number.isFinite(threshold))
    return cx.error("QN200", "max_value and negative_slope must be finite and not negative, threshold finite", "max_value");
  if (threshold === 0 && top === undefined) return { value: leaky(cx, x, slope) };
  const positive = threshold === 0 ? cx.max(x, cx.scalar(0)) : gated(cx, x, threshold);
  const capped = top === undefined ? positive : clip(cx, positive, 0, top);
  if (slope === 0) return { value: capped };
  const under = cx.min(threshold === 0 ? x : cx.add(x, cx.scalar(-threshold)), cx.scalar(0));
  return { value: cx.add(capped, scaledBy(cx, under, slope)) };
};

export const leakyRelu: Import = (cx) => {
  const x = cx.input();
  const slope = plainNumber(cx.get("alpha")) ?? plainNumber(cx.get("negative_slope")) ?? 0.3;
  if (x === undefined) return undefined;
  if (!(Number.isFinite(slope) && slope >= 0)) return cx.error("QN200", "the slope must be finite and not negative", "alpha");
  return { value: leaky(cx, x, slope) };
};

export const thresholdedRelu: Import = (cx) => {
  const x = cx.input();
  const theta = plainNumber(cx.get("theta")) ?? 1;
  if (x === undefined) return undefined;
  if (!(Number.isFinite(theta) && theta >= 0))
    return cx.error("QN200", `\`theta\` must be a number from 0, not ${show(cx.get("theta"))}`, "theta");
  return { value: theta === 0 ? cx.max(x, cx.scalar(0)) : gated(cx, x, theta) };
};

/** max(x, 0) + α·min(x, 0) with a trained α for each element, or one along the shared axes. */
export const prelu: Import = (cx) => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const shared = cx.get("shared_axes") ?? [];
  const axes = Array.isArray(shared) ? shared : [shared];
  const shape = cx.shapeOf(x);
  const alpha = cx.weight(
    "alpha",
    shape.map((n, d) => (axes.includes(d + 1) ? 1 : n)),
  );
  if (!alpha) return undefined;
  const zero = cx.scalar(0);
  const slope = cx.constant(realTensor(alpha.shape, alpha.values));
  return { value: cx.add(cx.max(x, zero), cx.mul(cx.min(x, zero), slope)) };
};
