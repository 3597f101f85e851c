// InputLayer: a port of the network. It needs a fixed shape.
import { sizeOf } from "../../../ir/tensor.js";
import { shapeWithoutBatch } from "../read-layers.js";
import { type Failed, type LayerContext, type LayerResult, show } from "./context.js";
import { MAX_ELEMENTS } from "./spatial.js";

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
