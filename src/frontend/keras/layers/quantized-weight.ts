// A layer's weight after its quantizer, as an exact tensor: grid values, and where the scale is no power of two the scale apart.
import { type FixedType, fixed } from "../../../ir/fixed.js";
import { type Shape, sizeOf, type Tensor, tensorFromNumbers } from "../../../ir/tensor.js";
import type { Weight } from "../model.js";
import { quantizerForward } from "../quantizer-forward.js";
import type { Scales } from "../quantizer-scale.js";
import { isAuto, type Quantizer } from "../quantizers.js";
import { type Failed, type LayerContext, realTensor } from "./context.js";

export interface QuantizedWeight {
  readonly value: Tensor;
  /** One factor a channel that the layer's sums still have to be multiplied with; present only where it is no power of two. */
  readonly scale?: Tensor;
}

/**
 * QKeras calls `_set_trainable_parameter` on the quantizer of a kernel: one without alpha becomes `auto_po2` and symmetric.
 * It does not on a bias. This is why quantized_bits(4,0,1) as a kernel is no plain fixed point.
 */
export function trainable(q: Quantizer): Quantizer {
  if (!("alpha" in q) || q.alpha !== null || q.name === "quantized_hswish" || q.name === "quantized_linear") return q;
  return q.name === "quantized_bits" ? { ...q, alpha: "auto_po2", symmetric: true } : { ...q, alpha: "auto_po2" };
}

const isPo2 = (x: number): boolean => x === 0 || Number.isInteger(Math.log2(Math.abs(x)));

/** `split` says whether the layer can apply a scale per channel itself (a kernel) or not (a bias). */
export function quantizedWeight(
  cx: LayerContext,
  key: string,
  q: Quantizer | null,
  weight: Weight,
  split: boolean,
): QuantizedWeight | Failed {
  const { shape, values } = weight;
  if (q === null) return { value: cx.isProxy ? tensorFromNumbers(shape, values) : realTensor(shape, values) };
  if (q.name === "bernoulli")
    return cx.error(
      "QN203",
      "bernoulli draws new random weights for every inference",
      key,
      "use stochastic_binary, which is deterministic at inference",
    );
  if (q.name === "quantized_bits" && q.bits === 1 && "alpha" in q && isAuto(q.alpha)) {
    return cx.error(
      "QN204",
      "quantized_bits of 1 bit with an automatic scale divides by zero in QKeras: all weights are 0 or NaN",
      key,
      "use binary(alpha='auto_po2'), or give alpha=1",
    );
  }
  const { values: out, scale, grid } = quantizerForward(q, values, shape);
  const bad = out.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) return cx.error("QN208", `${q.name} turns weight number ${bad}, ${values[bad]}, into ${out[bad]}`, key);
  if (split && scale && grid && !scale.values.every(isPo2)) {
    const factors = perChannel(scale, shape);
    if (factors) return { value: tensorFromNumbers(shape, grid), scale: realTensor([factors.length], factors) };
  }
  const type = declaredType(q);
  return { value: tensorFromNumbers(shape, out, type ? { type } : {}) };
}

/** The factor of each channel of the last axis; `undefined` where the scale follows another axis. */
function perChannel(scale: Scales, shape: Shape): Float64Array | undefined {
  const last = shape.at(-1) ?? 1;
  const factors = Float64Array.from({ length: last }, (_, j) => scale.at(j));
  for (let i = last; i < sizeOf(shape); i++) if (scale.at(i) !== factors[i % last]) return undefined;
  return factors;
}

/** The fixed-point type that a quantizer names, where it names one. */
function declaredType(q: Quantizer): FixedType | undefined {
  if (q.name !== "quantized_bits" || isAuto(q.alpha) || Array.isArray(q.alpha)) return undefined;
  const shift = Math.log2((q.alpha as number | null) ?? 1);
  if (!Number.isInteger(shift) || q.bits === 1 || q.bits > 24) return undefined;
  return q.keep_negative ? fixed(q.bits, q.integer + 1 + shift) : fixed(q.bits, q.integer + shift, false);
}
