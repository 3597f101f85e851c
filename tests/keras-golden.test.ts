// Networks of the golden data against their framework: every layer's values, the logits and the quantized weights. The quick tier takes some of each kind.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { softmax } from "../src/cli/host-steps.js";
import { Reporter } from "../src/diagnostics.js";
import { readKeras } from "../src/frontend/keras/read-keras.js";
import type { Graph } from "../src/ir/graph.js";
import { numbersOf, sizeOf } from "../src/ir/tensor.js";
import { parseNpz } from "../src/npy.js";
import { golden, goldenList, hasGolden, skip } from "./support/golden.js";
import {
  arrays,
  type Compared,
  compareAll,
  differences,
  gridType,
  type KerasCase,
  messages,
  metaOf,
  typedModel,
  worst,
} from "./support/keras-golden.js";
import { fullTier } from "./support/tools.js";

/** The same network in each of the containers that Keras 2.14 writes. */
const containers: readonly Pick<KerasCase, "model" | "weights">[] = [
  { model: "model.json", weights: "model_weights.h5" },
  { model: "model.json", weights: "model.weights.h5" },
  { model: "model.h5" },
];
const every = goldenList("random-qkeras");
/** Dense, convolution, average of 9, depthwise, merges, folded batch normalization, sigmoid left to the host. */
const some = ["08", "12", "18", "23", "28", "30"];
const quantized: readonly KerasCase[] = [
  ...(fullTier ? every : some).flatMap((n, i) =>
    (fullTier ? containers : [containers[i % 3]!]).map((c) => ({ dir: `random-qkeras/${n}`, ...c })),
  ),
  { dir: "models/qkeras_3layer", model: "qkeras_3layer.json", weights: "qkeras_3layer_weights.h5" },
  ...(fullTier
    ? [
        { dir: "models/qkeras_v3_3layer", model: "qkeras-v3_3layer.keras" },
        { dir: "models/qkeras_mnist_dense", model: "qkeras_mnist_dense.json", weights: "qkeras_mnist_dense_weights.h5" },
        { dir: "models/qkeras_mnist_cnn", model: "qkeras_mnist_cnn.json", weights: "qkeras_mnist_cnn_weights.h5" },
        { dir: "models/cifar10_RN06", model: "cifar10_RN06_tiny_model_best.h5" },
      ]
    : []),
];

/** Float layers at 24 bits. */
const keras2 = [{ model: "model.json", weights: "model_weights.h5" }, { model: "model.h5" }, { model: "model_k2.keras" }];
const keras3 = [{ model: "model.keras" }, { model: "model_k3.h5" }];
const isRecurrent = (n: string): boolean => n === "07" || n === "08";
const floats: readonly KerasCase[] = (
  [
    ["random-keras2", keras2, ["03", "10", "13"]],
    ["random-keras3", keras3, ["05", "12"]],
  ] as const
).flatMap(([folder, files, quick]) =>
  (fullTier ? goldenList(folder).filter((n) => !isRecurrent(n)) : quick).flatMap((n, i) =>
    (fullTier ? files : [files[i % files.length]!]).map((c) => ({ dir: `${folder}/${n}`, ...c })),
  ),
);
interface FloatCase extends KerasCase {
  /** Proven ranges double with every layer of a deep network; those of the data do not. */
  readonly calibrated?: true;
}
const trained: readonly FloatCase[] = [
  { dir: "models/KERAS_3layer_batch_norm", model: "KERAS_3layer_batch_norm.json", weights: "KERAS_3layer_batch_norm_weights.h5" },
  { dir: "models/KERAS_3layer_70pruned", model: "KERAS_3layer.json", weights: "KERAS_3layer_70pruned_retrained_weights.h5" },
  { dir: "models/KERAS_1layer", model: "KERAS_1layer.json", weights: "KERAS_1layer_weights.h5" },
  { dir: "models/KERAS_conv1d_small", model: "KERAS_conv1d_small.json", weights: "KERAS_conv1d_small_weights.h5" },
  { dir: "models/KERAS_conv2d_model", model: "KERAS_conv2d_model.json", weights: "KERAS_conv2d_model_weights.h5" },
  { dir: "models/jetTagger_Conv2D_Small", model: "jetTagger_Conv2D_Small.json", weights: "jetTagger_Conv2D_Small_weights.h5" },
  { dir: "models/mlperf_str_ww", model: "str_ww_ref_model.h5", calibrated: true },
  { dir: "models/nrp_float", model: "nrp_model_1_keras_model.keras" },
  { dir: "models/nrp_float", model: "nrp_model_1_best_94k.h5" },
  { dir: "models/nrp_float_keras3", model: "nrp_float_resaved_by_keras3.keras" },
  { dir: "models/openml_pruned90", model: "model_2.2_hls4ml_prj_prune_90_keras_model.keras" },
];

const title = (c: KerasCase): string => `${c.dir} (${c.weights ?? c.model})`;
const largest = (x: ArrayLike<number>): number => Array.from(x).reduce((a, v) => Math.max(a, Math.abs(v)), 0);
const t = suite("keras golden networks");

/** Not one difference where float32 was exact; elsewhere the framework's own rounding. */
async function checkQuantized(c: KerasCase): Promise<void> {
  const meta = metaOf(c.dir);
  const graph = await typedModel(c, { inputType: gridType(meta), width: 40 });
  const { outputs, layers } = await compareAll(c, graph);
  assert.ok(layers.length >= 3, "layers are compared");
  for (const x of [...outputs, ...layers]) {
    if (meta.bit_exact_expected)
      assert.is(differences(x), 0, `${x.name}: ${differences(x)} of ${x.want.length} differ, by up to ${worst(x)}`);
    else assert.ok(worst(x) <= 2 ** -20 * largest(x.want), `${x.name}: off by ${worst(x)} of ${largest(x.want)}`);
  }
}

/** Kernels and biases against the framework's own quantized weights, which may be one float32 rounding off the grid. */
async function checkWeights(c: KerasCase): Promise<void> {
  const graph = await importOnly(c);
  let compared = 0;
  for (const [key, want] of parseNpz(golden(`${c.dir}/weights_q.npz`)!, c.dir, new Reporter())!) {
    const [name, kind] = key.split("__");
    const layer = graph.layers.findIndex((l) => l.name === name);
    const node = graph.nodes.find((n) => n.layer === layer && (n.op === "dense" || n.op === "conv"));
    const weights = node?.op === "dense" || node?.op === "conv" ? node.attrs : undefined;
    const tensor = kind === "bias" ? weights?.bias : kind?.endsWith("kernel") ? weights?.kernel : undefined;
    if (!tensor || sizeOf(tensor.shape) !== want.data.length) continue;
    for (const [i, v] of numbersOf(tensor).entries())
      assert.ok(Math.abs(v - Number(want.data[i])) <= 1e-6, `${key}[${i}]: ${v}, framework ${want.data[i]}`);
    compared++;
  }
  assert.ok(compared >= 2, `${compared} weights compared`);
}

async function importOnly(c: KerasCase): Promise<Graph> {
  const reporter = new Reporter();
  const files = new Map([c.model, c.weights].filter((f) => f !== undefined).map((f) => [f, golden(`${c.dir}/${f}`)!]));
  const graph = await readKeras({ model: c.model, ...(c.weights ? { weights: c.weights } : {}), files }, {}, reporter);
  assert.ok(graph, messages(reporter));
  return graph;
}

/** With 24 bits: the largest error under 2^-12 of the output's range, and the same class in 99.9 % of the rows. */
async function checkFloat(c: FloatCase): Promise<void> {
  const graph = await typedModel(c, { width: 24, ...(c.calibrated ? { calibration: arrays(c.dir, "input") } : {}) });
  const { outputs } = await compareAll(c, graph);
  for (const [k, x] of outputs.entries()) {
    const o = graph.outputs[k]!;
    const { shape } = graph.nodes[o.value]!.type;
    // Several outputs are recorded as the model gives them, one as its logits.
    const got = outputs.length > 1 && o.host === "softmax" ? softmax(x.got, shape) : x.got;
    const error = worst({ ...x, got });
    assert.ok(error < 2 ** -12 * largest(x.want), `${x.name}: off by ${error} of ${largest(x.want)}`);
    assert.ok(sameClass({ ...x, got }, shape.at(-1)!) >= 0.999, `${x.name}: the class differs`);
  }
}

function sameClass({ got, want }: Compared, classes: number): number {
  const best = (a: Float64Array, row: number): number => a.subarray(row, row + classes).reduce((b, v, i, all) => (v > all[b]! ? i : b), 0);
  const rows = Array.from({ length: want.length / classes }, (_, i) => i * classes);
  return rows.filter((r) => best(got, r) === best(want, r)).length / rows.length;
}

if (hasGolden) {
  for (const c of quantized) {
    t(`${title(c)}: logits and layers, 0 differences`, () => checkQuantized(c));
    t(`${title(c)}: weights`, () => checkWeights(c));
  }
  for (const c of [...floats, ...(fullTier ? trained : [])]) t(`${title(c)}: float layers in 24 bits`, () => checkFloat(c));
  for (const folder of ["random-keras2", "random-keras3"])
    for (const n of goldenList(folder).filter(isRecurrent))
      t(`${folder}/${n}: a recurrent layer is refused by name`, async () => {
        const reporter = new Reporter();
        const model = folder === "random-keras2" ? "model.h5" : "model.keras";
        assert.is(await readKeras({ model, files: new Map([[model, golden(`${folder}/${n}/${model}`)!]]) }, {}, reporter), undefined);
        assert.match(messages(reporter), /QN201.*`(gru|lstm)` is a (GRU|LSTM)[\s\S]*layer `(gru|lstm)`[\s\S]*help: .*Conv1D/);
      });
} else skip("keras golden networks: ../shared/golden is absent");

t.run();
