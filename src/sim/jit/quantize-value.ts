// overflow(round(x)) on values in vector registers: every ap_fixed mode, no bit of headroom taken that the range does not prove.
import { type Conversion, contains, exponent, type Overflow, type Range, type Rounding, rangeOf, roundShift } from "../../ir/fixed.js";
import type { Expression, FunctionBuilder } from "./function-builder.js";
import {
  constantValue,
  extreme,
  fitsLane,
  greater,
  isUnsigned64,
  isZero,
  LANE_MAX,
  LANE_MIN,
  laneFor,
  laneOf,
  lanes,
  mapVectors,
  maxLane,
  narrowest,
  saturateTo16,
  shiftLeft,
  shiftRight,
  splat,
  toLane,
  type Value,
} from "./value.js";

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

/** What is added before the floor: x / 2^drop rounded = floor((x + addend(x)) / 2^drop). Each is at most 2^drop − 1. */
export interface Addend {
  readonly constant: bigint;
  /** Times 1 where x is negative, else 0. */
  readonly negative: bigint;
  /** Whether the last bit of floor(x / 2^drop) is added. */
  readonly odd: boolean;
}

const addends: Readonly<Record<Rounding, (half: bigint) => Addend>> = {
  TRN: () => ({ constant: 0n, negative: 0n, odd: false }),
  TRN_ZERO: (half) => ({ constant: 0n, negative: 2n * half - 1n, odd: false }),
  RND: (half) => ({ constant: half, negative: 0n, odd: false }),
  RND_MIN_INF: (half) => ({ constant: half - 1n, negative: 0n, odd: false }),
  RND_ZERO: (half) => ({ constant: half - 1n, negative: 1n, odd: false }),
  RND_INF: (half) => ({ constant: half, negative: -1n, odd: false }),
  // An odd floor rounds ties up, an even one down.
  RND_CONV: (half) => ({ constant: half - 1n, negative: 0n, odd: true }),
};

export const addendOf = (mode: Rounding, drop: number): Addend => addends[mode](1n << BigInt(drop - 1));

/** x / 2^drop rounded, drop > 0; in the unit of the result. */
function rounded(f: FunctionBuilder, v: Value, drop: number, mode: Rounding): Value {
  const range = { lo: roundShift(v.lo, drop, mode), hi: roundShift(v.hi, drop, mode) };
  const exp = v.exp + drop;
  if (isZero(range)) return constantValue(f, 0n, exp);
  if (mode === "TRN") return { ...shiftRight(f, v, drop), exp };
  // A result other than 0 means 2^drop <= 2·|x|max, so drop <= 64; drop = lane is met only by ties at the ends of the lane's range.
  if (drop >= v.lane)
    return v.lane === 64 ? rounded(f, halveSticky(f, v), drop - 1, mode) : rounded(f, toLane(f, v, v.lane === 16 ? 32 : 64), drop, mode);
  const a = addendOf(mode, drop);
  const signed = v.lo < 0n;
  const atNegative = signed ? a.negative : 0n;
  const fast = { lo: v.lo + a.constant + smaller(atNegative, 0n), hi: larger(v.hi + (a.odd ? 1n : 0n), atNegative) + a.constant };
  const inLane = (r: Range): boolean => fitsLane(r, v.lane) && fitsLane(v, v.lane);
  const { m } = f;
  const lane = lanes(f, v.lane);
  const count = (n: number): Expression => m.i32.const(n);
  const unsigned = isUnsigned64(v);
  const floor = (x: Expression): Expression => (unsigned ? m.i64x2.shr_u(x, count(drop)) : lane.shr_s(x, count(drop)));
  const addend = (x: () => Expression): Expression => {
    let sum = splat(f, v.lane, a.constant);
    if (a.odd) sum = lane.add(sum, m.v128.and(floor(x()), splat(f, v.lane, 1n)));
    // The sign spread over the lane is −1 for negative x.
    if (a.negative !== 0n && signed) {
      const sign = lane.shr_s(x(), count(v.lane - 1));
      sum = lane.add(sum, m.v128.and(sign, splat(f, v.lane, a.negative)));
    }
    return sum;
  };
  const vectors = v.vectors.map((local) => {
    const x = (): Expression => f.get(local);
    if (inLane(fast)) return f.vector(lane.shr_s(lane.add(x(), addend(x)), count(drop)));
    // No headroom: floor(x / 2^drop) plus the carry out of the dropped bits, which need drop + 1 bits of the lane.
    const rest = m.v128.and(x(), splat(f, v.lane, (1n << BigInt(drop)) - 1n));
    return f.vector(lane.add(floor(x()), lane.shr_u(lane.add(rest, addend(x)), count(drop))));
  });
  return { ...v, ...range, exp, vectors };
}

/** x / 2 where the last bit of the result also stands for the bit dropped: rounds to the same integers later. */
function halveSticky(f: FunctionBuilder, v: Value): Value {
  const one = (): Expression => splat(f, 64, 1n);
  const { m } = f;
  const shift = isUnsigned64(v) ? m.i64x2.shr_u : m.i64x2.shr_s;
  const range = { lo: v.lo >> 1n, hi: (v.hi >> 1n) | 1n };
  return {
    ...mapVectors(f, v, range, (x, i) => m.v128.or(shift(x, m.i32.const(1)), m.v128.and(f.get(v.vectors[i]!), one()))),
    exp: v.exp + 1,
  };
}

/** max(v, lo) and min(v, hi), where the range says that it matters. */
export function clamp(f: FunctionBuilder, v: Value, r: Range): Value {
  const range = { lo: smaller(larger(v.lo, r.lo), r.hi), hi: smaller(larger(v.hi, r.lo), r.hi) };
  if (v.lane === 32 && !fitsLane(v, 16) && fitsLane(range, 16)) return clamp(f, saturateTo16(f, v), r);
  const unsigned = isUnsigned64(v);
  let now = v;
  if (v.hi > r.hi) now = mapVectors(f, now, range, (_, i) => bound(f, now, i, "min", r.hi, unsigned));
  if (v.lo < r.lo) now = mapVectors(f, now, range, (_, i) => bound(f, now, i, "max", r.lo, unsigned));
  return now;
}

function bound(f: FunctionBuilder, v: Value, i: number, which: "max" | "min", limit: bigint, unsigned: boolean): Expression {
  return extreme(f, which, v.lane, v.vectors[i]!, f.vector(splat(f, v.lane, limit)), unsigned);
}

function wrapped(f: FunctionBuilder, v: Value, { type }: Conversion): Value {
  const range = rangeOf(type);
  // Only the low bits matter: a wider lane just extends, and the result's own lane has at least `width` bits.
  const lane = maxLane(v.lane, laneFor(f, range));
  const { m } = f;
  const unused = (): Expression => m.i32.const(lane - type.width);
  return mapVectors(f, toLane(f, v, lane), range, (x) => {
    if (type.width === lane) return x;
    if (!type.signed) return m.v128.and(x, splat(f, lane, range.hi));
    return lanes(f, lane).shr_s(lanes(f, lane).shl(x, unused()), unused());
  });
}

/** x where lo <= x <= hi, else 0. */
function zeroedOutside(f: FunctionBuilder, v: Value, r: Range): Value {
  const unsigned = isUnsigned64(v);
  const range = { lo: larger(v.lo, r.lo), hi: smaller(v.hi, r.hi) };
  const withZero = { lo: smaller(range.lo, 0n), hi: larger(range.hi, 0n) };
  return mapVectors(f, v, withZero, (x, i) => {
    let kept = x;
    if (v.hi > r.hi) kept = f.m.v128.andnot(kept, greater(f, v.lane, f.get(v.vectors[i]!), splat(f, v.lane, r.hi), unsigned));
    if (v.lo < r.lo) kept = f.m.v128.andnot(kept, greater(f, v.lane, splat(f, v.lane, r.lo), f.get(v.vectors[i]!), unsigned));
    return kept;
  });
}

/** The mantissas that a conversion leaves as they are. */
export function legalRange({ type, overflow }: Conversion): Range {
  const r = rangeOf(type);
  return overflow === "SAT_SYM" && type.signed && type.width > 1 ? { lo: -r.hi, hi: r.hi } : r;
}

const overflowed: Readonly<Record<Overflow, (f: FunctionBuilder, v: Value, to: Conversion) => Value>> = {
  WRAP: wrapped,
  SAT: (f, v, to) => clamp(f, v, legalRange(to)),
  SAT_SYM: (f, v, to) => clamp(f, v, legalRange(to)),
  SAT_ZERO: (f, v, to) => zeroedOutside(f, v, legalRange(to)),
};

/** v·2^s brought into range although v·2^s may pass every lane: the bounds are compared in the unit of v. */
function overflowedShifted(f: FunctionBuilder, v: Value, s: number, to: Conversion): Value {
  const legal = legalRange(to);
  const lane = maxLane(v.lane, laneFor(f, legal));
  const x = toLane(f, v, lane);
  const { m } = f;
  const outOfLane = s >= lane;
  const shifted = (local: () => Expression): Expression => (outOfLane ? splat(f, lane, 0n) : lanes(f, lane).shl(local(), m.i32.const(s)));
  const exp = v.exp - s;
  if (to.overflow === "WRAP") {
    if (outOfLane) return constantValue(f, 0n, exp);
    return {
      ...wrapped(
        f,
        mapVectors(f, x, legal, (e) => shifted(() => e)),
        to,
      ),
      exp,
    };
  }
  const inUnit = { lo: -(-legal.lo >> BigInt(s)), hi: legal.hi >> BigInt(s) };
  const unsigned = isUnsigned64(v);
  const [above, below] = to.overflow === "SAT_ZERO" ? [0n, 0n] : [legal.hi, legal.lo];
  const range = {
    lo: v.lo < inUnit.lo ? legal.lo : smaller(0n, v.lo << BigInt(s)),
    hi: v.hi > inUnit.hi ? legal.hi : larger(0n, v.hi << BigInt(s)),
  };
  const result = mapVectors(f, x, range, (_, i) => {
    const get = (): Expression => f.get(x.vectors[i]!);
    let y = shifted(get);
    // A bound that the lane does not hold is never passed by v.
    if (v.hi > inUnit.hi) y = m.v128.bitselect(splat(f, lane, above), y, greater(f, lane, get(), splat(f, lane, inUnit.hi), unsigned));
    if (v.lo < inUnit.lo) y = m.v128.bitselect(splat(f, lane, below), y, greater(f, lane, splat(f, lane, inUnit.lo), get(), unsigned));
    return y;
  });
  return { ...result, exp };
}

/** The values that `legal` is in units of 2^-drop, where saturating first is the same and spares lanes of 32 bits: 16 hold them and any addend. */
export function narrowBounds(v: Value, drop: number, legal: Range, { overflow }: Pick<Conversion, "overflow">): Range | undefined {
  if (v.lane !== 32 || drop <= 0 || drop > 15 || (overflow !== "SAT" && overflow !== "SAT_SYM")) return undefined;
  const bounds = { lo: legal.lo << BigInt(drop), hi: legal.hi << BigInt(drop) };
  const room = 1n << BigInt(drop);
  return fitsLane({ lo: bounds.lo - room, hi: bounds.hi + room }, 16) ? bounds : undefined;
}

/** Modes whose result, taken modulo 2^n, is the same for x and x + 2^(n + drop): they do not look at the sign. */
const signless: ReadonlySet<Rounding> = new Set<Rounding>(["TRN", "RND", "RND_MIN_INF", "RND_CONV"]);

/** A value beyond 64 bits lies in its lanes modulo 2^64: enough where only bits below 2^64 are kept. */
function lowBits(f: FunctionBuilder, v: Value, to: Conversion): Value {
  const drop = Math.max(0, exponent(to.type) - v.exp);
  const enough = to.overflow === "WRAP" && (drop === 0 || signless.has(to.round)) && drop + to.type.width <= 64;
  if (laneOf(v) !== undefined || !enough) {
    laneFor(f, v);
    return v;
  }
  return { ...v, lo: LANE_MIN[64], hi: LANE_MAX[64] };
}

/** The value converted. Where nothing is lost and nothing overflows, the value itself, at its own exponent. */
export function quantizeValue(f: FunctionBuilder, given: Value, to: Conversion): Value {
  if (isZero(given)) return given;
  const v = lowBits(f, given, to);
  const drop = exponent(to.type) - v.exp;
  const legal = legalRange(to);
  if (drop > 0) {
    // Rounding is monotone and leaves multiples of 2^drop, so it may follow the clamp.
    const bounds = narrowBounds(v, drop, legal, to);
    if (bounds && !contains(bounds, v)) return rounded(f, clamp(f, v, bounds), drop, to.round);
    const y = narrowest(f, rounded(f, v, drop, to.round));
    if (contains(legal, y)) return y;
    return to.type.width === 0 ? constantValue(f, 0n, y.exp) : overflowed[to.overflow](f, y, to);
  }
  const s = -drop;
  const exact = { lo: v.lo << BigInt(s), hi: v.hi << BigInt(s) };
  if (contains(legal, exact)) return v;
  if (to.type.width === 0) return constantValue(f, 0n, v.exp - s);
  if (fitsLane(exact, 64)) return overflowed[to.overflow](f, { ...shiftLeft(f, v, s), exp: v.exp - s }, to);
  return overflowedShifted(f, v, s, to);
}
