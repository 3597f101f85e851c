// What HGQ2's layers with a kernel share: the quantized kernel and bias, with batch normalization merged in as HGQ2 does it in float32.
import { broadcastIndex, type Shape, sizeOf, type Tensor, tensorFromNumbers } from "../../../ir/tensor.js";
import { applyActivation } from "../layers/activation.js";
import type { Failed, LayerContext, LayerResult } from "../layers/context.js";
import { outputQuantized, quantizedTensor, readHgqQuantizer } from "./quantizer.js";

const f32 = Math.fround;

/** A quantized weight, and the same tensor as numbers for what comes after. */
export function quantizedBy(cx: LayerContext, role: "k" | "b", values: ArrayLike<number>, shape: Shape): Tensor | Failed {
  const key = `${role}q_conf`;
  const q = readHgqQuantizer(cx, cx.get(key), key, { path: `${role}q` }, true);
  return q === undefined ? undefined : quantizedTensor(cx, q, values, shape);
}

/** γ/√(σ² + ε) by channel, and the mean: the batch normalization that the kernel takes in. */
export interface Norm {
  readonly scale: Float64Array;
  readonly mean: ArrayLike<number>;
}

export function readNorm(cx: LayerContext, gammaName: string, size: number, epsilon: number): Norm | Failed {
  const useScale = cx.flag("scale", true);
  if (useScale === undefined) return undefined;
  const gamma = useScale ? cx.weight(gammaName, [size]) : undefined;
  const mean = cx.weight("moving_mean", [size]);
  const variance = cx.weight("moving_variance", [size]);
  if ((useScale && !gamma) || !mean || !variance) return undefined;
  const bad = variance.values.findIndex((v) => !(v + epsilon > 0));
  if (bad >= 0) return cx.error("QN208", `moving_variance is ${variance.values[bad]} in channel ${bad}: its root does not exist`);
  const scale = Float64Array.from(variance.values, (v, i) => f32((gamma?.values[i] ?? 1) / f32(Math.sqrt(f32(v + f32(epsilon))))));
  return { scale, mean: mean.values };
}

/** The layer's activation and then its output quantizer. */
export function finish(cx: LayerContext, value: number): LayerResult | Failed {
  const result = applyActivation(cx, "activation", value, "keras");
  if (!result || result.host) return result;
  const out = outputQuantized(cx, result.value);
  return out === undefined ? undefined : { value: out };
}

/** QBatchNormalization: x·kq(γ/√(σ² + ε)) + bq(β − μ·γ/√(σ² + ε)). Without `center`, HGQ2 takes β = 1. */
export function normalize(cx: LayerContext, x: number): LayerResult | Failed {
  const shape = cx.shapeOf(x);
  const axis = cx.get("axis") ?? -1;
  if (axis !== -1 && axis !== shape.length)
    return cx.error("QN212", "batch normalization along an axis that is not the last is not supported", "axis", "use channels_last");
  const n = shape.at(-1) ?? 1;
  const [epsilon, center] = [cx.number("epsilon", 1e-3), cx.flag("center", true)];
  if (epsilon === undefined || center === undefined) return undefined;
  const norm = readNorm(cx, "bn_gamma", n, epsilon);
  const beta = center ? cx.weight("bn_beta", [n]) : undefined;
  if (!norm || (center && !beta)) return undefined;
  const offset = Array.from(norm.scale, (s, i) => f32((beta?.values[i] ?? 1) - f32(norm.mean[i]! * s)));
  const factor = quantizedBy(cx, "k", norm.scale, [n]);
  const summand = quantizedBy(cx, "b", offset, [n]);
  if (!factor || !summand) return undefined;
  const out = outputQuantized(cx, cx.add(cx.mul(x, cx.constant(factor)), cx.constant(summand)));
  return out === undefined ? undefined : { value: out };
}

/** values[i]·factor, where `factor` has shape `from` and broadcasts. */
export function scaled(values: ArrayLike<number>, shape: Shape, factor: ArrayLike<number>, from: Shape): Float64Array {
  const index = broadcastIndex(from, shape);
  return Float64Array.from({ length: sizeOf(shape) }, (_, i) => f32(values[i]! * factor[index[i]!]!));
}

/** Σ over the elements of a group of axes, exact: x laid out as rows of `n`, times ones. */
export const sumRows = (cx: LayerContext, x: number, n: number): number =>
  cx.graph.add("dense", [x], { kernel: tensorFromNumbers([n, 1], new Array<number>(n).fill(1)), bias: undefined });
