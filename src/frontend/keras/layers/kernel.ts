// What dense layers and convolutions share: a kernel and a bias after their quantizers, and the scale that a kernel may leave to its sums.
import { type Shape, sizeOf, type Tensor, tensor } from "../../../ir/tensor.js";
import type { Weight } from "../model.js";
import type { Failed, LayerContext } from "./context.js";
import { type QuantizedWeight, quantizedWeight, trainable } from "./quantized-weight.js";

export type Family = "keras" | "qkeras";

/** What a folded batch normalization does to the weights before their quantizers. */
export interface Folding {
  kernel(weight: Weight): Weight;
  /** Also of a layer without a bias: `undefined` stands for zeros. */
  bias(weight: Weight | undefined): Weight;
}

/** A kernel by its name, such as `depthwise_kernel`, whose quantizer is `depthwise_quantizer`. */
export function kernelOf(cx: LayerContext, family: Family, name: string, shape: Shape, folding?: Folding): QuantizedWeight | Failed {
  const key = name === "kernel" ? "kernel_quantizer" : name.replace(/_kernel$/, "_quantizer");
  const quantizer = family === "qkeras" ? cx.quantizer(key) : null;
  if (quantizer === undefined) return undefined;
  // Keras 3 calls every kernel of a layer with one kernel just that.
  const weight = cx.weight(cx.hasWeight(name) || !cx.hasWeight("kernel") ? name : "kernel", shape);
  return weight && quantizedWeight(cx, key, quantizer && trainable(quantizer), folding ? folding.kernel(weight) : weight, true);
}

/** The bias, `null` for a layer without one. */
export function biasOf(cx: LayerContext, family: Family, units: number, folding?: Folding): Tensor | null | Failed {
  const used = cx.flag("use_bias", true);
  const quantizer = family === "qkeras" ? cx.quantizer("bias_quantizer") : null;
  if (used === undefined || quantizer === undefined) return undefined;
  const weight = used ? cx.weight("bias", [units]) : undefined;
  if (used && !weight) return undefined;
  const folded = folding ? folding.bias(weight) : weight;
  return folded ? quantizedWeight(cx, "bias_quantizer", quantizer, folded, false)?.value : null;
}

/**
 * kernel ∘ x + bias, where `product` adds the op. A scale that is no power of two multiplies the sums; it has a factor for each
 * unit, or for each of the units that one group of a depthwise convolution has.
 */
export function affine(
  cx: LayerContext,
  { value: kernel, scale }: QuantizedWeight,
  bias: Tensor | null,
  product: (kernel: Tensor, bias: Tensor | undefined) => number,
): number {
  if (!scale) return product(kernel, bias ?? undefined);
  const sums = product(kernel, undefined);
  const units = cx.shapeOf(sums).at(-1)!;
  const tiled = Array.from({ length: units }, (_, j) => scale.data[j % sizeOf(scale.shape)]!);
  const scaled = cx.mul(sums, cx.constant(tensor([units], scale.exp, tiled, { ...(scale.real ? { real: true } : {}) })));
  return bias ? cx.add(scaled, cx.constant(bias)) : scaled;
}
