// quantize as a step: one type for all elements, or a table of one entry a channel. Types per element are a loop with a table, else a loop a type.
import type { FixedType } from "../../ir/fixed.js";
import type { Graph, NodeWith } from "../../ir/graph.js";
import { typeAt } from "../../ir/ops/op.js";
import { sizeOf } from "../../ir/tensor.js";
import { type EmitContext, type OpEmitter, operandNodes, type Step } from "./emitter.js";
import { rowBytes } from "./memory.js";
import { rangeOfIntervals } from "./node-range.js";
import { canTabulate, tableQuantizer } from "./quantize-table.js";
import { quantizeValue } from "./quantize-value.js";
import { ENTRY_UNIT } from "./table-fields.js";
import { load } from "./value.js";
import { walk, walkChannels } from "./walk.js";

/** Elements by their type, in order of first appearance. */
export function byType(
  count: number,
  typeOf: (i: number) => FixedType,
): readonly { readonly type: FixedType; readonly elements: readonly number[] }[] {
  type Group = { readonly type: FixedType; readonly elements: number[] };
  const groups: Group[] = [];
  const known = new Map<FixedType, Group>();
  const groupOf = (type: FixedType): Group => {
    const same = groups.find((g) => g.type.signed === type.signed && g.type.width === type.width && g.type.int === type.int);
    const group = same ?? { type, elements: [] };
    if (!same) groups.push(group);
    known.set(type, group);
    return group;
  };
  for (let i = 0; i < count; i++) {
    const type = typeOf(i);
    (known.get(type) ?? groupOf(type)).elements.push(i);
  }
  return groups;
}

/** Whether the types differ from channel to channel only. */
const isPerChannel = (node: NodeWith<"quantize">): boolean => {
  const { to } = node.attrs;
  return "per" in to && (to.per === "channel" || to.types.length === (node.type.shape.at(-1) ?? 1));
};

function step(node: NodeWith<"quantize">, graph: Graph): Step | undefined {
  const { to, round, overflow } = node.attrs;
  const operand = node.operands[0]!;
  if (!("per" in to)) return { operand, apply: (f, v) => quantizeValue(f, v, { type: to, round, overflow }) };
  if (!isPerChannel(node) || !canTabulate(node, graph)) return undefined;
  const quantizer = tableQuantizer(node, graph);
  return { operand, perChannel: true, apply: (f, v, { entry, memory }) => quantizer.apply(f, v, entry!, memory) };
}

/** One loop a type. */
function emitByType(node: NodeWith<"quantize">, cx: EmitContext): void {
  const { f, out } = cx;
  const x = cx.operands[0]!;
  const { shape } = node.type;
  const { to, round, overflow } = node.attrs;
  const intervals = operandNodes(cx.graph, node)[0]!.elements!;
  for (const { type, elements } of byType(sizeOf(shape), (i) => typeAt(to, i, shape.at(-1) ?? 1))) {
    const range = rangeOfIntervals(
      elements.map((i) => intervals[i]!),
      x.exp,
    );
    const columns = [x, out].map((b) => ({ at: elements.map((i) => b.address + i * rowBytes(b)) }));
    walk(f, cx.memory, columns, ([from, into]) => {
      cx.finish(quantizeValue(f, { ...load(f, x, from!), ...range }, { type, round, overflow }), into!);
    });
  }
}

function emitTable(node: NodeWith<"quantize">, cx: EmitContext): void {
  const { f, memory, out } = cx;
  const x = cx.operands[0]!;
  const quantizer = tableQuantizer(node, cx.graph);
  const elements = Array.from({ length: sizeOf(node.type.shape) }, (_, i) => i);
  const channels = isPerChannel(node) ? node.type.shape.at(-1) : elements.length;
  const columns = [x, out].map((b) => ({ at: elements.map((i) => b.address + i * rowBytes(b)) }));
  walkChannels(f, memory, columns, channels ?? 1, ENTRY_UNIT, ([from, into], channel) => {
    cx.finish(quantizer.apply(f, load(f, x, from!), { pointer: channel, offset: 0 }, memory), into!);
  });
}

export const quantize: OpEmitter<"quantize"> = {
  kind: "kernel",
  step,
  emit: (node, cx) => (canTabulate(node, cx.graph) ? emitTable : emitByType)(node, cx),
};
