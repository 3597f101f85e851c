// Convolutions: full, grouped, depthwise and separable ones, of Keras and QKeras, with batch normalization folded in where the layer does so.
import type { Tensor } from "../../../ir/tensor.js";
import type { KerasLayer } from "../model.js";
import { applyActivation } from "./activation.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { plainWeights } from "./dense.js";
import { affine, biasOf, type Family, type Folding, kernelOf } from "./kernel.js";
import { channelsLast, type Padding, padSpatial, padsOf, spatialShape, type Windows, windowsOf } from "./spatial.js";

const MAX_FILTERS = 1 << 20;

const bias = (layer: KerasLayer): readonly string[] => (layer.config.use_bias === false ? [] : ["bias"]);
export const convVariables = (layer: KerasLayer): readonly string[] => ["kernel", ...bias(layer)];
export const depthwiseVariables = (layer: KerasLayer): readonly string[] => ["depthwise_kernel", ...bias(layer)];
export const separableVariables = (layer: KerasLayer): readonly string[] => ["depthwise_kernel", "pointwise_kernel", ...bias(layer)];

const paddings = (rank: number): readonly Padding[] => (rank === 1 ? ["valid", "same", "causal"] : ["valid", "same"]);

type FoldingOf = (cx: LayerContext, units: number) => Folding | Failed;

/** The sums of one kernel over a padded input. */
const convolve = (
  cx: LayerContext,
  x: number,
  { strides, dilations }: Windows,
  kernel: Tensor,
  bias: Tensor | undefined,
  groups: number,
): number => cx.graph.add("conv", [x], { kernel, bias, strides, dilations, groups });

/** `folding` is what a folded batch normalization does to the weights. */
export const conv =
  (rank: number, family: Family, folding?: FoldingOf) =>
  (cx: LayerContext): LayerResult | Failed => {
    const units = cx.integer("filters", 1, MAX_FILTERS);
    const groups = cx.get("groups") === undefined ? 1 : cx.integer("groups", 1, MAX_FILTERS);
    if (units === undefined || groups === undefined || !plainWeights(cx) || !cx.requires("mask", [])) return undefined;
    return layer(cx, rank, family, (x, windows) => {
      const channels = cx.shapeOf(x).at(-1)!;
      if (channels % groups !== 0 || units % groups !== 0)
        return cx.error("QN212", `${channels} channels and ${units} filters cannot both be split into ${groups} groups`, "groups");
      const fold = folding?.(cx, units);
      if (folding && !fold) return undefined;
      const kernel = kernelOf(cx, family, "kernel", [...windows.window, channels / groups, units], fold);
      const offset = biasOf(cx, family, units, fold);
      if (!kernel || offset === undefined) return undefined;
      return affine(cx, kernel, offset, (k, b) => convolve(cx, x, windows, k, b, groups));
    });
  };

/** The kernel [window…, channels, multiplier]: every channel has its own filters, and the results of one channel are neighbours. */
export const depthwise =
  (rank: number, family: Family, folding?: FoldingOf) =>
  (cx: LayerContext): LayerResult | Failed => {
    const multiplier = cx.get("depth_multiplier") === undefined ? 1 : cx.integer("depth_multiplier", 1, MAX_FILTERS);
    if (multiplier === undefined) return undefined;
    return layer(cx, rank, family, (x, windows) => {
      const channels = cx.shapeOf(x).at(-1)!;
      const fold = folding?.(cx, channels * multiplier);
      if (folding && !fold) return undefined;
      const kernel = kernelOf(cx, family, "depthwise_kernel", [...windows.window, channels, multiplier], fold);
      const offset = biasOf(cx, family, channels * multiplier, fold);
      if (!kernel || offset === undefined) return undefined;
      return affine(cx, kernel, offset, (k, b) => convolve(cx, x, windows, byChannel(k, windows), b, channels));
    });
  };

const byChannel = (kernel: Tensor, { window }: Windows): Tensor => {
  const [channels, multiplier] = [kernel.shape.at(-2)!, kernel.shape.at(-1)!];
  return { ...kernel, shape: [...window, 1, channels * multiplier] };
};

/** A depthwise convolution without a bias, then one that mixes the channels of each pixel. */
export const separable =
  (rank: number, family: Family) =>
  (cx: LayerContext): LayerResult | Failed => {
    const units = cx.integer("filters", 1, MAX_FILTERS);
    const multiplier = cx.get("depth_multiplier") === undefined ? 1 : cx.integer("depth_multiplier", 1, MAX_FILTERS);
    if (units === undefined || multiplier === undefined) return undefined;
    return layer(cx, rank, family, (x, windows) => {
      const channels = cx.shapeOf(x).at(-1)!;
      const one = windows.window.map(() => 1);
      const deep = kernelOf(cx, family, "depthwise_kernel", [...windows.window, channels, multiplier]);
      const point = kernelOf(cx, family, "pointwise_kernel", [...one, channels * multiplier, units]);
      const offset = biasOf(cx, family, units);
      if (!deep || !point || offset === undefined) return undefined;
      const between = affine(cx, deep, null, (k) => convolve(cx, x, windows, byChannel(k, windows), undefined, channels));
      const pixel: Windows = { window: one, strides: one, dilations: one, padding: "valid" };
      return affine(cx, point, offset, (k, b) => convolve(cx, between, pixel, k, b, 1));
    });
  };

/** What all convolutions do around their kernel: input, window, order of axes, activation. */
function layer(
  cx: LayerContext,
  rank: number,
  family: Family,
  body: (x: number, windows: Windows) => number | Failed,
): LayerResult | Failed {
  const x = cx.input();
  const windows = windowsOf(cx, rank, "kernel_size", paddings(rank));
  if (x === undefined || !windows) return undefined;
  const value = channelsLast(cx, x, rank, (y) => {
    const padded = padSpatial(cx, "pad", y, padsOf(windows, spatialShape(cx, y, rank)));
    return padded === undefined ? undefined : body(padded, windows);
  });
  return value === undefined ? undefined : applyActivation(cx, "activation", value, family);
}
