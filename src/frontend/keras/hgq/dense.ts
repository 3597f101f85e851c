// HGQ2's QDense and QBatchNormDense, and the order in which Keras numbers the variables of layers with a kernel.
import type { Failed, LayerContext, LayerResult } from "../layers/context.js";
import type { KerasLayer } from "../model.js";
import { hgq2Weights, multiply, type ReadWeights } from "./conv.js";
import { finish, quantizedBy, readNorm, scaled } from "./linear.js";
import { inputQuantized } from "./quantizer.js";

const f32 = Math.fround;

/** The bookkeeping of effective bit operations, between the weights that training changes and those that it does not. */
export const bookkeeping = ({ config }: KerasLayer): readonly string[] => (config.enable_ebops === false ? [] : ["beta", "ebops"]);

export const kernelVariables = (layer: KerasLayer): readonly string[] => [
  "kernel",
  ...(layer.config.use_bias === false ? [] : ["bias"]),
  ...bookkeeping(layer),
];

export const batchnormDenseVariables = (layer: KerasLayer): readonly string[] => [
  "kernel",
  "bias",
  ...(layer.config.scale === false ? [] : ["bn_gamma"]),
  ...bookkeeping(layer),
  "moving_mean",
  "moving_variance",
];

const denseWith =
  (read: ReadWeights) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = inputQuantized(cx);
    const sums = x === undefined ? undefined : multiply(cx, x, read);
    return sums === undefined ? undefined : finish(cx, sums);
  };

/** kq(s·W) and bq(b − μ·W) with s = γ/√(σ² + ε) a feature. The mean meets the kernel that is not yet scaled: so HGQ2 computes it. */
const normalizedWeights: ReadWeights = (cx, shape, units) => {
  const features = shape[0]!;
  const epsilon = cx.number("epsilon", 1e-3);
  const kernel = epsilon === undefined ? undefined : cx.weight("kernel", shape);
  const bias = kernel && cx.weight("bias", [units]);
  const norm = bias && readNorm(cx, "bn_gamma", features, epsilon!);
  if (!kernel || !norm) return undefined;
  const offset = new Float64Array(units);
  for (let i = 0; i < features; i++) for (let j = 0; j < units; j++) offset[j]! -= norm.mean[i]! * kernel.values[i * units + j]!;
  const sum = offset.map((v, j) => f32(bias.values[j]! + f32(v)));
  const qkernel = quantizedBy(cx, "k", scaled(kernel.values, shape, norm.scale, [features, 1]), shape);
  const qbias = qkernel && quantizedBy(cx, "b", sum, [units]);
  return qbias && { kernel: qkernel, bias: qbias };
};

export const qDense = denseWith(hgq2Weights);
export const qBatchNormDense = denseWith(normalizedWeights);
