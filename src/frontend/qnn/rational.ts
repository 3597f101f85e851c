// The numbers of .qnn: exact rationals, so that 0.1 is one tenth and a constant never rounds unseen.
import { type Conversion, convert, trailingZeros } from "../../ir/fixed.js";

/** num/den in lowest terms, den > 0. */
export interface Rational {
  readonly num: bigint;
  readonly den: bigint;
}

/** Beyond this many bits a number is a mistake. */
const MAX_BITS = 4096;

const gcd = (a: bigint, b: bigint): bigint => {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
};

export function rational(num: bigint, den = 1n): Rational {
  const sign = den < 0n ? -1n : 1n;
  const d = gcd(num, den);
  return { num: (sign * num) / d, den: (sign * den) / d };
}

/** Reads `12`, `0.125`, `1e-3`; a string is the reason why not. */
export function parseNumber(text: string): Rational | string {
  const [, whole = "0", fraction = "", exponentText = "0"] = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const exponent = Number(exponentText) - fraction.length;
  if (whole.length + fraction.length > 1000 || Math.abs(exponent) > 1000) return "the number has too many digits";
  const digits = BigInt(whole + fraction);
  return exponent >= 0 ? rational(digits * 10n ** BigInt(exponent)) : rational(digits, 10n ** BigInt(-exponent));
}

export type RationalResult = Rational | string;
const bounded = (r: Rational): RationalResult =>
  r.num.toString(2).length > MAX_BITS || r.den.toString(2).length > MAX_BITS ? `the result has more than ${MAX_BITS} bits` : r;

/** The arithmetic of constants; a string is the reason why there is no result. */
export const arithmetic: Readonly<Record<"+" | "-" | "*" | "/" | "%" | "^", (a: Rational, b: Rational) => RationalResult>> = {
  "+": (a, b) => bounded(rational(a.num * b.den + b.num * a.den, a.den * b.den)),
  "-": (a, b) => bounded(rational(a.num * b.den - b.num * a.den, a.den * b.den)),
  "*": (a, b) => bounded(rational(a.num * b.num, a.den * b.den)),
  "/": (a, b) => (b.num === 0n ? "division by zero" : bounded(rational(a.num * b.den, a.den * b.num))),
  "%": (a, b) => {
    if (a.den !== 1n || b.den !== 1n) return "`%` takes whole numbers";
    return b.num === 0n ? "division by zero" : rational(((a.num % b.num) + b.num) % b.num);
  },
  "^": (a, b) => {
    if (b.den !== 1n || (b.num < 0n ? -b.num : b.num) > 1100n) return "an exponent is a whole number from -1100 to 1100";
    if (b.num < 0n) return a.num === 0n ? "division by zero" : bounded(rational(a.den ** -b.num, a.num ** -b.num));
    return bounded(rational(a.num ** b.num, a.den ** b.num));
  },
};

export const negate = (a: Rational): Rational => ({ num: -a.num, den: a.den });

/** The number as m·2^exp with odd m, or undefined where it has no finite binary expansion. */
export function asDyadic(a: Rational): { readonly m: bigint; readonly exp: number } | undefined {
  if (a.num === 0n) return { m: 0n, exp: 0 };
  const down = trailingZeros(a.den);
  if (a.den >> BigInt(down) !== 1n) return undefined;
  const up = trailingZeros(a.num);
  return { m: a.num >> BigInt(up), exp: up - down };
}

/** floor(a·2^bits), with the lowest bit set where that is not exact: rounding it coarser gives what rounding `a` would. */
const sticky = (a: Rational, bits: number): bigint => {
  const scaled = a.num << BigInt(bits);
  const floor = scaled / a.den - (scaled < 0n && scaled % a.den !== 0n ? 1n : 0n);
  return scaled % a.den === 0n ? floor : floor | 1n;
};

/** The mantissa of `a` in the type of `to`. */
export const convertRational = (a: Rational, to: Conversion): bigint => {
  const bits = 2200;
  return convert(sticky(a, bits), -bits, to);
};

/** The nearest double. */
export function rationalToNumber(a: Rational): number {
  const d = asDyadic(a);
  if (d && d.exp === 0 && d.m.toString(2).length <= 53) return Number(d.m);
  // 64 significant bits and a sticky one: BigInt to Number rounds to nearest, ties to even.
  const shift = 66 - (a.num.toString(2).length - a.den.toString(2).length);
  const scaled = shift >= 0 ? sticky(a, shift) : sticky({ num: a.num, den: a.den << BigInt(-shift) }, 0);
  const half = Math.trunc(-shift / 2);
  return Number(scaled) * 2 ** half * 2 ** (-shift - half);
}

export const asInteger = (a: Rational): number | undefined =>
  a.den === 1n && a.num <= BigInt(Number.MAX_SAFE_INTEGER) && a.num >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(a.num) : undefined;

export const printRational = (a: Rational): string => (a.den === 1n ? shorten(a.num.toString()) : String(rationalToNumber(a)));
const shorten = (digits: string): string => (digits.length > 24 ? `${digits.slice(0, 20)}… (${digits.length} digits)` : digits);
