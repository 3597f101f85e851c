// Layers that name inputs or move data: InputLayer, Flatten, Reshape, and those that do nothing at inference.
import { sizeOf } from "../../../ir/tensor.js";
import { isArray, isObject, type Json } from "../json.js";
import { shapeWithoutBatch } from "../topology.js";
import { type Failed, type LayerContext, type LayerResult, show } from "./context.js";

/** Every element of a typed value has an interval of its own, about 100 bytes. */
const MAX_ELEMENTS = 1 << 21;

export const inputLayer = (cx: LayerContext): LayerResult | Failed => {
  const json = cx.get("batch_shape") ?? cx.get("batch_input_shape");
  const shape = shapeWithoutBatch(json) ?? cx.layer.builtShape;
  if (!shape) {
    return cx.error(
      "QN209",
      "the model does not say what shape its input has",
      undefined,
      "start it with `Input(shape=…)`, or build it before saving",
    );
  }
  const bad = shape.find((d) => d === null || !Number.isInteger(d) || d < 1);
  if (bad !== undefined) {
    const what = bad === null ? "an axis of the input has no fixed size" : `an axis of the input has size ${bad}`;
    return cx.error(
      "QN209",
      `${what}: ${show(json)}`,
      "batch_shape",
      "hardware needs fixed sizes: give every axis but the batch a positive number",
    );
  }
  const fixedShape = shape as readonly number[];
  if (sizeOf(fixedShape) > MAX_ELEMENTS)
    return cx.error("QN213", `the input has ${sizeOf(fixedShape)} elements; the limit is ${MAX_ELEMENTS}`, "batch_shape");
  if (fixedShape.length === 0) return cx.error("QN209", "the input has no axis besides the batch", "batch_shape", "give it the shape [1]");
  return { value: cx.graph.input(cx.layer.name, fixedShape) };
};

export const flatten = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const shape = cx.shapeOf(x);
  if (shape.length > 1 && !cx.requires("data_format", ["channels_last"], "train with channels_last, which is Keras' default"))
    return undefined;
  return { value: shape.length === 1 ? x : cx.graph.add("reshape", [x], { shape: [sizeOf(shape)] }) };
};

export const reshape = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const target = cx.get("target_shape");
  if (!isArray(target) || !target.every((d): d is number => typeof d === "number" && Number.isInteger(d) && (d > 0 || d === -1))) {
    return cx.error(
      "QN209",
      `target_shape must be a list of positive numbers, at most one of them −1, not ${show(target)}`,
      "target_shape",
    );
  }
  const size = sizeOf(cx.shapeOf(x));
  const known = target.reduce((n, d) => (d === -1 ? n : n * d), 1);
  const free = target.filter((d) => d === -1).length;
  if (free > 1 || size % known !== 0 || (free === 0 && known !== size))
    return cx.error("QN209", `${size} elements do not fit target_shape ${show(target)}`, "target_shape");
  return { value: cx.graph.add("reshape", [x], { shape: target.map((d) => (d === -1 ? size / known : d)) }) };
};

/** Dropout and its kind only act in training. */
export const identity = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  return x === undefined ? undefined : { value: x };
};

/** ReLU(max_value, negative_slope, threshold). Keras 3 writes numbers as they are, Keras 2 as numpy scalars. */
export const reluLayer = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  const top = plain(cx.get("max_value"));
  const slope = plain(cx.get("negative_slope")) ?? 0;
  const threshold = plain(cx.get("threshold")) ?? 0;
  if (x === undefined) return undefined;
  if (threshold !== 0) return cx.error("QN212", "a ReLU with a threshold is not supported", "threshold");
  if ((top !== undefined && !(Number.isFinite(top) && top >= 0)) || !(Number.isFinite(slope) && slope >= 0))
    return cx.error("QN200", "max_value and negative_slope must be finite and not negative", "max_value");
  const zero = cx.scalar(0);
  const positive = cx.max(x, zero);
  const capped = top === undefined ? positive : cx.min(positive, cx.scalar(Math.fround(top)));
  return { value: slope === 0 ? capped : cx.add(capped, cx.scale(cx.min(x, zero), Math.fround(slope))) };
};

export const leakyRelu = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  const slope = plain(cx.get("alpha")) ?? plain(cx.get("negative_slope")) ?? 0.3;
  if (x === undefined) return undefined;
  if (!(Number.isFinite(slope) && slope >= 0)) return cx.error("QN200", "the slope must be finite and not negative", "alpha");
  const zero = cx.scalar(0);
  return { value: cx.add(cx.max(x, zero), cx.scale(cx.min(x, zero), Math.fround(slope))) };
};

function plain(v: Json | undefined): number | undefined {
  if (isObject(v) && isObject(v.config)) return plain(v.config.value);
  return v === null || v === undefined ? undefined : typeof v === "number" ? v : Number.NaN;
}

export const softmaxLayer = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  const axis = cx.get("axis") ?? -1;
  const along = isArray(axis) && axis.length === 1 ? axis[0] : axis;
  if (x === undefined) return undefined;
  if (along !== -1 && along !== cx.shapeOf(x).length)
    return cx.error("QN212", "a softmax along an axis that is not the last is not supported", "axis");
  return { value: x, host: "softmax" };
};
