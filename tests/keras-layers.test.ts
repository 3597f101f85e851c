// The layer rules: which quantizer a weight gets, batch normalization, wiring, shared layers, `until`, names of weights.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { quantizerForward } from "../src/frontend/keras/quantizer-forward.js";
import { type ArgValue, makeQuantizer, type Quantizer, type QuantizerName } from "../src/frontend/keras/quantizers.js";
import type { Graph, NodeWith } from "../src/ir/graph.js";
import { numbersOf } from "../src/ir/tensor.js";
import { parseGraph } from "../src/ir/text/parse-graph.js";
import { printGraph } from "../src/ir/text/print.js";
import { hdf5 } from "./support/hdf5.js";
import { functional, input, type J, layer, read, run, sequential, type Values, weightsFile, wired } from "./support/keras-model.js";

const qb = (bits: number, config: { readonly [key: string]: J }): J => ({
  class_name: "quantized_bits",
  config: { bits, integer: 0, symmetric: 0, keep_negative: true, ...config },
});

const nodes = <K extends "dense" | "mul" | "add" | "constant">(graph: Graph, op: K): NodeWith<K>[] =>
  graph.nodes.filter((n): n is NodeWith<K> => n.op === op);

const KERNEL = [0.9, -0.33, 0.11, 0.02, -0.7, 0.45];
const BIAS = [0.3, -0.6];
const dWeights: Values = { "d/kernel": [[3, 2], KERNEL], "d/bias": [[2], BIAS] };
const quantizer = (name: QuantizerName, args: Readonly<Record<string, ArgValue>>): Quantizer =>
  makeQuantizer(name, new Map(Object.entries(args))) as Quantizer;
const forward = (q: Quantizer, x: readonly number[], shape: readonly number[]) => [...quantizerForward(q, x, shape).values];

const t = suite("keras layer rules");

t("a kernel quantizer without alpha becomes auto_po2 and symmetric; a bias quantizer does not", async () => {
  const graph = await read(
    sequential(
      input(3),
      layer("QDense", "d", { units: 2, kernel_quantizer: qb(4, { alpha: null }), bias_quantizer: qb(4, { alpha: null }) }),
    ),
    await weightsFile(dWeights),
  );
  const { kernel, bias } = nodes(graph, "dense")[0]!.attrs;
  assert.equal(numbersOf(kernel), forward(quantizer("quantized_bits", { bits: 4, symmetric: 1, alpha: "auto_po2" }), KERNEL, [3, 2]));
  assert.not.equal(numbersOf(kernel), forward(quantizer("quantized_bits", { bits: 4 }), KERNEL, [3, 2]));
  assert.equal(numbersOf(bias!), forward(quantizer("quantized_bits", { bits: 4 }), BIAS, [2]));
  assert.is(kernel.real, undefined);
});

t("the same for ternary and binary kernels; alpha=1 is plain", async () => {
  const cases: readonly (readonly [string, Quantizer])[] = [
    ["ternary()", quantizer("ternary", { alpha: "auto_po2" })],
    ["binary()", quantizer("binary", { alpha: "auto_po2" })],
    ["stochastic_ternary()", quantizer("stochastic_ternary", { alpha: "auto_po2" })],
    ["stochastic_binary()", quantizer("stochastic_binary", { alpha: "auto_po2" })],
    ["ternary(alpha=1)", quantizer("ternary", { alpha: 1 })],
    ["quantized_bits(4,0,0,alpha=1)", quantizer("quantized_bits", { bits: 4, alpha: 1 })],
    ["quantized_po2(4)", quantizer("quantized_po2", { bits: 4 })],
  ];
  for (const [text, q] of cases) {
    const graph = await read(
      sequential(input(3), layer("QDense", "d", { units: 2, use_bias: false, kernel_quantizer: text })),
      await weightsFile(dWeights),
    );
    assert.equal(
      numbersOf(nodes(graph, "dense")[0]!.attrs.kernel),
      forward(q, KERNEL, [3, 2]).map((v) => v + 0),
      text,
    );
    assert.is(nodes(graph, "dense")[0]!.attrs.bias, undefined);
  }
});

t("a scale that is no power of two leaves the kernel short and multiplies the sums", async () => {
  for (const text of [
    "quantized_bits(4,0,1,alpha='auto')",
    "ternary(alpha='auto')",
    "binary(alpha=0.3)",
    "quantized_linear(4,0,alpha='auto')",
    "quantized_bits(4,0,1,alpha=0.3)",
  ]) {
    const graph = await read(
      sequential(input(3), layer("QDense", "d", { units: 2, kernel_quantizer: text, bias_quantizer: "quantized_bits(6,0,1,alpha=1)" })),
      await weightsFile(dWeights),
    );
    const [dense, mul] = [nodes(graph, "dense")[0]!, nodes(graph, "mul")[0]!];
    const scale = graph.nodes[mul.operands[1]!]!;
    assert.ok(scale.op === "constant" && scale.attrs.value.real, text);
    assert.ok(
      dense.attrs.kernel.data.every((m) => m >= -16n && m <= 16n),
      text,
    );
    const name = /^\w+/.exec(text)![0] as QuantizerName;
    const args: Record<string, ArgValue> = name === "ternary" || name === "binary" ? {} : { bits: 4, symmetric: 1 };
    const want = forward(quantizer(name, { ...args, alpha: text.includes("0.3") ? 0.3 : "auto" }), KERNEL, [3, 2]);
    const factors = numbersOf(scale.attrs.value);
    for (const [i, z] of numbersOf(dense.attrs.kernel).entries())
      assert.ok(Math.abs(z * factors[i % 2]! - want[i]!) < 1e-6, `${text} ${i}`);
    assert.is(graph.layers.find((l) => l.name === "d")!.value, graph.outputs[0]!.value);
  }
});

t("float weights are exact and marked real", async () => {
  const { kernel, bias } = nodes(
    await read(sequential(input(3), layer("Dense", "d", { units: 2 })), await weightsFile(dWeights)),
    "dense",
  )[0]!.attrs;
  assert.equal([numbersOf(kernel), numbersOf(bias!)], [KERNEL.map(Math.fround), BIAS.map(Math.fround)]);
  assert.ok(kernel.real && bias!.real);
});

const BN: Values = {
  "b/gamma": [[2], [1.5, 0.5]],
  "b/beta": [[2], [0.25, -1]],
  "b/moving_mean": [[2], [2, -0.5]],
  "b/moving_variance": [[2], [4, 0.25]],
};

t("batch normalization is a factor and a summand a channel", async () => {
  const got = run(
    await read(sequential(input(2), layer("BatchNormalization", "b", { axis: [1], epsilon: 0.001 })), await weightsFile(BN)),
    [3, -4],
  );
  const want = [(1.5 * (3 - 2)) / Math.sqrt(4.001) + 0.25, (0.5 * (-4 + 0.5)) / Math.sqrt(0.251) - 1];
  for (const [i, v] of got.entries()) assert.ok(Math.abs(v - want[i]!) < 1e-6, `${v} ${want[i]}`);
  const bare = run(
    await read(
      sequential(input(2), layer("BatchNormalization", "b", { axis: -1, epsilon: 0, scale: false, center: false })),
      await weightsFile(BN),
    ),
    [3, -4],
  );
  assert.equal(bare, [0.5, -7]);
});

t("QBatchNormalization quantizes its parameters, by default to powers of two", async () => {
  const got = run(
    await read(sequential(input(2), layer("QBatchNormalization", "b", { axis: [1], epsilon: 0.001 })), await weightsFile(BN)),
    [3, -4],
  );
  // gamma → 2, 0.5; beta → 0.25, −1; mean → 2, −0.5; variance → 4, 0.25
  const want = [(2 * (3 - 2)) / Math.sqrt(4.001) + 0.25, (0.5 * (-4 + 0.5)) / Math.sqrt(0.251) - 1];
  for (const [i, v] of got.entries()) assert.ok(Math.abs(v - want[i]!) < 1e-6, `${v} ${want[i]}`);
  const plain = { beta_quantizer: null, gamma_quantizer: null, mean_quantizer: null, variance_quantizer: null };
  const off = run(
    await read(sequential(input(2), layer("QBatchNormalization", "b", { axis: [1], epsilon: 0.001, ...plain })), await weightsFile(BN)),
    [3, -4],
  );
  assert.ok(Math.abs(off[0]! - ((1.5 * (3 - 2)) / Math.sqrt(4.001) + 0.25)) < 1e-6);
});

t("a softmax at the end belongs to the host, wherever it is written", async () => {
  for (const last of [
    layer("Activation", "s", { activation: "softmax" }),
    layer("Softmax", "s"),
    layer("QActivation", "s", { activation: "softmax" }),
  ]) {
    const graph = await read(sequential(input(3), layer("Dense", "d", { units: 2 }), last), await weightsFile(dWeights));
    assert.equal(graph.outputs, [{ name: "s", value: graph.layers.find((l) => l.name === "d")!.value, host: "softmax" }]);
    assert.is(graph.layers.find((l) => l.name === "s")!.value, -1);
    assert.equal(
      (await read(sequential(input(3), layer("Dense", "d", { units: 2 }), last), await weightsFile(dWeights), "d")).outputs[0]!.host,
      undefined,
    );
  }
  const inside = await read(sequential(input(3), layer("Dense", "d", { units: 2, activation: "softmax" })), await weightsFile(dWeights));
  assert.is(inside.outputs[0]!.host, "softmax");
});

t("a sigmoid belongs to the host where nothing else reads it, and is a table elsewhere", async () => {
  const sigmoid = layer("Activation", "s", { activation: "sigmoid" });
  const last = await read(sequential(input(3), layer("Dense", "d", { units: 2 }), sigmoid), await weightsFile(dWeights));
  assert.equal(last.outputs, [{ name: "s", value: last.layers.find((l) => l.name === "d")!.value, host: "sigmoid" }]);
  const text = printGraph(last);
  const again = parseGraph(text, "again.qir", new Reporter());
  assert.is(again && printGraph(again), text);
  const inside = await read(sequential(input(3), sigmoid, layer("ReLU", "r")));
  assert.is(inside.outputs[0]!.host, undefined);
  assert.ok(inside.nodes.some((n) => n.op === "lut" && n.attrs.f.name === "sigmoid"));
  assert.is((await read(sequential(input(3), sigmoid, layer("ReLU", "r")), undefined, "s")).outputs[0]!.host, "sigmoid");
});

t("binary and ternary dense layers: the limits of their levels, and H", async () => {
  const values = (x: readonly number[]): Promise<Uint8Array> => weightsFile({ "d/kernel": [[x.length, 1], x] });
  const x = [1, 10, 100];
  const at = async (kind: string, kernel: readonly number[], config: { readonly [key: string]: J } = {}) =>
    run(await read(sequential(input(3), layer(kind, "d", { units: 1, use_bias: false, ...config })), await values(kernel)), x)[0]!;
  assert.is(await at("BinaryDense", [0.001, 0, -0.7]), 1 - 10 - 100);
  assert.is(await at("TernaryDense", [0.5, -0.5, 0.51]), 0 - 10 + 100);
  assert.is(await at("TernaryDense", [0.5, -0.5, 0.51], { H: 0.5 }), 0.5 * (1 - 10 + 100));
  const glorot = await at("BinaryDense", [1, 1, 1], { H: "Glorot" });
  assert.ok(Math.abs(glorot - 111 * Math.sqrt(1.5 / 4)) < 1e-4);
  const tanh = async (activation: string) =>
    run(await read(sequential(input(5), layer("Activation", "a", { activation }))), [-0.5, -0.25, 0, 0.5, 0.75]);
  assert.equal(await tanh("binary_tanh"), [-1, -1, -1, 1, 1]);
  assert.equal(await tanh("ternary_tanh"), [-1, 0, 0, 0, 1]);
});

t("Sequential without InputLayer, nested lists of old files, and Flatten and Reshape", async () => {
  const first = layer("Flatten", "f", { batch_input_shape: [null, 2, 2], data_format: "channels_last" });
  const rest = [layer("Reshape", "r", { target_shape: [2, -1] }), layer("Reshape", "q", { target_shape: [4] })];
  const graph = await read(sequential(first, ...rest));
  assert.equal(
    graph.nodes.map((n) => n.type.shape),
    [[2, 2], [4], [2, 2], [4]],
  );
  assert.is(graph.layers[0]!.name, "f_input");
  assert.ok(await read({ class_name: "Sequential", config: [input(3), layer("Activation", "a", { activation: "relu" })] }));
  const built = {
    class_name: "Sequential",
    config: { name: "m", build_input_shape: [null, 5], layers: [layer("Activation", "a", { activation: "relu" })] },
  };
  assert.equal((await read(built)).nodes[0]!.type.shape, [5]);
});

t("pruning wrappers are the layer that they wrap", async () => {
  const wrapped = layer("PruneLowMagnitude", "prune_low_magnitude_d", { layer: layer("Dense", "d", { units: 2 }), pruning_schedule: {} });
  const values = Object.fromEntries(Object.entries(dWeights).map(([k, v]) => [k.replace("d/", "prune_low_magnitude_d/"), v]));
  const graph = await read(
    sequential(input(3), wrapped),
    await weightsFile({
      ...values,
      "prune_low_magnitude_d/mask": [
        [3, 2],
        [1, 1, 1, 1, 1, 1],
      ],
    }),
  );
  assert.equal(numbersOf(nodes(graph, "dense")[0]!.attrs.kernel), KERNEL.map(Math.fround));
});

const tensor = (name: string, node = 0): J => ({
  class_name: "__keras_tensor__",
  config: { shape: [null, 3], dtype: "float32", keras_history: [name, node, 0] },
});
const call = (...args: readonly J[]): J => ({ args, kwargs: { mask: null } });
t("Keras 3 call arguments, several inputs in the model's order, several outputs, shared layers", async () => {
  const x = (name: string): J => wired(layer("InputLayer", name, { batch_shape: [null, 3] }));
  const relu = (name: string, ...n: readonly J[]): J => wired(layer("ReLU", name), ...n);
  const model = functional(
    [x("a"), x("b"), relu("r", call(tensor("a")), call(tensor("b"))), relu("s", call(tensor("r", 1)))],
    [
      ["b", 0, 0],
      ["a", 0, 0],
    ],
    [
      ["s", 0, 0],
      ["r", 0, 0],
    ],
  );
  const graph = await read(model);
  assert.equal(
    graph.inputs.map((i) => (graph.nodes[i] as { attrs: { name: string } }).attrs.name),
    ["b", "a"],
  );
  assert.equal(
    graph.outputs.map((o) => o.name),
    ["s", "r"],
  );
  assert.equal(
    graph.layers.map((l) => l.name),
    ["b", "a", "r", "r:1", "s"],
  );
  assert.equal(run(graph, [1, -2, 3], [9, 9, 9]), [1, 0, 3]);
  const single = functional([x("a"), relu("r", call(tensor("a")))], ["a", 0, 0], ["r", 0, 0]);
  assert.is((await read(single)).outputs[0]!.name, "r");
});

t("layers may stand in any order in the file", async () => {
  const n = (name: string, from: string): J => wired(layer("ReLU", name), [[from, 0, 0, {}]]);
  const graph = await read(
    functional(
      [n("c", "b"), n("b", "a"), n("a", "x"), wired(layer("InputLayer", "x", { batch_input_shape: [null, 2] }))],
      [["x", 0, 0]],
      [["c", 0, 0]],
    ),
  );
  assert.equal(
    graph.layers.map((l) => l.name),
    ["x", "a", "b", "c"],
  );
});

t("numbered weights are found by the name at `vars`, and before Keras noted it by class and counter", async () => {
  const model = sequential(input(3), layer("Dense", "first", { units: 2 }), layer("ReLU", "a"), layer("Dense", "second", { units: 2 }));
  for (const noted of [true, false]) {
    const weights = await hdf5((f) => {
      const root = f.create_group("layers");
      const add = (folder: string, name: string, n: number, first: number): void => {
        const vars = root.create_group(folder).create_group("vars");
        if (noted) vars.create_attribute("name", name);
        vars.create_dataset({ name: "0", data: new Float32Array(n * 2).fill(first), shape: [n, 2] });
        vars.create_dataset({ name: "1", data: new Float32Array(2), shape: [2] });
      };
      // With names, the folders may be in any order.
      add(noted ? "dense_1" : "dense", "first", 3, 7);
      add(noted ? "dense" : "dense_1", "second", 2, 8);
    });
    const graph = await read(model, weights);
    assert.equal(
      nodes(graph, "dense").map((d) => numbersOf(d.attrs.kernel)[0]),
      [7, 8],
    );
  }
});

t("lists of names that Keras has split are joined", async () => {
  const weights = await hdf5((f) => {
    f.create_attribute("layer_names0", ["x"]);
    f.create_attribute("layer_names1", ["d"]);
    const g = f.create_group("d");
    g.create_attribute("weight_names0", ["d/kernel:0"]);
    g.create_attribute("weight_names1", ["d/bias:0"]);
    const inner = g.create_group("d");
    inner.create_dataset({ name: "kernel:0", data: Float32Array.from(KERNEL), shape: [3, 2] });
    inner.create_dataset({ name: "bias:0", data: Float32Array.from(BIAS) });
  });
  assert.ok(await read(sequential(input(3), layer("Dense", "d", { units: 2 })), weights));
});

t.run();
