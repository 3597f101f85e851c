// Bounds of the derivatives of the functions of `lut`: how finely a table must be cut, and how exactly an operand is needed.
import type { UnaryFunction, UnaryName } from "../ir/unary.js";

/** An upper bound of |f^(order)| on lo … hi, order 1 to 3. Where f has a corner at 0, either side alone. */
type Bound = (order: Order, lo: number, hi: number, params: readonly number[]) => number;
export type Order = 1 | 2 | 3;

const nearest = (lo: number, hi: number): number => (lo <= 0 && hi >= 0 ? 0 : Math.min(Math.abs(lo), Math.abs(hi)));
const farthest = (lo: number, hi: number): number => Math.max(Math.abs(lo), Math.abs(hi));
const factorial = [1, 1, 2, 6] as const;

/** Suprema over the whole line. Order 0 of the sigmoid is its own. */
const SIGMOID = [1, 0.25, 0.09623, 0.125] as const;
/** |σ^(k)| <= e^−|x| for k >= 1, because σ' <= e^−|x| and the other factors are at most 1. */
const sigmoid = (order: 0 | Order, m: number): number => (order === 0 ? 1 : Math.min(SIGMOID[order], Math.exp(-m)));
const exponential = (hi: number): number => Math.exp(Math.min(hi, 700));
const elu = (order: Order, lo: number, hi: number, alpha: number): number =>
  Math.max(lo < 0 ? Math.abs(alpha) * exponential(Math.min(hi, 0)) : 0, hi > 0 && order === 1 ? 1 : 0);
/** A function that is near 0 on the left and near x on the right: suprema everywhere, and a tail of higher orders that falls like e^−|x|. */
const gate =
  (suprema: readonly [number, number, number], tail: (far: number) => number): Bound =>
  (order, lo, hi) => {
    const falling = tail(farthest(lo, hi)) * Math.exp(-nearest(lo, hi));
    return Math.min(suprema[order - 1]!, order === 1 && hi > 0 ? Number.POSITIVE_INFINITY : falling);
  };

const bounds: { readonly [K in UnaryName]?: Bound } = {
  linear: (order) => (order === 1 ? 1 : 0),
  square: (order, lo, hi) => [2 * farthest(lo, hi), 2, 0][order - 1]!,
  sigmoid: (order, lo, hi) => sigmoid(order, nearest(lo, hi)),
  // tanh x = 2σ(2x) − 1
  tanh: (order, lo, hi) => 2 ** (order + 1) * sigmoid(order, 2 * nearest(lo, hi)),
  exp: (_, __, hi) => exponential(hi),
  softplus: (order, lo, hi) => (order === 1 ? 1 : sigmoid((order - 1) as Order, nearest(lo, hi))),
  softsign: (order, lo, hi) => factorial[order] / (1 + nearest(lo, hi)) ** (order + 1),
  elu: (order, lo, hi, [alpha]) => elu(order, lo, hi, alpha!),
  selu: (order, lo, hi) => 1.0508 * elu(order, lo, hi, 1.6733),
  swish: gate([1.1, 0.5, 0.31], (far) => far + 3),
  gelu: gate([1.13, 0.798, 0.78], (far) => far ** 3 + 4 * far + 3),
  gelu_tanh: gate([1.13, 0.798, 0.78], (far) => far ** 3 + 4 * far + 3),
  mish: gate([1.09, 0.65, 0.6], (far) => 8 * far + 24),
  log: (order, lo) => (lo > 0 ? factorial[order] / order / lo ** order : Number.POSITIVE_INFINITY),
  sqrt: (order, lo) => (lo > 0 ? [0.5, 0.25, 0.375][order - 1]! * lo ** (0.5 - order) : Number.POSITIVE_INFINITY),
  rsqrt: (order, lo) => (lo > 0 ? [0.5, 0.75, 1.875][order - 1]! * lo ** (-0.5 - order) : Number.POSITIVE_INFINITY),
  reciprocal: (order, lo, hi) => factorial[order] / nearest(lo, hi) ** (order + 1),
};

/** Whether f is smooth but for a corner at 0, so that polynomials approach it. */
export const isSmooth = (f: UnaryFunction): boolean => bounds[f.name] !== undefined;

export const derivativeBound = (f: UnaryFunction, order: Order, lo: number, hi: number): number => bounds[f.name]?.(order, lo, hi, f.params) ?? Number.POSITIVE_INFINITY;

export const slopeBound = (f: UnaryFunction, lo: number, hi: number): number => derivativeBound(f, 1, lo, hi);
