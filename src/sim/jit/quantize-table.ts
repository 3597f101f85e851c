// quantize with a type per channel or element: one code for all of them, whose shifts, addends and bounds come from a table in memory.
import { assert } from "../../diagnostics.js";
import { type Conversion, contains, exponent, type FixedType, hull, type Range, type Rounding, roundShift } from "../../ir/fixed.js";
import { rangeOfNode } from "./node-range.js";
import type { Graph, NodeWith } from "../../ir/graph.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import type { MemoryPlan } from "./memory.js";
import { addendOf, legalRange, narrowBounds } from "./quantize-value.js";
import { type Entry, type EntryAt, TableFields } from "./table-fields.js";
import {
  atExponent,
  constantValue,
  fitsLane,
  greater,
  isZero,
  type Lane,
  laneOf,
  lanes,
  mapVectors,
  maxLane,
  narrowest,
  saturateTo16,
  shiftLeft,
  toLane,
  type Value,
} from "./value.js";

/**
 * Within these no step passes 64 bits: operands of 40 bits in a unit finer by 10; addends of 2^60, for a coarsest type 50 bits above;
 * results of 40 bits in a unit finer by 20.
 */
const LIMITS = { width: 40, finer: 10, coarser: 50, spread: 20 };

type Modes = Omit<Conversion, "type">;

/** Whether the quantize of these types can run from a table. */
export function canTabulate(node: NodeWith<"quantize">, graph: Graph): boolean {
  const { to } = node.attrs;
  const from = graph.nodes[node.operands[0]!]!.type.elem;
  if (!("per" in to) || from === "real" || from.width > LIMITS.width) return false;
  const live = to.types.filter((t) => t.width > 0);
  if (live.length === 0 || live.some((t) => t.width > LIMITS.width)) return false;
  const exps = live.map((t) => exponent(t) - exponent(from));
  const [least, most] = [exps.reduce((a, b) => Math.min(a, b)), exps.reduce((a, b) => Math.max(a, b))];
  return least >= -LIMITS.finer && most <= LIMITS.coarser && most - least <= LIMITS.spread;
}

/** One element's conversion in integers: y = bring((x + addend) >> drop) << up, where bring is the overflow mode on `legal`. */
interface Line {
  readonly drop: number;
  readonly up: number;
  readonly legal: Range;
  readonly width: number;
  readonly signed: boolean;
}

interface Lines {
  /** The unit of x that the lines are made for, and the unit of the results. */
  readonly from: number;
  readonly exp: number;
  readonly lines: readonly Line[];
}

function linesOf(types: readonly FixedType[], v: Range, vExp: number, modes: Modes): Lines {
  /** A grid finer than the value's own adds nothing where the value cannot overflow. */
  const isIdle = (t: FixedType): boolean => {
    const finer = vExp - exponent(t);
    return finer > 0 && contains(legalRange({ type: t, ...modes }), shiftedRange(v, finer));
  };
  const distinct = new Map(types.map((t) => [t, isIdle(t)]));
  const units = [...distinct].flatMap(([t, idle]) => (t.width === 0 ? [] : [idle ? vExp : exponent(t)]));
  const exp = units.reduce((a, b) => Math.min(a, b));
  const coarsest = units.reduce((a, b) => Math.max(a, b));
  const from = Math.min(exp, vExp);
  const line = (t: FixedType): Line => {
    // The type of 0 alone: the bounds do it.
    if (t.width === 0) return { drop: coarsest - from, up: 0, legal: { lo: 0n, hi: 0n }, width: 0, signed: false };
    if (distinct.get(t)) return { drop: vExp - from, up: vExp - exp, legal: v, width: 60, signed: true };
    return { drop: exponent(t) - from, up: exponent(t) - exp, legal: legalRange({ type: t, ...modes }), width: t.width, signed: t.signed };
  };
  const made = new Map([...distinct.keys()].map((t) => [t, line(t)]));
  return { from, exp, lines: types.map((t) => made.get(t)!) };
}

/** Code for a value in lanes of `lane` bits within `range`. */
interface Stage {
  readonly lane: Lane;
  readonly range: Range;
  code(f: FunctionBuilder, v: Value, at: EntryAt): Value;
}
type Fields = TableFields<Line>;

const same = (lane: Lane, range: Range): Stage => ({ lane, range, code: (_, v) => v });

const roundedRange = (x: Range, { drop }: Line, round: Rounding): Range => ({
  lo: roundShift(x.lo, drop, round),
  hi: roundShift(x.hi, drop, round),
});

/** x / 2^drop rounded, in lanes with room for the addend, so that the sum is exact. */
function rounding(distinct: readonly Line[], fields: Fields, x: Pick<Stage, "lane" | "range">, { round }: Modes): Stage {
  if (distinct.every((l) => l.drop === 0)) return same(x.lane, x.range);
  const range = distinct.map((l) => roundedRange(x.range, l, round)).reduce(hull);
  const addend = (l: Line) => (l.drop === 0 ? { constant: 0n, negative: 0n, odd: false } : addendOf(round, l.drop));
  const all = distinct.map(addend);
  const constant = all.some((a) => a.constant !== 0n);
  const negative = x.range.lo < 0n && all.some((a) => a.negative !== 0n);
  const odd = all.some((a) => a.odd);
  const room = 1n << BigInt(Math.max(...distinct.map((l) => l.drop)));
  const wanted = constant || negative || odd ? (laneOf({ lo: x.range.lo - room, hi: x.range.hi + room }) ?? 64) : x.lane;
  const lane = maxLane(x.lane, wanted);
  const drops = fields.add(16, (l) => BigInt(Math.min(l.drop, lane - 1)));
  const constants = constant ? fields.add(lane, (l) => addend(l).constant) : undefined;
  const negatives = negative ? fields.add(lane, (l) => addend(l).negative) : undefined;
  const odds = odd ? fields.add(lane, (l) => (addend(l).odd ? 1n : 0n)) : undefined;
  const code = (f: FunctionBuilder, v: Value, at: EntryAt): Value => {
    const by = lanes(f, lane);
    const { v128, i32 } = f.m;
    const drop = at.number(drops);
    const [fixed, sign, last] = [constants, negatives, odds].map((field) => (field === undefined ? undefined : at.splat(field, lane)));
    const wide = toLane(f, v, lane);
    return mapVectors(f, wide, range, (y, i) => {
      const again = (): Expression => f.get(wide.vectors[i]!);
      let sum = y;
      if (fixed) sum = by.add(sum, f.get(fixed));
      // The sign spread over the lane is −1 for negative x; the last bit of the floor decides a tie to even.
      if (sign) sum = by.add(sum, v128.and(by.shr_s(again(), i32.const(lane - 1)), f.get(sign)));
      if (last) sum = by.add(sum, v128.and(by.shr_s(again(), f.get(drop)), f.get(last)));
      return by.shr_s(sum, f.get(drop));
    });
  };
  return { lane, range, code };
}

/** Saturation before rounding, where 16 bits hold the bounds; see narrowBounds. */
function clampingFirst(distinct: readonly Line[], fields: Fields, v: Value, modes: Modes): Stage | undefined {
  const bounds = new Map(distinct.map((l) => [l, narrowBounds(v, l.drop, l.legal, modes)]));
  if (distinct.every((l) => contains(l.legal, roundedRange(v, l, modes.round)))) return undefined;
  const all = [...bounds.values()].reduce<Range | undefined>((a, b) => a && b && hull(a, b), { lo: 0n, hi: 0n });
  const room = 1n << BigInt(Math.max(...distinct.map((l) => l.drop)));
  if (!all || !fitsLane({ lo: all.lo - room, hi: all.hi + room }, 16)) return undefined;
  const lows = fields.add(16, (l) => bounds.get(l)!.lo);
  const highs = fields.add(16, (l) => bounds.get(l)!.hi);
  const code = (f: FunctionBuilder, x: Value, at: EntryAt): Value => {
    const [low, high] = [at.splat(lows, 16), at.splat(highs, 16)];
    return mapVectors(f, saturateTo16(f, x), all, (y) => minMax(f, 16, y, low, high));
  };
  return { lane: 16, range: all, code };
}

/** The overflow mode on rounded values. */
function bringing(distinct: readonly Line[], fields: Fields, x: Range, rounded: Stage, { round, overflow }: Modes): Stage {
  const passed = distinct.filter((l) => !contains(l.legal, roundedRange(x, l, round)));
  if (passed.length === 0) return same(rounded.lane, rounded.range);
  const range = [rounded.range, ...passed.map((l) => l.legal)].reduce(hull);
  if (overflow === "WRAP") {
    // Sign extension from bit w − 1, modulo 2^lane: ((x & (2^w − 1)) ^ 2^(w−1)) − 2^(w−1).
    const lane = maxLane(rounded.lane, laneOf(range) ?? 64);
    const masks = fields.add(lane, (l) => (1n << BigInt(l.width)) - 1n);
    const signs = fields.add(lane, (l) => (l.signed ? 1n << BigInt(l.width - 1) : 0n));
    const code = (f: FunctionBuilder, v: Value, at: EntryAt): Value => {
      const [mask, sign] = [at.splat(masks, lane), at.splat(signs, lane)];
      const { v128 } = f.m;
      const extended = (y: Expression): Expression => lanes(f, lane).sub(v128.xor(v128.and(y, f.get(mask)), f.get(sign)), f.get(sign));
      return mapVectors(f, toLane(f, v, lane), range, extended);
    };
    return { lane, range, code };
  }
  const zeroed = overflow === "SAT_ZERO";
  const legal = distinct.map((l) => l.legal).reduce(hull);
  // Lanes of 32 bits become 16 by an instruction that saturates, where no bound lies beyond.
  const narrow = !zeroed && rounded.lane === 32 && fitsLane(legal, 16);
  const lane: Lane = narrow ? 16 : rounded.lane;
  // Bounds that no value passes are replaced by such as the lane holds.
  const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
  const highs = fields.add(lane, (l) => (narrow ? l.legal.hi : smaller(l.legal.hi, rounded.range.hi)));
  const lows = fields.add(lane, (l) => (narrow || l.legal.lo > rounded.range.lo ? l.legal.lo : smaller(rounded.range.lo, l.legal.hi)));
  const code = (f: FunctionBuilder, v: Value, at: EntryAt): Value => {
    const [low, high] = [at.splat(lows, lane), at.splat(highs, lane)];
    const { v128 } = f.m;
    return mapVectors(f, narrow ? saturateTo16(f, v) : v, range, (y) => {
      if (!zeroed && lane !== 64) return minMax(f, lane, y, low, high);
      const x = f.vector(y);
      const above = greater(f, lane, f.get(x), f.get(high), false);
      const below = greater(f, lane, f.get(low), f.get(x), false);
      if (zeroed) return v128.andnot(v128.andnot(f.get(x), above), below);
      return v128.bitselect(f.get(low), v128.bitselect(f.get(high), f.get(x), above), below);
    });
  };
  return { lane, range, code };
}

function minMax(f: FunctionBuilder, lane: 16 | 32, x: Expression, low: Local, high: Local): Expression {
  const { i16x8, i32x4 } = f.m;
  const by = lane === 16 ? i16x8 : i32x4;
  return by.max_s(by.min_s(x, f.get(high)), f.get(low));
}

/** What the results may be, at their common unit. */
function raising(distinct: readonly Line[], fields: Fields, x: Stage, result: Range): Stage {
  const range = result;
  if (distinct.every((l) => l.up === 0)) return { lane: x.lane, range, code: (f, v) => narrowest(f, { ...v, ...range }) };
  const lane = maxLane(x.lane, laneOf(range) ?? 64);
  const ups = fields.add(16, (l) => BigInt(l.up));
  const code = (f: FunctionBuilder, v: Value, at: EntryAt): Value => {
    const up = at.number(ups);
    return narrowest(f, mapVectors(f, toLane(f, v, lane), range, (y) => lanes(f, lane).shl(y, f.get(up))));
  };
  return { lane, range, code };
}

export interface TableQuantizer {
  apply(f: FunctionBuilder, v: Value, entry: Entry, memory: MemoryPlan): Value;
}

/** The quantize node as code that is told where the entry of its element lies; one table for each lane that its operand comes in. */
export function tableQuantizer(node: NodeWith<"quantize">, graph: Graph): TableQuantizer {
  const { to, round, overflow } = node.attrs;
  const modes = { round, overflow };
  const types = "per" in to ? to.types : [to];
  const operand = graph.nodes[node.operands[0]!]!;
  const [inType, outType] = [operand.type.elem, node.type.elem];
  const [given, result] = [rangeOfNode(operand), rangeOfNode(node)];
  assert(inType !== "real" && outType !== "real", "tableQuantizer: a real value");
  const lines = isZero(given) || isZero(result) ? undefined : linesOf(types, given, exponent(inType), modes);
  const made = new Map<Lane, { readonly fields: Fields; readonly stages: readonly Stage[]; readonly address: number }>();
  return {
    apply: (f, value, entry, memory) => {
      if (!lines || isZero(value)) return constantValue(f, 0n, value.exp);
      const own = atExponent(f, value, exponent(inType));
      const v = shiftLeft(f, { ...own, ...given, lane: own.lane }, own.exp - lines.from);
      let table = made.get(v.lane);
      if (!table) {
        const fields = new TableFields(lines.lines);
        const distinct = [...new Set(lines.lines)];
        const clamped = clampingFirst(distinct, fields, v, modes);
        const rounded = rounding(distinct, fields, clamped ?? { lane: v.lane, range: v }, modes);
        const brought = clamped ? rounded : bringing(distinct, fields, v, rounded, modes);
        const raised = raising(distinct, fields, brought, shiftedRange(result, exponent(outType) - lines.exp));
        const stages = clamped ? [clamped, rounded, raised] : [rounded, brought, raised];
        table = { fields, stages, address: memory.data(fields.data()) };
        made.set(v.lane, table);
      }
      const at = table.fields.at(f, table.address, entry);
      return { ...table.stages.reduce((x, stage) => stage.code(f, x, at), v), exp: lines.exp };
    },
  };
}

const shiftedRange = (r: Range, n: number): Range => ({ lo: r.lo << BigInt(n), hi: r.hi << BigInt(n) });
