// What hls4ml does with a weight: a quantizer, then decimal text, then the weight's type.
import { convert, dyadic } from "../../ir/fixed.js";
import { type Shape, type Tensor, tensor } from "../../ir/tensor.js";
import { quantizerForward } from "../keras/quantizer-forward.js";
import type { Quantizer } from "../keras/quantizers.js";
import type { WeightQuantizer, Weights } from "./nodes.js";
import {
  exponentPrecision,
  fixedPrecision,
  fractionBits,
  integerPrecision,
  type Precision,
  type Slot,
  xnorPrecision,
} from "./precision.js";

export function weights(
  shape: Shape,
  values: ArrayLike<number>,
  type: Slot,
  quantizer?: WeightQuantizer,
  role: "kernel" | "bias" = "kernel",
): Weights {
  const unquantized = Float64Array.from(values);
  if (!quantizer) return { shape, values: unquantized, unquantized, type };
  return {
    shape,
    values: applyWeightQuantizer(quantizer, unquantized, shape),
    unquantized,
    quantizer,
    type: quantizerType(quantizer, role),
    ...(hasScale(quantizer) ? { scaled: true as const } : {}),
  };
}

/** Zeros of one bit: what hls4ml adds to a layer without bias. */
export const noBias = (units: number): Weights => weights([units], new Float64Array(units), integerPrecision(1, false));

export function applyWeightQuantizer(q: WeightQuantizer, x: Float64Array, shape: Shape): Float64Array {
  if (q.name === "po2-scale") return x;
  if (q.name === "sign") return x.map((v) => (v >= 0 ? 1 : -1));
  if (q.name === "ternary-half") return x.map((v) => (v > 0.5 ? 1 : v <= -0.5 ? -1 : 0));
  const { values } = quantizerForward(q as Quantizer, x, shape);
  // hls4ml keeps only the sign of a binary weight: the scale becomes a layer of its own.
  return /binary/.test(q.name) ? values.map((v) => (v >= 0 ? 1 : -1)) : values;
}

function hasScale(q: WeightQuantizer): boolean {
  return "alpha" in q && q.alpha !== null && q.alpha !== 1;
}

/** The type that hls4ml derives from a quantizer; it never looks at keep_negative. */
export function quantizerType(q: WeightQuantizer, role: "kernel" | "bias"): Precision {
  if (q.name === "sign" || q.name === "ternary-half") return integerPrecision(2);
  if (q.name === "quantized_bits") {
    if (q.bits !== q.integer) return fixedPrecision(q.bits, q.integer + 1);
    return q.bits === 1 ? xnorPrecision : integerPrecision(q.bits);
  }
  if (q.name === "quantized_po2" || q.name === "po2-scale") return exponentPrecision(q.bits);
  if (/ternary/.test(q.name)) return integerPrecision(2);
  if (/binary/.test(q.name)) return role === "kernel" ? xnorPrecision : integerPrecision(2);
  return fixedPrecision(16, 6);
}

/** `x` to `digits` decimals, halves to even, as Python's `'{:.{digits}f}'` writes it; then the double that C++ reads from that. */
export function throughDecimal(x: number, digits: number): number {
  const { m, exp } = dyadic(x);
  const scaled = m * 10n ** BigInt(digits);
  let n = scaled;
  if (exp >= 0) n = scaled << BigInt(exp);
  else {
    const shift = BigInt(-exp);
    const floor = scaled >> shift;
    const rest = scaled - (floor << shift);
    const half = 1n << (shift - 1n);
    n = rest > half || (rest === half && (floor & 1n) === 1n) ? floor + 1n : floor;
  }
  const text = (n < 0n ? -n : n).toString().padStart(digits + 1, "0");
  return Number(`${n < 0n ? "-" : ""}${text.slice(0, text.length - digits)}.${text.slice(text.length - digits)}`);
}

/** The mantissa of a number in the type, by way of its decimal text. */
export function weightMantissa(x: number, p: Precision): bigint {
  const { m, exp } = dyadic(throughDecimal(x, p.kind === "fixed" ? Math.max(0, fractionBits(p)) : 0));
  return convert(m, exp, p);
}

/** The numbers that the firmware holds; xnor weights as −1 and +1. */
export function weightTensor(w: Weights, p: Precision): Tensor {
  if (p.kind === "xnor")
    return tensor(
      w.shape,
      0,
      Array.from(w.values, (v) => (v >= 0 ? 1n : -1n)),
    );
  return tensor(
    w.shape,
    -fractionBits(p),
    Array.from(w.values, (v) => weightMantissa(v, p)),
    { type: p.type },
  );
}

/** Sign and e = log2 |w| toward zero, wrapped to the type. A weight of 0 has e = −∞, which C++ reads as the least int. */
export function exponentWeight(x: number, p: Precision): { readonly negative: boolean; readonly exponent: number } {
  const e = x === 0 ? -(2n ** 31n) : BigInt(Math.trunc(Math.log2(Math.abs(x))));
  return { negative: x < 0, exponent: Number(BigInt.asIntN(p.type.width, e)) };
}
