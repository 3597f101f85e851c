// Small Keras models with an hls4ml configuration, for tests: built from layer descriptions, read, and run with the exact reference.
import { Reporter, renderText } from "../../src/diagnostics.js";
import { readHls4ml } from "../../src/frontend/hls4ml/read-hls4ml.js";
import { exponent, toNumber } from "../../src/ir/fixed.js";
import type { Graph } from "../../src/ir/graph.js";
import type { NpyArray } from "../../src/npy.js";
import { evaluate } from "../../src/sim/reference.js";
import { givenInputs } from "../../src/sim/vectors.js";

export interface LayerText {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** hls4ml's HLSConfig. */
export interface HlsConfigText {
  readonly Model: Readonly<Record<string, unknown>>;
  readonly LayerType?: Readonly<Record<string, unknown>>;
  readonly LayerName?: Readonly<Record<string, unknown>>;
}

export interface Read {
  readonly graph: Graph | undefined;
  readonly reporter: Reporter;
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

/** A Sequential model of the layers behind an input called `x`. JSON is YAML, so the configuration is written as JSON. */
export async function readSmall(
  shape: readonly number[],
  layers: readonly LayerText[],
  config: HlsConfigText | string,
  options: { readonly fix?: boolean; readonly weights?: Uint8Array } = {},
): Promise<Read> {
  const input = { class_name: "InputLayer", config: { name: "x", batch_input_shape: [null, ...shape], dtype: "float32" } };
  const model = { class_name: "Sequential", config: { name: "small", layers: [input, ...layers] } };
  const files = new Map([
    ["small.json", encode(model)],
    ["hls.yml", encode(typeof config === "string" ? config : { HLSConfig: config })],
  ]);
  if (options.weights) files.set("small.h5", options.weights);
  const reporter = new Reporter();
  const graph = await readHls4ml(
    { model: "small.json", files, ...(options.weights ? { weights: "small.h5" } : {}) },
    { name: "small", config: "hls.yml", fix: options.fix ?? false },
    reporter,
  );
  return { graph, reporter };
}

export const messages = (r: Reporter): string => r.diagnostics.map((d) => renderText(d)).join("\n");

/** The only output for rows of the input, in doubles. */
export function runRows(graph: Graph, x: NpyArray, rows: readonly number[]): readonly (readonly number[])[] {
  const reporter = new Reporter();
  const samples = givenInputs(graph, [x], reporter)?.[0];
  if (!samples) throw new Error(messages(reporter));
  const elem = graph.nodes[graph.outputs[0]!.value]!.type.elem;
  if (elem === "real") throw new Error("the output is real");
  return rows.map((r) => evaluate(graph, [samples[r]!])[0]!.map((m) => toNumber(m, exponent(elem))));
}
