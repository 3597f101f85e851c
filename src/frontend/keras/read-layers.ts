// The entries of a model's list of layers: class, name and configuration of each, checked for form only.
import type { Reporter } from "../../diagnostics.js";
import { isArray, isObject, type Json, type JsonDocument, type JsonObject } from "./json.js";
import type { KerasLayer, ModelLimits } from "./model.js";

export const FORM_HELP = "expected what `model.to_json()` writes: {class_name, config: {name, layers}}";
/** Files of Keras 2 write the package under which a class was registered before its name. */
const PACKAGE = /^(?:qkeras|hgq2?)>/i;

/** A long name of a model would be copied into the name of each of its layers. */
const MAX_PATH = 4096;

export interface RawLayer {
  readonly layer: KerasLayer;
  readonly json: JsonObject;
  readonly pointer: string;
}

/** What all levels of nested models share. */
export interface Reading {
  readonly document: JsonDocument;
  readonly reporter: Reporter;
  readonly limits: ModelLimits;
  /** Where each full name of a layer was first given. */
  readonly seen: Map<string, string>;
}

/** Layers of a nested model are named after it: `encoder/dense`. */
export const nameIn = (owner: KerasLayer | undefined, local: string): string => (owner ? `${owner.name}/${local}` : local);

export function readLayers(cx: Reading, list: readonly Json[], pointer: string, owner: KerasLayer | undefined): RawLayer[] | undefined {
  const { document, reporter, limits, seen } = cx;
  if (seen.size + list.length > limits.layers) {
    return reporter.error("QN213", `the model has ${seen.size + list.length} layers; the limit is ${limits.layers}`, {
      at: document.place(pointer),
    });
  }
  const raws: RawLayer[] = [];
  for (const [i, json] of list.entries()) {
    const at = `${pointer}/${i}`;
    if (!isObject(json)) return reporter.error("QN200", "a layer is not an object", { at: document.place(at), help: FORM_HELP });
    const read = readLayer(json, at);
    if (typeof read === "string") return reporter.error("QN200", read, { at: document.place(at), help: FORM_HELP });
    if (owner && owner.name.length + read.name.length > MAX_PATH)
      return reporter.error("QN213", `the names of nested models and layers are longer than ${MAX_PATH} characters together`, {
        at: document.place(at),
      });
    const layer = owner ? { ...read, name: nameIn(owner, read.name), local: read.name, owner } : read;
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
  const layer = {
    name,
    className: classOf(className),
    module: moduleOf(json),
    config,
    pointer: `${pointer}/config`,
    builtShape: shapeWithoutBatch(build),
  };
  return className.replace(/^.*>/, "") === "PruneLowMagnitude" ? (wrappedLayer(layer) ?? layer) : layer;
}

/** The layer inside a wrapper, under the wrapper's name. */
export function wrappedLayer(wrapper: KerasLayer): KerasLayer | undefined {
  const inner = wrapper.config.layer;
  if (!isObject(inner) || typeof inner.class_name !== "string" || !isObject(inner.config)) return undefined;
  return {
    ...wrapper,
    className: classOf(inner.class_name),
    module: moduleOf(inner),
    config: inner.config,
    pointer: `${wrapper.pointer}/layer/config`,
  };
}

const classOf = (className: string): string => className.replace(PACKAGE, "");

/** The module, or the package under which the class was registered: `MyPackage>Dense` is not Keras' Dense. */
function moduleOf({ module, registered_name: registered, class_name: className }: JsonObject): string | undefined {
  const named = typeof registered === "string" && registered.includes(">") ? registered : typeof className === "string" ? className : "";
  const owner = named.includes(">") ? named.slice(0, named.indexOf(">")) : undefined;
  return owner !== undefined && owner !== "qkeras" ? owner : typeof module === "string" ? module : undefined;
}

export function shapeWithoutBatch(shape: Json | undefined): readonly (number | null)[] | undefined {
  if (!isArray(shape) || shape.length < 1 || !shape.every((d) => d === null || typeof d === "number")) return undefined;
  return (shape as readonly (number | null)[]).slice(1);
}
