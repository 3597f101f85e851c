// Keras layers to hls4ml's nodes: one row a class. An activation that a layer names becomes a node of its own, called `<layer>_<activation>`.
import type { Reporter } from "../../diagnostics.js";
import { GraphBuilder } from "../../ir/graph.js";
import { printShape, sameShape, sizeOf } from "../../ir/tensor.js";
import { isArray, isObject, type Json } from "../keras/json.js";
import { LayerContext } from "../keras/layers/context.js";
import type { KerasCall, KerasModel, TensorRef } from "../keras/model.js";
import { shapeWithoutBatch } from "../keras/read-layers.js";
import type { HlsConfig } from "./config.js";
import { activationNode, activations, isActivationClass } from "./convert-activation.js";
import {
  accumOf,
  common,
  type Converting,
  floats,
  type KernelQuantizers,
  kernelAndBias,
  ofQkeras,
  onlyInput,
  type Row,
  signs,
  ternaries,
} from "./converting.js";
import { spatial } from "./convert-spatial.js";
import type { HlsNetwork, HlsNode } from "./nodes.js";
import type { Slot } from "./precision.js";
import { weights } from "./weights.js";

const dense =
  (of: KernelQuantizers): Row =>
  (c) => {
    const x = onlyInput(c);
    const units = c.cx.integer("units", 1, 1 << 20);
    if (!x || units === undefined) return undefined;
    const parts = kernelAndBias(c, "Dense", "kernel", [x.shape.at(-1) ?? 1, units], units, of);
    return parts && { kind: "Dense", ...common(c, "Dense", [...x.shape.slice(0, -1), units]), ...parts, accum: accumOf(c, "Dense") };
  };

const f = Math.fround;

/** Scale and shift in float32, step by step as numpy computes them. Quantizers of a QBatchNormalization are not looked at. */
const batchnorm: Row = (c) => {
  const x = onlyInput(c);
  const { cx } = c;
  const [epsilon, scale, center] = [cx.number("epsilon", 1e-3), cx.flag("scale", true), cx.flag("center", true)];
  if (!x || epsilon === undefined || scale === undefined || center === undefined) return undefined;
  if (!lastAxis(cx.get("axis"), x.shape.length))
    return cx.error("QN212", "batch normalization along an axis that is not the last is not supported", "axis");
  const n = x.shape.at(-1) ?? 1;
  const read = (key: string, present: boolean, otherwise: number) =>
    present ? cx.weight(key, [n])?.values : new Float64Array(n).fill(otherwise);
  const [gamma, beta] = [read("gamma", scale, 1), read("beta", center, 0)];
  const [mean, variance] = [read("moving_mean", true, 0), read("moving_variance", true, 1)];
  if (!gamma || !beta || !mean || !variance) return undefined;
  const factor = Float64Array.from(gamma, (g, i) => f(g / f(Math.sqrt(f(variance[i]! + f(epsilon))))));
  const shift = Float64Array.from(beta, (b, i) => f(b - f(factor[i]! * mean[i]!)));
  const bad = factor.findIndex((v, i) => !Number.isFinite(v) || !Number.isFinite(shift[i]!));
  if (bad >= 0) return cx.error("QN208", `moving_variance is ${variance[bad]} in channel ${bad}: its root does not exist`, "epsilon");
  const type = (variable: string): Slot => c.config.precision({ name: c.name, kind: "BatchNormalization" }, variable);
  return {
    kind: "BatchNormalization",
    ...common(c, "BatchNormalization", x.shape),
    scale: weights([n], factor, type("scale")),
    bias: weights([n], shift, type("bias")),
  };
};

const lastAxis = (json: Json | undefined, rank: number): boolean => {
  const axis = isArray(json) && json.length === 1 ? json[0] : json;
  return axis === undefined || axis === null || axis === -1 || axis === rank;
};

const flatten: Row = (c) => {
  const x = onlyInput(c);
  return x && { kind: "Reshape", ...common(c, "Reshape", [sizeOf(x.shape)]) };
};

const reshape: Row = (c) => {
  const x = onlyInput(c);
  const target = c.cx.get("target_shape");
  if (!x) return undefined;
  if (!isArray(target) || !target.every((d): d is number => typeof d === "number" && Number.isInteger(d) && (d > 0 || d === -1)))
    return c.cx.error("QN209", "target_shape must be a list of positive numbers, at most one of them −1", "target_shape");
  const known = target.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const shape = target.map((d) => (d === -1 ? sizeOf(x.shape) / known : d));
  if (sizeOf(shape) !== sizeOf(x.shape) || !shape.every(Number.isInteger))
    return c.cx.error("QN209", `${sizeOf(x.shape)} elements do not fit target_shape`, "target_shape");
  return { kind: "Reshape", ...common(c, "Reshape", shape) };
};

const merge =
  (op: "add" | "subtract" | "multiply" | "average" | "maximum" | "minimum"): Row =>
  (c) => {
    const [a, b] = c.inputs;
    if (!a || !b || c.inputs.length !== 2) return c.cx.error("QN212", `hls4ml merges two tensors, and the layer reads ${c.inputs.length}`);
    if (!sameShape(a.shape, b.shape))
      return c.cx.error("QN209", `hls4ml merges tensors of one shape, and these are ${printShape(a.shape)} and ${printShape(b.shape)}`);
    return { kind: "Merge", ...common(c, "Merge", a.shape), op };
  };

const concatenate: Row = (c) => {
  const [a, b] = c.inputs;
  const axis = c.cx.get("axis") ?? -1;
  if (!a || !b || c.inputs.length !== 2)
    return c.cx.error("QN212", `hls4ml concatenates two tensors, and the layer reads ${c.inputs.length}`);
  const at = typeof axis === "number" ? (axis < 0 ? a.shape.length + axis : axis - 1) : -1;
  if (!(at >= 0 && at < a.shape.length)) return c.cx.error("QN209", "axis names no axis of the inputs", "axis");
  return {
    kind: "Concatenate",
    ...common(
      c,
      "Concatenate",
      a.shape.map((d, i) => (i === at ? d + b.shape[i]! : d)),
    ),
    axis: at,
  };
};

const rows: Readonly<Record<string, Row>> = {
  Dense: dense(floats),
  QDense: dense(ofQkeras()),
  BinaryDense: dense(signs),
  TernaryDense: dense(ternaries),
  BatchNormalization: batchnorm,
  QBatchNormalization: batchnorm,
  Flatten: flatten,
  Reshape: reshape,
  Add: merge("add"),
  Subtract: merge("subtract"),
  Multiply: merge("multiply"),
  Average: merge("average"),
  Maximum: merge("maximum"),
  Minimum: merge("minimum"),
  Concatenate: concatenate,
  ...spatial,
  ...activations,
};

const IDLE = new Set(["Dropout"]);

/** Every element of a typed value has an interval of its own, about 100 bytes. */
const MAX_ELEMENTS = 1 << 21;
/** How many pixels one element of a pooling reads. */
const taps = (node: HlsNode): number => ("window" in node ? sizeOf(node.window) : 1);

/** The whole model, or undefined after reporting why not. */
export function convert(model: KerasModel, config: HlsConfig, reporter: Reporter): HlsNetwork | undefined {
  const scratch = new GraphBuilder(model.name, reporter);
  const nodes: HlsNode[] = [];
  const results = new Map<string, HlsNode>();
  for (const call of model.calls) {
    const cx = new LayerContext(model, call.layer, [], scratch, reporter);
    const inputs = call.inputs.flatMap((r) => results.get(r.layer) ?? []);
    if (inputs.length < call.inputs.length) continue; // what it reads failed, and has been reported
    if (call.node > 0) {
      cx.error(
        "QN212",
        `the layer \`${call.layer.name}\` is shared, and hls4ml reads every layer once`,
        undefined,
        "give each use a layer of its own",
      );
      continue;
    }
    const added = convertCall(call, { cx, config, name: call.layer.name, inputs }, model);
    const large = added.find((n) => sizeOf(n.shape) > MAX_ELEMENTS || taps(n) > MAX_ELEMENTS);
    if (large) {
      cx.error("QN213", `the layer has ${sizeOf(large.shape)} elements, each from ${taps(large)}; the limit of both is ${MAX_ELEMENTS}`);
      continue;
    }
    nodes.push(...added);
    const last = added.at(-1) ?? inputs[0];
    if (last) results.set(call.layer.name, last);
  }
  if (reporter.failed) return undefined;
  return { nodes, outputs: model.outputs.map((r: TensorRef) => ({ name: r.layer, node: results.get(r.layer)!.name })) };
}

function convertCall(call: KerasCall, c: Converting, model: KerasModel): readonly HlsNode[] {
  const { className, config } = call.layer;
  if (IDLE.has(className)) return [];
  if (className === "InputLayer") return inputNode(call, c, model);
  const row = Object.hasOwn(rows, className) ? rows[className] : undefined;
  if (!row) {
    c.cx.error(
      "QN201",
      `the layer class \`${className.slice(0, 80)}\` is not supported with --hls4ml-config`,
      undefined,
      `supported: ${Object.keys(rows).join(", ")}; or build without --hls4ml-config`,
    );
    return [];
  }
  const node = row(c);
  if (!node) return [];
  if (!("activation" in config) || isActivationClass(className)) return [node];
  const named = config.activation ?? "linear";
  const suffix = typeof named === "string" ? named : isObject(named) ? String(named.class_name) : "";
  const activation = activationNode({ ...c, name: `${node.name}_${suffix}`, inputs: [node] }, named);
  return activation ? [node, activation] : [node];
}

/** An input that the first layer implies: hls4ml calls it `input1` if it reads the JSON itself, and Keras `<first>_input`. */
function inputNode(call: KerasCall, c: Converting, model: KerasModel): readonly HlsNode[] {
  const shape = shapeWithoutBatch(c.cx.get("batch_shape") ?? c.cx.get("batch_input_shape")) ?? call.layer.builtShape;
  if (!shape?.length || !shape.every((d): d is number => d !== null && Number.isInteger(d) && d > 0)) {
    c.cx.error("QN209", "the input has an axis without a fixed size", "batch_shape", "give every axis but the batch a positive number");
    return [];
  }
  const isImplied = model.calls.some((o) => o.layer !== call.layer && o.layer.pointer === call.layer.pointer);
  return [
    {
      kind: "Input",
      ...common(c, "Input", shape, isImplied && [...c.config.inputNames, ...c.config.layerNames].includes("input1") ? "input1" : c.name),
    },
  ];
}
