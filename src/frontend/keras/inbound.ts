// Reads how Keras files refer to tensors: nested lists in Keras 2, call arguments with __keras_tensor__ objects in Keras 3.
import { isArray, isObject, type Json } from "./json.js";
import type { TensorRef } from "./model.js";

/** `["layer", node, tensor]`, in Keras 2 with a fourth entry of call arguments. */
function refOf(json: Json): TensorRef | undefined {
  if (!isArray(json) || json.length < 3 || json.length > 4) return undefined;
  const [layer, node, tensor] = json;
  if (typeof layer !== "string" || !isIndex(node) || !isIndex(tensor)) return undefined;
  return { layer, node, tensor };
}

const isIndex = (x: Json | undefined): x is number => typeof x === "number" && Number.isInteger(x) && x >= 0;

/** One reference, a list of references, or an object of them: the forms of input_layers and output_layers. */
export function refsOf(json: Json | undefined): TensorRef[] | undefined {
  const one = json === undefined ? undefined : refOf(json);
  if (one) return [one];
  const items = isArray(json) ? json : isObject(json) ? Object.values(json) : undefined;
  const refs = items?.map(refOf);
  return refs?.every((r): r is TensorRef => r !== undefined) ? refs : undefined;
}

/** The tensors that one call reads; a string is what is wrong. */
export function inboundRefs(json: Json): TensorRef[] | string {
  if (isArray(json)) {
    const refs = refsOf(json);
    if (!refs) return "an inbound node is not a list of [layer, node, tensor]";
    const extra = (typeof json[0] === "string" ? [json] : json).some(
      (r) => isArray(r) && isObject(r[3]) && Object.values(r[3]).some(hidesTensor),
    );
    return extra ? "a call passes tensors as keyword arguments, which is not supported" : refs;
  }
  if (!isObject(json)) return "an inbound node is neither a list nor an object";
  const refs: TensorRef[] = [];
  // Arguments in order; everything that is no tensor (masks, flags) does not change a feed-forward layer at inference.
  const collect = (value: Json, depth: number): string | undefined => {
    if (isObject(value) && value.class_name === "__keras_tensor__") {
      const ref = isObject(value.config) ? refsOf(value.config.keras_history)?.[0] : undefined;
      if (!ref) return "a __keras_tensor__ has no keras_history";
      refs.push(ref);
      return undefined;
    }
    if (depth > 8 || typeof value !== "object" || value === null) return undefined;
    for (const item of isArray(value) ? value : Object.values(value)) {
      const problem = collect(item, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
  return collect(json.args ?? null, 0) ?? collect(json.kwargs ?? null, 0) ?? refs;
}

const hidesTensor = (v: Json): boolean => isArray(v) && v.length >= 3 && refOf(v) !== undefined;
