// The scalar algebra in which every op is written once. Exact numbers give the reference, intervals the range analysis, wires the lowering.
import { type Conversion, convert, exponent, type Range, rangeOf, roundShift, overflowTo, trailingZeros } from "./fixed.js";
import type { Tensor } from "./tensor.js";
import { applyUnary, rangeOfUnary, type Unary } from "./unary.js";

export interface Arith<V> {
  constant(m: bigint, exp: number): V;
  add(a: V, b: V): V;
  sub(a: V, b: V): V;
  mul(a: V, b: V): V;
  max(a: V, b: V): V;
  min(a: V, b: V): V;
  /** y[j] = Σ_i x[i]·kernel[i, j] + bias[j]; kernel of shape [n, m], bias of shape [m]. */
  matvec(kernel: Tensor, x: readonly V[], bias: Tensor | undefined): readonly V[];
  quantize(a: V, to: Conversion): V;
  lut(a: V, f: Unary): V;
}

/** The dyadic rational m·2^exp. */
export interface Exact {
  readonly m: bigint;
  readonly exp: number;
}

const at = (m: bigint, from: number, to: number): bigint => m << BigInt(from - to);

/** The reference: exact dyadic rationals. */
export const exact: Arith<Exact> = {
  constant: (m, exp) => ({ m, exp }),
  add: (a, b) => {
    const exp = Math.min(a.exp, b.exp);
    return { m: at(a.m, a.exp, exp) + at(b.m, b.exp, exp), exp };
  },
  sub: (a, b) => exact.add(a, { m: -b.m, exp: b.exp }),
  mul: (a, b) => ({ m: a.m * b.m, exp: a.exp + b.exp }),
  max: (a, b) => (compare(a, b) >= 0 ? a : b),
  min: (a, b) => (compare(a, b) <= 0 ? a : b),
  matvec: (kernel, x, bias) => {
    const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
    const xExp = x.reduce((e, v) => Math.min(e, v.exp), x[0]?.exp ?? 0);
    const xs = x.map((v) => at(v.m, v.exp, xExp));
    const sums = new Array<bigint>(m).fill(0n);
    for (let i = 0; i < n; i++) {
      const xi = xs[i]!;
      if (xi !== 0n) for (let j = 0; j < m; j++) sums[j]! += xi * kernel.data[i * m + j]!;
    }
    const exp = xExp + kernel.exp;
    return sums.map((s, j) => (bias ? exact.add({ m: s, exp }, { m: bias.data[j]!, exp: bias.exp }) : { m: s, exp }));
  },
  quantize: (a, to) => ({ m: convert(a.m, a.exp, to), exp: exponent(to.type) }),
  lut: (a, f) => ({ m: applyUnary(f, a.m, a.exp), exp: exponent(f.to.type) }),
};

function compare(a: Exact, b: Exact): number {
  const exp = Math.min(a.exp, b.exp);
  const d = at(a.m, a.exp, exp) - at(b.m, b.exp, exp);
  return d > 0n ? 1 : d < 0n ? -1 : 0;
}

/** All values that a mantissa may take: lo … hi, each times 2^exp. Zero is normalised to exponent 0. */
export interface Interval extends Range {
  readonly exp: number;
}

const interval_ = (lo: bigint, hi: bigint, exp: number): Interval => (lo === 0n && hi === 0n ? { lo, hi, exp: 0 } : { lo, hi, exp });
const isZero = (a: Range): boolean => a.lo === 0n && a.hi === 0n;

const both = (a: Interval, b: Interval, f: (a: Range, b: Range) => readonly [bigint, bigint]): Interval => {
  const exp = isZero(a) ? b.exp : isZero(b) ? a.exp : Math.min(a.exp, b.exp);
  const align = (r: Interval): Range => (isZero(r) ? r : { lo: at(r.lo, r.exp, exp), hi: at(r.hi, r.exp, exp) });
  return interval_(...f(align(a), align(b)), exp);
};
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** The range analysis: interval arithmetic on mantissas. Correlations between operands are not seen, so ranges may be wider than needed, never narrower. */
export const interval: Arith<Interval> = {
  constant: (m, exp) => {
    if (m === 0n) return interval_(0n, 0n, 0);
    const z = trailingZeros(m);
    return interval_(m >> BigInt(z), m >> BigInt(z), exp + z);
  },
  add: (a, b) => both(a, b, (x, y) => [x.lo + y.lo, x.hi + y.hi]),
  sub: (a, b) => both(a, b, (x, y) => [x.lo - y.hi, x.hi - y.lo]),
  mul: (a, b) => {
    const p = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
    return interval_(p.reduce(smaller), p.reduce(larger), a.exp + b.exp);
  },
  max: (a, b) => both(a, b, (x, y) => [larger(x.lo, y.lo), larger(x.hi, y.hi)]),
  min: (a, b) => both(a, b, (x, y) => [smaller(x.lo, y.lo), smaller(x.hi, y.hi)]),
  matvec: (kernel, x, bias) => {
    const known = products.get(kernel) ?? new Map<string, { readonly bias: Tensor | undefined; readonly sums: readonly Interval[] }>();
    products.set(kernel, known);
    const key = x.map(textOf).join();
    const hit = known.get(key);
    if (hit && hit.bias === bias) return hit.sums;
    const sums = productRange(kernel, x, bias);
    known.set(key, { bias, sums });
    return sums;
  },
  quantize: (a, to) => {
    const drop = exponent(to.type) - a.exp;
    const r = { lo: roundShift(a.lo, drop, to.round), hi: roundShift(a.hi, drop, to.round) };
    const t = rangeOf(to.type);
    const fits = r.lo >= t.lo && r.hi <= t.hi;
    // Clamping and, inside the range, rounding are monotone; wrapping and zeroing are not.
    if (!fits && (to.overflow === "WRAP" || to.overflow === "SAT_ZERO")) {
      return to.overflow === "WRAP" ? interval_(t.lo, t.hi, exponent(to.type)) : interval_(smaller(larger(r.lo, t.lo), 0n), larger(smaller(r.hi, t.hi), 0n), exponent(to.type));
    }
    const [lo, hi] = [overflowTo(r.lo, to.type, to.overflow), overflowTo(r.hi, to.type, to.overflow)];
    // A grid finer than the value's own adds only zero bits: keep the coarser exponent.
    return drop < 0 && lo === r.lo && hi === r.hi ? interval_(a.lo, a.hi, a.exp) : interval_(lo, hi, exponent(to.type));
  },
  lut: (a, f) => {
    const known = lutRanges.get(f) ?? new Map<string, Range>();
    lutRanges.set(f, known);
    const key = `${a.lo},${a.hi},${a.exp}`;
    const range = known.get(key) ?? rangeOfUnary(f, a, a.exp);
    known.set(key, range);
    return interval_(range.lo, range.hi, exponent(f.to.type));
  },
};

/** The elements of a tensor mostly share one interval: each is enumerated once. */
const lutRanges = new WeakMap<Unary, Map<string, Range>>();

/** The positions of a convolution mostly see the same intervals: each product is computed once. */
const products = new WeakMap<Tensor, Map<string, { readonly bias: Tensor | undefined; readonly sums: readonly Interval[] }>>();
const texts = new WeakMap<Interval, string>();
function textOf(r: Interval): string {
  let text = texts.get(r);
  if (text === undefined) texts.set(r, (text = `${r.lo}:${r.hi}:${r.exp}`));
  return text;
}

function productRange(kernel: Tensor, x: readonly Interval[], bias: Tensor | undefined): readonly Interval[] {
  const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
  const live = x.flatMap((v) => (isZero(v) ? [] : [v.exp]));
  const xExp = live.length === 0 ? 0 : live.reduce((a, b) => Math.min(a, b));
  const low = new Array<bigint>(m).fill(0n);
  const high = new Array<bigint>(m).fill(0n);
  // The exponent of a column is the finest of its nonzero products, so that common trailing zeros never become bits.
  const fine = new Array<number>(m).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i < n; i++) {
    const v = x[i]!;
    if (isZero(v)) continue;
    const [lo, hi] = [at(v.lo, v.exp, xExp), at(v.hi, v.exp, xExp)];
    for (let j = 0; j < m; j++) {
      const w = kernel.data[i * m + j]!;
      if (w === 0n) continue;
      fine[j] = Math.min(fine[j]!, v.exp + trailingZeros(w));
      low[j]! += w > 0n ? lo * w : hi * w;
      high[j]! += w > 0n ? hi * w : lo * w;
    }
  }
  return low.map((lo, j) => {
    const drop = fine[j]! === Number.POSITIVE_INFINITY ? 0 : fine[j]! - xExp;
    const sum = interval_(lo >> BigInt(drop), high[j]! >> BigInt(drop), xExp + kernel.exp + drop);
    return bias ? interval.add(sum, interval.constant(bias.data[j]!, bias.exp)) : sum;
  });
}
