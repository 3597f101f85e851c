// Networks of HGQ 1 and HGQ2 against their framework: quantized weights, logits of all rows and every layer's values, on the simulator.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { hgqLayers } from "../src/frontend/keras/hgq/index.js";
import { readKeras } from "../src/frontend/keras/read-keras.js";
import { fixed } from "../src/ir/fixed.js";
import type { Graph, GraphOutput, Node } from "../src/ir/graph.js";
import { numbersOf, sizeOf } from "../src/ir/tensor.js";
import { type NpyArray, parseNpy, parseNpz } from "../src/npy.js";
import { defaultOptions } from "../src/options.js";
import { assignPrecision } from "../src/passes/assign-precision.js";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { instantiate } from "../src/sim/simulator.js";
import { readFileSync } from "node:fs";
import { golden, goldenList, goldenText, hasGolden, skip } from "./support/golden.js";
import { fullTier } from "./support/tools.js";

const QUICK = ["models/hgq1_openml_1_train", "random-hgq2/17"];
const folders = ["random-hgq2", "models"].flatMap((top) =>
  goldenList(top).flatMap((n) => (top === "random-hgq2" || n.startsWith("hgq") ? [`${top}/${n}`] : [])),
);

interface Meta {
  readonly input_grid_f: readonly number[];
  readonly input_min: number;
  readonly input_max: number;
}

const npy = (path: string): NpyArray => parseNpy(golden(path)!, path, new Reporter())!;
const npz = (path: string): ReadonlyMap<string, NpyArray> => {
  const bytes = golden(path);
  return bytes ? parseNpz(bytes, path, new Reporter())! : new Map();
};
const messages = (r: Reporter): string => r.diagnostics.map((d) => renderText(d)).join("\n");
const numbers = (a: NpyArray): Float64Array => Float64Array.from(a.data as ArrayLike<number>, Number);

async function read(model: string, bytes: Uint8Array, reporter = new Reporter()): Promise<Graph | undefined> {
  return readKeras({ model, files: new Map([[model, bytes]]) }, {}, reporter);
}

/** The model with the narrowest input type that holds the golden inputs. Nothing else in it waits for a precision. */
async function typedModel(folder: string): Promise<Graph> {
  const meta = JSON.parse(goldenText(`${folder}/meta.json`)!) as Meta;
  const model = goldenList(folder).find((f) => /\.(keras|h5)$/.test(f))!;
  const reporter = new Reporter();
  const graph = await read(model, golden(`${folder}/${model}`)!, reporter);
  assert.ok(graph, messages(reporter));
  const f = meta.input_grid_f[0]!;
  const int = Math.ceil(Math.log2(Math.max(-meta.input_min, meta.input_max + 2 ** -f))) + 1;
  const inputType = { type: fixed(int + f, int), round: "TRN", overflow: "WRAP" } as const;
  const typed = assignPrecision.run(graph, { options: { ...defaultOptions, inputType }, reporter });
  assert.ok(typed, messages(reporter));
  assert.equal(
    reporter.diagnostics.map((d) => d.code),
    [],
    "all precisions come from the file",
  );
  return typed;
}

/** Every layer's value, and as `<layer>:iq` its first quantizer's, under the names of the golden file. */
function watched(graph: Graph, known: ReadonlySet<string>): readonly GraphOutput[] {
  const values = graph.layers.flatMap((l, i): GraphOutput[] => [
    { name: l.name, value: l.value },
    { name: `${l.name}:iq`, value: graph.nodes.findIndex((n: Node) => n.layer === i && n.op === "quantize") },
  ]);
  return values.filter((o) => o.value >= 0 && known.has(o.name));
}

function compare(got: Float64Array, want: Float64Array, what: string): void {
  assert.is(got.length, want.length, `${what}: size`);
  const bad = want.findIndex((v, i) => v !== got[i]);
  assert.is(bad, -1, `${what}: element ${bad} is ${got[bad]}, framework ${want[bad]}`);
}

async function check(folder: string): Promise<void> {
  const graph = await typedModel(folder);
  const [input, logits] = [npy(`${folder}/input.npy`), npy(`${folder}/logits.npy`)];
  const [layers, edges] = [npz(`${folder}/layers.npz`), npz(`${folder}/layers_edge.npz`)];
  // A layer that the framework called again, on the same input, is recorded again as `name@1`.
  const known = new Map([...layers.keys()].map((key) => [key, key.replace(/@\d+$/, "")]));
  const outputs = [graph.outputs[0]!, ...watched(graph, new Set(known.values()))];
  const reporter = new Reporter();
  const module = await compileSimulator({ ...graph, outputs: outputs.map((o, i) => ({ name: `o${i}`, value: o.value })) }, reporter);
  assert.ok(module, messages(reporter));
  const samples = input.shape[0]!;
  const result = (await instantiate(module)).run([numbers(input)], samples, reporter);
  assert.ok(result, messages(reporter));
  compare(result.outputs[0]!, numbers(logits), "logits");
  for (const [key, name] of known) {
    if (graph.outputs[0]!.host && graph.layers.at(-1)!.name === name) continue;
    const i = outputs.findIndex((o, n) => n > 0 && o.name === name);
    assert.ok(i > 0, `${name} has no value`);
    const values = result.outputs[i]!;
    const n = values.length / samples;
    const want = numbers(layers.get(key)!);
    compare(values.subarray(0, want.length), want, key);
    const edge = edges.get(key);
    if (edge) compare(values.subarray((samples - edge.shape[0]!) * n), numbers(edge), `${key}, edge rows`);
  }
}

/** Kernels, and biases where they are part of the op, against the framework's own after its quantizers. */
async function checkWeights(folder: string): Promise<void> {
  const graph = await typedModel(folder);
  let compared = 0;
  for (const [key, want] of npz(`${folder}/weights_q.npz`)) {
    const [name, kind] = key.split("__");
    const layer = graph.layers.findIndex((l) => l.name === name);
    const node = graph.nodes.find((n) => n.layer === layer && (n.op === "dense" || n.op === "conv"));
    const tensor =
      node?.op !== "dense" && node?.op !== "conv"
        ? undefined
        : kind === "kernel"
          ? node.attrs.kernel
          : kind === "bias"
            ? node.attrs.bias
            : undefined;
    if (!tensor || sizeOf(want.shape) !== tensor.data.length) continue;
    compare(Float64Array.from(numbersOf(tensor)), numbers(want), key);
    compared++;
  }
  assert.ok(compared > 0);
}

const t = suite("keras hgq");

if (hasGolden) {
  const chosen = fullTier ? folders : folders.filter((f) => QUICK.includes(f));
  assert.ok(chosen.length >= QUICK.length);
  for (const folder of chosen) {
    t(`${folder}: logits and layers, 0 differences`, () => check(folder));
    // QDenseT has tables in place of kernels; the golden biases of the training form are those of its proxy, masked by calibration.
    if (!["random-hgq2/25", "models/hgq1_openml_1_train"].includes(folder)) t(`${folder}: weights`, () => checkWeights(folder));
  }
} else skip("keras hgq: ../shared/golden is absent");

t("the table of spec/keras.md lists exactly the layers that the code knows", () => {
  const text = readFileSync(new URL("../spec/keras.md", import.meta.url), "utf8");
  const section = text.slice(text.indexOf("## 6. HGQ and HGQ2"));
  const classes = [...section.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap((m) => [...m[1]!.matchAll(/`(\w+)`/g)].map((w) => w[1]!));
  assert.equal(classes, Object.keys(hgqLayers));
});

t("a layer of HGQ that is not supported is named, with what to do", async () => {
  const model = {
    class_name: "Sequential",
    config: {
      name: "m",
      layers: [
        { class_name: "InputLayer", config: { name: "in", batch_shape: [null, 8, 4] } },
        { module: "hgq.layers", class_name: "QMultiHeadAttention", registered_name: "hgq>QMultiHeadAttention", config: { name: "mha" } },
      ],
    },
  };
  const reporter = new Reporter();
  assert.not.ok(await read("model.json", new TextEncoder().encode(JSON.stringify(model)), reporter));
  assert.match(messages(reporter), /QN201.*`mha` is a QMultiHeadAttention of HGQ[\s\S]*--until/);
});

t.run();
