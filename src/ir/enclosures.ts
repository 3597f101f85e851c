// What the functions of the `lut` op are, exactly: dyadic values where they have them, else open intervals as narrow as asked for.
import { type Range, shiftFloor } from "./fixed.js";
import { decay, errorSeries, exponential, integerRoot, ln2, logarithm, rootOf2ByPi } from "./real-math.js";

/** The dyadic rational m·2^exp. */
export interface Dyadic {
  readonly m: bigint;
  readonly exp: number;
}

/** f(x) itself, or mantissas lo < hi at 2^−p between which it lies strictly. */
export type Enclosure = Dyadic | Range;
export const isExact = (e: Enclosure): e is Dyadic => "m" in e;

/** Poles, and values of exp beyond it, count as ±2^LIMIT: every function has a value for every real number. */
export const LIMIT = 1000;
export const limit = (sign: 1n | -1n): Dyadic => ({ m: sign, exp: LIMIT });

const ZERO: Dyadic = { m: 0n, exp: 0 };
const ONE: Dyadic = { m: 1n, exp: 0 };
const HALF: Dyadic = { m: 1n, exp: -1 };

export const compare = (a: Dyadic, b: Dyadic): number => {
  const e = Math.min(a.exp, b.exp);
  const d = (a.m << BigInt(a.exp - e)) - (b.m << BigInt(b.exp - e));
  return d > 0n ? 1 : d < 0n ? -1 : 0;
};
export const plus = (a: Dyadic, b: Dyadic): Dyadic => {
  const exp = Math.min(a.exp, b.exp);
  return { m: (a.m << BigInt(a.exp - exp)) + (b.m << BigInt(b.exp - exp)), exp };
};
export const times = (a: Dyadic, b: Dyadic): Dyadic => ({ m: a.m * b.m, exp: a.exp + b.exp });

const abs = (x: bigint): bigint => (x < 0n ? -x : x);
const bitsOf = (x: bigint): number => (x === 0n ? 0 : abs(x).toString(16).length * 4);
/** An upper bound of log2 |x|, not below 0. */
const integerBits = (x: Dyadic): number => Math.max(0, bitsOf(x.m) + x.exp);
/** x as mantissa at 2^−w, rounded down. */
const at = (x: Dyadic, w: number): bigint => shiftFloor(x.m, x.exp + w);

/** For |x| >= 2^(FAR − 4), e^−|x| is far below any precision asked for. */
const FAR = 64;
/** Bits beyond the wanted ones: the errors of the series take fewer than 50. */
const GUARD = 64;

/** From an approximation at 2^−w with an error of far less than 2^(GUARD − w), inside what is known of the function. */
function around(y: bigint, w: number, p: number, within: { readonly above?: bigint; readonly below?: bigint } = {}): Range {
  const c = y >> BigInt(w - p);
  const [lo, hi] = [c - 1n, c + 2n];
  const { above, below } = within;
  return { lo: above !== undefined && above > lo ? above : lo, hi: below !== undefined && below < hi ? below : hi };
}

const one = (w: number): bigint => 1n << BigInt(w);
const over = (a: bigint, b: bigint, w: number): bigint => (a << BigInt(w)) / b;

/** floor(n / d)·2^−p, or the quotient itself. */
function ratio(num: bigint, den: bigint, p: number): Enclosure {
  const n = num << BigInt(p);
  let q = n / den;
  if (q * den === n) return { m: q, exp: -p };
  if (n < 0n) q -= 1n;
  return { lo: q, hi: q + 1n };
}

/** x·g(x), where 0 < g < 1 tends to 1 for large x and to 0 for small ones, from u = e^−|x|·(…) and w bits. */
function gated(x: Dyadic, p: number, gate: (t: bigint, w: number, positive: boolean) => bigint): Enclosure {
  if (x.m === 0n) return ZERO;
  // Rounded away from 0: x itself is the bound that the gate never reaches.
  const bound = -shiftFloor(-x.m, x.exp + p);
  if (integerBits(x) > FAR) return x.m > 0n ? { lo: bound - 1n, hi: bound } : { lo: -1n, hi: 0n };
  const w = p + GUARD + integerBits(x);
  const t = at(x, w);
  const y = (t * gate(abs(t), w, x.m > 0n)) >> BigInt(w);
  return x.m > 0n ? around(y, w, p, { above: 0n, below: bound }) : around(y, w, p, { above: shiftFloor(x.m, x.exp + p), below: 0n });
}

const logistic = (u: bigint, w: number, positive: boolean): bigint => over(positive ? one(w) : u, one(w) + u, w);

/** 2·√(2/π)·(x + 0.044715·x³) */
const geluArgument = (t: bigint, w: number): bigint => {
  const cubic = (44715n * ((((t * t) >> BigInt(w)) * t) >> BigInt(w))) / 1_000_000n;
  return (2n * rootOf2ByPi(w) * (t + cubic)) >> BigInt(w);
};

/** ½·(1 ± erf(t/√2)) */
function normal(t: bigint, w: number, positive: boolean): bigint {
  const square = (t * t) >> BigInt(w + 1);
  // e^(−t²/2) is below 2^−w: what is left is 0 or 1.
  if (square >> BigInt(w) > BigInt(w)) return positive ? one(w) : 0n;
  const more = w + Number(square >> BigInt(w)) * 2 + GUARD;
  const fine = BigInt(more - w);
  const series = errorSeries(t << fine, more);
  const erf = (((series * decay(square << fine, more)) >> BigInt(more)) * rootOf2ByPi(more)) >> BigInt(more);
  return (one(more) + (positive ? erf : -erf)) >> (fine + 1n);
}

function exp(x: Dyadic, p: number): Enclosure {
  if (x.m === 0n) return ONE;
  if (compare(x, { m: 694n, exp: 0 }) >= 0) return limit(1n);
  if (x.m < 0n) {
    const w = p + GUARD;
    return around(decay(-at(x, w), w), w, p, { above: 0n, below: one(p) });
  }
  // e^x < 2^(1.45·x)
  const w = p + GUARD + Math.ceil((Number(at(x, 0)) + 1) * 1.45);
  const { m, k } = exponential(at(x, w), w);
  return around(shiftFloor(m, k), w, p);
}

function softplus(x: Dyadic, p: number): Enclosure {
  if (integerBits(x) > FAR) return x.m > 0n ? { lo: at(x, p), hi: at(x, p) + 1n } : { lo: 0n, hi: 1n };
  const w = p + GUARD + integerBits(x);
  const t = at(x, w);
  // ln(1 + e^x) = max(x, 0) + ln(1 + e^−|x|)
  const tail = logarithm(one(w) + decay(abs(t), w), w);
  const least = x.m > 0n ? shiftFloor(x.m, x.exp + p) : 0n;
  return around((x.m > 0n ? t : 0n) + tail, w, p, { above: least });
}

function elu(x: Dyadic, p: number, alpha: Dyadic, scale: Dyadic): Enclosure {
  if (x.m >= 0n) return times(x, scale);
  const factor = times(alpha, scale);
  if (factor.m === 0n) return ZERO;
  const w = p + GUARD + integerBits(factor);
  const grow = one(w) - decay(-at(x, w), w);
  const y = -((grow * at(factor, w)) >> BigInt(w));
  const end = -shiftFloor(factor.m, factor.exp + p);
  return factor.m > 0n ? around(y, w, p, { above: shiftFloor(-factor.m, factor.exp + p), below: 0n }) : around(y, w, p, { above: 0n, below: end });
}

function log(x: Dyadic, p: number): Enclosure {
  if (x.m <= 0n) return limit(-1n);
  if (compare(x, ONE) === 0) return ZERO;
  const k = x.m.toString(2).length - 1 + x.exp;
  const w = p + GUARD + 32;
  const z = shiftFloor(x.m, x.exp - k + w);
  return around(logarithm(z, w) + BigInt(k) * ln2(w), w, p);
}

function root(num: bigint, den: bigint, p: number): Enclosure {
  const n = num << BigInt(2 * p);
  const q = integerRoot(n / den);
  return q * q * den === n ? { m: q, exp: -p } : { lo: q, hi: q + 1n };
}
const numerator = (x: Dyadic): bigint => (x.exp > 0 ? x.m << BigInt(x.exp) : x.m);
const denominator = (x: Dyadic): bigint => (x.exp < 0 ? 1n << BigInt(-x.exp) : 1n);

export const enclosures = {
  tanh: (x: Dyadic, p: number): Enclosure => {
    if (x.m === 0n) return ZERO;
    const w = p + GUARD;
    const u = decay(2n * abs(at(x, w)), w);
    const y = over(one(w) - u, one(w) + u, w);
    return x.m > 0n ? around(y, w, p, { above: 0n, below: one(p) }) : around(-y, w, p, { above: -one(p), below: 0n });
  },
  sigmoid: (x: Dyadic, p: number): Enclosure => {
    if (x.m === 0n) return HALF;
    const w = p + GUARD;
    return around(logistic(decay(abs(at(x, w)), w), w, x.m > 0n), w, p, { above: 0n, below: one(p) });
  },
  exp,
  log,
  softplus,
  elu,
  softsign: (x: Dyadic, p: number): Enclosure => ratio(numerator(x), denominator(x) + abs(numerator(x)), p),
  swish: (x: Dyadic, p: number): Enclosure => gated(x, p, (t, w, positive) => logistic(decay(t, w), w, positive)),
  gelu: (x: Dyadic, p: number): Enclosure => gated(x, p, normal),
  geluTanh: (x: Dyadic, p: number): Enclosure => gated(x, p, (t, w, positive) => logistic(decay(geluArgument(t, w), w), w, positive)),
  mish: (x: Dyadic, p: number): Enclosure =>
    gated(x, p, (t, w, positive) => {
      // tanh(ln(1 + e^x)) = n/(n + 2), n = e^x·(e^x + 2)
      const u = decay(t, w);
      const square = (u * u) >> BigInt(w);
      return positive ? over(one(w) + 2n * u, one(w) + 2n * u + 2n * square, w) : over(square + 2n * u, square + 2n * u + 2n * one(w), w);
    }),
  reciprocal: (x: Dyadic, p: number): Enclosure =>
    x.m === 0n ? limit(1n) : x.m > 0n ? ratio(denominator(x), numerator(x), p) : ratio(-denominator(x), -numerator(x), p),
  sqrt: (x: Dyadic, p: number): Enclosure => (x.m <= 0n ? ZERO : root(numerator(x), denominator(x), p)),
  rsqrt: (x: Dyadic, p: number): Enclosure => (x.m <= 0n ? limit(1n) : root(denominator(x), numerator(x), p)),
} as const;
