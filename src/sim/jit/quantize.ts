// quantize: one type for all elements as a step; types per channel or element as one loop a type.
import { type FixedType, hull, printFixed, type Range, shiftFloor } from "../../ir/fixed.js";
import { typeAt } from "../../ir/ops/op.js";
import { sizeOf } from "../../ir/tensor.js";
import { type OpEmitter, operandNodes } from "./emitter.js";
import { rowBytes } from "./memory.js";
import { quantizeValue } from "./quantize-value.js";
import { load } from "./value.js";
import { walk } from "./walk.js";

/** Elements by their type, in order of first appearance. */
export function byType(
  count: number,
  typeOf: (i: number) => FixedType,
): readonly { readonly type: FixedType; readonly elements: readonly number[] }[] {
  const groups = new Map<string, { readonly type: FixedType; readonly elements: number[] }>();
  for (let i = 0; i < count; i++) {
    const type = typeOf(i);
    const key = printFixed(type);
    const group = groups.get(key);
    if (group) group.elements.push(i);
    else groups.set(key, { type, elements: [i] });
  }
  return [...groups.values()];
}

export const quantize: OpEmitter<"quantize"> = {
  kind: "kernel",
  step: ({ attrs: { to, round, overflow }, operands }) =>
    "per" in to ? undefined : { operand: operands[0]!, apply: (f, v) => quantizeValue(f, v, { type: to, round, overflow }) },
  emit: (node, cx) => {
    const { f, out } = cx;
    const x = cx.operands[0]!;
    const { shape } = node.type;
    const { to, round, overflow } = node.attrs;
    const intervals = operandNodes(cx.graph, node)[0]!.elements!;
    for (const { type, elements } of byType(sizeOf(shape), (i) => typeAt(to, i, shape.at(-1) ?? 1))) {
      const range = elements
        .map(
          (i): Range => ({
            lo: shiftFloor(intervals[i]!.lo, intervals[i]!.exp - x.exp),
            hi: shiftFloor(intervals[i]!.hi, intervals[i]!.exp - x.exp),
          }),
        )
        .reduce(hull);
      const columns = [x, out].map((b) => ({ at: elements.map((i) => b.address + i * rowBytes(b)) }));
      walk(f, cx.memory, columns, ([from, into]) => {
        cx.finish(quantizeValue(f, { ...load(f, x, from!), ...range }, { type, round, overflow }), into!);
      });
    }
  },
};
