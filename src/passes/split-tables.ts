// split-tables: functions whose table would exceed --max-table become clamps, thresholds or piecewise polynomials of existing ops.
import type { Place, Reporter } from "../diagnostics.js";
import { type Conversion, contains, convert, exponent, fit, fixed, type FixedType, printConversion, type Range, rangeOf } from "../ir/fixed.js";
import { copyNode, type Graph, type GraphBuilder, type NodeWith, rangeOfNode, rewriteGraph } from "../ir/graph.js";
import { tensor } from "../ir/tensor.js";
import { applyUnary, codeOf, isTyped, rangeOfUnary, type Unary, unaryDef } from "../ir/unary.js";
import { isSmooth } from "./function-bounds.js";
import { pass } from "./pass.js";
import { evaluateAll, makeSegments, type Segments } from "./segments.js";

/** Up to so many codes every one is compared with the correctly rounded table; beyond, the error is bounded by derivatives. */
const EXHAUSTIVE = 1n << 16n;
/** Results of so few bits are worth a search for segments that give the very table. */
const SEARCH_WIDTH = 12;
/** Bits below the result's last that a tail may still change before it is taken for flat, where it is not a table's. */
const TAIL_BITS = 4;
/** Bits below the result's last in coefficients and products. */
const GUARD = 4;
/** A sum of so many comparisons is exact, and smaller than a polynomial. */
const MAX_THRESHOLDS = 15;
/** Of functions that have no other form. */
const MOST_THRESHOLDS = 64;

const sizeOf = (r: Range): bigint => r.hi - r.lo + 1n;
const TYPE_BIT = fixed(1, 1);

class Rewriter {
  readonly builder: GraphBuilder;
  constructor(builder: GraphBuilder) {
    this.builder = builder;
  }
  scalar(m: bigint, exp: number): number {
    return this.builder.add("constant", [], { value: tensor([], exp, [m]) });
  }
  add(a: number, b: number): number {
    return this.builder.add("add", [a, b], {});
  }
  mul(a: number, b: number): number {
    return this.builder.add("mul", [a, b], {});
  }
  clamp(x: number, { lo, hi }: Range, exp: number): number {
    const low = this.builder.add("max", [x, this.scalar(lo, exp)], {});
    return this.builder.add("min", [low, this.scalar(hi, exp)], {});
  }
  quantize(x: number, to: FixedType, round: Conversion["round"] = "TRN", overflow: Conversion["overflow"] = "WRAP"): number {
    return this.builder.add("quantize", [x], { to, round, overflow });
  }
}

/** Codes between which f, rounded, is not constant: the tails are cut off. Only where a piece is monotone up to its end. */
function activeRange(f: Unary, r: Range, exp: number): Range {
  const { turns } = unaryDef(f.name);
  if (!turns) return r;
  const codes = turns.map((t) => codeOf(t, exp));
  const first = codes.reduce((a, c) => (c - 4n < a ? c - 4n : a), r.hi);
  const last = codes.reduce((a, c) => (c + 4n > a ? c + 4n : a), r.lo);
  /** The code nearest to `to` whose value is still that of `from`. */
  const end = (from: bigint, to: bigint): bigint => {
    const y = applyUnary(f, from, exp);
    let [same, other] = [from, to];
    if (applyUnary(f, to, exp) === y) return to;
    while (same - other > 1n || other - same > 1n) {
      const middle = (same + other) >> 1n;
      if (applyUnary(f, middle, exp) === y) same = middle;
      else other = middle;
    }
    return same;
  };
  const lo = first > r.lo ? end(r.lo, first) : r.lo;
  const hi = last < r.hi ? end(r.hi, last) : r.hi;
  return lo < hi ? { lo, hi } : { lo: r.lo, hi: r.lo };
}

/** The codes at which f changes, if they are at most `most`. */
function thresholds(f: Unary, { lo, hi }: Range, exp: number, turns: readonly number[], most: number): readonly bigint[] | undefined {
  const out: bigint[] = [];
  const find = (a: bigint, ya: bigint, b: bigint, yb: bigint): boolean => {
    if (ya === yb) return true;
    if (b - a === 1n) return out.push(b) <= most;
    const middle = (a + b) >> 1n;
    const y = applyUnary(f, middle, exp);
    return find(a, ya, middle, y) && find(middle, y, b, yb);
  };
  // From one end or turn to the next f is monotone.
  const inner = turns.flatMap((t) => [codeOf(t, exp), codeOf(t, exp) + 1n]).filter((c) => c > lo && c < hi);
  const stops = [lo, ...inner.sort((a, b) => (a < b ? -1 : 1)), hi];
  const isFew = stops.slice(1).every((b, i) => find(stops[i]!, applyUnary(f, stops[i]!, exp), b, applyUnary(f, b, exp)));
  return isFew ? out : undefined;
}

/** y = f(lo) + Σ_t (f(t) − f(t − 1))·[x >= t]; [x >= t] is 1 plus the sign of x − t, saturated to one bit. */
function addThresholds(w: Rewriter, f: Unary, x: number, lo: bigint, exp: number, at: readonly bigint[]): number {
  const step = exponent(f.to.type);
  let y: number | undefined;
  for (const t of at) {
    const jump = applyUnary(f, t, exp) - applyUnary(f, t - 1n, exp);
    const sign = w.quantize(w.add(x, w.scalar(-t, exp)), TYPE_BIT, "TRN", "SAT");
    const term = w.mul(sign, w.scalar(jump, step));
    y = y === undefined ? term : w.add(y, term);
  }
  const top = w.scalar(at.length === 0 ? applyUnary(f, lo, exp) : applyUnary(f, at.at(-1)!, exp), step);
  // Adding 0·x keeps the shape of x.
  return w.add(y ?? w.mul(x, w.scalar(0n, 0)), top);
}

function addSegments(w: Rewriter, f: Unary, x: number, exp: number, s: Segments): number {
  let index: number | undefined;
  let u: number | undefined;
  for (const { from, to, shift } of s.parts) {
    const c = w.add(w.clamp(x, { lo: from, hi: to }, exp), w.scalar(-from, exp));
    const size = fit({ lo: 0n, hi: (to - from) >> BigInt(shift) }, exp + shift);
    const high = w.mul(w.quantize(c, size), w.scalar(1n, -exp - shift));
    index = index === undefined ? high : w.add(index, high);
    if (shift === 0) continue;
    const low = w.mul(w.quantize(c, { signed: false, width: shift, int: shift + exp }), w.scalar(1n, -exp - shift));
    u = u === undefined ? low : w.add(u, low);
  }
  // In all parts but one, x is clamped to an end, where the low bits are 0: the sum stays below 1.
  const place = u === undefined ? undefined : w.quantize(u, { signed: false, width: s.fraction, int: 0 });
  const coefficient = (d: number): number => {
    const values = s.coefficients[d]!;
    const type = fit({ lo: values.reduce((a, b) => (a < b ? a : b)), hi: values.reduce((a, b) => (a > b ? a : b)) }, s.exp);
    const params = [0, 1, ...values.map((m) => Number(m) * 2 ** s.exp)];
    return w.builder.add("lut", [index!], { f: { name: "table", params, to: { type, round: "TRN", overflow: "SAT" } } });
  };
  let y = coefficient(place === undefined ? 0 : s.degree);
  for (let d = s.degree - 1; d >= 0 && place !== undefined; d--) {
    const product = w.mul(y, place);
    const { elem } = w.builder.node(product).type;
    const wide: FixedType = elem === "real" ? f.to.type : elem;
    // Rounded to the exponent of the coefficients, with room for a carry.
    const width = Math.max(2, wide.int + 1 - s.exp);
    y = w.add(w.quantize(product, { signed: wide.signed, width, int: width + s.exp }, "RND"), coefficient(d));
  }
  return w.quantize(y, f.to.type, f.to.round, clamping(f));
}

/** Where f itself cannot overflow, a polynomial still may, by its error. */
const clamping = (f: Unary): "SAT" | "SAT_SYM" => (f.to.overflow === "SAT_SYM" ? "SAT_SYM" : "SAT");

/** The fewest segments within a quarter of a step; within more where that would exceed the limit. */
function chooseSegments(f: Unary, r: Range, exp: number, most: number): Segments | undefined {
  const make = (tolerance: number, guard: number): Segments | undefined =>
    makeSegments(f, r, exp, 1, { tolerance, guard, most: Math.min(most, 512) }) ?? makeSegments(f, r, exp, 2, { tolerance, guard, most });
  if (sizeOf(r) <= EXHAUSTIVE && f.to.type.width <= SEARCH_WIDTH) {
    // Values come as near to a tie as the number of codes lets one expect.
    const found = make(2 ** -16, GUARD + 16);
    if (found && compareAll(f, r, exp, found).differing === 0) return found;
  }
  for (let tolerance = 0.25; tolerance < 2 ** 24; tolerance *= 4) {
    const found = make(tolerance, GUARD);
    if (found) return found;
  }
  return undefined;
}

interface Deviation {
  readonly differing: number;
  /** In steps of the result. */
  readonly most: bigint;
}

/** Every code compared with the correctly rounded table. */
function compareAll(f: Unary, r: Range, exp: number, s: Segments): Deviation {
  const to: Conversion = { ...f.to, overflow: clamping(f) };
  let [differing, most] = [0, 0n];
  evaluateAll(s, r, (m, y) => {
    const d = convert(y, s.exp, to) - applyUnary(f, m, exp);
    if (d === 0n) return;
    differing++;
    if (d > most) most = d;
    else if (-d > most) most = -d;
  });
  return { differing, most };
}

interface Plan {
  readonly kind: "clamp" | "thresholds" | "segments";
  readonly active: Range;
  readonly thresholds?: readonly bigint[];
  readonly segments?: Segments;
}

function planOf(f: Unary, r: Range, exp: number, most: number): Plan | undefined {
  const wide: Conversion = { type: { ...f.to.type, signed: true, width: f.to.type.width + 2, int: f.to.type.int + 2 }, round: f.to.round, overflow: "SAT" };
  // Only without wrapping is the rounded function as monotone as the function.
  const clamps = f.to.overflow === "SAT" || f.to.overflow === "SAT_SYM" || contains(rangeOf(f.to.type), rangeOfUnary({ ...f, to: wide }, r, exp));
  const { turns } = unaryDef(f.name);
  if (!clamps || !turns) return undefined;
  const active = activeRange(f, r, exp);
  if (sizeOf(active) <= BigInt(most)) return { kind: "clamp", active };
  const changes = thresholds(f, active, exp, turns, isSmooth(f) ? MAX_THRESHOLDS : MOST_THRESHOLDS);
  if (changes) return { kind: "thresholds", active, thresholds: changes };
  if (!isSmooth(f)) return undefined;
  const finer: Unary = { ...f, to: { ...f.to, type: { ...f.to.type, width: f.to.type.width + TAIL_BITS } } };
  const smooth = activeRange(finer, r, exp);
  const segments = chooseSegments(f, smooth, exp, most);
  return segments && { kind: "segments", active: smooth, segments: { ...segments, error: segments.error + 2 ** -TAIL_BITS } };
}

function describe(f: Unary, r: Range, exp: number, { active, segments: s }: Plan): string {
  const count = s!.coefficients[0]!.length;
  const what = `${f.name} over ${sizeOf(r)} codes is a polynomial of degree ${s!.degree} on ${count} segments`;
  if (sizeOf(active) > EXHAUSTIVE) return `${what}; before its last rounding it is within ${s!.error.toPrecision(2)} steps of ${printConversion(f.to)} of the function`;
  const { differing, most } = compareAll(f, active, exp, s!);
  return differing === 0 ? `${what}, equal to the table on all codes` : `${what}; ${differing} of ${sizeOf(active)} codes differ from the table, by at most ${most === 1n ? "1 step" : `${most} steps`} of ${printConversion(f.to)}`;
}

/** The op that replaces a large table, or undefined where there is none. */
export function splitTable(f: Unary, x: number, builder: GraphBuilder, most: number, tell: (what: string, isCoarse: boolean) => void): number | undefined {
  const node = builder.node(x);
  if (node.type.elem === "real") return undefined;
  const [r, exp] = [rangeOfNode(node), exponent(node.type.elem)];
  if (f.name === "linear") return builder.add("quantize", [x], { to: f.to.type, round: f.to.round, overflow: f.to.overflow });
  if (f.name === "square") return builder.add("quantize", [builder.add("mul", [x, x], {})], { to: f.to.type, round: f.to.round, overflow: f.to.overflow });
  const plan = planOf(f, r, exp, most);
  if (!plan) return undefined;
  const w = new Rewriter(builder);
  const clamped = w.clamp(x, plan.active, exp);
  if (plan.kind === "clamp") return builder.add("lut", [clamped], { f });
  if (plan.kind === "thresholds") return addThresholds(w, f, clamped, plan.active.lo, exp, plan.thresholds!);
  tell(describe(f, r, exp, plan), plan.segments!.error > 1);
  return addSegments(w, f, clamped, exp, plan.segments!);
}

const isLarge = (graph: Graph, node: NodeWith<"lut">, most: number): boolean => {
  const x = graph.nodes[node.operands[0]!]!;
  return x.type.elem !== "real" && sizeOf(rangeOfNode(x)) > BigInt(most);
};

export const splitTables = pass({
  name: "split-tables",
  doc: "replaces tables of more than --max-table entries by clamps, comparisons or polynomials between segments, and states their error",
  from: "graph",
  to: "graph",
  run(graph: Graph, { options, reporter }) {
    return rewriteGraph(graph, reporter, (node, operands, builder, id) => {
      if (node.op !== "lut" || !isTyped(node.attrs.f) || !isLarge(graph, node, options.maxTable)) return copyNode(node, operands, builder, id);
      const layer = graph.layers[node.layer];
      const split = splitTable(node.attrs.f, operands[0]!, builder, options.maxTable, telling(reporter, layer ? { at: { ...layer.at, layer: layer.name } } : {}));
      return split ?? copyNode(node, operands, builder, id);
    });
  },
});

const telling =
  (reporter: Reporter, place: { readonly at?: Place }) =>
  (what: string, isCoarse: boolean): void => {
    if (isCoarse) reporter.warn("QN307", what, { ...place, help: "allow larger tables with --max-table, or give the layer a narrower precision" });
    else reporter.note("QN307", what, place);
  };
