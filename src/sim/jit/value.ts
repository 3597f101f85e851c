// A value of SPAN samples in vector registers: integer lanes, the exponent of their unit, and the range that proves the lanes wide enough.
import type { Range } from "../../ir/fixed.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import { type Buffer, SPAN } from "./memory.js";

/** Bits of a lane. */
export type Lane = 16 | 32 | 64;

/** SPAN mantissas at `exp`, each within lo … hi; a 64-bit lane whose hi passes 2^63 − 1 is unsigned. */
export interface Value extends Range {
  readonly lane: Lane;
  readonly exp: number;
  /** SPAN·lane/128 vectors. */
  readonly vectors: readonly Local[];
}

export const LANE_MIN: Readonly<Record<Lane, bigint>> = { 16: -(1n << 15n), 32: -(1n << 31n), 64: -(1n << 63n) };
export const LANE_MAX: Readonly<Record<Lane, bigint>> = { 16: (1n << 15n) - 1n, 32: (1n << 31n) - 1n, 64: (1n << 63n) - 1n };

export const fitsLane = (r: Range, lane: Lane): boolean => r.lo >= LANE_MIN[lane] && r.hi <= LANE_MAX[lane];
export const isUnsigned64 = (r: Range): boolean => r.hi > LANE_MAX[64];
export const isZero = (r: Range): boolean => r.lo === 0n && r.hi === 0n;
export const maxLane = (a: Lane, b: Lane): Lane => (a > b ? a : b);

/** The narrowest lane that holds the range, undefined if none does. */
export function laneOf(r: Range): Lane | undefined {
  if (fitsLane(r, 16)) return 16;
  if (fitsLane(r, 32)) return 32;
  return fitsLane(r, 64) || (r.lo >= 0n && r.hi < 1n << 64n) ? 64 : undefined;
}

/** The narrowest lane that holds every range; a range beyond 64 bits is noted in the builder. */
export function laneFor(f: FunctionBuilder, ...ranges: readonly Range[]): Lane {
  return ranges.reduce<Lane>((lane, r) => {
    const own = laneOf(r);
    if (own === undefined) f.tooWide ??= r;
    return maxLane(lane, own ?? 64);
  }, 16);
}

export type Shape = "i16x8" | "i32x4" | "i64x2";
const SHAPES = { 16: "i16x8", 32: "i32x4", 64: "i64x2" } as const;
/** The vector instructions of a lane. */
export const lanes = (f: FunctionBuilder, lane: Lane) => f.m[SHAPES[lane]];

/** A vector constant with every lane equal to `x` modulo 2^lane. */
export function splat(f: FunctionBuilder, lane: Lane, x: bigint): Expression {
  const bytes = new Uint8Array(16);
  const bits = BigInt.asUintN(lane, x);
  for (let i = 0; i < 16; i++) bytes[i] = Number((bits >> BigInt((i * 8) % lane)) & 255n);
  return f.m.v128.const(bytes);
}

export const constantValue = (f: FunctionBuilder, x: bigint, exp: number): Value => {
  const lane = laneFor(f, { lo: x, hi: x });
  return { lo: x, hi: x, lane, exp, vectors: Array.from({ length: (SPAN * lane) / 128 }, () => f.vector(splat(f, lane, x))) };
};

/** The same lanes with each vector replaced. */
export const mapVectors = (f: FunctionBuilder, v: Value, range: Range, g: (x: Expression, i: number) => Expression): Value => ({
  ...v,
  lo: range.lo,
  hi: range.hi,
  vectors: v.vectors.map((x, i) => f.vector(g(f.get(x), i))),
});

/** Widens, or narrows a value whose range fits. */
export function toLane(f: FunctionBuilder, v: Value, lane: Lane): Value {
  if (v.lane === lane) return v;
  const via = (vectors: Local[], next: Lane): Value => toLane(f, { ...v, lane: next, vectors }, lane);
  const { m } = f;
  const pairs = v.vectors.flatMap((x, i) => (i % 2 === 0 && v.vectors[i + 1] ? [[x, v.vectors[i + 1]!] as const] : []));
  if (v.lane < lane) {
    const extend = (x: Local): Local[] =>
      v.lane === 16
        ? [f.vector(m.i32x4.extend_low_i16x8_s(f.get(x))), f.vector(m.i32x4.extend_high_i16x8_s(f.get(x)))]
        : [f.vector(m.i64x2.extend_low_i32x4_s(f.get(x))), f.vector(m.i64x2.extend_high_i32x4_s(f.get(x)))];
    return via(v.vectors.flatMap(extend), v.lane === 16 ? 32 : 64);
  }
  if (v.lane === 64) {
    const lowHalves = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
    return via(
      pairs.map(([x, y]) => f.vector(m.i8x16.shuffle(f.get(x), f.get(y), lowHalves))),
      32,
    );
  }
  return via(
    pairs.map(([x, y]) => f.vector(m.i16x8.narrow_i32x4_s(f.get(x), f.get(y)))),
    16,
  );
}

/** min(max(v, −2^15), 2^15 − 1) in 16-bit lanes, from 32-bit lanes: what the narrowing instruction does. */
export const saturateTo16 = (f: FunctionBuilder, v: Value): Value => ({
  ...toLane(f, v, 16),
  lo: v.lo < LANE_MIN[16] ? LANE_MIN[16] : v.lo > LANE_MAX[16] ? LANE_MAX[16] : v.lo,
  hi: v.hi > LANE_MAX[16] ? LANE_MAX[16] : v.hi < LANE_MIN[16] ? LANE_MIN[16] : v.hi,
});

/** The same mantissas in the narrowest lane. */
export const narrowest = (f: FunctionBuilder, v: Value): Value => toLane(f, v, laneFor(f, v));

/** v·2^n in the same unit, n >= 0: the lanes grow as needed. */
export function shiftLeft(f: FunctionBuilder, v: Value, n: number): Value {
  if (n === 0 || isZero(v)) return v;
  const range = { lo: v.lo << BigInt(n), hi: v.hi << BigInt(n) };
  const lane = maxLane(v.lane, laneFor(f, range));
  return mapVectors(f, toLane(f, v, lane), range, (x) => lanes(f, lane).shl(x, f.m.i32.const(n)));
}

/** floor(v / 2^n) in the same unit, n >= 0. */
export function shiftRight(f: FunctionBuilder, v: Value, n: number): Value {
  if (n === 0) return v;
  const range = { lo: v.lo >> BigInt(n), hi: v.hi >> BigInt(n) };
  if (isZero(range)) return constantValue(f, 0n, v.exp);
  const count = f.m.i32.const;
  return mapVectors(f, v, range, (x) =>
    isUnsigned64(v) ? f.m.i64x2.shr_u(x, count(n)) : lanes(f, v.lane).shr_s(x, count(Math.min(n, v.lane - 1))),
  );
}

/** The same number in units of 2^exp; where that is coarser, the dropped bits are known to be zero. */
export function atExponent(f: FunctionBuilder, v: Value, exp: number): Value {
  if (isZero(v)) return { ...v, exp };
  return { ...(v.exp >= exp ? shiftLeft(f, v, v.exp - exp) : shiftRight(f, v, exp - v.exp)), exp };
}

/** All-ones lanes where a > b; both of the same lane. `unsigned` compares 64-bit lanes as unsigned. */
export function greater(f: FunctionBuilder, lane: Lane, a: Expression, b: Expression, unsigned: boolean): Expression {
  if (!unsigned) return lanes(f, lane).gt_s(a, b);
  const flip = (x: Expression): Expression => f.m.v128.xor(x, splat(f, 64, 1n << 63n));
  return f.m.i64x2.gt_s(flip(a), flip(b));
}

/** max(a, b) or min(a, b) of vectors. */
export function extreme(f: FunctionBuilder, which: "max" | "min", lane: Lane, a: Local, b: Local, unsigned: boolean): Expression {
  if (lane !== 64) return f.m[SHAPES[lane]][`${which}_s`](f.get(a), f.get(b));
  const [high, low] = which === "max" ? [a, b] : [b, a];
  return f.m.v128.bitselect(f.get(high), f.get(low), greater(f, lane, f.get(a), f.get(b), unsigned));
}

export function load(f: FunctionBuilder, buffer: Buffer, pointer: Local, offset = 0): Value {
  const { m } = f;
  const { lo, hi, exp, lane } = buffer;
  const count = (SPAN * lane) / 128;
  const at = (): Expression => f.get(pointer);
  if (buffer.splat) {
    const name = ({ 16: "load16_splat", 32: "load32_splat", 64: "load64_splat" } as const)[lane];
    const all = f.vector(m.v128[name](offset, lane / 8, at()));
    return { lo, hi, exp, lane, vectors: Array.from({ length: count }, () => all) };
  }
  return { lo, hi, exp, lane, vectors: Array.from({ length: count }, (_, i) => f.vector(m.v128.load(offset + 16 * i, 16, at()))) };
}

export function store(f: FunctionBuilder, v: Value, pointer: Local, offset = 0): void {
  for (const [i, x] of v.vectors.entries()) f.emit(f.m.v128.store(offset + 16 * i, 16, f.get(pointer), f.get(x)));
}
