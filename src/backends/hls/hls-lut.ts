// The C++ of the lut op: a table indexed by bits of the operand.
import { assert } from "../../diagnostics.js";
import { bitLength, exponent, type Range } from "../../ir/fixed.js";
import { type NodeWith, rangeOfNode } from "../../ir/graph.js";
import { sizeOf } from "../../ir/tensor.js";
import { applyUnary, describeUnary, typed } from "../../ir/unary.js";
import { commentText } from "./cpp-types.js";
import { elemOf, type HlsBuilder, lanesOf } from "./hls-builder.js";
import { pairLoops } from "./hls-pairs.js";
import { mantissas } from "./mantissas.js";

/** Tables of more entries than this are split by the ranges of the elements. */
const MAX_TABLE = 1n << 16n;

export function hlsLut(node: NodeWith<"lut">, id: number, b: HlsBuilder): void {
  const x = b.graph.nodes[node.operands[0]!]!;
  const f = typed(node.attrs.f);
  const y = b.result(id);
  const [from, to] = [elemOf(x), elemOf(node)];
  const finest = exponent(from);
  /** Entry k belongs to the one code of the range whose low bits, at the range's exponent, are k: the index is a slice of the operand. */
  const make = (r: Range, exp: number, suffix: string) => {
    const bits = bitLength(r.hi - r.lo) || 1;
    const entries = new Array<bigint>(2 ** bits).fill(0n);
    for (let code = r.lo; code <= r.hi; code++) {
      entries[Number(BigInt.asUintN(bits, code))] = mantissas({ data: [applyUnary(f, code, exp)], exp: exponent(f.to.type) }, to)[0]!;
    }
    const low = exp - finest;
    const bitsUsed = `bits ${bits - 1 + low} to ${low} of the operand`;
    const doc = `${commentText(describeUnary(f))} of ${r.lo} to ${r.hi} times 2^${exp}, by ${bitsUsed}; value = entry * 2^${exponent(to)}.`;
    const made = b.table(id, suffix, to, entries, 16, doc);
    return (to: string, x: string): string => `${to} = ${made.at(y.type, `${x}.range(${bits - 1 + low}, ${low}).to_uint()`)};`;
  };
  const all = rangeOfNode(x);
  const operands = [{ name: "x", id: node.operands[0]! }];
  const doc = [`${b.describe(node)}: y = ${commentText(describeUnary(f))}`];
  if (all.hi - all.lo < MAX_TABLE) {
    const line = make(all, finest, "table")("y[i]", "x[i]");
    b.op(id, y, operands, doc, b.loops([["i", sizeOf(node.type.shape)]], [line], { lanes: lanesOf(node.type.shape) }));
    return;
  }
  const byRange = new Map<string, { readonly range: Range; readonly exp: number; readonly at: number[] }>();
  x.elements!.forEach((e, i) => {
    assert(e.hi - e.lo < MAX_TABLE, `hls: a table of ${e.hi - e.lo + 1n} entries`);
    const exp = e.lo === 0n && e.hi === 0n ? finest : e.exp;
    const key = `${e.lo} ${e.hi} ${exp}`;
    const known = byRange.get(key) ?? { range: e, exp, at: [] };
    known.at.push(i);
    byRange.set(key, known);
  });
  const lines = [...byRange.values()].flatMap(({ range, exp, at }, k) =>
    pairLoops(b, id, { to: at, from: at, operand: "x", lanes: 1, suffix: `_${k}`, line: make(range, exp, `table_${k}`) }),
  );
  b.op(id, y, operands, doc, lines);
}
