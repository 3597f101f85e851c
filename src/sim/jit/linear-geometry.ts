// Where a matrix op reads: the pixels under each position's window, and the elements of one group there. dense is a window of one pixel.
import type { NodeWith } from "../../ir/graph.js";
import { convGeometry } from "../../ir/ops/conv.js";
import { gridOffsets, windowShape } from "../../ir/ops/window.js";
import { type Shape, sizeOf } from "../../ir/tensor.js";

export interface Geometry {
  /** Pixels of the operand, and the elements of each. */
  readonly pixels: number;
  readonly channels: number;
  readonly groups: number;
  /** Per group. */
  readonly units: number;
  /** The pixel where each position's window begins. */
  readonly starts: readonly number[];
  /** From there, the pixels of the window. */
  readonly taps: readonly number[];
}

/** Channels that a group reads. */
export const shareOf = (g: Geometry): number => g.channels / g.groups;

/** Elements that lie one after the other under a window: where each run begins, counted from the window's first element. */
export interface Runs {
  readonly begins: readonly number[];
  readonly length: number;
}

/** The pixels where windows begin, in row-major order of positions, and the pixels of a window. */
export function windowPixels(
  x: Shape,
  window: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Pick<Geometry, "starts" | "taps"> {
  const lead = x.length - window.length - 1;
  const spatial = x.slice(lead, -1);
  const step = spatial.map((_, d) => sizeOf(spatial.slice(d + 1)));
  const positions = (windowShape(x, window, strides, dilations) as readonly number[]).slice(lead);
  return {
    starts: gridOffsets([sizeOf(x.slice(0, lead)), ...positions], [sizeOf(spatial), ...positions.map((_, d) => strides[d]! * step[d]!)]),
    taps: gridOffsets(window, window.map((_, d) => dilations[d]! * step[d]!)),
  };
}

export function geometryOf(node: NodeWith<"dense"> | NodeWith<"conv">, x: Shape): Geometry {
  if (node.op === "dense") {
    const [channels, units] = node.attrs.kernel.shape as readonly [number, number];
    const pixels = sizeOf(x) / channels;
    return { pixels, channels, groups: 1, units, starts: Array.from({ length: pixels }, (_, i) => i), taps: [0] };
  }
  const { kernel, groups, strides, dilations } = node.attrs;
  const { window, channels, units } = convGeometry(kernel, groups);
  return { pixels: sizeOf(x) / channels, channels, groups, units: units / groups, ...windowPixels(x, window, strides, dilations) };
}

/** The runs of one group's window where `step` elements lie from one pixel to the next. */
export function runsOf(g: Geometry, step: number): Runs {
  const share = shareOf(g);
  const { taps } = g;
  let together = 1;
  if (share === step) {
    const end = taps.findIndex((t, i) => i > 0 && t !== taps[i - 1]! + 1);
    const first = end < 0 ? taps.length : end;
    if (taps.length % first === 0 && taps.every((t, i) => i % first === 0 || t === taps[i - 1]! + 1)) together = first;
  }
  return { begins: taps.filter((_, i) => i % together === 0).map((t) => t * step), length: together * share };
}
