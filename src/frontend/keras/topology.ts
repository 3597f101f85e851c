// Model description → layers and calls in topological order, for Sequential and Functional models of Keras 2 and 3.
import type { Reporter } from "../../diagnostics.js";
import { inboundRefs, refsOf } from "./inbound.js";
import { isArray, isObject, type Json, type JsonDocument, type JsonObject } from "./json.js";
import { type KerasCall, type KerasLayer, type ModelLimits, modelLimits, type TensorRef, type Topology } from "./model.js";

const FORM_HELP = "expected what `model.to_json()` writes: {class_name, config: {name, layers}}";
/** Every name that Keras has given to a model built from layers in a graph. */
const FUNCTIONAL = new Set(["Functional", "Model"]);

interface Raw {
  readonly layer: KerasLayer;
  readonly json: JsonObject;
  readonly pointer: string;
}

export const callKey = (layer: string, node: number): string => `${node} ${layer}`;

export function readTopology(document: JsonDocument, reporter: Reporter, limits: ModelLimits = modelLimits): Topology | undefined {
  const wrong = (message: string, pointer = "") => reporter.error("QN200", message, { at: document.place(pointer), help: FORM_HELP });
  const { root } = document;
  if (!isObject(root)) return wrong("the model description is not an object");
  const className = root.class_name;
  if (typeof className !== "string") return wrong("the model description has no class_name");
  // Before 2017 the config of a Sequential was the list of its layers.
  const listed = isArray(root.config)
    ? { list: root.config, pointer: "/config" }
    : isObject(root.config)
      ? { list: root.config.layers, pointer: "/config/layers" }
      : undefined;
  if (!listed || !isArray(listed.list)) return wrong("the model has no list of layers", isObject(root.config) ? "/config" : "");
  const config = isObject(root.config) ? root.config : {};
  const raws = readLayers(document, listed.list, listed.pointer, reporter, limits);
  if (!raws) return undefined;
  if (raws.length === 0) return reporter.error("QN214", "the model has no layers", { at: document.place(listed.pointer) });
  const name = typeof config.name === "string" ? config.name : "model";
  const wired =
    className === "Sequential"
      ? wireSequential(raws, config)
      : FUNCTIONAL.has(className)
        ? wireFunctional(document, raws, config, reporter, limits)
        : undefined;
  if (!wired) {
    if (reporter.failed) return undefined;
    return reporter.error("QN200", `\`${className.slice(0, 80)}\` is not a model that can be read from its description`, {
      at: document.place("/class_name"),
      help: "a subclassed model has no description of its layers: rebuild it as a Sequential or Functional model and load its weights",
    });
  }
  const calls = sortCalls(document, wired.calls, wired.outputs, reporter);
  return calls && { name, document, layers: wired.layers, calls, inputs: wired.inputs, outputs: wired.outputs };
}

interface Wired {
  readonly layers: readonly KerasLayer[];
  readonly calls: readonly KerasCall[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

function readLayers(
  document: JsonDocument,
  list: readonly Json[],
  pointer: string,
  reporter: Reporter,
  limits: ModelLimits,
): Raw[] | undefined {
  if (list.length > limits.layers) {
    return reporter.error("QN213", `the model has ${list.length} layers; the limit is ${limits.layers}`, { at: document.place(pointer) });
  }
  const seen = new Map<string, string>();
  const raws: Raw[] = [];
  for (const [i, json] of list.entries()) {
    const at = `${pointer}/${i}`;
    if (!isObject(json)) return reporter.error("QN200", "a layer is not an object", { at: document.place(at), help: FORM_HELP });
    const layer = readLayer(json, at);
    if (typeof layer === "string") return reporter.error("QN200", layer, { at: document.place(at), help: FORM_HELP });
    const first = seen.get(layer.name);
    if (first !== undefined) {
      return reporter.error("QN215", `two layers are named \`${layer.name}\``, {
        at: document.place(at, layer.name),
        also: [{ at: document.place(first), message: "the first is here" }],
        help: "Keras gives every layer of a model its own name; rename one",
      });
    }
    seen.set(layer.name, at);
    raws.push({ layer, json, pointer: at });
  }
  return raws;
}

/** Pruning wrappers compute what their layer computes, so the wrapped layer stands in their place, under the wrapper's name. */
function readLayer(json: JsonObject, pointer: string): KerasLayer | string {
  const { class_name: className, config } = json;
  if (typeof className !== "string") return "a layer has no class_name";
  if (!isObject(config)) return "a layer has no config";
  const name = typeof config.name === "string" ? config.name : json.name;
  if (typeof name !== "string" || name === "") return "a layer has no name";
  const build = isObject(json.build_config) ? json.build_config.input_shape : undefined;
  const inner = className.replace(/^.*>/, "") === "PruneLowMagnitude" ? config.layer : undefined;
  if (isObject(inner) && typeof inner.class_name === "string" && isObject(inner.config)) {
    return {
      name,
      className: inner.class_name,
      module: moduleOf(inner),
      config: inner.config,
      pointer: `${pointer}/config/layer/config`,
      builtShape: shapeWithoutBatch(build),
    };
  }
  return {
    name,
    className: className.replace(/^qkeras>/, ""),
    module: moduleOf(json),
    config,
    pointer: `${pointer}/config`,
    builtShape: shapeWithoutBatch(build),
  };
}

/** The module, or the package under which the class was registered: `MyPackage>Dense` is not Keras' Dense. */
function moduleOf({ module, registered_name: registered }: JsonObject): string | undefined {
  const owner = typeof registered === "string" && registered.includes(">") ? registered.slice(0, registered.indexOf(">")) : undefined;
  return owner !== undefined && owner !== "qkeras" ? owner : typeof module === "string" ? module : undefined;
}

export function shapeWithoutBatch(shape: Json | undefined): readonly (number | null)[] | undefined {
  if (!isArray(shape) || shape.length < 1 || !shape.every((d) => d === null || typeof d === "number")) return undefined;
  return (shape as readonly (number | null)[]).slice(1);
}

/** A chain. Where the first layer is no InputLayer, the input is implied by what the layers say of their shapes. */
function wireSequential(raws: readonly Raw[], config: JsonObject): Wired {
  let layers = raws.map((r) => r.layer);
  const first = layers[0]!;
  if (first.className !== "InputLayer") {
    const shape =
      first.config.batch_input_shape ??
      first.config.batch_shape ??
      config.build_input_shape ??
      (first.builtShape ? [null, ...first.builtShape] : undefined);
    // No layer of the file can have this name: it starts with the first layer's own and is longer than any.
    const name = `${first.name}_input`;
    const unique = layers.some((l) => l.name === name)
      ? `${layers.reduce((a, l) => (l.name.length > a.length ? l.name : a), name)}_input`
      : name;
    const implied = Object.assign(Object.create(null) as object, {
      name: unique,
      ...(shape === undefined ? {} : { batch_shape: shape }),
    }) as JsonObject;
    layers = [
      { name: unique, className: "InputLayer", module: undefined, config: implied, pointer: first.pointer, builtShape: undefined },
      ...layers,
    ];
  }
  const ref = (l: KerasLayer): TensorRef => ({ layer: l.name, node: 0, tensor: 0 });
  const calls = layers.map((layer, i) => ({ layer, node: 0, inputs: i === 0 ? [] : [ref(layers[i - 1]!)] }));
  return { layers, calls, inputs: [ref(layers[0]!)], outputs: [ref(layers.at(-1)!)] };
}

function wireFunctional(
  document: JsonDocument,
  raws: readonly Raw[],
  config: JsonObject,
  reporter: Reporter,
  limits: ModelLimits,
): Wired | undefined {
  const calls: KerasCall[] = [];
  for (const { layer, json, pointer } of raws) {
    const nodes = json.inbound_nodes;
    const bad = (message: string, i?: number) =>
      reporter.error("QN200", message, {
        at: document.place(`${pointer}/inbound_nodes${i === undefined ? "" : `/${i}`}`, layer.name),
        help: FORM_HELP,
      });
    if (nodes !== undefined && !isArray(nodes)) return bad("inbound_nodes is not a list");
    if (nodes === undefined || nodes.length === 0) {
      calls.push({ layer, node: 0, inputs: [] });
      continue;
    }
    if (nodes.length > limits.callsPerLayer) return bad(`the layer is called ${nodes.length} times; the limit is ${limits.callsPerLayer}`);
    for (const [node, json] of nodes.entries()) {
      const inputs = inboundRefs(json);
      if (typeof inputs === "string") return bad(inputs, node);
      if (inputs.length > limits.tensorsPerCall)
        return bad(`the layer reads ${inputs.length} tensors; the limit is ${limits.tensorsPerCall}`, node);
      calls.push({ layer, node, inputs });
    }
  }
  const ends = (key: "input_layers" | "output_layers"): TensorRef[] | undefined => {
    const refs = refsOf(config[key]);
    if (refs && refs.length > 0) return refs;
    return reporter.error("QN200", `${key} does not name any tensor`, { at: document.place("/config"), help: FORM_HELP });
  };
  const [inputs, outputs] = [ends("input_layers"), ends("output_layers")];
  return inputs && outputs && { layers: raws.map((r) => r.layer), calls, inputs, outputs };
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
