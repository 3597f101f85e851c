// Small Keras models for tests: their descriptions, their weights files, and what their graphs compute.
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../../src/diagnostics.js";
import { readKeras } from "../../src/frontend/keras/read-keras.js";
import { exponent, fixed, toNumber } from "../../src/ir/fixed.js";
import type { Graph } from "../../src/ir/graph.js";
import { assignPrecision } from "../../src/passes/assign-precision.js";
import { evaluate } from "../../src/sim/reference.js";
import { hdf5 } from "./hdf5.js";

export type J = null | boolean | number | string | readonly J[] | { readonly [key: string]: J };
/** Shape and data by `layer/weight`. Below a nested model the path is `model/layer/weight`. */
export type Values = Readonly<Record<string, readonly [readonly number[], readonly number[]]>>;

export const sequential = (...layers: readonly J[]): J => ({ class_name: "Sequential", config: { name: "m", layers } });
export const input = (...shape: readonly number[]): J => ({
  class_name: "InputLayer",
  config: { name: "x", batch_input_shape: [null, ...shape] },
});
export const layer = (class_name: string, name: string, config: { readonly [key: string]: J } = {}): J => ({
  class_name,
  config: { name, ...config },
});

export const functional = (layers: readonly J[], inputs: J, outputs: J, name = "m"): J => ({
  class_name: "Functional",
  config: { name, layers, input_layers: inputs, output_layers: outputs },
});
/** A layer of a functional model with its calls. */
export const wired = (l: J, ...nodes: readonly J[]): J => ({
  ...(l as { [key: string]: J }),
  name: (l as { config: { name: string } }).config.name,
  inbound_nodes: nodes,
});

/** A Keras 2 weights file. */
export const weightsFile = (values: Values): Promise<Uint8Array> =>
  hdf5((f) => {
    const layers = [...new Set(Object.keys(values).map((k) => k.split("/")[0]!))];
    f.create_attribute("layer_names", layers);
    for (const name of layers) {
      const g = f.create_group(name);
      const mine = Object.entries(values).filter(([k]) => k.startsWith(`${name}/`));
      const pathOf = (key: string): string => `${key.slice(name.length + 1)}:0`;
      g.create_attribute(
        "weight_names",
        mine.map(([k]) => pathOf(k)),
      );
      for (const [k, [shape, data]] of mine) {
        const folders = pathOf(k).split("/");
        const last = folders.pop()!;
        let at = g;
        for (const folder of folders) at = (at.keys().includes(folder) ? at.get(folder) : at.create_group(folder)) as typeof g;
        at.create_dataset({ name: last, data: Float32Array.from(data), shape: [...shape] });
      }
    }
  });

export async function tryRead(
  model: J,
  weights?: Uint8Array,
  until?: string,
): Promise<{ readonly graph: Graph | undefined; readonly reporter: Reporter }> {
  const reporter = new Reporter();
  const files = new Map<string, Uint8Array>([["m.json", new TextEncoder().encode(JSON.stringify(model))]]);
  if (weights) files.set("w.h5", weights);
  const source = { model: "m.json", ...(weights ? { weights: "w.h5" } : {}), files };
  return { graph: await readKeras(source, until === undefined ? {} : { until }, reporter), reporter };
}

export async function read(model: J, weights?: Uint8Array, until?: string): Promise<Graph> {
  const { graph, reporter } = await tryRead(model, weights, until);
  assert.ok(graph, reporter.diagnostics.map((d) => renderText(d)).join("\n"));
  return graph;
}

/** All outputs for one input row; inputs are multiples of 1/64 below 512. */
export function runAll(graph: Graph, ...inputs: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const options = {
    inputType: { type: fixed(16, 10), round: "TRN", overflow: "WRAP" },
    width: 48,
    maxCells: 1e6,
    maxTable: 4096,
    softmax: "host",
    pipeline: { stages: 0 },
  } as const;
  const typed = assignPrecision.run(graph, { options, reporter: new Reporter() })!;
  return evaluate(
    typed,
    inputs.map((x) => x.map((v) => BigInt(v * 64))),
  ).map((values, k) => {
    const { elem } = typed.nodes[typed.outputs[k]!.value]!.type;
    assert.ok(elem !== "real");
    return values.map((m) => toNumber(m, exponent(elem)));
  });
}

/** The first output. */
export const run = (graph: Graph, ...inputs: readonly (readonly number[])[]): readonly number[] => runAll(graph, ...inputs)[0]!;
