// Activations by whatever means a layer names them: a Keras function, a QKeras quantizer, or a string that is one or the other.
import { didYouMean } from "../../../diagnostics.js";
import { isObject, type Json } from "../json.js";
import { parseCall } from "../quantizer-text.js";
import { isQuantizerName, quantizers } from "../quantizers.js";
import { functionActivations } from "./activation-tables.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { lowerQuantizer } from "./lower-quantizer.js";
import { piecewise } from "./piecewise.js";
import { softmax } from "./softmax-layer.js";

type Function = (cx: LayerContext, x: number) => LayerResult | Failed;

/** Keras' own functions. The host takes a last softmax or sigmoid. */
const functions: Readonly<Record<string, Function>> = {
  ...Object.fromEntries(Object.entries({ ...functionActivations, ...piecewise }).map(([name, f]): [string, Function] => [name, (cx, x) => ({ value: f(cx, x) })])),
  softmax: (cx, x) => softmax(cx, x),
  sigmoid: (cx, x) => (cx.last ? { value: x, host: "sigmoid" } : { value: functionActivations.sigmoid!(cx, x) }),
};

/**
 * Applies the activation that `key` names. In a layer of QKeras a bare name means QKeras' function first (its hard_sigmoid is another);
 * in a layer of Keras it means Keras'.
 */
export function applyActivation(cx: LayerContext, key: string, x: number, family: "keras" | "qkeras"): LayerResult | Failed {
  const json = cx.get(key);
  if (json === null || json === undefined) return { value: x };
  const name = functionName(json);
  if (name !== undefined && !(family === "qkeras" && isQuantizerName(name))) {
    const f = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (f) return f(cx, x);
    if (!isQuantizerName(name) || family === "keras") return unknown(cx, key, name);
  }
  const q = cx.quantizerOf(json, key);
  if (!q) return undefined;
  const value = lowerQuantizer(cx, q, x, key);
  return value === undefined ? undefined : { value };
}

/** The function's name where the model names one without arguments. */
function functionName(json: Json): string | undefined {
  if (typeof json === "string") {
    const call = parseCall(json);
    return typeof call !== "string" && call.positional.length === 0 && call.named.size === 0 && !json.includes("(") ? call.name : undefined;
  }
  return isObject(json) && json.class_name === "function" && typeof json.config === "string" ? json.config : undefined;
}

function unknown(cx: LayerContext, key: string, name: string): Failed {
  const guess = didYouMean(name, [...Object.keys(functions), ...Object.keys(quantizers)]);
  return cx.error(
    "QN205",
    `the activation \`${name.slice(0, 80)}\` is not supported`,
    key,
    guess === undefined ? `known: ${Object.keys(functions).join(", ")}, and QKeras' quantizers` : `did you mean \`${guess}\`?`,
  );
}
