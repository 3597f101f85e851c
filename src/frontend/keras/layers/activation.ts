// Activations by whatever means a layer names them: a Keras function, a QKeras quantizer, or a string that is one or the other.
import { didYouMean } from "../../../diagnostics.js";
import { isObject, type Json } from "../json.js";
import { parseCall } from "../quantizer-text.js";
import { isQuantizerName, quantizers } from "../quantizers.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { lowerQuantizer } from "./lower-quantizer.js";

type Function = (cx: LayerContext, x: number) => LayerResult;

/** Keras' own functions that are exact in fixed point, and softmax, which is left to the host. */
const functions: Readonly<Record<string, Function>> = {
  linear: (_, x) => ({ value: x }),
  relu: (cx, x) => ({ value: cx.max(x, cx.scalar(0)) }),
  relu6: (cx, x) => ({ value: cx.min(cx.max(x, cx.scalar(0)), cx.scalar(6)) }),
  softmax: (_, x) => ({ value: x, host: "softmax" }),
};

/** What to write instead of a function that has no exact fixed-point form. */
const INSTEAD: Readonly<Record<string, string>> = {
  sigmoid: "use QActivation('quantized_sigmoid(8)'), or cut the network before it with `--until`",
  hard_sigmoid: "use QActivation('quantized_sigmoid(8)'), whose slope of 1/2 is exact",
  tanh: "use QActivation('quantized_tanh(8)')",
  swish: "use QActivation('quantized_hswish(8,2)')",
  silu: "use QActivation('quantized_hswish(8,2)')",
  gelu: "use QActivation('quantized_hswish(8,2)')",
  elu: "use QActivation('quantized_relu(8,2,negative_slope=0.25)')",
  leaky_relu: "use QActivation('quantized_relu(8,2,negative_slope=0.25)')",
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
  const instead = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined;
  const guess = didYouMean(name, [...Object.keys(functions), ...Object.keys(quantizers)]);
  return cx.error(
    "QN205",
    `the activation \`${name.slice(0, 80)}\` is not supported`,
    key,
    instead ?? (guess === undefined ? `known: ${Object.keys(functions).join(", ")}, and QKeras' quantizers` : `did you mean \`${guess}\`?`),
  );
}
