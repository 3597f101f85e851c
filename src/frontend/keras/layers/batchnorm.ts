// BatchNormalization and QBatchNormalization at inference: a factor and a summand per channel. The pass fold-batchnorm merges them later.

import { isArray } from "../json.js";
import type { KerasLayer } from "../model.js";
import { quantizerForward } from "../quantizer-forward.js";
import type { Quantizer } from "../quantizers.js";
import { type Failed, type LayerContext, type LayerResult, realTensor } from "./context.js";
import { trainable } from "./quantized-weight.js";

const f = Math.fround;

export const batchnormVariables = ({ config }: KerasLayer): readonly string[] => [
  ...(config.scale === false ? [] : ["gamma"]),
  ...(config.center === false ? [] : ["beta"]),
  "moving_mean",
  "moving_variance",
];

/** QKeras' defaults where an option is absent; an explicit null means no quantizer. */
const DEFAULTS = {
  gamma_quantizer: "quantized_relu_po2(6,2048)",
  beta_quantizer: "quantized_po2(5)",
  mean_quantizer: "quantized_po2(5)",
  variance_quantizer: "quantized_relu_po2(6,quadratic_approximation=True)",
  inverse_quantizer: null,
} as const;
type Role = keyof typeof DEFAULTS;
const TRAINABLE: readonly Role[] = ["gamma_quantizer", "variance_quantizer"];

export const batchnorm =
  (family: "keras" | "qkeras") =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    const epsilon = cx.number("epsilon", 1e-3);
    const [scale, center] = [cx.flag("scale", true), cx.flag("center", true)];
    if (x === undefined || epsilon === undefined || scale === undefined || center === undefined) return undefined;
    const shape = cx.shapeOf(x);
    const axis = cx.get("axis") ?? -1;
    const along = isArray(axis) && axis.length === 1 ? axis[0] : axis;
    if (along !== -1 && along !== shape.length)
      return cx.error(
        "QN212",
        "batch normalization along an axis that is not the last is not supported",
        "axis",
        "use data_format channels_last",
      );
    const n = shape.at(-1) ?? 1;

    const quantized = (role: Role, values: Float64Array): Float64Array | Failed => {
      const q = quantizerOf(cx, role, family);
      return q === undefined ? undefined : q === null ? values : quantizerForward(q, values, [n]).values;
    };
    const variable = (name: string, role: Role, present: boolean, otherwise: number): Float64Array | Failed => {
      if (!present) return new Float64Array(n).fill(otherwise);
      const weight = cx.weight(name, [n]);
      return weight && quantized(role, Float64Array.from(weight.values));
    };
    const gamma = variable("gamma", "gamma_quantizer", scale, 1);
    const beta = variable("beta", "beta_quantizer", center, 0);
    const mean = variable("moving_mean", "mean_quantizer", true, 0);
    const variance = variable("moving_variance", "variance_quantizer", true, 1);
    if (!gamma || !beta || !mean || !variance) return undefined;
    const bad = variance.findIndex((v) => !(v + epsilon > 0));
    if (bad >= 0)
      return cx.error(
        "QN208",
        `moving_variance is ${variance[bad]} in channel ${bad}: its root does not exist`,
        "epsilon",
        "the file is damaged or the weights are in another order",
      );
    // In float32, as the framework computes it.
    const inverse = quantized(
      "inverse_quantizer",
      gamma.map((g, i) => f(g * f(1 / Math.sqrt(f(variance[i]! + f(epsilon)))))),
    );
    if (!inverse) return undefined;
    const offset = beta.map((b, i) => f(b - f(mean[i]! * inverse[i]!)));
    const scaled = cx.mul(x, cx.constant(realTensor([n], inverse)));
    return { value: cx.add(scaled, cx.constant(realTensor([n], offset))) };
  };

function quantizerOf(cx: LayerContext, role: Role, family: "keras" | "qkeras"): Quantizer | null | Failed {
  if (family === "keras") return null;
  const json = cx.get(role);
  const q = cx.quantizerOf(json === undefined ? DEFAULTS[role] : json, role);
  return q && TRAINABLE.includes(role) ? trainable(q) : q;
}
