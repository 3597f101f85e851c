// Model description → layers and calls in topological order, for Sequential and Functional models of Keras 2 and 3.
import type { Reporter } from "../../diagnostics.js";
import { isArray, isObject, type JsonDocument, type JsonObject } from "./json.js";
import { callKey, type KerasCall, type KerasLayer, type ModelLimits, modelLimits, type TensorRef, type Topology } from "./model.js";
import { FORM_HELP, type Reading } from "./read-layers.js";
import { wireModel } from "./wiring.js";

export function readTopology(document: JsonDocument, reporter: Reporter, limits: ModelLimits = modelLimits): Topology | undefined {
  const wrong = (message: string) => reporter.error("QN200", message, { at: document.place(""), help: FORM_HELP });
  const { root } = document;
  if (!isObject(root)) return wrong("the model description is not an object");
  const { class_name: className, config } = root;
  if (typeof className !== "string") return wrong("the model description has no class_name");
  const cx: Reading = { document, reporter, limits, seen: new Map() };
  const wired = wireModel(cx, className, config, "/config");
  const calls = wired && sortCalls(document, wired.calls, wired.outputs, reporter);
  if (!calls) return undefined;
  const name = isObject(config) && typeof config.name === "string" ? config.name : "model";
  return {
    name,
    document,
    generation: generationOf(root, wired.layers),
    layers: wired.layers,
    calls,
    inputs: wired.inputs,
    outputs: wired.outputs,
  };
}

/** Keras 3 names the shape of an input `batch_shape` and writes types as objects; a description by `to_json()` says its version. */
function generationOf({ keras_version: version }: JsonObject, layers: readonly KerasLayer[]): 2 | 3 {
  if (typeof version === "string") return version.startsWith("3") ? 3 : 2;
  const isNew = ({ className, config }: KerasLayer): boolean =>
    (className === "InputLayer" && isArray(config.batch_shape)) || isObject(config.dtype);
  return layers.some(isNew) ? 3 : 2;
}

/** Calls that the outputs need, in an order that follows the file where it can. A queue, not recursion: chains may be long. */
function sortCalls(
  document: JsonDocument,
  calls: readonly KerasCall[],
  outputs: readonly TensorRef[],
  reporter: Reporter,
): KerasCall[] | undefined {
  const index = new Map(calls.map((c, i) => [callKey(c.layer.name, c.node), i]));
  const find = (ref: TensorRef, place: () => ReturnType<JsonDocument["place"]>, what: string): number | undefined => {
    const i = index.get(callKey(ref.layer, ref.node));
    if (i !== undefined && ref.tensor === 0) return i;
    const known = calls.some((c) => c.layer.name === ref.layer);
    const problem = !known
      ? "no such layer"
      : i === undefined
        ? `that layer has no call number ${ref.node}`
        : `that layer has one output, not ${ref.tensor + 1}`;
    return reporter.error("QN210", `${what} reads \`${ref.layer}\`, and there is ${problem.replace(/^that/, "a problem: that")}`, {
      at: place(),
    });
  };
  const needed = new Set<number>();
  const stack: number[] = [];
  const need = (i: number | undefined): boolean => {
    if (i === undefined) return false;
    if (!needed.has(i)) {
      needed.add(i);
      stack.push(i);
    }
    return true;
  };
  for (const o of outputs) if (!need(find(o, () => document.place("/config/output_layers"), "an output"))) return undefined;
  const readers = new Map<number, number[]>();
  const waiting = new Int32Array(calls.length);
  while (stack.length > 0) {
    const i = stack.pop()!;
    const call = calls[i]!;
    for (const ref of call.inputs) {
      const from = find(ref, () => document.place(call.layer.pointer, call.layer.name), `the layer \`${call.layer.name}\``);
      if (!need(from)) return undefined;
      const list = readers.get(from!) ?? [];
      list.push(i);
      readers.set(from!, list);
      waiting[i]!++;
    }
  }
  const ready = [...needed].filter((i) => waiting[i] === 0).sort((a, b) => a - b);
  const order: KerasCall[] = [];
  for (let head = 0; head < ready.length; head++) {
    const i = ready[head]!;
    order.push(calls[i]!);
    for (const r of (readers.get(i) ?? []).sort((a, b) => a - b)) if (--waiting[r]! === 0) ready.push(r);
  }
  if (order.length === needed.size) return order;
  const stuck = calls[[...needed].filter((i) => waiting[i]! > 0).sort((a, b) => a - b)[0]!]!.layer;
  return reporter.error("QN210", `the layer \`${stuck.name}\` is part of a cycle or reads one`, {
    at: document.place(stuck.pointer, stuck.name),
    help: "a feed-forward network has no cycles; the file was edited or damaged",
  });
}
