// What `qnnc sim` tells beside the outputs: --accuracy, --trace and --compare.
import { type Diagnostic, printable, type Reporter } from "../diagnostics.js";
import type { Graph } from "../ir/graph.js";
import { sizeOf } from "../ir/tensor.js";
import { type NpyArray, type NpyData } from "../npy.js";
import { pickedSamples } from "../sim/calibrate.js";
import { evaluateFloat } from "../sim/float-reference.js";
import { answersOf, type Classification, differenceOf } from "../sim/analysis.js";
import { textTable } from "./text-table.js";

export interface Labels {
  readonly array: NpyArray;
  readonly source: string;
}

const numbers = (data: NpyData): ArrayLike<number> => (data instanceof BigInt64Array || data instanceof BigUint64Array ? Float64Array.from(data, Number) : data);

/** Class numbers: of an array (n,) or (n, 1) as they are, of one-hot rows (n, classes) the place of the largest. */
export function labelsOf({ array, source }: Labels, samples: number, classes: number, reporter: Reporter): Int32Array | undefined {
  const perSample = sizeOf(array.shape.slice(1));
  const fail = (why: string, help: string): undefined => reporter.error("QN500", `--accuracy: ${why}`, { at: { source }, help });
  if (array.shape[0] !== samples) return fail(`there are ${array.shape[0] ?? 0} labels for ${samples} samples`, "give one label a sample, in the same order");
  if (perSample !== 1 && perSample !== classes)
    return fail(`each label has ${perSample} numbers, and the output has ${classes}`, "give class numbers (n,), or one-hot rows as wide as the output");
  const values = numbers(array.data);
  if (perSample > 1) return answersOf(values, perSample, 0);
  const bad = Array.from(values).find((v) => !Number.isInteger(v) || v < 0 || v >= Math.max(2, classes));
  return bad === undefined ? Int32Array.from(values) : fail(`${bad} is no class number from 0 to ${Math.max(2, classes) - 1}`, "labels are whole numbers, or one-hot rows");
}

/** Accuracy and confusion matrix, as text. */
export function accuracyText(name: string, { samples, correct, confusion }: Classification): string {
  const heading = ["label", ...confusion.map((_, k) => String(k)), "recall"];
  const rows = confusion.map((row, label) => {
    const all = row.reduce((a, b) => a + b, 0);
    return [String(label), ...row.map(String), all === 0 ? "–" : `${((100 * row[label]!) / all).toFixed(1)} %`];
  });
  return `${printable(name)}: accuracy ${((100 * correct) / samples).toFixed(3)} %, ${correct} of ${samples} samples\n${textTable(heading, rows, new Set(heading))}`;
}

/** The graph with every layer's value as an output in place of its own, in the order of the layers; layers that passes merged away have none. */
export const tracedGraph = (graph: Graph): Graph => ({
  ...graph,
  outputs: graph.layers.flatMap((l) => (l.value >= 0 && graph.nodes[l.value]!.op !== "constant" ? [{ name: l.name, value: l.value }] : [])),
});

/** Compares layers with arrays of the same names, of as many samples as those hold; reports the first layer that differs. */
export function compareLayers(
  traced: ReadonlyMap<string, NpyArray>,
  given: ReadonlyMap<string, NpyArray>,
  { tolerance, source }: { readonly tolerance: number; readonly source: string },
  reporter: Reporter,
): readonly string[] {
  const rows: string[] = [];
  let first: Omit<Diagnostic, "level"> | undefined;
  const common = [...traced].filter(([name]) => given.has(name));
  if (common.length === 0) {
    reporter.error("QN500", "--compare: no array has the name of a layer", {
      at: { source },
      help: `it has ${[...given.keys()].slice(0, 8).map(printable).join(", ")}; the layers are ${[...traced.keys()].slice(0, 8).map(printable).join(", ")}`,
    });
  }
  for (const [name, own] of common) {
    const other = given.get(name)!;
    const perSample = sizeOf(own.shape.slice(1));
    const samples = Math.min(own.shape[0]!, other.shape[0] ?? 0);
    if (sizeOf(other.shape.slice(1)) !== perSample) {
      reporter.error("QN500", `--compare: \`${printable(name)}\` has ${sizeOf(other.shape.slice(1))} elements a sample, and the layer has ${perSample}`, { at: { source } });
      continue;
    }
    const part = (a: NpyArray): ArrayLike<number> => numbers(a.data.subarray(0, samples * perSample));
    const d = differenceOf(part(other), part(own), perSample, tolerance);
    rows.push(d ? `${printable(name)}: ${d.count} of ${d.total} values differ, by at most ${d.largest}` : `${printable(name)}: equal, ${samples} samples`);
    if (!d || first) continue;
    first = {
      code: "QN701",
      message: `layer \`${printable(name)}\`, sample ${d.sample}, element ${d.element}: ${d.expected} is given, and the network computes ${d.got}`,
      at: { source },
      help: `layers before it agree; ${d.count} of ${d.total} values of this one differ, by at most ${d.largest}`,
    };
  }
  if (first) reporter.error("QN701", first.message, { at: { source }, ...(first.help === undefined ? {} : { help: first.help }) });
  return rows;
}

/** Whether the graph holds trained floats, so that it is a model of its own beside the quantized one. */
export const isFloat = (graph: Graph): boolean =>
  graph.nodes.some((n) => ((n.op === "dense" || n.op === "conv") && n.attrs.kernel.real) || (n.op === "constant" && n.attrs.value.real));

/** How many of the picked samples get the same answer from the model in double precision. */
export function agreementText(model: Graph, read: (sample: number) => readonly ArrayLike<number>[] | undefined, answers: Int32Array, threshold: number): string {
  const samples = pickedSamples(model, answers.length);
  const { value } = model.outputs.at(-1)!;
  const agree = samples.filter((s) => {
    const inputs = read(s);
    if (!inputs) return false;
    const y = evaluateFloat(model, inputs)[value]!;
    return answersOf(y, y.length, threshold)[0] === answers[s];
  });
  return `agreement with the float model: ${((100 * agree.length) / samples.length).toFixed(3)} %, ${agree.length} of ${samples.length} samples\n`;
}
