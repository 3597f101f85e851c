// Unary real functions with a correctly rounded result: the meaning of the `lut` op, evaluated on one input code at a time.
import { assert, InternalError } from "../diagnostics.js";
import { compare, type Dyadic, type Enclosure, enclosures, isExact, LIMIT, plus, times } from "./enclosures.js";
import { type Conversion, convert, dyadic, exponent, overflowTo, printConversion, type Range, type Rounding, rangeOf, shiftFloor, toNumber } from "./fixed.js";

/** `name(x; params)`, rounded to `to`; real where that is absent, until assign-precision chooses it. */
export interface UnaryFunction {
  readonly name: UnaryName;
  readonly params: readonly number[];
  readonly to?: Conversion;
}
/** A function of a typed result. */
export interface Unary extends UnaryFunction {
  readonly to: Conversion;
}
export const isTyped = (f: UnaryFunction): f is Unary => f.to !== undefined;
export function typed(f: UnaryFunction): Unary {
  assert(isTyped(f), `${f.name} has no type yet`);
  return f;
}

interface UnaryDef {
  /** A last one that ends in "…" stands for one or more. */
  readonly params: readonly string[];
  readonly doc: string;
  /** f(x), or where it lies, to within a few 2^−p. */
  enclose(x: Dyadic, p: number, params: readonly number[]): Enclosure;
  /** f(x) for a double x, with a relative error below 2^−42 whatever the engine; NaN where the formula is not that good. */
  near?(x: number, params: readonly number[]): number;
  /** Between these the function is monotone; absent: it need not be. */
  readonly turns?: readonly number[];
}

type Parameters = readonly number[];
const def = (doc: string, params: readonly string[], rest: Omit<UnaryDef, "doc" | "params">): UnaryDef => ({ doc, params, ...rest });
const monotone = { turns: [] } as const;
/** The functions of Keras have no parameters: their constants are these doubles. */
const SELU = { alpha: 1.6732632423543772, scale: 1.0507009873554805 } as const;
const one = dyadic(1);

const enclosed = (f: (x: Dyadic, p: number) => Enclosure) => (x: Dyadic, p: number) => f(x, p);

/** √(2/π)·2 */
const GELU_SLOPE = 1.5957691216057308;
const geluTanh = (x: number): number => {
  const t = GELU_SLOPE * (x + 0.044715 * x * x * x);
  return Math.abs(t) < 30 ? x / (1 + Math.exp(-t)) : Number.NaN;
};
/** x·Φ(x) by the series of the integral where nothing cancels, else by the continued fraction of Mills' ratio (1 − Φ)/φ. */
function gelu(x: number): number {
  if (x > 9) return x;
  const t = Math.abs(x);
  if (x < -1.5) {
    let mills = t;
    for (let n = 120; n > 0; n--) mills = t + n / mills;
    return (x * 0.3989422804014327 * Math.exp((-t * t) / 2)) / mills;
  }
  let [term, sum] = [t, t];
  for (let n = 3; term > sum * 2 ** -60; n += 2) sum += term *= (t * t) / n;
  const half = sum * Math.exp((-t * t) / 2) * 0.3989422804014327;
  return x * (x > 0 ? 0.5 + half : 0.5 - half);
}
const mish = (x: number): number => {
  const u = Math.exp(-Math.abs(x));
  return x > 0 ? (x * (1 + 2 * u)) / (1 + 2 * u + 2 * u * u) : (x * (u * u + 2 * u)) / (u * u + 2 * u + 2);
};

export const unaries = {
  linear: def("x: a rounding", [], { enclose: (x) => x, ...monotone }),
  tanh: def("hyperbolic tangent", [], { enclose: enclosed(enclosures.tanh), near: (x) => Math.tanh(x), ...monotone }),
  sigmoid: def("1 / (1 + e^−x)", [], { enclose: enclosed(enclosures.sigmoid), near: (x) => 1 / (1 + Math.exp(-x)), ...monotone }),
  exp: def("e^x, at most 2^1000", [], { enclose: enclosed(enclosures.exp), near: (x) => (x < 690 ? Math.exp(x) : Number.NaN), ...monotone }),
  log: def("ln x; −2^1000 for x <= 0", [], { enclose: enclosed(enclosures.log), near: (x) => (x > 0 ? Math.log(x) : Number.NaN), ...monotone }),
  softplus: def("ln(1 + e^x)", [], {
    enclose: enclosed(enclosures.softplus),
    near: (x) => (x > 0 ? x : 0) + Math.log1p(Math.exp(-Math.abs(x))),
    ...monotone,
  }),
  softsign: def("x / (1 + |x|)", [], { enclose: enclosed(enclosures.softsign), near: (x) => x / (1 + Math.abs(x)), ...monotone }),
  elu: def("x for x >= 0, else alpha·(e^x − 1)", ["alpha"], {
    enclose: (x, p, [alpha]) => enclosures.elu(x, p, dyadic(alpha!), one),
    near: (x, [alpha]) => (x >= 0 ? x : alpha! * Math.expm1(x)),
    turns: [0],
  }),
  selu: def(`${SELU.scale}·elu(x) with alpha = ${SELU.alpha}`, [], {
    enclose: (x, p) => enclosures.elu(x, p, dyadic(SELU.alpha), dyadic(SELU.scale)),
    near: (x) => SELU.scale * (x >= 0 ? x : SELU.alpha * Math.expm1(x)),
    ...monotone,
  }),
  swish: def("x / (1 + e^−x)", [], { enclose: enclosed(enclosures.swish), near: (x) => x / (1 + Math.exp(-x)), turns: [-1.2784645427610738] }),
  gelu: def("x·Φ(x) with the normal distribution Φ", [], { enclose: enclosed(enclosures.gelu), near: gelu, turns: [-0.7517915246935645] }),
  gelu_tanh: def("x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2", [], {
    enclose: enclosed(enclosures.geluTanh),
    near: geluTanh,
    turns: [-0.7524614220710162],
  }),
  mish: def("x·tanh(ln(1 + e^x))", [], { enclose: enclosed(enclosures.mish), near: mish, turns: [-1.1924312414209498] }),
  square: def("x²", [], { enclose: (x) => times(x, x), turns: [0] }),
  sqrt: def("√x; 0 for x < 0", [], { enclose: enclosed(enclosures.sqrt), near: (x) => (x > 0 ? Math.sqrt(x) : 0), ...monotone }),
  rsqrt: def("1/√x; 2^1000 for x <= 0", [], { enclose: enclosed(enclosures.rsqrt), near: (x) => (x > 0 ? 1 / Math.sqrt(x) : Number.NaN), turns: [0] }),
  rsqrt_po2: def("2^−floor(log2(x)/2); 0 for x <= 0", [], {
    enclose: (x) => (x.m <= 0n ? dyadic(0) : { m: 1n, exp: -Math.floor((x.m.toString(2).length - 1 + x.exp) / 2) }),
    turns: [0],
  }),
  reciprocal: def("1/x; 2^1000 for x = 0", [], { enclose: enclosed(enclosures.reciprocal), near: (x) => (x === 0 ? Number.NaN : 1 / x), turns: [0] }),
  step: def("`below` for x < threshold, else `above`", ["threshold", "below", "above"], {
    enclose: (x, _, [threshold, below, above]) => dyadic(compare(x, dyadic(threshold!)) < 0 ? below! : above!),
    ...monotone,
  }),
  ternary: def("scale·sign(x) for |x| >= threshold, else 0", ["threshold", "scale"], {
    enclose: (x, _, [threshold, scale]) =>
      compare({ m: x.m < 0n ? -x.m : x.m, exp: x.exp }, dyadic(threshold!)) >= 0 ? dyadic(Number(x.m > 0n) * scale! - Number(x.m < 0n) * scale!) : dyadic(0),
    ...monotone,
  }),
  po2: def(
    "sign(x)·2^e with e = round-half-even(log2 |x|) clipped to [min, max]; |x| below 1e-7 gives 2^min, |x| above limit (if > 0) counts as limit; unsigned (signed = 0): x <= 0 gives 2^min",
    ["min", "max", "signed", "limit"],
    { enclose: (x, _, p) => po2(x, p), ...monotone },
  ),
  table: def("y_i with i = floor((x − first)/step), the first or last y beyond the ends", ["first", "step", "y…"], {
    enclose: (x, _, p) => entry(x, p),
  }),
} satisfies Record<string, UnaryDef>;

export type UnaryName = keyof typeof unaries;
export const unaryDef = (name: UnaryName): UnaryDef => unaries[name];

/** Why these cannot be the parameters. */
export function paramsProblem(name: UnaryName, params: Parameters): string | undefined {
  const { params: names } = unaryDef(name);
  const isOpen = names.at(-1)?.endsWith("…") ?? false;
  const isCount = isOpen ? params.length >= names.length : params.length === names.length;
  if (!isCount || !params.every(Number.isFinite)) return `${name} takes (${names.join(", ")})`;
  if (name === "table" && !(params[1]! > 0)) return "the step of a table is above 0";
  const isExponent = (e: number): boolean => Number.isInteger(e) && Math.abs(e) <= LIMIT;
  return name === "po2" && !params.slice(0, 2).every(isExponent) ? `the exponents of po2 are whole numbers within ±${LIMIT}` : undefined;
}

/** log2 |x| is irrational or whole, so that ties do not occur. */
function po2(x: Dyadic, [min, max, signed, most]: Parameters): Dyadic {
  const power = (e: number): Dyadic => ({ m: signed !== 0 && x.m < 0n ? -1n : 1n, exp: e });
  if (signed === 0 && x.m <= 0n) return power(min!);
  const magnitude = { m: x.m < 0n ? -x.m : x.m, exp: x.exp };
  const limited = most! > 0 && compare(magnitude, dyadic(most!)) > 0 ? dyadic(most!) : magnitude;
  if (compare(limited, dyadic(1e-7)) < 0) return power(min!);
  // round(log2 x) = floor((floor(log2 x²) + 1)/2)
  const floor = (limited.m * limited.m).toString(2).length - 1 + 2 * limited.exp;
  return power(Math.min(Math.max(Math.floor((floor + 1) / 2), min!), max!));
}

/** Parameters first, step, y_0, y_1, … */
function entry(x: Dyadic, p: Parameters): Dyadic {
  const from = dyadic(p[0]!);
  const offset = plus(x, { m: -from.m, exp: from.exp });
  if (offset.m <= 0n) return dyadic(p[2]!);
  const width = dyadic(p[1]!);
  const shift = BigInt(offset.exp - width.exp);
  const index = shift >= 0n ? (offset.m << shift) / width.m : offset.m / (width.m << -shift);
  const last = p.length - 3;
  return dyadic(p[2 + (index < BigInt(last) ? Number(index) : last)]!);
}

/** Where a rounding jumps, in steps of the result: at whole numbers, or halfway between. */
const jumps: { readonly [R in Rounding]: 0 | 0.5 } = { TRN: 0, TRN_ZERO: 0, RND: 0.5, RND_CONV: 0.5, RND_ZERO: 0.5, RND_INF: 0.5, RND_MIN_INF: 0.5 };
const ACCURACY = 2 ** -42;

/** The mantissa where a double, wrong by ACCURACY at most, already decides it: then every engine finds the same one. */
function quick(y: number, to: Conversion): bigint | undefined {
  const scaled = y * 2 ** -exponent(to.type);
  const error = Math.abs(scaled) * ACCURACY;
  if (!(error < 0.01) || Math.abs(y) < 1e-290) return undefined;
  const half = jumps[to.round];
  const [low, high] = [Math.floor(scaled + half - error), Math.floor(scaled + half + error)];
  if (low !== high) return undefined;
  return overflowTo(BigInt(to.round === "TRN_ZERO" && scaled < 0 ? low + 1 : low), to.type, to.overflow);
}

/** A table whose result needs more bits than this has met a tie that its function should have called exact. */
const MOST_BITS = 1 << 14;

/** The mantissa of f(m·2^exp) in f.to.type, correctly rounded. */
export function applyUnary(f: Unary, m: bigint, exp: number): bigint {
  const { near, enclose } = unaryDef(f.name);
  if (near && m <= 0x1fffffffffffffn && m >= -0x1fffffffffffffn) {
    const y = quick(near(toNumber(m, exp), f.params), f.to);
    if (y !== undefined) return y;
  }
  for (let p = Math.max(0, -exponent(f.to.type)) + 32; p < MOST_BITS; p *= 2) {
    const y = enclose({ m, exp }, p, f.params);
    if (isExact(y)) return convert(y.m, y.exp, f.to);
    // Just inside the open ends: no rounding jumps between two neighbours so fine.
    const low = convert(2n * y.lo + 1n, -p - 1, f.to);
    if (low === convert(2n * y.hi - 1n, -p - 1, f.to)) return low;
  }
  throw new InternalError(`${f.name}(${toNumber(m, exp)}) is not decided by ${MOST_BITS} bits`);
}

/** At most this many codes are enumerated where a function is not monotone. */
const ENUMERATE = 1n << 16n;

/** The range of f over all codes of a range at 2^exp. */
export function rangeOfUnary(f: Unary, { lo, hi }: Range, exp: number): Range {
  const { turns } = unaryDef(f.name);
  const isClamped = f.to.overflow === "SAT" || f.to.overflow === "SAT_SYM";
  if (hi - lo > 16n && !(turns && isClamped) && hi - lo >= ENUMERATE) return rangeOf(f.to.type);
  const codes = hi - lo > 16n && turns && isClamped ? ends(lo, hi, exp, turns) : Array.from({ length: Number(hi - lo) + 1 }, (_, i) => lo + BigInt(i));
  const values = codes.map((m) => applyUnary(f, m, exp));
  return { lo: values.reduce((a, b) => (a < b ? a : b)), hi: values.reduce((a, b) => (a > b ? a : b)) };
}

/** The code at or below a real number. */
export function codeOf(x: number, exp: number): bigint {
  const d = dyadic(x);
  return shiftFloor(d.m, d.exp - exp);
}

/** Both ends, and the codes about each turn. */
function ends(lo: bigint, hi: bigint, exp: number, turns: readonly number[]): readonly bigint[] {
  const near = turns.flatMap((t) => [-1n, 0n, 1n, 2n].map((d) => codeOf(t, exp) + d));
  return [lo, hi, ...near.filter((m) => m > lo && m < hi)];
}

/** For people: the values of a table are only counted. */
export function describeUnary(f: UnaryFunction): string {
  if (f.params.length <= 8) return printUnary(f);
  return `${f.name}(${[...f.params.slice(0, 2), `${f.params.length - 2} values`, f.to ? printConversion(f.to) : "real"].join(", ")})`;
}

const printed = new WeakMap<UnaryFunction, string>();
export function printUnary(f: UnaryFunction): string {
  const text = printed.get(f) ?? `${f.name}(${[...f.params, f.to ? printConversion(f.to) : "real"].join(", ")})`;
  printed.set(f, text);
  return text;
}
