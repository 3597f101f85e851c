// Inputs that only quantizers read: their type follows from those quantizers, so the model leaves nothing to choose.
import type { Reporter } from "../../diagnostics.js";
import { type Conversion, exponent, type FixedType } from "../../ir/fixed.js";
import { movements } from "../../ir/ops/index.js";
import { copyNode, type Graph, liveNodes, type Node, rewriteGraph } from "../../ir/graph.js";

/** Wider ones are no quantizer of an input but one that only rounds. */
const WIDEST = 32;

/**
 * The coarsest type after which every quantizer still gives what it gives on real numbers. Rounding half up after cutting off all but one
 * more bit is exact, and so are wrapping and clamping to a range that contains the quantizer's; rounding halves to even is not.
 */
export function typeInputs(graph: Graph, reporter: Reporter): Graph | undefined {
  const types = new Map<number, Conversion>();
  for (const id of graph.inputs) {
    const node = graph.nodes[id]!;
    const type = node.op === "input" && node.attrs.type === undefined ? typeBehind(graph, id) : undefined;
    if (type) types.set(id, type);
  }
  // A function that took its quantizer's type leaves one behind that nothing reads; it would still ask for a precision.
  const live = liveNodes(graph);
  if (types.size === 0 && !graph.nodes.some((n, id) => n.op === "lut" && live[id] === 0)) return graph;
  return rewriteGraph(graph, reporter, (node, operands, builder, id) => {
    const to = types.get(id);
    return node.op === "input" && to
      ? builder.add("input", [], { ...node.attrs, type: to.type, round: to.round, overflow: to.overflow })
      : copyNode(node, operands, builder, id);
  });
}

function typeBehind(graph: Graph, input: number): Conversion | undefined {
  const readers = readersOf(graph, input);
  const conversions = readers.flatMap((n): Conversion[] => {
    if (n?.op !== "quantize") return [];
    const { to, round, overflow } = n.attrs;
    return ("per" in to ? to.types : [to]).filter((t) => t.width > 0).map((type) => ({ type, round, overflow }));
  });
  const [first] = conversions;
  if (!first || !readers.every((n) => n?.op === "quantize")) return undefined;
  const wraps = first.overflow === "WRAP";
  const isPlain = (c: Conversion): boolean =>
    (c.round === "TRN" || c.round === "RND") && (wraps ? c.overflow === "WRAP" : c.overflow === "SAT" || c.overflow === "SAT_SYM");
  if (!conversions.every(isPlain)) return undefined;
  const signed = conversions.some((c) => c.type.signed);
  const int = conversions.reduce((n, { type }) => Math.max(n, type.int + Number(signed && !type.signed)), Number.NEGATIVE_INFINITY);
  const exp = conversions.reduce((e, { type, round }) => Math.min(e, exponent(type) - Number(round === "RND")), Number.POSITIVE_INFINITY);
  const type: FixedType = { signed, width: int - exp, int };
  return type.width <= WIDEST ? { type, round: "TRN", overflow: wraps ? "WRAP" : "SAT" } : undefined;
}

/** What reads a value, also behind ops that only move elements; `undefined` stands for the environment, which reads outputs. */
function readersOf(graph: Graph, value: number): readonly (Node | undefined)[] {
  const moved = new Set([value]);
  const readers: (Node | undefined)[] = [];
  graph.nodes.forEach((n, id) => {
    if (!n.operands.some((x) => moved.has(x))) return;
    if (Object.hasOwn(movements, n.op)) moved.add(id);
    else readers.push(n);
  });
  return graph.outputs.some((o) => moved.has(o.value)) ? [undefined, ...readers] : readers;
}
