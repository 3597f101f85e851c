// The value that each quantizer gives at inference, in float32 as QKeras computes it: for weights, and as the oracle of the activations.
import { type Shape, sizeOf } from "../../ir/tensor.js";
import { autoBits, autoLinear, autoTernary, leastSquares, type Scales, scaleOf } from "./quantizer-scale.js";
import { type Alpha, isAuto, type Quantizer, type QuantizerName, type QuantizerOf } from "./quantizers.js";

const f = Math.fround;
const EPSILON = f(1e-7);
const LN2 = f(Math.LN2);

export interface Forward {
  /** The value on the quantizer's grid, in float32. */
  readonly values: Float64Array;
  /** QKeras' `quantizer.scale` after the call; one for all, or one per channel. */
  readonly scale?: Scales;
  /** Where there is a scale: the short dyadics that it multiplies. */
  readonly grid?: Float64Array;
}

/** tf.round: half to even. */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

const clip = (x: number, lo: number, hi: number): number => Math.min(Math.max(x, lo), hi);
/** Sign with sign(0) = +1. */
const signUp = (x: number): number => (x < 0 ? -1 : 1);
const hardSigmoid = (x: number): number => clip(f(f(0.5 * x) + 0.5), 0, 1);
const smoothSigmoid = (x: number): number => clip(f(f(0.1875 * x) + 0.5), 0, 1);
const sigmoid = (x: number): number => f(1 / (1 + Math.exp(-x)));
/** log2 as Keras computes it: a float32 logarithm over a float32 constant. */
const log2 = (x: number): number => f(f(Math.log(x)) / LN2);

const each = (x: Float64Array, g: (v: number) => number): Forward => ({ values: x.map((v) => f(g(v))) });

/** `qnoise` mixes the input back in; trained models carry 1. */
const mix = (x: number, xq: number, qnoise: number): number => (qnoise === 1 ? xq : f(x + f(qnoise * f(xq - x))));

type Forwards = { readonly [N in QuantizerName]: (q: QuantizerOf<N>, x: Float64Array, shape: Shape) => Forward };

const forwards: Forwards = {
  quantized_bits: quantizedBits,
  quantized_linear: (q, x, shape) => {
    const unsigned = q.bits - Number(q.keep_negative);
    const step = 2 ** (q.integer - unsigned);
    // One signed bit has the two levels ±½; subtracting ½ before rounding swallows tiny negative inputs, as in QKeras.
    const high = unsigned === 0 ? 0.5 : f(2 ** unsigned - 1);
    const low = unsigned === 0 ? -0.5 : q.keep_negative ? f(-(2 ** unsigned) + Number(q.symmetric)) : 0;
    const quantum = (v: number, s: number): number =>
      unsigned === 0 ? roundHalfEven(f(clip(f(v / s), low, high) - 0.5)) + 0.5 : roundHalfEven(clip(f(v / s), low, high));
    const scale: Scales = isAuto(q.alpha) ? autoLinear(x, shape, q, quantum, low, high) : constantScale(q.alpha, shape, step);
    const grid = x.map((v, i) => quantum(v, scale.at(i)));
    return { values: x.map((v, i) => mix(v, f(scale.at(i) * grid[i]!), q.qnoise_factor)), scale, grid };
  },
  quantized_relu: (q, x) => {
    const unsigned = q.bits - Number(q.negative_slope !== 0);
    const [m, mi] = [f(2 ** unsigned), f(2 ** q.integer)];
    const [top, slope] = [f(1 - f(1 / m)), q.negative_slope];
    const relu = (v: number): number => (v < 0 ? v * slope : v);
    const bound = q.is_quantized_clip ? f(mi - f(2 ** (q.integer - unsigned))) : (q.relu_upper_bound ?? Number.POSITIVE_INFINITY);
    return each(x, (v) => {
      const p = q.use_sigmoid ? f(hardSigmoid(f(v / mi)) * m) : f(f(v * m) / mi);
      const scaled = (r: number, k: number): number => (q.use_sigmoid ? f(f(2 * f(r * k)) - 1) : f(r * k));
      const positive = mi * clip(scaled(roundHalfEven(p), 1 / m), 0, top);
      const negative = slope === 0 ? 0 : mi * slope * clip(scaled(roundHalfEven(f(p * slope)), 1 / (slope * m)), -1, 0);
      const capped = q.is_quantized_clip ? positive : Math.min(positive, q.relu_upper_bound ?? positive);
      return mix(Math.min(relu(v), bound), f(capped + negative), q.qnoise_factor);
    });
  },
  quantized_ulaw: (q, x) => {
    const [m, mi] = [2 ** (q.bits - 1), 2 ** q.integer];
    return each(x, (v) => {
      const rp = f(f(2 * f(roundHalfEven(f(hardSigmoid(f(v / mi)) * m)) / m)) - 1);
      const law = f(f(Math.sign(rp) * f(Math.log(f(1 + f(q.u * Math.abs(rp)))))) / f(Math.log(f(1 + q.u))));
      return mi * clip(law, -1 + Number(q.symmetric) / m, 1 - 1 / m);
    });
  },
  quantized_tanh: (q, x) => {
    const m = 2 ** (q.bits - 1);
    const p = (v: number): number => (q.use_real_tanh ? f(Math.tanh(v)) : f(2 * hardSigmoid(v) - 1));
    return each(x, (v) => clip(roundHalfEven(f(p(v) * m)) / m, -1 + Number(q.symmetric) / m, 1 - 1 / m));
  },
  quantized_sigmoid: (q, x) => {
    const m = 2 ** q.bits;
    const p = q.use_real_sigmoid ? sigmoid : hardSigmoid;
    return each(x, (v) => clip(roundHalfEven(f(p(v) * m)) / m, Number(q.symmetric) / m, 1 - 1 / m));
  },
  quantized_hswish: (q, x, shape) => {
    const swish = x.map((v) => f(f(v * clip(f(v + q.relu_shift), 0, q.relu_upper_bound)) / q.relu_upper_bound));
    return quantizedBits(q, swish, shape);
  },
  ternary: ternary,
  stochastic_ternary: ternary,
  binary: (q, x, shape) => {
    const sign = x.map((v) => (q.use_01 ? (signUp(v) + 1) / 2 : signUp(v)));
    return scaled(sign, isAuto(q.alpha) ? leastSquares(q.alpha, x, sign, shape, q) : constantScale(q.alpha, shape));
  },
  stochastic_binary: (q, x, shape) => {
    const sign = x.map(signUp);
    return scaled(sign, isAuto(q.alpha) ? leastSquares(q.alpha, x, sign, shape) : constantScale(q.alpha, shape));
  },
  // Random even at inference; this is its value where the sigmoid saturates. Importing one is refused.
  bernoulli: (q, x, shape) => {
    const one = x.map((v) => (signUp(v) + 1) / 2);
    return scaled(one, isAuto(q.alpha) ? leastSquares(q.alpha, x, one, shape) : constantScale(q.alpha, shape));
  },
  quantized_po2: (q, x) => {
    const e = po2Exponents(q);
    return each(x, (v) => mix(v, signUp(v) * 2 ** po2Exponent(Math.abs(v), e, q), q.qnoise_factor));
  },
  quantized_relu_po2: (q, x) => {
    const e = po2Exponents(q);
    const slope = q.negative_slope;
    return each(x, (v) => {
      const xq = v >= 0 || slope === 0 ? 2 ** po2Exponent(Math.max(v, 0), e, q) : -(2 ** po2Exponent(f(-v * slope), e, q));
      return mix(Math.min(v < 0 ? v * slope : v, q.max_value ?? Number.POSITIVE_INFINITY), xq, q.qnoise_factor);
    });
  },
  hard_sigmoid: (_, x) => each(x, hardSigmoid),
  smooth_sigmoid: (_, x) => each(x, smoothSigmoid),
  binary_sigmoid: (_, x) => each(x, (v) => roundHalfEven(hardSigmoid(v))),
  hard_tanh: (_, x) => each(x, (v) => 2 * hardSigmoid(v) - 1),
  smooth_tanh: (_, x) => each(x, (v) => f(2 * smoothSigmoid(v)) - 1),
  binary_tanh: (_, x) => each(x, (v) => 2 * roundHalfEven(hardSigmoid(v)) - 1),
};

/** The quantizer's output for a tensor of this shape; the last axis is the channel axis. Inputs are taken as float32. */
export function quantizerForward(q: Quantizer, x: ArrayLike<number>, shape: Shape): Forward {
  const values = Float64Array.from(x, f);
  if (values.length !== sizeOf(shape)) throw new RangeError(`${values.length} values for shape [${shape.join(", ")}]`);
  return (forwards[q.name] as (q: Quantizer, x: Float64Array, shape: Shape) => Forward)(q, values, shape);
}

function quantizedBits(q: Omit<QuantizerOf<"quantized_bits">, "name">, x: Float64Array, shape: Shape): Forward {
  const unsigned = q.bits - Number(q.keep_negative);
  const [m, mi] = [f(2 ** unsigned), f(2 ** q.integer)];
  if (isAuto(q.alpha)) {
    const frozen = q.post_training_scale === null ? undefined : constantScale(q.post_training_scale, shape, 1 / m);
    const { scale, z } = autoBits(q.alpha, x, shape, q, mi, frozen);
    const grid = z.map((level) => f(f(mi * level) / m));
    const ofGrid: Scales = { values: scale.values.map((s) => f(s * m)), at: (i) => f(scale.at(i) * m) };
    return { values: x.map((v, i) => mix(v, f(ofGrid.at(i) * grid[i]!), q.qnoise_factor)), scale: ofGrid, grid };
  }
  const scale = constantScale(q.alpha, shape);
  const [low, high] = [q.keep_negative ? f(-m + Number(q.symmetric)) : 0, f(m - 1)];
  const step = (v: number): number => {
    if (unsigned > 0) return f(f(mi * clip(roundHalfEven(f(f(v * m) / mi)), low, high)) / m);
    return q.keep_negative ? signUp(v) : (signUp(v) + 1) / 2;
  };
  const grid = x.map(step);
  return { values: x.map((v, i) => mix(v, f(scale.at(i) * grid[i]!), q.qnoise_factor)), scale, grid };
}

function ternary(q: QuantizerOf<"ternary"> | QuantizerOf<"stochastic_ternary">, x: Float64Array, shape: Shape): Forward {
  if (isAuto(q.alpha)) {
    const { scale, z } = autoTernary(q.alpha, x, shape, q.number_of_unrolls);
    return scaled(z, scale);
  }
  const threshold = f(q.threshold ?? 0.33);
  return scaled(
    x.map((v) => (Math.abs(v) >= threshold ? Math.sign(v) : 0)),
    constantScale(q.alpha, shape),
  );
}

const scaled = (grid: Float64Array, scale: Scales): Forward => ({ values: grid.map((z, i) => f(scale.at(i) * z)), scale, grid });

/** One scale, or one per channel of the last axis. */
const constantScale = (a: Alpha, shape: Shape, factor = 1): Scales =>
  Array.isArray(a)
    ? scaleOf(
        Float64Array.from(a as readonly number[], (v) => f(v * factor)),
        shape,
      )
    : scaleOf(f((typeof a === "number" ? a : 1) * factor), shape);

/** Smallest and largest exponent, from the bits that are left for it. */
export function po2Exponents(q: QuantizerOf<"quantized_po2"> | QuantizerOf<"quantized_relu_po2">): {
  readonly min: number;
  readonly max: number;
} {
  const exponentSign = q.max_value === null || q.max_value > 1 ? 1 : 0;
  const bits = q.bits - (q.name === "quantized_po2" ? 1 : 0) - exponentSign;
  const max = 2 ** bits - 1;
  return { min: -(2 ** bits), max: q.quadratic_approximation ? 2 * Math.floor(max / 2) : max };
}

function po2Exponent(
  magnitude: number,
  e: { readonly min: number; readonly max: number },
  q: QuantizerOf<"quantized_po2"> | QuantizerOf<"quantized_relu_po2">,
): number {
  if (magnitude < EPSILON) return e.min;
  const limited = q.max_value === null ? magnitude : Math.min(magnitude, f(q.max_value));
  // Half the logarithm instead of the root's: the same number, and 2^-1 stays a tie, as in TensorFlow.
  const exponent = q.quadratic_approximation ? f(log2(limited) / 2) : log2(limited);
  const whole = q.log2_rounding === "floor" ? Math.floor(exponent) : roundHalfEven(exponent);
  return (q.quadratic_approximation ? 2 : 1) * clip(whole, e.min, e.max);
}
