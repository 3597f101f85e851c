// The range of all elements of a node, computed once: a network's widest values have tens of thousands of intervals.
import { assert } from "../../diagnostics.js";
import type { Interval } from "../../ir/arith.js";
import { exponent, hull, type Range, shiftFloor } from "../../ir/fixed.js";
import type { Node } from "../../ir/graph.js";

/** As mantissas of the node's type. */
export function rangeOfNode(node: Node): Range {
  assert(node.elements && node.type.elem !== "real", "rangeOfNode: real value");
  const known = ranges.get(node.elements);
  if (known) return known;
  const range = rangeOfIntervals(node.elements, exponent(node.type.elem));
  ranges.set(node.elements, range);
  return range;
}
const ranges = new WeakMap<readonly Interval[], Range>();

/** As mantissas in units of 2^exp, with no object an interval. */
export function rangeOfIntervals(intervals: Iterable<Interval>, exp: number): Range {
  const byExponent = new Map<number, { lo: bigint; hi: bigint }>();
  let last: Interval | undefined;
  for (const e of intervals) {
    if (e === last) continue;
    last = e;
    const widest = byExponent.get(e.exp);
    if (!widest) byExponent.set(e.exp, { lo: e.lo, hi: e.hi });
    else {
      if (e.lo < widest.lo) widest.lo = e.lo;
      if (e.hi > widest.hi) widest.hi = e.hi;
    }
  }
  return [...byExponent].map(([own, r]): Range => ({ lo: shiftFloor(r.lo, own - exp), hi: shiftFloor(r.hi, own - exp) })).reduce(hull);
}
