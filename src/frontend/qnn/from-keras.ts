// `network … from keras`: a model file's Graph, with the types of some of its layers changed.
import { didYouMean, printable, type Reporter } from "../../diagnostics.js";
import { copyNode, type Graph, type GraphBuilder, type Node, rewriteGraph } from "../../ir/graph.js";
import { opDef } from "../../ir/ops/index.js";
import type { Tensor } from "../../ir/tensor.js";
import { readKeras } from "../keras/read-keras.js";
import type { Entry, ImportedNetworkItem } from "./ast.js";
import type { Checker, Scope } from "./checker.js";
import { castConstant } from "./constants.js";
import { evaluate } from "./evaluate.js";
import { fileOf } from "./paths.js";
import { quantizeNode } from "./quantizers.js";
import { describe, type Value } from "./values.js";

interface Change {
  readonly entry: Entry;
  readonly value: Value;
}

/** `result` is the layer's value; everything else an attribute of its ops. */
const RESULT = "result";

export async function importNetwork(
  cx: Checker,
  scope: Scope,
  item: ImportedNetworkItem,
  options: { readonly name: string; readonly until?: string },
  reporter: Reporter,
): Promise<Graph | undefined> {
  if (item.format.name !== "keras")
    return cx.error("QN101", scope, item.format.span, `no model is read from \`${printable(item.format.name)}\``, {
      help: 'write `from keras "model.json" weights "model.h5"`',
    });
  const model = fileOf(cx.files, scope.source, item.model, reporter);
  const weights = item.weights && fileOf(cx.files, scope.source, item.weights, reporter);
  if (!model || (item.weights && !weights)) return undefined;
  const files = new Map([[model.key, model.bytes] as const, ...(weights ? [[weights.key, weights.bytes] as const] : [])]);
  const graph = await readKeras({ model: model.key, files, ...(weights ? { weights: weights.key } : {}) }, options, reporter);
  if (!graph) return undefined;
  const changes = changesOf(cx, scope, item, graph);
  return changes && (changes.size === 0 ? graph : adjust(cx, scope, graph, changes, reporter));
}

/** The types asked for, by layer index and attribute. */
function changesOf(
  cx: Checker,
  scope: Scope,
  item: ImportedNetworkItem,
  graph: Graph,
): ReadonlyMap<number, ReadonlyMap<string, Change>> | undefined {
  const all = new Map<number, Map<string, Change>>();
  let failed = false;
  for (const adjustment of item.adjustments) {
    const { name, span } = adjustment.layer;
    const index = graph.layers.findIndex((l) => l.name === name);
    if (index < 0) {
      failed = true;
      const guess = didYouMean(
        name,
        graph.layers.map((l) => l.name),
      );
      cx.error("QN211", scope, span, `the model has no layer \`${printable(name)}\``, {
        help:
          guess === undefined
            ? `its layers: ${graph.layers
                .map((l) => printable(l.name))
                .slice(0, 20)
                .join(", ")}`
            : `did you mean \`${printable(guess)}\`?`,
      });
      continue;
    }
    const known = attributesOf(graph, index);
    const changes = all.get(index) ?? new Map<string, Change>();
    all.set(index, changes);
    for (const entry of adjustment.entries) {
      const key = entry.name.name;
      const count = known.get(key) ?? 0;
      if (changes.has(key))
        cx.error("QN804", scope, entry.name.span, `\`${printable(key)}\` of the layer \`${printable(name)}\` is set twice`);
      else if (count === 0) {
        const guess = didYouMean(key, known.keys());
        cx.error("QN805", scope, entry.name.span, `the layer \`${printable(name)}\` has no \`${printable(key)}\` with a type`, {
          help: guess === undefined ? `it has ${[...known.keys()].join(", ")}` : `did you mean \`${guess}\`?`,
        });
      } else if (count > 1)
        cx.error("QN805", scope, entry.name.span, `the layer \`${printable(name)}\` has ${count} constants \`${printable(key)}\``, {
          help: "write the network out with `qnnc import` and change it there",
        });
      else changes.set(key, { entry, value: evaluate(cx, scope, entry.value) });
    }
  }
  return failed || cx.reporter.failed ? undefined : all;
}

/** How often each attribute that carries a type occurs in a layer. */
function attributesOf(graph: Graph, layer: number): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const node of graph.nodes) {
    if (node.layer !== layer) continue;
    const attrs: Readonly<Record<string, unknown>> = { ...node.attrs };
    for (const [name, kind] of Object.entries(opDef(node.op).attrs)) {
      const isTensor = kind.startsWith("tensor") && attrs[name] !== undefined;
      if (isTensor || (node.op === "input" && name === "type")) found.set(name, (found.get(name) ?? 0) + 1);
    }
  }
  if ((graph.layers[layer]?.value ?? -1) >= 0) found.set(RESULT, 1);
  return found;
}

function adjust(
  cx: Checker,
  scope: Scope,
  graph: Graph,
  all: ReadonlyMap<number, ReadonlyMap<string, Change>>,
  reporter: Reporter,
): Graph | undefined {
  return rewriteGraph(graph, reporter, (node, operands, builder, id) => {
    const changes = all.get(node.layer);
    const value = changes ? changedNode(cx, scope, node, operands, builder, changes) : copyNode(node, operands, builder, id);
    const result = [...all].find(([layer, c]) => graph.layers[layer]?.value === id && c.has(RESULT))?.[1].get(RESULT);
    return result ? changedResult(cx, scope, value, builder, result) : value;
  });
}

function changedNode(
  cx: Checker,
  scope: Scope,
  node: Node,
  operands: readonly number[],
  builder: GraphBuilder,
  changes: ReadonlyMap<string, Change>,
): number {
  const attrs: Record<string, unknown> = { ...node.attrs };
  for (const [name, kind] of Object.entries(opDef(node.op).attrs)) {
    const change = changes.get(name);
    if (!change || change.value.kind === "poison") continue;
    const { entry, value } = change;
    if (node.op === "input" && name === "type") {
      if (value.kind === "type")
        Object.assign(attrs, { type: value.conversion.type, round: value.conversion.round, overflow: value.conversion.overflow });
      else if (value.kind === "word" && value.word === "auto") attrs["type"] = undefined;
      else cx.error("QN806", scope, entry.value.span, `\`type\` must be a type or \`auto\`, not ${describe(value)}`);
    } else if (kind.startsWith("tensor") && attrs[name] !== undefined) {
      const cast = castConstant(cx, scope, { kind: "tensor", tensor: attrs[name] as Tensor, origin: `\`${name}\`` }, value, entry.value);
      if (cast?.kind === "tensor") attrs[name] = cast.tensor;
    }
  }
  return builder.add(node.op, operands, attrs as never);
}

function changedResult(cx: Checker, scope: Scope, value: number, builder: GraphBuilder, { entry, value: to }: Change): number {
  if (to.kind === "type")
    return builder.add("quantize", [value], { to: to.conversion.type, round: to.conversion.round, overflow: to.conversion.overflow });
  if (to.kind === "types")
    return builder.add("quantize", [value], {
      to: { per: to.per, types: to.types },
      round: to.conversion.round,
      overflow: to.conversion.overflow,
    });
  if (to.kind === "quantizer") return quantizeNode(cx, scope, entry.value.span, to.quantizer, value, builder) ?? builder.poison();
  if (to.kind !== "poison" && !(to.kind === "word" && to.word === "auto"))
    cx.error("QN806", scope, entry.value.span, `\`result\` must be a type, a quantizer or \`auto\`, not ${describe(to)}`);
  return value;
}
