// Softmax: the host's last step where nothing else reads it, else exponentials, their sum and its reciprocal by tables.
import { addSoftmax } from "../../../ir/softmax.js";
import { isArray } from "../json.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { axisOf } from "./spatial.js";

/** Along an axis of the graph's shape, which has no batch axis. */
export function softmax(cx: LayerContext, x: number, axis = -1): LayerResult {
  const isLastAxis = axis === -1 || axis === cx.shapeOf(x).length - 1;
  return cx.last && isLastAxis ? { value: x, host: "softmax" } : { value: addSoftmax(cx.graph, x, axis) };
}

export const softmaxLayer = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const json = cx.get("axis") ?? -1;
  const along = isArray(json) && json.length === 1 ? json[0] : json;
  const axis = typeof along === "number" ? axisOf(cx, along, x) : undefined;
  if (axis === undefined) return cx.error("QN212", "a softmax over more than one axis is not supported", "axis", "reshape first, so that one axis holds them all");
  return softmax(cx, x, axis);
};
