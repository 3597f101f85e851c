// Which layer reads which: the calls of a Sequential or Functional model, with the models nested in it taken apart.
import { inboundRefs, refsOf } from "./inbound.js";
import { isArray, isObject, type Json, type JsonObject } from "./json.js";
import type { KerasCall, KerasLayer, TensorRef } from "./model.js";
import { FORM_HELP, nameIn, type RawLayer, type Reading, readLayers } from "./read-layers.js";
import { inlineNested } from "./nested.js";

/** Every name that Keras has given to a model built from layers in a graph. */
const FUNCTIONAL = new Set(["Functional", "Model"]);

export interface Wired {
  readonly layers: readonly KerasLayer[];
  readonly calls: readonly KerasCall[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

/** A layer that is a model: its class says so, and its configuration lists layers. */
const isModel = ({ className, config }: KerasLayer): boolean =>
  (className === "Sequential" || FUNCTIONAL.has(className)) && isArray(config.layers);

/** Reads the model whose description stands at `pointer`; `owner` is the layer that it is, unless it is the outermost. */
export function wireModel(
  cx: Reading,
  className: string,
  config: Json | undefined,
  pointer: string,
  owner?: KerasLayer,
): Wired | undefined {
  const { document, reporter } = cx;
  // Before 2017 the config of a Sequential was the list of its layers.
  const listed = isArray(config)
    ? { list: config, pointer }
    : isObject(config)
      ? { list: config.layers, pointer: `${pointer}/layers` }
      : undefined;
  if (!listed || !isArray(listed.list))
    return reporter.error("QN200", "the model has no list of layers", {
      at: document.place(isObject(config) ? pointer : ""),
      help: FORM_HELP,
    });
  const raws = readLayers(cx, listed.list, listed.pointer, owner);
  if (!raws) return undefined;
  if (raws.length === 0) return reporter.error("QN214", "the model has no layers", { at: document.place(listed.pointer) });
  const options = isObject(config) ? config : {};
  const wired =
    className === "Sequential"
      ? wireSequential(cx, raws, options)
      : FUNCTIONAL.has(className)
        ? wireFunctional(cx, raws, options, pointer, owner)
        : undefined;
  if (!wired) {
    if (reporter.failed) return undefined;
    return reporter.error("QN200", `\`${className.slice(0, 80)}\` is not a model that can be read from its description`, {
      at: document.place("/class_name"),
      help: "a subclassed model has no description of its layers: rebuild it as a Sequential or Functional model and load its weights",
    });
  }
  const nested = new Map<string, Wired>();
  for (const layer of wired.layers) {
    if (!isModel(layer)) continue;
    const inner = wireModel(cx, layer.className, layer.config, layer.pointer, layer);
    if (!inner) return undefined;
    nested.set(layer.name, inner);
  }
  return nested.size === 0 ? wired : inlineNested(cx, wired, nested);
}

/** A chain. Where the first layer is no InputLayer, the input is implied by what the layers say of their shapes. */
function wireSequential(cx: Reading, raws: readonly RawLayer[], config: JsonObject): Wired {
  let layers = raws.map((r) => r.layer);
  const first = layers[0]!;
  if (first.className !== "InputLayer") {
    const shape =
      first.config.batch_input_shape ??
      first.config.batch_shape ??
      config.build_input_shape ??
      (first.builtShape ? [null, ...first.builtShape] : undefined);
    let name = `${first.name}_input`;
    while (cx.seen.has(name)) name = `${name}_`;
    cx.seen.set(name, first.pointer);
    const implied = Object.assign(Object.create(null) as object, {
      name,
      ...(shape === undefined ? {} : { batch_shape: shape }),
    }) as JsonObject;
    const { owner } = first;
    const input = { name, className: "InputLayer", module: undefined, config: implied, pointer: first.pointer, builtShape: undefined };
    layers = [owner ? { ...input, owner, local: name } : input, ...layers];
  }
  const ref = (l: KerasLayer): TensorRef => ({ layer: l.name, node: 0, tensor: 0 });
  const calls = layers.map((layer, i) => ({ layer, node: 0, inputs: i === 0 ? [] : [ref(layers[i - 1]!)] }));
  return { layers, calls, inputs: [ref(layers[0]!)], outputs: [ref(layers.at(-1)!)] };
}

function wireFunctional(
  { document, reporter, limits }: Reading,
  raws: readonly RawLayer[],
  config: JsonObject,
  at: string,
  owner: KerasLayer | undefined,
): Wired | undefined {
  const here = (refs: readonly TensorRef[]): TensorRef[] => refs.map((r) => ({ ...r, layer: nameIn(owner, r.layer) }));
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
    for (const [node, call] of nodes.entries()) {
      const inputs = inboundRefs(call);
      if (typeof inputs === "string") return bad(inputs, node);
      if (inputs.length > limits.tensorsPerCall)
        return bad(`the layer reads ${inputs.length} tensors; the limit is ${limits.tensorsPerCall}`, node);
      calls.push({ layer, node, inputs: here(inputs) });
    }
  }
  const ends = (key: "input_layers" | "output_layers"): TensorRef[] | undefined => {
    const refs = refsOf(config[key]);
    if (refs && refs.length > 0) return here(refs);
    return reporter.error("QN200", `${key} does not name any tensor`, { at: document.place(at), help: FORM_HELP });
  };
  const [inputs, outputs] = [ends("input_layers"), ends("output_layers")];
  return inputs && outputs && { layers: raws.map((r) => r.layer), calls, inputs, outputs };
}
