// Piecewise polynomials for functions whose table would be too large: where to cut, which coefficients, and how far off the result may be.
import { exponent, MAX_WIDTH, type Range, rangeOf, roundShift } from "../ir/fixed.js";
import { applyUnary, type Unary } from "../ir/unary.js";
import { derivativeBound, type Order } from "./function-bounds.js";

/** Equal segments of 2^shift codes from `from` up to, not including, `to`. */
export interface Part {
  readonly from: bigint;
  readonly to: bigint;
  readonly shift: number;
}

/** y = c0 + u·(c1 + u·c2): u in [0, 1) is the place in the segment; coefficients are whole multiples of 2^exp. */
export interface Segments {
  readonly degree: 1 | 2;
  readonly parts: readonly Part[];
  /** By degree, then by segment. */
  readonly coefficients: readonly (readonly bigint[])[];
  readonly exp: number;
  /** Bits of u that are kept. */
  readonly fraction: number;
  /** Largest distance from f before the final rounding, in steps of the result. */
  readonly error: number;
}

/** Coefficients are printed as doubles. */
const DOUBLE_BITS = 52;
/** Roundings of three coefficients, two products and u, in steps of the coefficients. */
const ROUNDINGS = 3;
/** A part of its own takes a clamp and three additions, worth about as much as this many segments; fewer where there would be too many segments. */
const PART_COSTS = [128, 16] as const;
/** Regions that the search for parts looks at. */
const BUDGET = 4096;

/** Error of interpolation at Chebyshev's nodes: factor·h^(d+1)·sup |f^(d+1)|, with 2 % for nodes rounded to 1/4096. */
const FACTOR = { 1: 1.02 / 16, 2: 1.02 / 192 } as const;
const NODES = { 1: [600n, 3496n], 2: [275n, 2048n, 3821n] } as const;
const NODE_BITS = 12;

interface Goal {
  readonly f: Unary;
  readonly exp: number;
  readonly degree: 1 | 2;
  /** Error of the interpolation alone, as a real number. */
  readonly tolerance: number;
  /** In segments. */
  readonly partCost: number;
}

function errorBound({ f, exp, degree }: Goal, from: bigint, to: bigint, shift: number): number {
  if (shift === 0) return 0;
  const sup = derivativeBound(f, (degree + 1) as Order, Number(from) * 2 ** exp, Number(to) * 2 ** exp);
  return sup === 0 ? 0 : FACTOR[degree] * (2 ** (shift + exp)) ** (degree + 1) * sup;
}

/** The longest segments of a region of 2^bits codes that keep the tolerance. */
function longest(goal: Goal, from: bigint, bits: number): number {
  let shift = bits;
  while (shift > 0 && errorBound(goal, from, from + (1n << BigInt(bits)), shift) > goal.tolerance) shift--;
  return shift;
}

/** Halves a region as long as that saves more segments than parts cost. */
function cut(goal: Goal, from: bigint, bits: number, last: bigint, budget: { left: number }): readonly Part[] {
  if (from > last) return [];
  const whole: Part = { from, to: from + (1n << BigInt(bits)), shift: longest(goal, from, bits) };
  if (2 ** (bits - whole.shift) <= goal.partCost || budget.left-- <= 0) return [whole];
  const halves = [cut(goal, from, bits - 1, last, budget), cut(goal, from + (1n << BigInt(bits - 1)), bits - 1, last, budget)].flat();
  const cost = (parts: readonly Part[]): number => parts.reduce((n, p) => n + goal.partCost + segmentsOf(p), 0);
  const joined = merged(halves);
  return cost(joined) < cost([whole]) ? joined : [whole];
}
const segmentsOf = ({ from, to, shift }: Part): number => Number((to - from) >> BigInt(shift));

function merged(parts: readonly Part[]): readonly Part[] {
  const out: Part[] = [];
  for (const p of parts) {
    const before = out.at(-1);
    if (before?.shift === p.shift) out[out.length - 1] = { ...before, to: p.to };
    else out.push(p);
  }
  return out;
}

const bitsOf = (n: bigint): number => (n <= 1n ? 0 : (n - 1n).toString(2).length);

/** Parts that cover a range; 0 is always an end of one, because there some functions have a corner. */
function partsOf(goal: Goal, { lo, hi }: Range): readonly Part[] {
  const budget = { left: BUDGET };
  const right = hi >= 0n ? cut(goal, lo > 0n ? lo : 0n, bitsOf(hi - (lo > 0n ? lo : 0n) + 1n), hi, budget) : [];
  if (lo >= 0n) return trimmed(right, { lo, hi });
  const bits = bitsOf(-lo);
  const left = cut(goal, -(1n << BigInt(bits)), bits, hi < 0n ? hi : -1n, budget);
  return trimmed([...left, ...right], { lo, hi });
}

/** Without the segments that no code reaches. */
const trimmed = (parts: readonly Part[], { lo, hi }: Range): readonly Part[] =>
  parts.flatMap((p) => {
    const step = 1n << BigInt(p.shift);
    const from = p.from < lo ? lo - ((lo - p.from) & (step - 1n)) : p.from;
    const to = p.to > hi ? hi + step - ((hi - p.from) & (step - 1n)) : p.to;
    return from < to && p.to > lo ? [{ ...p, from, to: to < p.to ? to : p.to }] : [];
  });

/** Coefficients that meet f at the nodes of one segment, in steps of 2^exp. */
function fit(goal: Goal, start: bigint, shift: number, exp: number): readonly number[] {
  const { f, degree } = goal;
  /** f in steps of 2^(exp − 30): a double holds it. */
  const fine: Unary = { ...f, to: { type: { signed: true, width: 1200, int: 1200 + exp - 30 }, round: "RND_CONV", overflow: "SAT" } };
  const y = (m: bigint, e: number): number => Number(applyUnary(fine, m, e)) * 2 ** -30;
  if (shift === 0) {
    const r = rangeOf(f.to.type);
    const scale = 2 ** (exponent(f.to.type) - exp);
    // A pole is finite once it is clamped to the type.
    return [Math.min(Math.max(y(start, goal.exp), Number(r.lo) * scale), Number(r.hi) * scale), 0, 0].slice(0, degree + 1);
  }
  const nodes = NODES[degree];
  const u = nodes.map((n) => Number(n) / 2 ** NODE_BITS);
  const [y0, y1, y2] = nodes.map((n) => y((start << BigInt(NODE_BITS)) + (n << BigInt(shift)), goal.exp - NODE_BITS)) as [number, number, number];
  const [u0, u1] = [u[0]!, u[1]!];
  const slope = (y1 - y0) / (u1 - u0);
  if (degree === 1) return [y0 - slope * u0, slope];
  const u2 = u[2]!;
  const bend = ((y2 - y1) / (u2 - u1) - slope) / (u2 - u0);
  return [y0 - slope * u0 + bend * u0 * u1, slope - bend * (u0 + u1), bend];
}

const whole = (x: number): bigint => BigInt(Math.floor(x + 0.5));

export interface Limits {
  /** Error of the polynomials before any rounding, in steps of the result. */
  readonly tolerance: number;
  /** Bits of the coefficients below the result's last: they and the products are each rounded once. */
  readonly guard: number;
  /** Segments. */
  readonly most: number;
}

/** Segments of one degree within a tolerance, given in steps of the result; undefined where they are too many. */
export function makeSegments(f: Unary, range: Range, exp: number, degree: 1 | 2, { tolerance, guard: wanted, most }: Limits): Segments | undefined {
  const guard = Math.min(wanted, DOUBLE_BITS - f.to.type.width);
  const step = exponent(f.to.type);
  const goals = PART_COSTS.map((partCost): Goal => ({ f, exp, degree, tolerance: tolerance * 2 ** step, partCost }));
  const ways = goals.map((goal) => ({ goal, parts: partsOf(goal, range) }));
  const way = ways.find(({ parts }) => parts.reduce((n, p) => n + segmentsOf(p), 0) <= most);
  if (!way) return undefined;
  const { goal, parts } = way;
  const fits = parts.flatMap((p) =>
    Array.from({ length: segmentsOf(p) }, (_, j) => fit(goal, p.from + (BigInt(j) << BigInt(p.shift)), p.shift, step - guard).map(whole)),
  );
  const coefficients = Array.from({ length: degree + 1 }, (_, d) => fits.map((c) => c[d]!));
  const steepest = coefficients.slice(1).flat().reduce((a, c) => (c < 0n ? (-c > a ? -c : a) : c > a ? c : a), 0n);
  const longestShift = Math.max(0, ...parts.map((p) => p.shift));
  const fraction = Math.max(0, Math.min(longestShift, bitsOf(steepest + 1n) + 3, MAX_WIDTH - 3 - bitsOf(steepest + 1n)));
  const dropped = fraction < longestShift ? Number(steepest) * 2 ** -fraction : 0;
  const interpolation = parts.reduce((e, p) => Math.max(e, errorBound(goal, p.from, p.to, p.shift)), 0);
  const error = interpolation * 2 ** -step + (ROUNDINGS + Math.max(0, dropped - 0.25)) * 2 ** -guard;
  return { degree, parts, coefficients, exp: step - guard, fraction, error };
}

/** Doubles hold the sums and products of segments exactly. */
const isNarrow = ({ coefficients, fraction }: Segments): boolean => coefficients.flat().every((c) => Math.abs(Number(c)) * 2 ** fraction < 2 ** 50);

/** evaluateSegments over a whole range of at most 2^20 codes. */
export function evaluateAll(s: Segments, { lo, hi }: Range, each: (code: bigint, y: bigint) => void): void {
  if (!isNarrow(s)) {
    for (let m = lo; m <= hi; m++) each(m, evaluateSegments(s, m));
    return;
  }
  const coefficients = s.coefficients.map((all) => Float64Array.from(all, Number));
  const scale = 2 ** s.fraction;
  let first = 0;
  for (const { from, to, shift } of s.parts) {
    const low = (1 << shift) - 1;
    for (let m = from < lo ? lo : from; m < to && m <= hi; m++) {
      const c = Number(m - from);
      const segment = first + (c >> shift);
      const u = Math.floor(((c & low) * scale) / 2 ** shift);
      let y = coefficients[s.degree]![segment]!;
      for (let d = s.degree - 1; d >= 0; d--) y = Math.floor((y * u) / scale + 0.5) + coefficients[d]![segment]!;
      each(m, BigInt(y));
    }
    first += Number((to - from) >> BigInt(shift));
  }
}

/** c0 + u·(c1 + u·c2) of one code, as the graph computes it, in steps of 2^exp. */
export function evaluateSegments({ parts, coefficients, fraction, degree }: Segments, code: bigint): bigint {
  let segment = 0;
  let u = 0n;
  for (const { from, to, shift } of parts) {
    const c = (code < from ? from : code > to ? to : code) - from;
    segment += Number(c >> BigInt(shift));
    const low = c & ((1n << BigInt(shift)) - 1n);
    u += shift > fraction ? low >> BigInt(shift - fraction) : low << BigInt(fraction - shift);
  }
  const at = (d: number): bigint => coefficients[d]![segment]!;
  let y = at(degree);
  for (let d = degree - 1; d >= 0; d--) y = roundShift(y * u, fraction, "RND") + at(d);
  return y;
}
