// hls4ml's rewriting of its model: each rule one function, tried in hls4ml's order and from the start again after every change.
import {
  type HlsNetwork,
  type HlsNode,
  editNodes,
  nodeNamed,
  type NodeOf,
  readersOf,
  removeNode,
  replaceNode,
  type Weights,
} from "./nodes.js";
import { type Precision, fractionBits, integerPrecision, isNumeric, samePrecision, xnorPrecision } from "./precision.js";
import { noBias, weights } from "./weights.js";
import { quantizerForward } from "../keras/quantizer-forward.js";
import type { Quantizer } from "../keras/quantizers.js";
import type { HlsConfig } from "./config.js";
import { exactThresholds, type Fixes, holdWeights } from "./fixes.js";
import { inferTypes } from "./infer.js";

/** The network after one application, or undefined where the rule finds nothing to do. */
type Rule = (network: HlsNetwork, config: HlsConfig) => HlsNetwork | undefined;

const apply = (start: HlsNetwork, rules: readonly Rule[], config: HlsConfig): HlsNetwork => {
  let now = start;
  for (;;) {
    let changed: HlsNetwork | undefined;
    for (const rule of rules) if ((changed = rule(now, config))) break;
    if (!changed) return now;
    now = changed;
  }
};

/** The first node for which `rewrite` has an answer. */
const firstNode =
  (rewrite: (network: HlsNetwork, node: HlsNode, config: HlsConfig) => HlsNetwork | undefined): Rule =>
  (network, config) => {
    for (const node of network.nodes) {
      const changed = rewrite(network, node, config);
      if (changed) return changed;
    }
    return undefined;
  };

const inputOf = (network: HlsNetwork, node: HlsNode): HlsNode | undefined => nodeNamed(network, node.inputs[0]);
const isBatchnorm = (n: HlsNode | undefined): n is NodeOf<"BatchNormalization" | "ApplyAlpha"> =>
  n?.kind === "BatchNormalization" || n?.kind === "ApplyAlpha";
const isDenseOrConv = (n: HlsNode | undefined): n is NodeOf<"Dense" | "Conv1D" | "Conv2D"> =>
  n?.kind === "Dense" || n?.kind === "Conv1D" || n?.kind === "Conv2D";
const all = (w: Weights, value: number): boolean => w.unquantized.every((v) => v === value);

/** A kernel with a scale: the scale and the bias move into an ApplyAlpha after it. */
const factorizeAlpha = firstNode((network, node) => {
  if (!isDenseOrConv(node) || !(node.weight.scaled || node.bias.scaled)) return undefined;
  const { weight, bias } = node;
  const forward =
    weight.quantizer && "alpha" in weight.quantizer
      ? quantizerForward(weight.quantizer as Quantizer, weight.unquantized, weight.shape)
      : undefined;
  const units = node.shape.at(-1)!;
  const scale = Float64Array.from({ length: units }, (_, j) => forward?.scale?.at(j) ?? 1);
  const unscaled = (forward?.values ?? weight.values).map((v, i) => Math.fround(Math.fround(1 / scale[i % units]!) * v));
  const name = `${node.name}_alpha`;
  const isPo2 = weight.quantizer && "alpha" in weight.quantizer && weight.quantizer.alpha === "auto_po2";
  const { scaled: _scale, ...plainWeight } = {
    ...weight,
    values: unscaled.map((v) => (weight.type !== "auto" && weight.type.kind === "xnor" ? (v >= 0 ? 1 : -1) : v)),
  };
  const { scaled: _biasScale, ...plainBias } = { ...bias, values: new Float64Array(units) };
  const alpha: HlsNode = {
    kind: "ApplyAlpha",
    name,
    inputs: [node.name],
    shape: node.shape,
    result: "auto",
    cx: node.cx,
    scale: isPo2 ? po2Scale(scale, units) : weights([units], scale, "auto"),
    bias: { ...plainBias, values: bias.values, ...(bias.quantizer ? {} : { type: "auto" as const }) },
  };
  const renamed = new Map([[node.name, name]]);
  const after = editNodes(network, (n) => (n === node ? [{ ...node, weight: plainWeight, bias: plainBias }] : [n]), renamed);
  return { ...after, nodes: after.nodes.flatMap((n) => (n.name === node.name ? [n, alpha] : [n])) };
});

/** A power of two per channel is held as an exponent of as many bits as the largest needs. */
function po2Scale(scale: Float64Array, units: number): Weights {
  const bits = Math.max(Math.trunc(Math.max(...Array.from(scale, (s) => Math.abs(Math.log2(s))))) + 1, 2);
  return weights([units], scale, "auto", { name: "po2-scale", bits });
}

/** A ternary step at another threshold than ½: the data is scaled first. */
const extractThreshold = firstNode((network, node, config) => {
  if (node.kind !== "TernaryTanh" || node.slope === undefined || node.slope === 0.5) return undefined;
  const channels = node.shape.at(-1) ?? 1;
  const name = `${node.name}_scale`;
  const type = (variable: string) => config.precision({ name, kind: "ApplyAlpha" }, variable);
  const scale: HlsNode = {
    kind: "ApplyAlpha",
    name,
    inputs: node.inputs,
    shape: node.shape,
    result: type("result"),
    cx: node.cx,
    scale: weights([channels], new Float64Array(channels).fill(0.5 / node.slope), type("scale")),
    bias: weights([channels], new Float64Array(channels), type("bias")),
  };
  return editNodes(network, (n) => (n === node ? [scale, { ...node, slope: 0.5, inputs: [name] }] : [n]));
});

const compatible = (a: Weights, b: Weights, neutral: number, both: boolean): boolean =>
  (both ? !a.quantizer && !b.quantizer : !a.quantizer || !b.quantizer) ||
  (all(a, neutral) && (!both || !a.quantizer)) ||
  (all(b, neutral) && (!both || !b.quantizer));

const fuseConsecutiveBatchnorm = firstNode((network, node) => {
  const before = inputOf(network, node);
  if (!isBatchnorm(node) || !isBatchnorm(before) || before.result !== "auto" || readersOf(network, before.name).length > 1)
    return undefined;
  if (!compatible(before.scale, node.scale, 1, false) || !compatible(before.bias, node.bias, 0, false)) return undefined;
  const scale = Float64Array.from(node.scale.unquantized, (s, i) => Math.fround(before.scale.unquantized[i]! * s));
  const bias = Float64Array.from(node.bias.unquantized, (b, i) =>
    Math.fround(Math.fround(node.scale.unquantized[i]! * before.bias.unquantized[i]!) + b),
  );
  const merged = {
    ...node,
    inputs: before.inputs,
    scale: weights(node.scale.shape, scale, node.scale.type),
    bias: weights(node.bias.shape, bias, node.bias.type),
  };
  return editNodes(network, (n) => (n === before ? [] : n === node ? [merged] : [n]));
});

const mergeable = (w: Weights): boolean => w.type === "auto" || isNumeric(w.type);

/** Only where nobody fixed the layer's result type, and no quantized number would be changed. */
const fuseBatchnorm = firstNode((network, node) => {
  const before = inputOf(network, node);
  if (!isBatchnorm(node) || !isDenseOrConv(before) || before.result !== "auto" || readersOf(network, before.name).length > 1)
    return undefined;
  if (!compatible(before.weight, node.scale, 1, true) || !compatible(before.bias, node.bias, 0, true)) return undefined;
  if (![before.weight, before.bias, node.scale, node.bias].every(mergeable)) return undefined;
  const units = node.scale.values.length;
  const kernel = Float64Array.from(before.weight.values, (w, i) => Math.fround(node.scale.values[i % units]! * w));
  const bias = Float64Array.from(before.bias.values, (b, j) => Math.fround(Math.fround(node.scale.values[j]! * b) + node.bias.values[j]!));
  const q = { weight: node.scale.quantizer ?? before.weight.quantizer, bias: node.bias.quantizer ?? before.bias.quantizer };
  const fused = {
    ...before,
    weight: weights(before.weight.shape, kernel, before.weight.type, q.weight, "kernel"),
    bias: weights(before.bias.shape, bias, before.bias.type, q.bias, "bias"),
  };
  return removeNode(
    editNodes(network, (n) => (n === before ? [fused] : [n])),
    node,
  );
});

const eliminateLinear = firstNode((network, node) => {
  const before = inputOf(network, node);
  if (node.kind !== "Activation" || node.activation !== "linear" || !before) return undefined;
  return samePrecision(before.result, node.result) ? removeNode(network, node) : undefined;
});

/** hls4ml drops a linear activation behind a layer of type `auto`, and its type with it, even where that rounds for a QActivation. */
const mergeLinear = (fixes: Fixes): Rule =>
  firstNode((network, node) => {
    const before = inputOf(network, node);
    if (node.kind !== "Activation" || node.activation !== "linear" || before?.result !== "auto") return undefined;
    if (!isDenseOrConv(before) && !isBatchnorm(before) && before.kind !== "Activation") return undefined;
    if (node.rounds && node.result !== "auto") {
      if (fixes.on) return undefined;
      fixes.wrong(
        node,
        "hls4ml drops this activation and its type, because the layer before it has an inferred result",
        "give that layer's result this type, or build with --fix",
      );
    }
    return removeNode(network, node);
  });

const removeIdleBatchnorm = firstNode((network, node) =>
  isBatchnorm(node) && all(node.scale, 1) && all(node.bias, 0) ? removeNode(network, node) : undefined,
);

/** Batch normalization and a binary or ternary step: comparisons with thresholds on the grid of its input, rounded down. */
const mergeStep = firstNode((network, node) => {
  const step =
    node.kind === "TernaryTanh"
      ? "ternary"
      : node.kind === "Activation"
        ? /^(binary|ternary)(?:_tanh)?$/.exec(node.activation)?.[1]
        : undefined;
  const before = inputOf(network, node);
  if (step === undefined || !isBatchnorm(before)) return undefined;
  const x = inputOf(network, before)!;
  const grid = x.result === "auto" ? 1 : 2 ** fractionBits(x.result);
  const floor = (t: number): number => Math.floor(t * grid) / grid;
  const middle = Float64Array.from(before.scale.values, (s, i) => -before.bias.values[i]! / s);
  const at = (offset: number): Weights =>
    weights(
      before.scale.shape,
      middle.map((t, i) => floor(Math.fround(Math.fround(offset / before.scale.values[i]!) + Math.fround(t)))),
      x.result,
    );
  const isBinary = step === "binary";
  const merged: HlsNode = {
    kind: "BatchNormalizationQuantizedTanh",
    name: `bnbt_${before.name}`,
    inputs: before.inputs,
    shape: before.shape,
    cx: before.cx,
    result: isBinary ? xnorPrecision : integerPrecision(2),
    from: { scale: before.scale, bias: before.bias },
    ...(isBinary
      ? {
          high: weights(
            before.scale.shape,
            middle.map((t) => floor(Math.fround(t))),
            x.result,
          ),
        }
      : { high: at(0.5), low: at(-0.5) }),
  };
  const without = removeNode(network, before);
  return replaceNode(without, nodeNamed(without, node.name)!, merged);
});

/** A binary or ternary layer behind such a step: an integer sum without bias, and integer thresholds after it. */
const quantizeDenseOutput = firstNode((network, node) => {
  const q = node.kind === "Dense" ? node.weight.quantizer?.name : undefined;
  if (node.kind !== "Dense" || (q !== "sign" && q !== "ternary-half") || inputOf(network, node)?.kind !== "BatchNormalizationQuantizedTanh")
    return undefined;
  const type = integerPrecision(Math.ceil(Math.log2(node.weight.shape[0]!)) + 2);
  const held: Precision = q === "sign" ? xnorPrecision : integerPrecision(2);
  if (node.result !== "auto" && node.accum !== "auto" && samePrecision(node.result, type) && samePrecision(node.accum, type))
    return undefined;
  const dense: HlsNode = {
    ...node,
    accum: type,
    result: type,
    weight: { ...node.weight, type: held },
    bias: { ...noBias(node.shape.at(-1)!), type: held },
  };
  const floored = (w: Weights): Weights => weights(w.shape, w.values.map(Math.floor), type);
  return editNodes(network, (n) => {
    if (n === node) return [dense];
    if (n.kind !== "BatchNormalizationQuantizedTanh" || n.inputs[0] !== node.name) return [n];
    return [{ ...n, high: floored(n.high), ...(n.low ? { low: floored(n.low) } : {}) }];
  });
});

/** The tables of a softmax are no longer than its input and its table type can tell apart. */
const fixSoftmaxTable = firstNode((network, node) => {
  const x = inputOf(network, node);
  if (node.kind !== "Softmax" || !x || x.result === "auto") return undefined;
  const most = 2 ** Math.min(x.result.type.width, node.invTable.type.width);
  return node.tableSize > most ? editNodes(network, (n) => (n === node ? [{ ...node, tableSize: most }] : [n])) : undefined;
});

const skipSoftmax = firstNode((network, node) => (node.kind === "Softmax" && node.skip ? removeNode(network, node) : undefined));

/** hls4ml's flows `convert`, `optimize`, `quantization` and the backend's `optimize`. */
export function optimize(network: HlsNetwork, config: HlsConfig, fixes: Fixes): HlsNetwork {
  const converted = apply(
    network,
    [factorizeAlpha, extractThreshold, fuseConsecutiveBatchnorm, fuseBatchnorm, eliminateLinear, mergeLinear(fixes)],
    config,
  );
  const typed = inferTypes(holdWeights(converted, fixes), config, fixes);
  const idle = apply(typed, [removeIdleBatchnorm], config);
  const quantized = apply(idle, [mergeStep, quantizeDenseOutput], config);
  return exactThresholds(apply(quantized, [skipSoftmax, fixSoftmaxTable], config), fixes);
}
