// The C++ of the ops that only move elements: loops for each operand, derived from the op's own statement of where elements come from.
import type { NodeWith } from "../../ir/graph.js";
import { type MovementName, opDef } from "../../ir/ops/index.js";
import { sizeOf } from "../../ir/tensor.js";
import { equationText } from "./cpp-types.js";
import { type HlsBuilder, lanesOf } from "./hls-builder.js";
import { pairLoops } from "./hls-pairs.js";

/** reshape moves nothing in a row-major array: its value is its operand's array. */
export function hlsMovement(node: NodeWith<Exclude<MovementName, "reshape">>, id: number, b: HlsBuilder): void {
  const def = opDef(node.op);
  const shapes = node.operands.map((x) => b.graph.nodes[x]!.type.shape);
  const source = def.source!(shapes, node.attrs as never);
  const y = b.result(id);
  const lanes = lanesOf(node.type.shape);
  const names = shapes.map((_, k) => (shapes.length === 1 ? "x" : `x${k}`));
  let end = 0;
  const code = shapes.flatMap((shape, k) => {
    const begin = end;
    end += sizeOf(shape);
    const to: number[] = [];
    source.forEach((s, i) => {
      if (s >= begin && s < end) to.push(i);
    });
    const from = to.map((i) => source[i]! - begin);
    const suffix = shapes.length === 1 ? "" : `_${k}`;
    return pairLoops(b, id, { to, from, operand: names[k]!, lanes, suffix, line: (l, r) => `${l} = ${r};` });
  });
  const zeros = source.includes(-1) ? b.loops([["i", source.length]], ["y[i] = 0;"], { lanes }) : [];
  const operands = node.operands.map((x, k) => ({ name: names[k]!, id: x }));
  b.op(id, y, operands, [`${b.describe(node)}: ${equationText(def.doc)}`], [...zeros, ...code]);
}
