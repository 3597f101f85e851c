// Convolutions of HGQ and HGQ2: geometry as Keras', weights as the caller quantizes them.
import type { Shape, Tensor } from "../../../ir/tensor.js";
import type { Failed, LayerContext, LayerResult } from "../layers/context.js";
import { channelsLast, padSpatial, padsOf, spatialShape, windowsOf } from "../layers/spatial.js";
import { finish, quantizedBy } from "./linear.js";
import { inputQuantized } from "./quantizer.js";

const MAX_FILTERS = 1 << 20;

/** Quantized weights of a layer with these shapes. */
export interface Weights {
  readonly kernel: Tensor;
  readonly bias: Tensor | undefined;
}
export type ReadWeights = (cx: LayerContext, kernelShape: Shape, units: number) => Weights | Failed;

/** The sums of the kernel at every position, with the bias. */
export function convolve(cx: LayerContext, x: number, rank: number, read: ReadWeights): number | Failed {
  const units = cx.integer("filters", 1, MAX_FILTERS);
  const groups = cx.get("groups") === undefined ? 1 : cx.integer("groups", 1, MAX_FILTERS);
  const windows = windowsOf(cx, rank, "kernel_size", rank === 1 ? ["valid", "same", "causal"] : ["valid", "same"]);
  if (units === undefined || groups === undefined || !windows) return undefined;
  return channelsLast(cx, x, rank, (y) => {
    const channels = cx.shapeOf(y).at(-1)!;
    if (channels % groups !== 0 || units % groups !== 0)
      return cx.error("QN212", `${channels} channels and ${units} filters cannot both be split into ${groups} groups`, "groups");
    const weights = read(cx, [...windows.window, channels / groups, units], units);
    const padded = weights && padSpatial(cx, "pad", y, padsOf(windows, spatialShape(cx, y, rank)));
    if (!weights || padded === undefined) return undefined;
    return cx.graph.add("conv", [padded], { ...weights, strides: windows.strides, dilations: windows.dilations, groups });
  });
}

const MAX_UNITS = 1 << 20;

/** The product with a kernel [features, units], with the bias. */
export function multiply(cx: LayerContext, x: number, read: ReadWeights): number | Failed {
  const units = cx.integer("units", 1, MAX_UNITS);
  const features = cx.shapeOf(x).at(-1);
  if (features === undefined) return cx.error("QN209", "the layer needs an input with at least one axis");
  const weights = units === undefined ? undefined : read(cx, [features, units], units);
  return weights && cx.graph.add("dense", [x], { kernel: weights.kernel, bias: weights.bias });
}

/** The float kernel and bias as they are in the file; the bias is absent where the layer has none. */
export function floatWeights(cx: LayerContext, shape: Shape, units: number) {
  const useBias = cx.flag("use_bias", true);
  const kernel = useBias === undefined ? undefined : cx.weight("kernel", shape);
  const bias = useBias ? cx.weight("bias", [units]) : undefined;
  return !kernel || (useBias && !bias) ? undefined : { kernel: kernel.values, bias: bias?.values };
}

/** HGQ2: kq(W) and bq(b). */
export const hgq2Weights: ReadWeights = (cx, shape, units) => {
  const float = floatWeights(cx, shape, units);
  const kernel = float && quantizedBy(cx, "k", float.kernel, shape);
  const bias = float?.bias && quantizedBy(cx, "b", float.bias, [units]);
  return !kernel || (float.bias && !bias) ? undefined : { kernel, bias };
};

/** QConv1D, QConv2D, QConv3D. Padding comes after the input quantizer: both leave zeros alone. */
export const qConv =
  (rank: number) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = inputQuantized(cx);
    const sums = x === undefined ? undefined : convolve(cx, x, rank, hgq2Weights);
    return sums === undefined ? undefined : finish(cx, sums);
  };
