// Fixed-point types, the integer ranges behind them, and the one rounding-and-overflow rule of the project.
import { assert } from "../diagnostics.js";

/** `fixed<W,I>` or `ufixed<W,I>`: value = mantissa · 2^(int − width). `int` counts the sign bit, as in ap_fixed; it may be negative or exceed `width`. */
export interface FixedType {
  readonly signed: boolean;
  readonly width: number;
  readonly int: number;
}

/** A closed interval of mantissas, at an exponent that the context knows. */
export interface Range {
  readonly lo: bigint;
  readonly hi: bigint;
}

/** Rounding modes by their ap_fixed names: TRN floor, RND half up, RND_CONV half to even, TRN_ZERO toward zero, RND_ZERO/RND_INF/RND_MIN_INF ties toward zero / away from zero / down. */
export const roundings = ["TRN", "RND", "RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_INF", "RND_MIN_INF"] as const;
export type Rounding = (typeof roundings)[number];

/** Overflow modes by their ap_fixed names: WRAP modulo 2^W, SAT clamp, SAT_ZERO zero outside, SAT_SYM clamp to ±(2^(W−1)−1). */
export const overflows = ["WRAP", "SAT", "SAT_ZERO", "SAT_SYM"] as const;
export type Overflow = (typeof overflows)[number];

/** A conversion: the target type and how values off its grid or outside its range are treated. Defaults are ap_fixed's: TRN, WRAP. */
export interface Conversion {
  readonly type: FixedType;
  readonly round: Rounding;
  readonly overflow: Overflow;
}

/** Widest value that every backend carries at full speed. */
export const MAX_WIDTH = 64;

/** Exponent of the least significant bit: one mantissa step is worth 2^exponent. */
export const exponent = (t: FixedType): number => t.int - t.width;

export const fixed = (width: number, int: number, signed = true): FixedType => ({ signed, width, int });

export function rangeOf(t: FixedType): Range {
  if (t.width === 0) return { lo: 0n, hi: 0n };
  const w = BigInt(t.width);
  return t.signed ? { lo: -(1n << (w - 1n)), hi: (1n << (w - 1n)) - 1n } : { lo: 0n, hi: (1n << w) - 1n };
}

/** Bits that a mantissa's magnitude needs, without sign: 0 → 0, 5 → 3, −4 → 2. */
export const bitLength = (x: bigint): number => {
  const magnitude = x < 0n ? -x - 1n : x;
  return magnitude === 0n ? 0 : magnitude.toString(2).length;
};

/** The narrowest type with least significant bit 2^exp that holds every mantissa in `r`. Law 2: the only source of widths. */
export function fit(r: Range, exp = 0): FixedType {
  const signed = r.lo < 0n;
  const width = Math.max(bitLength(r.lo), bitLength(r.hi)) + (signed ? 1 : 0);
  return { signed, width, int: width + exp };
}

export const hull = (a: Range, b: Range): Range => ({ lo: a.lo < b.lo ? a.lo : b.lo, hi: a.hi > b.hi ? a.hi : b.hi });
export const contains = (outer: Range, inner: Range): boolean => outer.lo <= inner.lo && inner.hi <= outer.hi;
export const sameType = (a: FixedType, b: FixedType): boolean => a.signed === b.signed && a.width === b.width && a.int === b.int;

/** The narrowest type that holds every value of both types. */
export function unionType(a: FixedType, b: FixedType): FixedType {
  if (a.width === 0) return b;
  if (b.width === 0) return a;
  const signed = a.signed || b.signed;
  const int = Math.max(a.int + (signed && !a.signed ? 1 : 0), b.int + (signed && !b.signed ? 1 : 0));
  return { signed, int, width: int - Math.min(exponent(a), exponent(b)) };
}

/** x · 2^shift rounded down for negative shifts: the arithmetic shift of exact integers. */
export const shiftFloor = (x: bigint, shift: number): bigint => (shift >= 0 ? x << BigInt(shift) : x >> BigInt(-shift));

/** Where a remainder above 0 goes: `down` is the floor, `up` one more. */
type Tie = (x: bigint, floor: bigint) => "down" | "up";
const ties: Partial<Record<Rounding, Tie>> = {
  RND: () => "up",
  RND_CONV: (_, floor) => ((floor & 1n) === 0n ? "down" : "up"),
  RND_INF: (x) => (x < 0n ? "down" : "up"),
  RND_ZERO: (x) => (x < 0n ? "up" : "down"),
  RND_MIN_INF: () => "down",
};

/** `x` / 2^drop rounded to an integer; exact for drop <= 0. Formulas: ap_fixed quantization modes. */
export function roundShift(x: bigint, drop: number, mode: Rounding): bigint {
  if (drop <= 0) return x << BigInt(-drop);
  const d = BigInt(drop);
  const floor = x >> d;
  const rest = x - (floor << d);
  if (rest === 0n || mode === "TRN") return floor;
  if (mode === "TRN_ZERO") return x < 0n ? floor + 1n : floor;
  const half = 1n << (d - 1n);
  const up = rest > half || (rest === half && ties[mode]!(x, floor) === "up");
  return up ? floor + 1n : floor;
}

/** An integer brought into the range of `t`. Overflow follows rounding, so a rounding carry can overflow. */
export function overflowTo(m: bigint, t: FixedType, mode: Overflow): bigint {
  const r = rangeOf(t);
  const symmetric = mode === "SAT_SYM" && t.signed;
  // ap_fixed: one signed bit cannot be symmetric; negative stays -1.
  if (symmetric && t.width > 1 && m <= r.lo) return -r.hi;
  if (m >= r.lo && m <= r.hi) return m;
  if (mode === "WRAP") return t.signed ? BigInt.asIntN(t.width, m) : BigInt.asUintN(t.width, m);
  if (mode === "SAT_ZERO") return 0n;
  return m < r.lo ? r.lo : r.hi;
}

/** The mantissa of m·2^exp converted to `c.type`: overflow(round(m·2^(exp − exponent(type)))). The definition that every emitter is tested against. */
export const convert = (m: bigint, exp: number, c: Conversion): bigint =>
  overflowTo(roundShift(m, exponent(c.type) - exp, c.round), c.type, c.overflow);

const doubleBits = new DataView(new ArrayBuffer(8));

/** A finite double as an exact dyadic m·2^exp with odd m (0 is 0·2^0). */
export function dyadic(x: number): { readonly m: bigint; readonly exp: number } {
  assert(Number.isFinite(x), `dyadic(${x})`);
  if (x === 0) return { m: 0n, exp: 0 };
  doubleBits.setFloat64(0, x);
  const bits = doubleBits.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  let m = (bits & 0xfffffffffffffn) | (biased === 0 ? 0n : 1n << 52n);
  let exp = Math.max(biased, 1) - 1075;
  const zeros = BigInt(trailingZeros(m));
  m >>= zeros;
  exp += Number(zeros);
  return { m: x < 0 ? -m : m, exp };
}

/** Number of trailing zero bits of a nonzero integer. */
export function trailingZeros(m: bigint): number {
  assert(m !== 0n, "trailingZeros(0)");
  let n = 0;
  while ((m & 0xffffffffn) === 0n) {
    m >>= 32n;
    n += 32;
  }
  const low = Number(m & 0xffffffffn);
  return n + (31 - Math.clz32(low & -low));
}

/** m·2^exp as a double, correctly rounded where it does not fit 53 bits. */
export function toNumber(m: bigint, exp: number): number {
  const n = Number(m);
  // Split the scaling so that neither factor overflows or underflows early.
  const half = Math.trunc(exp / 2);
  return n * 2 ** half * 2 ** (exp - half);
}

export const printFixed = (t: FixedType): string => `${t.signed ? "fixed" : "ufixed"}<${t.width},${t.int}>`;
export const printConversion = (c: Conversion): string => `${c.type.signed ? "fixed" : "ufixed"}<${c.type.width},${c.type.int},${c.round},${c.overflow}>`;

const TYPE = /^(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*(?:,\s*(?:AP_)?([A-Z_]+)\s*)?(?:,\s*(?:AP_)?([A-Z_]+)\s*)?>$/;

/** Reads `fixed<16,6>`, `ufixed<8,0,RND,SAT>` or the ap_ spelling; a string is the reason why not. */
export function parseConversion(text: string, defaults: { readonly round: Rounding; readonly overflow: Overflow } = { round: "TRN", overflow: "WRAP" }): Conversion | string {
  const m = TYPE.exec(text.trim());
  if (!m) return "expected `fixed<W,I>` or `ufixed<W,I>`, with rounding and overflow modes where wanted: `fixed<16,6,RND,SAT>`";
  const [, u, w, i, q = defaults.round, o = defaults.overflow] = m;
  const [width, int] = [Number(w), Number(i)];
  if (width > MAX_WIDTH) return `width ${width} is beyond the limit of ${MAX_WIDTH} bits`;
  if (width === 0 && u !== "u") return "a signed type has at least one bit; write `ufixed<0,0>` for the type of the constant 0";
  if (Math.abs(int) > 1024) return `${int} integer bits is beyond ±1024`;
  if (!(roundings as readonly string[]).includes(q)) return `unknown rounding mode \`${q}\`; known: ${roundings.join(" ")}`;
  if (!(overflows as readonly string[]).includes(o)) return `unknown overflow mode \`${o}\`; known: ${overflows.join(" ")}`;
  return { type: { signed: u !== "u", width, int }, round: q as Rounding, overflow: o as Overflow };
}
