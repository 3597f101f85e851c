// Trained networks against their framework: quantized weights, every layer's values and the logits, with the reference interpreter.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { readKeras } from "../src/frontend/keras/read-keras.js";
import { dyadic, exponent, fixed, shiftFloor, toNumber } from "../src/ir/fixed.js";
import type { Graph } from "../src/ir/graph.js";
import { numbersOf } from "../src/ir/tensor.js";
import { type NpyArray, parseNpy, parseNpz } from "../src/npy.js";
import { assignPrecision } from "../src/passes/assign-precision.js";
import { foldBatchnorm } from "../src/passes/fold-batchnorm.js";
import { evaluateAll } from "../src/sim/reference.js";
import { golden, goldenText, hasGolden, skip } from "./support/golden.js";

interface Case {
  readonly dir: string;
  readonly model: string;
  readonly weights?: string;
  readonly until?: string;
  /** Edits the model's text before it is read. */
  readonly edit?: (text: string) => string;
}

const models: readonly Case[] = [
  { dir: "models/qkeras_3layer", model: "qkeras_3layer.json", weights: "qkeras_3layer_weights.h5" },
  { dir: "models/qkeras_v3_3layer", model: "qkeras-v3_3layer.keras" },
  { dir: "models/qkeras_mnist_dense", model: "qkeras_mnist_dense.json", weights: "qkeras_mnist_dense_weights.h5" },
];
/** The same network in each of the containers that Keras 2.14 writes. */
const containers: readonly Pick<Case, "model" | "weights">[] = [
  { model: "model.json", weights: "model_weights.h5" },
  { model: "model.json", weights: "model.weights.h5" },
  { model: "model.h5" },
];
const random = ["00", "02", "03", "05", "07", "08", "32"].flatMap((n) =>
  containers.map((c): Case => ({ dir: `random-qkeras/${n}`, ...c, ...(n === "08" ? { until: "out" } : {}) })),
);

/** Float layers: the framework's own float32 rounding stands between the two. */
const floats: readonly Case[] = [
  { dir: "models/KERAS_3layer", model: "KERAS_3layer.json", weights: "KERAS_3layer_weights.h5" },
  { dir: "models/KERAS_3layer_batch_norm", model: "KERAS_3layer_batch_norm.json", weights: "KERAS_3layer_batch_norm_weights.h5" },
  { dir: "models/KERAS_3layer_70pruned", model: "KERAS_3layer.json", weights: "KERAS_3layer_70pruned_retrained_weights.h5" },
  { dir: "models/KERAS_mnist_14x14_mlp", model: "KERAS_mnist_14x14_mlp.json", weights: "KERAS_mnist_14x14_mlp_weights.h5" },
  { dir: "models/nrp_float", model: "nrp_model_1_keras_model.keras" },
  { dir: "models/nrp_float", model: "nrp_model_1_best_94k.h5" },
  { dir: "models/nrp_float_keras3", model: "nrp_float_resaved_by_keras3.keras" },
  { dir: "models/openml_pruned90", model: "model_2.2_hls4ml_prj_prune_90_keras_model.keras" },
  { dir: "random-qkeras/10", model: "model.json", weights: "model_weights.h5" },
  // The golden logits of 33 are those before its last layer's sigmoid.
  {
    dir: "random-qkeras/33",
    model: "model.json",
    weights: "model_weights.h5",
    edit: (t) => t.replace('"activation": "sigmoid"', '"activation": "linear"'),
  },
  { dir: "random-keras2/00", model: "model.json", weights: "model_weights.h5" },
  { dir: "random-keras2/00", model: "model.h5" },
  { dir: "random-keras2/00", model: "model_k2.keras" },
  { dir: "random-keras3/00", model: "model.keras" },
  { dir: "random-keras3/00", model: "model_k3.h5" },
];

interface Meta {
  readonly input_grid_f: readonly number[];
  readonly input_min: number;
  readonly input_max: number;
}

const npy = (path: string): NpyArray => parseNpy(golden(path)!, path, new Reporter())!;
const npz = (path: string): ReadonlyMap<string, NpyArray> => parseNpz(golden(path)!, path, new Reporter())!;
const messages = (r: Reporter): string => r.diagnostics.map((d) => renderText(d)).join("\n");

async function read(c: Case): Promise<Graph> {
  const reporter = new Reporter();
  const files = new Map([c.model, c.weights].filter((f) => f !== undefined).map((f) => [f, golden(`${c.dir}/${f}`)!]));
  if (c.edit) files.set(c.model, new TextEncoder().encode(c.edit(goldenText(`${c.dir}/${c.model}`)!)));
  const graph = await readKeras(
    { model: c.model, ...(c.weights ? { weights: c.weights } : {}), files },
    c.until ? { until: c.until } : {},
    reporter,
  );
  assert.ok(graph, messages(reporter));
  return graph;
}

/** The narrowest input type that holds the golden inputs, and widths that round nothing of note. */
function optionsOf(meta: Meta) {
  const f = meta.input_grid_f[0]!;
  const int = Math.ceil(Math.log2(Math.max(-meta.input_min, meta.input_max + 2 ** -f))) + 1;
  return { inputType: { type: fixed(int + f, int), round: "TRN", overflow: "WRAP" }, width: 40, pipeline: { stages: 0 } } as const;
}

function typed(graph: Graph, meta: Meta): Graph {
  const reporter = new Reporter();
  const out = assignPrecision.run(graph, { options: optionsOf(meta), reporter });
  assert.ok(out, messages(reporter));
  return out;
}

const rowsOf = (a: NpyArray): number => a.shape[0]!;
const row = (a: NpyArray, i: number): readonly number[] => {
  const n = a.data.length / rowsOf(a);
  return Array.from({ length: n }, (_, j) => Number(a.data[i * n + j]));
};

/** Every node's values for one input row, in doubles. */
function run(graph: Graph, x: readonly number[]): readonly (readonly number[])[] {
  const type = graph.nodes[graph.inputs[0]!]!.type.elem;
  assert.ok(type !== "real");
  const mantissas = x.map((v) => {
    const d = dyadic(v);
    assert.ok(d.m === 0n || d.exp >= exponent(type), `${v} is off the input grid`);
    return shiftFloor(d.m, d.exp - exponent(type));
  });
  return evaluateAll(graph, [mantissas]).map((values, i) => {
    const elem = graph.nodes[i]!.type.elem;
    assert.ok(elem !== "real");
    return values.map((m) => toNumber(m, exponent(elem)));
  });
}

const t = suite("keras golden networks");

async function check(c: Case): Promise<void> {
  const meta = JSON.parse(goldenText(`${c.dir}/meta.json`)!) as Meta;
  const graph = typed(await read(c), meta);
  const [input, logits] = [npy(`${c.dir}/input.npy`), npy(`${c.dir}/logits.npy`)];
  const layers = npz(`${c.dir}/layers.npz`);
  const seen = new Set<string>();
  for (let i = 0; i < rowsOf(input); i++) {
    const values = run(graph, row(input, i));
    assert.equal(values[graph.outputs[0]!.value], row(logits, i), `logits of row ${i}`);
    for (const layer of graph.layers) {
      const want = layers.get(layer.name);
      if (!want || layer.value < 0 || i >= rowsOf(want)) continue;
      assert.equal(values[layer.value], row(want, i), `${layer.name}, row ${i}`);
      seen.add(layer.name);
    }
  }
  assert.ok(seen.size >= 3, `only ${[...seen].join(", ")} compared`);
}

/** Kernels and biases against the framework's own quantized weights, which may be one float32 rounding off the grid. */
async function checkWeights(c: Case): Promise<void> {
  const graph = await read(c);
  let compared = 0;
  for (const [key, want] of npz(`${c.dir}/weights_q.npz`)) {
    const [name, kind] = key.split("__");
    const layer = graph.layers.findIndex((l) => l.name === name);
    const node = graph.nodes.find((n) => n.layer === layer && n.op === "dense");
    const tensor = node?.op !== "dense" ? undefined : kind === "kernel" ? node.attrs.kernel : node.attrs.bias;
    if (!tensor) continue;
    for (const [i, v] of numbersOf(tensor).entries()) {
      assert.ok(Math.abs(v - Number(want.data[i])) <= 1e-6, `${key}[${i}]: ${v}, framework ${want.data[i]}`);
    }
    compared++;
  }
  assert.ok(compared > 0);
}

/** Within 1e-4 of the logits' range, with 40 bits for every weight and result, folded and unfolded. */
async function checkFloat(c: Case): Promise<void> {
  const meta = JSON.parse(goldenText(`${c.dir}/meta.json`)!) as Meta;
  const graph = await read(c);
  const [input, logits] = [npy(`${c.dir}/input.npy`), npy(`${c.dir}/logits.npy`)];
  const folded = foldBatchnorm.run(graph, { options: optionsOf(meta), reporter: new Reporter() });
  assert.ok(folded);
  for (const g of [typed(graph, meta), typed(folded, meta)]) {
    for (let i = 0; i < Math.min(rowsOf(input), 24); i++) {
      const want = row(logits, i);
      const got = run(g, row(input, i))[g.outputs[0]!.value]!;
      const scale = want.reduce((a, v) => Math.max(a, Math.abs(v)), 1);
      for (const [j, v] of want.entries()) {
        assert.ok(Math.abs(got[j]! - v) <= 1e-4 * scale, `row ${i}, output ${j}: ${got[j]}, framework ${v}`);
      }
    }
  }
}

if (hasGolden) {
  for (const c of floats) t(`${c.dir} (${c.weights ?? c.model}): logits within float32 rounding`, () => checkFloat(c));
  for (const c of [...models, ...random]) {
    t(`${c.dir} (${c.weights ?? c.model}): logits and layers, 0 differences`, () => check(c));
    t(`${c.dir} (${c.weights ?? c.model}): weights`, () => checkWeights(c));
  }
} else skip("keras golden networks: ../shared/golden is absent");

t.run();
