// Layers that only move elements: Flatten, Reshape, Permute, padding, cropping, repetition.
import { type Shape, sizeOf } from "../../../ir/tensor.js";
import { isArray, type Json } from "../json.js";
import { type Failed, type LayerContext, type LayerResult, show } from "./context.js";
import { channelsLast, MAX_ELEMENTS, type Pads, padSpatial, reshaped, spatialShape, tooLarge, transpose } from "./spatial.js";

type Import = (cx: LayerContext) => LayerResult | Failed;
const MAX_SIZE = 1 << 20;

const result = (value: number | Failed): LayerResult | Failed => (value === undefined ? undefined : { value });

/** Keras flattens a channels_first image as if its channels were last. */
export const flatten: Import = (cx) => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const rank = cx.shapeOf(x).length - 1;
  return result(rank < 1 ? x : channelsLast(cx, x, rank, (y) => reshaped(cx, y, [sizeOf(cx.shapeOf(y))])));
};

export const reshape: Import = (cx) => {
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

/** `dims` counts the axes from 1, since 0 is the batch. */
export const permute: Import = (cx) => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const rank = cx.shapeOf(x).length;
  const dims = cx.sizes("dims", rank, 1, rank);
  if (!dims) return undefined;
  if (new Set(dims).size !== rank) return cx.error("QN209", `\`dims\` = ${show(cx.get("dims"))} does not name each axis once`, "dims");
  return {
    value: transpose(
      cx,
      x,
      dims.map((d) => d - 1),
    ),
  };
};

/** One number for all sides, one for both sides of each axis, or a pair for each axis. For one axis a plain pair. */
function sidesOf(cx: LayerContext, key: string, rank: number): Pads | Failed {
  const json = cx.get(key) ?? 1;
  const isCount = (v: Json | undefined): v is number => typeof v === "number" && Number.isInteger(v) && v >= 0 && v <= MAX_SIZE;
  const pairOf = (v: Json | undefined): readonly [number, number] | undefined => {
    if (isCount(v)) return [v, v];
    return isArray(v) && v.length === 2 && isCount(v[0]) && isCount(v[1]) ? [v[0], v[1]] : undefined;
  };
  const list =
    rank === 1 ? [pairOf(json)] : isArray(json) ? json.map(pairOf) : new Array<ReturnType<typeof pairOf>>(rank).fill(pairOf(json));
  if (list.length === rank && list.every((p) => p !== undefined)) return list;
  return cx.error("QN200", `\`${key}\` must be a number, or for each of ${rank} axes a number or a pair, not ${show(json)}`, key);
}

export const zeroPadding =
  (rank: number): Import =>
  (cx) => {
    const x = cx.input();
    const pads = sidesOf(cx, "padding", rank);
    return x === undefined || !pads ? undefined : result(channelsLast(cx, x, rank, (y) => padSpatial(cx, "pad", y, pads)));
  };

export const cropping =
  (rank: number): Import =>
  (cx) => {
    const x = cx.input();
    const sides = sidesOf(cx, "cropping", rank);
    if (x === undefined || !sides) return undefined;
    const crop = (y: number): number | Failed => {
      const shape = cx.shapeOf(y);
      const spatial = spatialShape(cx, y, rank);
      const gone = spatial.findIndex((n, d) => sides[d]![0] + sides[d]![1] >= n);
      if (gone >= 0) return cx.error("QN209", `nothing is left of an axis of ${spatial[gone]} elements`, "cropping");
      const lead = shape.length - rank - 1;
      const along = (d: number): readonly [number, number] => sides[d - lead] ?? [0, 0];
      return cx.graph.add("slice", [y], {
        start: shape.map((_, d) => (d < lead ? 0 : along(d)[0])),
        stop: shape.map((n, d) => (d < lead ? n : n - along(d)[1])),
        step: shape.map(() => 1),
      });
    };
    return result(channelsLast(cx, x, rank, crop));
  };

function resized(cx: LayerContext, x: number, factors: Shape): number | Failed {
  const size = sizeOf(cx.shapeOf(x)) * sizeOf(factors);
  return size > MAX_ELEMENTS ? tooLarge(cx, size) : cx.graph.add("resize", [x], { factors });
}

export const upsampling =
  (rank: number): Import =>
  (cx) => {
    const x = cx.input();
    const size = cx.sizes("size", rank, 1, MAX_SIZE, 2);
    if (x === undefined || !size || !cx.requires("interpolation", ["nearest"], "nearest repeats elements; others would need a convolution"))
      return undefined;
    return result(
      channelsLast(cx, x, rank, (y) =>
        resized(cx, y, [
          ...cx
            .shapeOf(y)
            .slice(0, -rank - 1)
            .map(() => 1),
          ...size,
          1,
        ]),
      ),
    );
  };

export const repeatVector: Import = (cx) => {
  const x = cx.input();
  const n = cx.integer("n", 1, MAX_SIZE);
  if (x === undefined || n === undefined) return undefined;
  const shape = cx.shapeOf(x);
  if (shape.length !== 1) return cx.error("QN209", `the layer repeats a vector, and its input has ${shape.length} axes`);
  return result(resized(cx, reshaped(cx, x, [1, ...shape]), [n, 1]));
};

/** Dropout and its kind only act in training. */
export const identity: Import = (cx) => {
  const x = cx.input();
  return x === undefined ? undefined : { value: x };
};
