// The loops that dense, conv and the pools share: over positions, and over the pixels under the window at each; one accumulator a channel.
import { type Shape, sizeOf } from "../../ir/tensor.js";
import { type Axis, indicesOf, steps } from "./hls-axes.js";
import { type HlsBuilder, type Index, lanesOf } from "./hls-builder.js";

export interface Windows {
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

export interface WindowAxes {
  /** Leading axes as one, then positions along each spatial axis: steps in x and y. */
  readonly positions: readonly Axis[];
  /** Taps along each spatial axis: steps in x, and in a kernel whose taps have so many entries. */
  readonly taps: readonly Axis[];
}

/** The axes of a window that slides over `x`, giving `y`; both […, spatial…, channels]. */
export function windowAxes(x: Shape, y: Shape, { window, strides, dilations }: Windows, entries: number): WindowAxes {
  const lead = x.length - window.length - 1;
  const [inX, inY, inKernel] = [steps(x), steps(y), steps(window)];
  const rows = { name: "n", count: sizeOf(x.slice(0, lead)), step: { x: sizeOf(x.slice(lead)), y: sizeOf(y.slice(lead)) } };
  const positions = window.map((_, d) => ({
    name: `p${d}`,
    count: y[lead + d]!,
    step: { x: strides[d]! * inX[lead + d]!, y: inY[lead + d]! },
  }));
  const taps = window.map((count, d) => ({
    name: `k${d}`,
    count,
    step: { x: dilations[d]! * inX[lead + d]!, weights: inKernel[d]! * entries },
  }));
  return { positions: [rows, ...positions], taps };
}

/** One statement in its loops. */
interface Statement {
  readonly axes: readonly Axis[];
  readonly line: string;
}

interface Reduction extends WindowAxes {
  readonly id: number;
  /** The element type of the accumulators, one for each of the result's channels. */
  readonly accumulator: string;
  /** Before the taps, for each tap, after the taps. */
  readonly start: Statement;
  readonly step: Statement;
  readonly finish: Statement;
  /** Operations at one position. */
  readonly work: number;
}

/** Synthesis refuses loops with more unrolled operations than this. */
const MAX_PARALLEL = 4096;
/** Reads of a memory in one clock. */
const PORTS = 2;

/** Passes through all the loops. */
const passes = (indices: readonly Index[]): number => indices.reduce((n, [, count]) => n * count, 1);

/** Whether shared hardware computes a whole position at once. */
export function wholePositions(b: HlsBuilder, r: Pick<Reduction, "id" | "positions" | "work">): boolean {
  const x = b.graph.nodes[b.graph.nodes[r.id]!.operands[0]!]!.type.shape;
  return b.schedule === "shared" && passes(indicesOf(r.positions)) > 1 && r.work <= MAX_PARALLEL && lanesOf(x) === x.at(-1);
}

/** The statements of a function of x and y. */
export function windowCode(b: HlsBuilder, r: Reduction): readonly string[] {
  const shape = [b.graph.nodes[r.id]!.type.shape.at(-1)!];
  const outer = indicesOf(r.positions);
  const inside = wholePositions(b, r);
  const loops = ({ axes, line }: Statement): readonly string[] =>
    b.loops(indicesOf(axes), [line], { depth: 0, lanes: lanesOf(shape), inside });
  const declare = [`${r.accumulator} acc[${shape[0]}];`, ...b.split("acc", shape, inside)];
  const body = [...declare, ...loops(r.start), ...loops(r.step), ...loops(r.finish)];
  // A position reads one word of channels for each tap.
  return b.outerLoops(outer, body, inside ? Math.ceil(passes(indicesOf(r.taps)) / PORTS) : undefined);
}

