// The Keras and QKeras frontend: a model's files in, a Graph with the framework's exact meaning out. Nothing from the files is ever run.
import { didYouMean, type Reporter } from "../../diagnostics.js";
import { type Graph, GraphBuilder } from "../../ir/graph.js";
import { sizeOf } from "../../ir/tensor.js";
import { LayerContext, type LayerResult } from "./layers/context.js";
import { isHgq } from "./hgq/index.js";
import { typeInputs } from "./input-types.js";
import { importLayer, variablesOf } from "./layers/index.js";
import { MAX_ELEMENTS, tooLarge } from "./layers/spatial.js";
import { callKey, type KerasCall, type KerasModel, type TensorRef } from "./model.js";
import { openKeras } from "./model-file.js";

/** The files that make up a model, by the names that diagnostics show. */
export interface KerasSource {
  readonly model: string;
  readonly weights?: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface KerasOptions {
  /** Name of the graph; by default the model's own. */
  readonly name?: string;
  /** The layer whose result becomes the output; by default the model's outputs. */
  readonly until?: string;
}

/** After so many errors the rest would only repeat them. */
const MAX_ERRORS = 20;

/** Reads a model; `undefined` where a diagnostic says why it cannot. */
export async function readKeras(source: KerasSource, options: KerasOptions, reporter: Reporter): Promise<Graph | undefined> {
  const named = (name: string) => {
    const bytes = source.files.get(name);
    return bytes ? { name, bytes } : reporter.error("QN100", "the file was not given", { at: { source: name } });
  };
  const model = named(source.model);
  const weights = source.weights === undefined ? undefined : named(source.weights);
  if (!model || reporter.failed) return undefined;
  const opened = openKeras({ model, ...(weights ? { weights } : {}) }, variablesOf, reporter);
  return opened && importModel(opened, options, reporter);
}

function importModel(model: KerasModel, options: KerasOptions, reporter: Reporter): Graph | undefined {
  const plan = options.until === undefined ? model : cut(model, options.until, reporter);
  if (!plan) return undefined;
  const graph = new GraphBuilder(options.name ?? model.name, reporter);
  const results = new Map<string, LayerResult>();
  const read = new Set(plan.calls.flatMap((c) => c.inputs.map((r) => callKey(r.layer, r.node))));
  for (const call of orderInputs(plan.calls, model)) {
    const result = importCall(model, call, graph, results, reporter, !read.has(callKey(call.layer.name, call.node)));
    if (result) results.set(callKey(call.layer.name, call.node), result);
    if (reporter.diagnostics.filter((d) => d.level === "error").length >= MAX_ERRORS) return undefined;
  }
  const names = new Set<string>();
  for (const ref of plan.outputs) {
    const result = results.get(callKey(ref.layer, ref.node));
    if (!result) continue;
    let name = ref.layer;
    for (let n = 1; names.has(name); n++) name = `${ref.layer}:${n}`;
    names.add(name);
    graph.output(name, result.value, result.host);
  }
  if (!reporter.failed && plan.calls.every((c) => c.layer.className === "InputLayer")) {
    return reporter.error("QN214", "the model has no layer that computes anything", { at: model.document.place("") });
  }
  const done = graph.done();
  // Other frameworks' models state no type for their inputs: a first sign or comparison is not one.
  return done && (model.layers.some(isHgq) ? typeInputs(done, reporter) : done);
}

/** The model's inputs first and in the model's order, which is the order of the ports. */
function orderInputs(calls: readonly KerasCall[], model: KerasModel): readonly KerasCall[] {
  const rank = new Map(model.inputs.map((r, i) => [callKey(r.layer, r.node), i]));
  const isInput = (c: KerasCall): boolean => rank.has(callKey(c.layer.name, c.node));
  const first = calls.filter(isInput).sort((a, b) => rank.get(callKey(a.layer.name, a.node))! - rank.get(callKey(b.layer.name, b.node))!);
  return [...first, ...calls.filter((c) => !isInput(c))];
}

function importCall(
  model: KerasModel,
  call: KerasCall,
  graph: GraphBuilder,
  results: ReadonlyMap<string, LayerResult>,
  reporter: Reporter,
  last: boolean,
): LayerResult | undefined {
  const { layer, node } = call;
  // The place has no line and column: finding them takes time that only an error is worth.
  const index = graph.beginLayer(node === 0 ? layer.name : `${layer.name}:${node}`, layer.className, {
    source: model.document.source,
    pointer: layer.pointer,
  });
  const inputs: number[] = [];
  for (const ref of call.inputs) {
    const from = results.get(callKey(ref.layer, ref.node));
    if (!from) return undefined;
    inputs.push(from.value);
  }
  const cx = new LayerContext(model, layer, inputs, graph, reporter, last);
  const result = importLayer(cx);
  const size = result ? sizeOf(cx.shapeOf(result.value)) : 0;
  if (size > MAX_ELEMENTS) return tooLarge(cx, size);
  // What the host computes has no value in the firmware.
  if (result && !result.host) graph.endLayer(result.value, index);
  return result;
}

interface Plan {
  readonly calls: readonly KerasCall[];
  readonly outputs: readonly TensorRef[];
}

/** What the named layer needs; the rest of the model is not even looked at. */
function cut(model: KerasModel, until: string, reporter: Reporter): Plan | undefined {
  const last = model.calls.findLast((c) => c.layer.name === until);
  if (!last) {
    const names = model.calls.map((c) => c.layer.name);
    const guess = didYouMean(until, names);
    return reporter.error("QN211", `the model has no layer \`${until.slice(0, 80)}\``, {
      at: { source: model.document.source },
      help: guess === undefined ? `its layers: ${names.slice(0, 20).join(", ")}` : `did you mean \`${guess}\`?`,
    });
  }
  const needed = new Set([callKey(last.layer.name, last.node)]);
  // Calls are in topological order, so walking backwards meets every reader before what it reads.
  const calls = model.calls.toReversed().filter((c) => {
    const isNeeded = needed.has(callKey(c.layer.name, c.node));
    if (isNeeded) for (const ref of c.inputs) needed.add(callKey(ref.layer, ref.node));
    return isNeeded;
  });
  return { calls: calls.reverse(), outputs: [{ layer: last.layer.name, node: last.node, tensor: 0 }] };
}
