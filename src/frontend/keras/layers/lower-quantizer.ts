// Activation quantizers as exact graph ops. Each formula is quantizer-forward.ts's, written with max, min, add, mul, quantize and lut.
import { type FixedType, fixed, type Overflow } from "../../../ir/fixed.js";
import type { UnaryName } from "../../../ir/unary.js";
import { po2Exponents } from "../quantizer-forward.js";
import { type Alpha, isAuto, type Quantizer, type QuantizerName, type QuantizerOf } from "../quantizers.js";
import type { Failed, LayerContext } from "./context.js";

/** Distributes over a union of names, so that one lowering may serve several quantizers. */
type Lower<N extends QuantizerName> = (
  cx: LayerContext,
  q: N extends QuantizerName ? QuantizerOf<N> : never,
  x: number,
  key: string,
) => number | Failed;

const rounded = (cx: LayerContext, x: number, to: FixedType, overflow: Overflow = "SAT"): number =>
  cx.graph.add("quantize", [x], { to, round: "RND_CONV", overflow });

/** −1 below the threshold, 0 from there on: the sign bit of a saturated difference, so no table is needed. */
export function below(cx: LayerContext, x: number, threshold: number): number {
  const difference = threshold === 0 ? x : cx.add(x, cx.scalar(-threshold));
  return cx.graph.add("quantize", [difference], { to: fixed(1, 1), round: "TRN", overflow: "SAT" });
}

/** A fixed scale; one that depends on the data of the batch has no meaning in hardware. */
function alphaOf(cx: LayerContext, a: Alpha, key: string): number | Failed {
  if (isAuto(a)) {
    return cx.error(
      "QN204",
      `alpha='${a}' on an activation depends on the batch that is being computed`,
      key,
      "give a number, such as alpha=1, and train again",
    );
  }
  if (Array.isArray(a)) return cx.error("QN204", "a scale per channel is not supported on an activation", key, "give one number as alpha");
  return Math.fround((a as number | null) ?? 1);
}

const hardSigmoid = (cx: LayerContext, x: number, slope = 0.5): number =>
  cx.min(cx.max(cx.add(cx.scale(x, slope), cx.scalar(0.5)), cx.scalar(0)), cx.scalar(1));
/** 2y − 1, which turns a sigmoid into a tanh. */
const centred = (cx: LayerContext, y: number): number => cx.add(cx.scale(y, 2), cx.scalar(-1));

function lut(cx: LayerContext, name: UnaryName, params: readonly number[], x: number, type: FixedType, overflow: Overflow = "SAT"): number {
  return cx.graph.add("lut", [x], { f: { name, params, to: { type, round: "RND_CONV", overflow } } });
}

const binary: Lower<"binary" | "stochastic_binary"> = (cx, q, x, key) => {
  const alpha = alphaOf(cx, q.alpha, key);
  if (alpha === undefined) return undefined;
  const negative = below(cx, x, 0);
  const use01 = "use_01" in q && q.use_01;
  return cx.scale(cx.add(use01 ? negative : cx.scale(negative, 2), cx.scalar(1)), alpha);
};

const ternary: Lower<"ternary" | "stochastic_ternary"> = (cx, q, x, key) => {
  const alpha = alphaOf(cx, q.alpha, key);
  if (alpha === undefined) return undefined;
  const threshold = Math.fround(q.threshold ?? 0.33);
  // [x >= t] − [−x >= t] with [a >= t] = 1 + below(a, t). A threshold of 0 still gives sign(0) = 0.
  const sum = cx.graph.add("sub", [below(cx, x, threshold), below(cx, cx.scale(x, -1), threshold)], {});
  return cx.scale(sum, alpha);
};

const quantizedBits = (cx: LayerContext, q: Omit<QuantizerOf<"quantized_bits">, "name">, x: number, key: string): number | Failed => {
  if (isAuto(q.alpha) && typeof q.post_training_scale === "number") return frozenBits(cx, q, x, q.post_training_scale, key);
  const alpha = alphaOf(cx, q.alpha, key);
  if (alpha === undefined) return undefined;
  if (q.bits === 1 && q.keep_negative) return cx.scale(cx.add(cx.scale(below(cx, x, 0), 2), cx.scalar(1)), alpha);
  const type = q.keep_negative ? fixed(q.bits, q.integer + 1) : fixed(q.bits, q.integer, false);
  return cx.scale(rounded(cx, x, type, q.symmetric && q.keep_negative ? "SAT_SYM" : "SAT"), alpha);
};

/** An automatic scale that was frozen after training: symmetric, with halves away from zero. */
function frozenBits(
  cx: LayerContext,
  q: Omit<QuantizerOf<"quantized_bits">, "name">,
  x: number,
  scale: number,
  key: string,
): number | Failed {
  const shift = Math.log2(scale);
  if (!Number.isInteger(shift) || q.bits < 2)
    return cx.error(
      "QN204",
      `post_training_scale is ${scale}, which is no power of two`,
      key,
      "freeze the scales of an `auto_po2` quantizer",
    );
  // The step is 2^integer·scale/2^unsigned, and the levels are ±(2^(bits−1) − 1) even without keep_negative.
  const type = fixed(q.bits, q.integer + shift + q.bits - (q.bits - Number(q.keep_negative)));
  return cx.graph.add("quantize", [x], { to: type, round: "RND_INF", overflow: "SAT_SYM" });
}

const quantizedLinear: Lower<"quantized_linear"> = (cx, q, x, key) => {
  const alpha = alphaOf(cx, q.alpha, key);
  if (alpha === undefined) return undefined;
  const shift = Math.log2(alpha);
  if (!Number.isInteger(shift))
    return cx.error(
      "QN204",
      `quantized_linear divides by alpha = ${alpha}, which is no power of two`,
      key,
      "use a power of two, such as alpha=0.5",
    );
  // One bit: ±½ step, where step = 2^(integer + shift).
  if (q.bits === 1 && q.keep_negative) return cx.scale(cx.add(below(cx, x, 0), cx.scalar(0.5)), 2 ** (q.integer + shift));
  const type = q.keep_negative ? fixed(q.bits, q.integer + 1 + shift) : fixed(q.bits, q.integer + shift, false);
  return rounded(cx, x, type, q.symmetric && q.keep_negative ? "SAT_SYM" : "SAT");
};

const quantizedRelu: Lower<"quantized_relu"> = (cx, q, x, key) => {
  const slope = q.negative_slope;
  const bits = q.bits - Number(slope !== 0);
  const top = 2 ** q.integer;
  if (q.use_sigmoid) {
    if (slope !== 0)
      return cx.error("QN204", "quantized_relu with both use_sigmoid and negative_slope is not supported", key, "use one of them");
    const level = rounded(cx, hardSigmoid(cx, x, 0.5 / top), fixed(bits + 1, 1, false));
    return cx.scale(cx.min(cx.max(centred(cx, level), cx.scalar(0)), cx.scalar(1 - 2 ** -bits)), top);
  }
  const zero = cx.scalar(0);
  let y = rounded(cx, cx.max(x, zero), fixed(bits, q.integer, false));
  if (!q.is_quantized_clip && q.relu_upper_bound !== null) y = cx.min(y, cx.scalar(Math.fround(q.relu_upper_bound)));
  if (slope === 0) return y;
  // The negative half has the same step and ends at −slope·2^integer, which may lie between two steps.
  const lowest = Math.max(1, bits + 1 + Math.log2(slope));
  const negative = rounded(cx, cx.scale(cx.min(x, zero), slope), fixed(lowest, lowest + q.integer - bits));
  return cx.add(y, cx.max(negative, cx.scalar(-slope * top)));
};

const quantizedTanh: Lower<"quantized_tanh"> = (cx, q, x) => {
  const overflow = q.symmetric ? "SAT_SYM" : "SAT";
  const type = fixed(q.bits, 1);
  // The default "tanh" is hard: clip(x, −1, 1), which saturation does.
  return q.use_real_tanh ? lut(cx, "tanh", [], x, type, overflow) : rounded(cx, x, type, overflow);
};

const quantizedSigmoid: Lower<"quantized_sigmoid"> = (cx, q, x) => {
  const type = fixed(q.bits, 0, false);
  const y = q.use_real_sigmoid ? lut(cx, "sigmoid", [], x, type) : rounded(cx, cx.add(cx.scale(x, 0.5), cx.scalar(0.5)), type);
  return q.symmetric ? cx.max(y, cx.scalar(2 ** -q.bits)) : y;
};

const po2: Lower<"quantized_po2" | "quantized_relu_po2"> = (cx, q, x, key) => {
  if (q.quadratic_approximation || q.log2_rounding !== "rnd" || ("negative_slope" in q && q.negative_slope !== 0)) {
    return cx.error(
      "QN204",
      `${q.name} with quadratic_approximation, log2_rounding='floor' or a negative slope is not supported on an activation`,
      key,
    );
  }
  const { min, max } = po2Exponents(q);
  const limit = q.max_value === null ? 0 : Math.fround(q.max_value);
  const highest = limit > 0 ? Math.min(max, Math.ceil(Math.log2(limit))) : max;
  const signed = q.name === "quantized_po2";
  const width = Math.max(highest, min) - min + 1 + Number(signed);
  if (width > 64) {
    return cx.error(
      "QN301",
      `${q.name}(${q.bits}) reaches from 2^${min} to 2^${highest}: ${width} bits as fixed point, and the limit is 64`,
      key,
      "use fewer bits or give max_value",
    );
  }
  return lut(cx, "po2", [min, max, Number(signed), limit], x, { signed, width, int: Math.max(highest, min) + 1 + Number(signed) });
};

const lowers: { readonly [N in QuantizerName]: Lower<N> } = {
  quantized_bits: quantizedBits,
  quantized_linear: quantizedLinear,
  quantized_relu: quantizedRelu,
  quantized_tanh: quantizedTanh,
  quantized_sigmoid: quantizedSigmoid,
  quantized_hswish: (cx, q, x, key) => {
    // clip(x/b + shift/b, 0, 1) instead of clip(x + shift, 0, b)/b: a bound of 6 divides by 3, and so only the sloped part is rounded.
    const bound = q.relu_upper_bound;
    const gate = cx.add(cx.scale(x, Math.fround(1 / bound)), cx.scalar(Math.fround(q.relu_shift / bound)));
    return quantizedBits(cx, q, cx.mul(x, cx.min(cx.max(gate, cx.scalar(0)), cx.scalar(1))), key);
  },
  quantized_ulaw: (cx, _, __, key) =>
    cx.error("QN203", "quantized_ulaw is not supported as an activation", key, "use quantized_bits or quantized_tanh"),
  ternary,
  stochastic_ternary: ternary,
  binary,
  stochastic_binary: binary,
  bernoulli: (cx, _, __, key) =>
    cx.error("QN203", "bernoulli is random even at inference", key, "use binary(use_01=1), which is its deterministic form"),
  quantized_po2: po2,
  quantized_relu_po2: po2,
  hard_sigmoid: (cx, _, x) => hardSigmoid(cx, x),
  smooth_sigmoid: (cx, _, x) => hardSigmoid(cx, x, 0.1875),
  binary_sigmoid: (cx, _, x) => rounded(cx, hardSigmoid(cx, x), fixed(1, 1, false)),
  hard_tanh: (cx, _, x) => centred(cx, hardSigmoid(cx, x)),
  smooth_tanh: (cx, _, x) => centred(cx, hardSigmoid(cx, x, 0.1875)),
  binary_tanh: (cx, _, x) => centred(cx, rounded(cx, hardSigmoid(cx, x), fixed(1, 1, false))),
};

/** The quantizer applied to a value, as new nodes of the graph. `key` is the option that names it, for messages. */
export const lowerQuantizer = (cx: LayerContext, q: Quantizer, x: number, key: string): number | Failed =>
  (lowers[q.name] as Lower<QuantizerName>)(cx, q as never, x, key);
