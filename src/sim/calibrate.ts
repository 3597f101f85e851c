// Calibration: the range that each layer's value takes on given samples, in double precision.
import type { Reporter } from "../diagnostics.js";
import type { Graph, NodeWith } from "../ir/graph.js";
import { sizeOf } from "../ir/tensor.js";
import type { Observed } from "../ir/vectors.js";
import type { NpyArray } from "../npy.js";
import { evaluateFloat } from "./float-reference.js";

/** One array an input in the model's order, or by the inputs' names. */
export type Calibration = readonly NpyArray[] | ReadonlyMap<string, NpyArray>;

/** Multiplications and other elements that are computed at most, unless one sample takes more. */
const WORK = 300_000_000;

const isNamed = (c: Calibration): c is ReadonlyMap<string, NpyArray> => c instanceof Map;
const inputsOf = (graph: Graph): readonly NodeWith<"input">[] => graph.inputs.map((id) => graph.nodes[id] as NodeWith<"input">);

/** The arrays in the order of the inputs, or undefined after saying what does not fit (QN500). */
function ordered(graph: Graph, given: Calibration, reporter: Reporter): readonly NpyArray[] | undefined {
  const fail = (why: string): undefined => reporter.error("QN500", `--calibrate: ${why}`, { help: "give one array of shape (samples, …) an input, in the model's order or by name" });
  const inputs = inputsOf(graph);
  const arrays = isNamed(given) ? inputs.map((node) => given.get(node.attrs.name)) : given;
  if (arrays.length !== inputs.length) return fail(`${arrays.length} arrays are given, and the model has ${inputs.length} inputs`);
  const samples = arrays[0]?.shape[0] ?? 0;
  for (const [k, { attrs }] of inputs.entries()) {
    const array = arrays[k];
    if (!array) return fail(`there is no array \`${attrs.name}\``);
    if (samples === 0 || array.shape[0] !== samples || array.data.length !== samples * sizeOf(attrs.shape))
      return fail(`input \`${attrs.name}\` takes (samples, ${attrs.shape.join(", ")}), and the array has (${array.shape.join(", ")})`);
  }
  return arrays as readonly NpyArray[];
}

const costOf = (graph: Graph): number =>
  graph.nodes.reduce((n, node) => {
    const elements = sizeOf(node.type.shape);
    return n + (node.op === "dense" || node.op === "conv" ? (elements * node.attrs.kernel.data.length) / node.attrs.kernel.shape.at(-1)! : elements);
  }, 0);

/** Which of `all` samples are run in double precision: all, or evenly picked ones where that would take too long. */
export function pickedSamples(graph: Graph, all: number): readonly number[] {
  const count = Math.min(all, Math.max(1, Math.floor(WORK / costOf(graph))));
  return Array.from({ length: count }, (_, k) => Math.floor((k * all) / count));
}

export function calibrate(graph: Graph, given: Calibration, reporter: Reporter): Observed | undefined {
  const arrays = ordered(graph, given, reporter);
  if (!arrays) return undefined;
  const all = arrays[0]!.shape[0]!;
  const seen = new Map<string, { lo: number; hi: number }>();
  for (const sample of pickedSamples(graph, all)) {
    const inputs = arrays.map(({ data }) => {
      const size = data.length / all;
      return Array.from(data.subarray(sample * size, (sample + 1) * size) as ArrayLike<number | bigint>, Number);
    });
    if (inputs.some((x) => !x.every(Number.isFinite))) return reporter.error("QN502", `--calibrate: sample ${sample} holds numbers that are not finite`);
    const values = evaluateFloat(graph, inputs);
    for (const { name, value } of graph.layers) {
      if (value < 0) continue;
      const range = seen.get(name) ?? { lo: Number.POSITIVE_INFINITY, hi: Number.NEGATIVE_INFINITY };
      seen.set(name, range);
      for (const v of values[value]!) {
        range.lo = Math.min(range.lo, v);
        range.hi = Math.max(range.hi, v);
      }
    }
  }
  return seen;
}
