// Sliding windows over the spatial axes of a channels-last tensor […, spatial…, channels]: what conv and the pools share.
import { printShape, type Shape, sizeOf } from "../tensor.js";

const positive = (list: readonly number[], length: number): boolean => list.length === length && list.every((n) => Number.isInteger(n) && n > 0);

/** The result's shape without its channels: leading axes, then the number of positions along each spatial axis. A string says what does not fit. */
export function windowShape(x: Shape, window: readonly number[], strides: readonly number[], dilations: readonly number[]): Shape | string {
  const rank = window.length;
  if (rank === 0 || !positive(window, rank)) return `the window ${printShape(window)} must hold positive numbers`;
  if (!positive(strides, rank)) return `the strides ${printShape(strides)} must be ${rank} positive numbers`;
  if (!positive(dilations, rank)) return `the dilations ${printShape(dilations)} must be ${rank} positive numbers`;
  if (x.length < rank + 1) return `x has shape ${printShape(x)}; expected ${rank} spatial ${rank === 1 ? "axis" : "axes"} and the channels`;
  const lead = x.length - rank - 1;
  const at = window.map((w, d) => Math.floor((x[lead + d]! - (w - 1) * dilations[d]! - 1) / strides[d]!) + 1);
  const short = at.findIndex((n) => n < 1);
  if (short >= 0) return `the window reaches over ${(window[short]! - 1) * dilations[short]! + 1} elements of an axis of ${x[lead + short]}`;
  return [...x.slice(0, lead), ...at];
}

/** For each position, in row-major order, the pixels under the window: indices into x without its channel axis. */
export function windowIndex(x: Shape, window: readonly number[], strides: readonly number[], dilations: readonly number[]): readonly (readonly number[])[] {
  const lead = x.length - window.length - 1;
  const spatial = x.slice(lead, -1);
  const step = spatial.map((_, d) => sizeOf(spatial.slice(d + 1)));
  const positions = (windowShape(x, window, strides, dilations) as readonly number[]).slice(lead);
  const offsets = gridOffsets(window, window.map((_, d) => dilations[d]! * step[d]!));
  const starts = gridOffsets(positions, positions.map((_, d) => strides[d]! * step[d]!));
  const image = sizeOf(spatial);
  return Array.from({ length: sizeOf(x.slice(0, lead)) }, (_, n) => n * image).flatMap((base) =>
    starts.map((start) => offsets.map((offset) => base + start + offset)),
  );
}

/** Σ index·stride over all index tuples of a grid, in row-major order. */
export function gridOffsets(shape: Shape, strides: readonly number[]): readonly number[] {
  let out = [0];
  shape.forEach((count, d) => {
    out = out.flatMap((o) => Array.from({ length: count }, (_, i) => o + i * strides[d]!));
  });
  return out;
}
