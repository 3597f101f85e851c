// Dense and QDense: one matrix product, its scale where it is no power of two, its bias, its activation.
import type { KerasLayer } from "../model.js";
import { applyActivation } from "./activation.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { affine, biasOf, type Family, kernelOf } from "./kernel.js";

const MAX_UNITS = 1 << 20;

export const denseVariables = (layer: KerasLayer): readonly string[] => (layer.config.use_bias === false ? ["kernel"] : ["kernel", "bias"]);

export const dense =
  (family: Family) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    const units = cx.integer("units", 1, MAX_UNITS);
    if (x === undefined || units === undefined || !plainWeights(cx)) return undefined;
    const features = cx.shapeOf(x).at(-1);
    if (features === undefined) return cx.error("QN209", "the layer needs an input with at least one axis");
    const kernel = kernelOf(cx, family, "kernel", [features, units]);
    const bias = biasOf(cx, family, units);
    if (!kernel || bias === undefined) return undefined;
    const value = affine(cx, kernel, bias, (k, b) => cx.graph.add("dense", [x], { kernel: k, bias: b }));
    return applyActivation(cx, "activation", value, family);
  };

/** Not what Keras 3 can add to a layer's weights after training. */
export function plainWeights(cx: LayerContext): boolean {
  if (cx.get("lora_rank") == null && cx.get("quantization_config") == null) return true;
  cx.error("QN212", "LoRA and Keras' own int8 quantization are not supported", "lora_rank");
  return false;
}
