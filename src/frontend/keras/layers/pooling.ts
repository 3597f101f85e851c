// Pooling: maxima, averages as sums times a constant, global pools, and QKeras' pools with a quantized constant.
import { type Shape, sizeOf } from "../../../ir/tensor.js";
import { applyActivation } from "./activation.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { divide } from "./division.js";
import type { Family } from "./kernel.js";
import { quantizedWeight } from "./quantized-weight.js";
import { channelsLast, type Padding, type Pads, padSpatial, padsOf, reshaped, spatialShape, type Windows, windowsOf } from "./spatial.js";

const PADDINGS: readonly Padding[] = ["valid", "same"];

/** Zeros would be a wrong maximum of negative values; a repeated edge lies in the window already. */
export const maxPooling =
  (rank: number) =>
  (cx: LayerContext): LayerResult | Failed =>
    pooling(cx, rank, (x, windows, pads) => {
      const padded = padSpatial(cx, "edgepad", x, pads);
      return padded === undefined ? undefined : cx.graph.add("maxpool", [padded], { window: windows.window, strides: windows.strides });
    });

/** Only elements of the input are counted, so a window over the edge has a smaller divisor. */
export const averagePooling =
  (rank: number, family: Family) =>
  (cx: LayerContext): LayerResult | Failed => {
    const result = pooling(cx, rank, (x, windows, pads) => {
      const padded = padSpatial(cx, "pad", x, pads);
      if (padded === undefined) return undefined;
      const sums = cx.graph.add("sumpool", [padded], { window: windows.window, strides: windows.strides });
      if (cx.graph.isPoisoned(sums)) return undefined;
      const counts = countsOf(windows, pads, spatialShape(cx, x, rank), spatialShape(cx, sums, rank));
      return family === "keras" ? divide(cx, sums, counts) : quantizedAverage(cx, sums, counts, sizeOf(windows.window));
    });
    return result && family === "qkeras" ? applyActivation(cx, "activation", result.value, family) : result;
  };

function pooling(cx: LayerContext, rank: number, body: (x: number, windows: Windows, pads: Pads) => number | Failed): LayerResult | Failed {
  const x = cx.input();
  const windows = windowsOf(cx, rank, "pool_size", PADDINGS);
  if (x === undefined || !windows) return undefined;
  const value = channelsLast(cx, x, rank, (y) => body(y, windows, padsOf(windows, spatialShape(cx, y, rank))));
  return value === undefined ? undefined : { value };
}

/** How many elements of the input each position covers, as a tensor [positions…, 1]. */
interface Counts {
  readonly shape: Shape;
  readonly values: readonly number[];
}

function countsOf({ window, strides }: Windows, pads: Pads, input: Shape, positions: Shape): Counts {
  const along = positions.map((n, d) =>
    Array.from({ length: n }, (_, p) => {
      const start = p * strides[d]! - pads[d]![0];
      return Math.min(start + window[d]!, input[d]!) - Math.max(start, 0);
    }),
  );
  const values = along.reduce((all, axis) => all.flatMap((a) => axis.map((b) => a * b)), [1]);
  const [first] = values;
  return values.every((v) => v === first) ? { shape: [], values: [first!] } : { shape: [...positions, 1], values };
}

/** QKeras: the average times the window's area, which is the sum again, times the quantized 1/area. */
function quantizedAverage(cx: LayerContext, sums: number, { shape, values }: Counts, area: number): number | Failed {
  const whole = values.every((n) => n === area)
    ? sums
    : cx.mul(
        sums,
        cx.float(
          shape,
          values.map((n) => area / n),
          sums,
        ),
      );
  const quantizer = cx.quantizer("average_quantizer");
  if (quantizer === undefined) return undefined;
  if (quantizer === null) return cx.mul(whole, cx.float([], [1 / area], whole));
  const factor = quantizedWeight(cx, "average_quantizer", quantizer, { shape: [1], values: Float64Array.of(Math.fround(1 / area)) }, false);
  return factor && cx.mul(whole, cx.constant(factor.value));
}

type Reduce = (cx: LayerContext, x: number, window: readonly number[]) => number | Failed;

/** One window over all spatial axes, which then disappear. */
const globalPooling = (cx: LayerContext, rank: number, reduce: Reduce): number | Failed => {
  const x = cx.input();
  const keep = cx.flag("keepdims", false);
  if (x === undefined || keep === undefined) return undefined;
  return channelsLast(cx, x, rank, (y) => {
    const value = reduce(cx, y, spatialShape(cx, y, rank));
    if (value === undefined || keep) return value;
    const shape = cx.shapeOf(value);
    return reshaped(cx, value, [...shape.slice(0, -rank - 1), shape.at(-1)!]);
  });
};

export const globalMaxPooling =
  (rank: number) =>
  (cx: LayerContext): LayerResult | Failed => {
    const value = globalPooling(cx, rank, (_, x, window) => cx.graph.add("maxpool", [x], { window, strides: window }));
    return value === undefined ? undefined : { value };
  };

export const globalAveragePooling =
  (rank: number, family: Family) =>
  (cx: LayerContext): LayerResult | Failed => {
    const value = globalPooling(cx, rank, (_, x, window) => {
      const sums = cx.graph.add("sumpool", [x], { window, strides: window });
      const counts: Counts = { shape: [], values: [sizeOf(window)] };
      return family === "keras" ? divide(cx, sums, counts) : quantizedAverage(cx, sums, counts, sizeOf(window));
    });
    if (value === undefined) return undefined;
    return family === "keras" ? { value } : applyActivation(cx, "activation", value, family);
  };
