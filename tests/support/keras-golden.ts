// Runs a model of the golden data in the simulator with every layer as an output, beside what its framework computed.
import type { Options } from "../../src/compile.js";
import { simulate, typeModel } from "../../src/compile.js";
import { Reporter, renderText } from "../../src/diagnostics.js";
import { fixed, type Conversion } from "../../src/ir/fixed.js";
import type { Graph } from "../../src/ir/graph.js";
import { type NpyArray, parseNpy, parseNpz } from "../../src/npy.js";
import { golden, goldenList, goldenText } from "./golden.js";

export interface KerasCase {
  readonly dir: string;
  readonly model: string;
  readonly weights?: string;
}

export interface Meta {
  readonly bit_exact_expected: boolean;
  readonly input_grid_f: readonly number[];
  readonly input_min: number;
  readonly input_max: number;
}

export const metaOf = (dir: string): Meta => JSON.parse(goldenText(`${dir}/meta.json`)!) as Meta;
export const messages = (r: Reporter): string => r.diagnostics.map((d) => renderText(d)).join("\n");
const npy = (path: string): NpyArray => parseNpy(golden(path)!, path, new Reporter())!;
const npz = (path: string): ReadonlyMap<string, NpyArray> => parseNpz(golden(path)!, path, new Reporter())!;

/** Arrays `name.npy`, or `name_0.npy`, `name_1.npy` … of a folder. */
export function arrays(dir: string, name: "input" | "output" | "logits"): readonly NpyArray[] {
  const numbered = goldenList(dir).filter((f) => f.startsWith(`${name}_`) && f.endsWith(".npy"));
  return (numbered.length > 0 ? numbered : [`${name}.npy`]).map((f) => npy(`${dir}/${f}`));
}

/** The narrowest input type that holds inputs which lie on a grid. */
export function gridType(meta: Meta): Conversion {
  const f = Math.max(...meta.input_grid_f);
  const int = Math.ceil(Math.log2(Math.max(-meta.input_min, meta.input_max + 2 ** -f))) + 1;
  return { type: fixed(int + f, int), round: "TRN", overflow: "WRAP" };
}

/** The typed graph of a model, as `qnnc` makes it. */
export async function typedModel(c: KerasCase, options: Options): Promise<Graph> {
  const names = [c.model, ...(c.weights ? [c.weights] : [])];
  const reporter = new Reporter();
  const source = {
    model: c.model,
    ...(c.weights ? { weights: c.weights } : {}),
    files: new Map(names.map((n) => [n, golden(`${c.dir}/${n}`)!])),
  };
  const typed = await typeModel(source, options, reporter);
  if (!typed) throw new Error(`${c.dir}: ${messages(reporter)}`);
  return typed.graph;
}

export interface Compared {
  readonly name: string;
  readonly got: Float64Array;
  readonly want: Float64Array;
}

const doubles = (a: NpyArray): Float64Array => Float64Array.from(a.data, Number);

/** Outputs of all rows, and the layers' values of the rows that the folder records: the first ones, and where there are edge rows those at the end. */
export async function compareAll(
  c: KerasCase,
  graph: Graph,
): Promise<{ readonly outputs: readonly Compared[]; readonly layers: readonly Compared[] }> {
  const recorded = npz(`${c.dir}/layers.npz`);
  const edges = goldenList(c.dir).includes("layers_edge.npz") ? npz(`${c.dir}/layers_edge.npz`) : new Map<string, NpyArray>();
  const shown = graph.layers.filter((l) => l.value >= 0 && recorded.has(l.name));
  const reporter = new Reporter();
  const all: Graph = { ...graph, outputs: [...graph.outputs, ...shown.map((l) => ({ name: `layer ${l.name}`, value: l.value }))] };
  const made = await simulate(all, reporter);
  const inputs = arrays(c.dir, "input");
  const rows = inputs[0]!.shape[0]!;
  const result = made?.simulator.run(inputs.map(doubles), rows, reporter);
  if (!result) throw new Error(`${c.dir}: ${messages(reporter)}`);
  const logits = graph.outputs.length === 1 ? arrays(c.dir, "logits") : arrays(c.dir, "output");
  const side = (name: string, k: number, want: NpyArray, atEnd = false): Compared => {
    const [all, values] = [result.outputs[k]!, doubles(want)];
    return { name, got: atEnd ? all.subarray(all.length - values.length) : all.subarray(0, values.length), want: values };
  };
  return {
    outputs: graph.outputs.map((o, k) => side(o.name, k, logits[k]!)),
    layers: shown.flatMap((l, i) => {
      const k = graph.outputs.length + i;
      const edge = edges.get(l.name);
      return [side(l.name, k, recorded.get(l.name)!), ...(edge ? [side(`${l.name}, edge rows`, k, edge, true)] : [])];
    }),
  };
}

export const differences = ({ got, want }: Compared): number => want.reduce((n, v, i) => n + Number(got[i] !== v), 0);
export const worst = ({ got, want }: Compared): number => want.reduce((w, v, i) => Math.max(w, Math.abs(got[i]! - v)), 0);
