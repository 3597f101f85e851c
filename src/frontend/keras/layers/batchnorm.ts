// BatchNormalization and QBatchNormalization at inference: a factor and a summand per channel. The pass fold-batchnorm merges them later.

import { isArray } from "../json.js";
import type { KerasLayer } from "../model.js";
import { quantizerForward } from "../quantizer-forward.js";
import type { Quantizer } from "../quantizers.js";
import { type Failed, type LayerContext, type LayerResult, realTensor, show } from "./context.js";
import type { Family, Folding } from "./kernel.js";
import { trainable } from "./quantized-weight.js";
import { axisOf } from "./spatial.js";

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

/** Inference is x·factor + offset for each channel. */
interface Normalization {
  readonly mean: Float64Array;
  readonly beta: Float64Array;
  /** γ/√(σ² + ε) in float32, as the framework computes it. */
  readonly factor: Float64Array;
}

function normalization(cx: LayerContext, family: Family, n: number): Normalization | Failed {
  const epsilon = cx.number("epsilon", 1e-3);
  const [scale, center] = [cx.flag("scale", true), cx.flag("center", true)];
  if (epsilon === undefined || scale === undefined || center === undefined) return undefined;
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
  const factor = quantized(
    "inverse_quantizer",
    gamma.map((g, i) => f(g * f(1 / Math.sqrt(f(variance[i]! + f(epsilon)))))),
  );
  return factor && { mean, beta, factor };
}

export const batchnorm =
  (family: Family) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    if (x === undefined) return undefined;
    const shape = cx.shapeOf(x);
    const axis = cx.get("axis") ?? -1;
    const given = isArray(axis) && axis.length === 1 ? axis[0] : axis;
    const along = typeof given === "number" && Number.isInteger(given) ? axisOf(cx, given, x) : undefined;
    if (along === undefined)
      return cx.error(
        "QN212",
        `\`axis\` = ${show(axis)} does not name one axis of the input`,
        "axis",
        "normalize the channels, which are one axis",
      );
    const n = shape[along]!;
    const norm = normalization(cx, family, n);
    if (!norm) return undefined;
    const { mean, beta, factor } = norm;
    const offset = beta.map((b, i) => f(b - f(mean[i]! * factor[i]!)));
    // [n] along the last axis, [n, 1, …] along an earlier one.
    const channels = [n, ...shape.slice(along + 1).map(() => 1)];
    const scaled = cx.mul(x, cx.constant(realTensor(channels, factor)));
    return { value: cx.add(scaled, cx.constant(realTensor(channels, offset))) };
  };

/** QConv2DBatchnorm and its kind: W·inv and inv·(b − μ) + β are what the quantizers see. The moving statistics are those of inference in both folding modes. */
export function folding(cx: LayerContext, units: number): Folding | Failed {
  const norm = normalization(cx, "keras", units);
  if (!norm) return undefined;
  const { mean, beta, factor } = norm;
  return {
    kernel: ({ shape, values }) => ({ shape, values: Float64Array.from(values, (w, i) => f(factor[i % units]! * w)) }),
    bias: (b) => ({ shape: [units], values: beta.map((t, i) => f(f(factor[i]! * f((b?.values[i] ?? 0) - mean[i]!)) + t)) }),
  };
}

/** Variables of the layer itself, then those of the normalization that it owns. */
export const foldedVariables =
  (own: (layer: KerasLayer) => readonly string[]) =>
  (layer: KerasLayer): readonly string[] => [...own(layer), "iteration", ...batchnormVariables(layer).map((name) => `batchnorm/${name}`)];

function quantizerOf(cx: LayerContext, role: Role, family: Family): Quantizer | null | Failed {
  if (family === "keras") return null;
  const json = cx.get(role);
  const q = cx.quantizerOf(json === undefined ? DEFAULTS[role] : json, role);
  return q && TRAINABLE.includes(role) ? trainable(q) : q;
}
