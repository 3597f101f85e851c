// What convolutions, pooling and movement layers share: sizes of a window, padding, and the order of axes.
import { printShape, type Shape, sizeOf } from "../../../ir/tensor.js";
import { type Failed, type LayerContext, show } from "./context.js";

/** Every element of a typed value has an interval of its own, about 100 bytes. */
export const MAX_ELEMENTS = 1 << 21;
const MAX_SIZE = 1 << 20;

export type Padding = "valid" | "same" | "causal";

export interface Windows {
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding;
}

/** The window that the layer's options describe; `key` names its size, and a missing `strides` means the size where `pooling`. */
export function windowsOf(cx: LayerContext, rank: number, key: "kernel_size" | "pool_size", allowed: readonly Padding[]): Windows | Failed {
  const window = cx.sizes(key, rank, 1, MAX_SIZE, key === "pool_size" ? 2 : undefined);
  const strides = window && cx.sizes("strides", rank, 1, MAX_SIZE, key === "pool_size" ? window : 1);
  const dilations = cx.sizes("dilation_rate", rank, 1, MAX_SIZE, 1);
  const given = cx.get("padding") ?? "valid";
  const padding = allowed.find((p) => p === given);
  if (!padding) return cx.error("QN212", `\`padding\` = ${show(given)} is not supported`, "padding", `known: ${allowed.join(", ")}`);
  return window && strides && dilations && { window, strides, dilations, padding };
}

/** Elements before and after each axis. */
export type Pads = readonly (readonly [number, number])[];

/** `same`: as many positions as strides fit into the axis, the odd element after. `causal`: only before, so no position sees a later one. */
export function padsOf({ window, strides, dilations, padding }: Windows, spatial: Shape): Pads {
  return spatial.map((size, d) => {
    const reach = (window[d]! - 1) * dilations[d]!;
    if (padding === "valid") return [0, 0];
    if (padding === "causal") return [reach, 0];
    const total = Math.max(0, (Math.ceil(size / strides[d]!) - 1) * strides[d]! + reach + 1 - size);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
}

/** Pads the axes before the last, which holds the channels. */
export function padSpatial(cx: LayerContext, op: "pad" | "edgepad", x: number, pads: Pads): number | Failed {
  if (pads.every(([before, after]) => before === 0 && after === 0)) return x;
  const shape = cx.shapeOf(x);
  const lead = shape.length - pads.length - 1;
  const all = [...shape.slice(0, lead).map(() => [0, 0] as const), ...pads, [0, 0] as const];
  const size = sizeOf(shape.map((n, d) => n + all[d]![0] + all[d]![1]));
  if (size > MAX_ELEMENTS) return tooLarge(cx, size);
  return cx.graph.add(op, [x], { pads: all.flat() });
}

export const tooLarge = (cx: LayerContext, size: number): Failed =>
  cx.error("QN213", `the layer's value has ${size} elements; the limit is ${MAX_ELEMENTS}`);

/** The sizes of the `rank` spatial axes before the channels. */
export const spatialShape = (cx: LayerContext, x: number, rank: number): Shape => cx.shapeOf(x).slice(-rank - 1, -1);

/**
 * Runs `body` on a value with its channels last. A channels_first model, whose values are [channels, spatial…], is transposed before and after;
 * kernels are laid out alike in both.
 */
export function channelsLast(cx: LayerContext, x: number, rank: number, body: (x: number) => number | Failed): number | Failed {
  const shape = cx.shapeOf(x);
  const format = cx.get("data_format") ?? "channels_last";
  if (format !== "channels_last" && format !== "channels_first")
    return cx.error("QN212", `\`data_format\` = ${show(format)} is not known`, "data_format");
  if (shape.length < rank + 1)
    return cx.error("QN209", `the layer slides over ${rank} axes of an input with channels, and is given the shape ${printShape(shape)}`);
  if (format === "channels_last") return body(x);
  const axes = shape.map((_, d) => d);
  const lead = shape.length - rank - 1;
  const y = body(transpose(cx, x, [...axes.slice(0, lead), ...axes.slice(lead + 1), lead]));
  // A global pool without keepdims has no spatial axes left.
  if (y === undefined || cx.shapeOf(y).length < shape.length) return y;
  return transpose(cx, y, [...axes.slice(0, lead), axes.length - 1, ...axes.slice(lead, -1)]);
}

export function transpose(cx: LayerContext, x: number, order: readonly number[]): number {
  return order.every((d, i) => d === i) ? x : cx.graph.add("transpose", [x], { order });
}

export function reshaped(cx: LayerContext, x: number, shape: Shape): number {
  const from = cx.shapeOf(x);
  return shape.length === from.length && shape.every((d, i) => d === from[i]) ? x : cx.graph.add("reshape", [x], { shape });
}

/** Keras counts the batch as axis 0; negative axes count from the end. */
export function axisOf(cx: LayerContext, axis: number, x: number): number | undefined {
  const rank = cx.shapeOf(x).length;
  const at = axis < 0 ? axis + rank : axis - 1;
  return at >= 0 && at < rank ? at : undefined;
}
