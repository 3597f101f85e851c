// Dense and QDense: one matrix product, its scale where it is no power of two, its bias, its activation.
import type { KerasLayer } from "../model.js";
import { applyActivation } from "./activation.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { quantizedWeight, trainable } from "./quantized-weight.js";

const MAX_UNITS = 1 << 20;

export const denseVariables = (layer: KerasLayer): readonly string[] => (layer.config.use_bias === false ? ["kernel"] : ["kernel", "bias"]);

export const dense =
  (family: "keras" | "qkeras") =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    const units = cx.integer("units", 1, MAX_UNITS);
    const useBias = cx.flag("use_bias", true);
    if (x === undefined || units === undefined || useBias === undefined) return undefined;
    if (cx.get("lora_rank") != null || cx.get("quantization_config") != null)
      return cx.error("QN212", "LoRA and Keras' own int8 quantization are not supported", "lora_rank");
    const features = cx.shapeOf(x).at(-1);
    if (features === undefined) return cx.error("QN209", "the layer needs an input with at least one axis");
    const kernelQuantizer = family === "qkeras" ? cx.quantizer("kernel_quantizer") : null;
    const biasQuantizer = family === "qkeras" ? cx.quantizer("bias_quantizer") : null;
    if (kernelQuantizer === undefined || biasQuantizer === undefined) return undefined;
    const kernelWeight = cx.weight("kernel", [features, units]);
    const biasWeight = useBias ? cx.weight("bias", [units]) : undefined;
    if (!kernelWeight || (useBias && !biasWeight)) return undefined;
    const kernel = quantizedWeight(cx, "kernel_quantizer", kernelQuantizer && trainable(kernelQuantizer), kernelWeight, true);
    const bias = biasWeight && quantizedWeight(cx, "bias_quantizer", biasQuantizer, biasWeight, false);
    if (!kernel || (useBias && !bias)) return undefined;
    const value = kernel.scale
      ? withScale(cx, cx.graph.add("dense", [x], { kernel: kernel.value, bias: undefined }), kernel.scale, bias?.value)
      : cx.graph.add("dense", [x], { kernel: kernel.value, bias: bias?.value });
    return applyActivation(cx, "activation", value, family);
  };

type Scale = Parameters<LayerContext["constant"]>[0];

function withScale(cx: LayerContext, sums: number, scale: Scale, bias: Scale | undefined): number {
  const scaled = cx.mul(sums, cx.constant(scale));
  return bias ? cx.add(scaled, cx.constant(bias)) : scaled;
}
