// Models inside models: wiring, calls of shared models, weights in each layout, and what is malformed.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Graph } from "../src/ir/graph.js";
import { numbersOf } from "../src/ir/tensor.js";
import { hdf5 } from "./support/hdf5.js";
import { functional, input, type J, layer, read, run, runAll, sequential, tryRead, weightsFile, wired } from "./support/keras-model.js";

const inputLayer = (name: string, ...shape: number[]): J => wired(layer("InputLayer", name, { batch_input_shape: [null, ...shape] }));
const ref = (name: string, node = 0, tensor = 0): J => [name, node, tensor, {}];
const dense = (name: string, units: number): J => layer("Dense", name, { units, use_bias: false });
/** The configuration of a model as a layer of another one. */
const nested = (model: J, name: string): J => {
  const { class_name, config } = model as { class_name: string; config: { readonly [key: string]: J } };
  return { class_name, config: { ...config, name } };
};
const kernels = (graph: Graph): readonly (readonly number[])[] =>
  graph.nodes.flatMap((n) => (n.op === "dense" ? [numbersOf(n.attrs.kernel)] : []));

/** i → [i·a, i·b]: two outputs. */
const encoder = functional(
  [inputLayer("i", 1), wired(dense("a", 1), [ref("i")]), wired(dense("b", 1), [ref("i")])],
  [["i", 0, 0]],
  [
    ["a", 0, 0],
    ["b", 0, 0],
  ],
);

const t = suite("keras nested models");

t("a Sequential in a Sequential in a Sequential", async () => {
  const inner = nested(sequential(input(2), dense("k", 2)), "inner");
  const middle = nested(sequential(input(2), dense("k", 2), inner), "middle");
  const model = sequential(input(2), middle, layer("ReLU", "r"));
  const weights = await weightsFile({
    "middle/k/kernel": [
      [2, 2],
      [1, 2, 3, 4],
    ],
    "middle/inner/k/kernel": [
      [2, 2],
      [0, 1, -1, 0],
    ],
  });
  const graph = await read(model, weights);
  assert.equal(
    graph.layers.map((l) => l.name),
    ["x", "middle/k", "middle/inner/k", "r"],
  );
  assert.equal(kernels(graph), [
    [1, 2, 3, 4],
    [0, 1, -1, 0],
  ]);
  assert.equal(run(graph, [1, 1]), [0, 4]);
  assert.equal(graph.inputs.length, 1, "the nested models' inputs are no ports");
  assert.is((await read(model, weights, "middle/k")).outputs[0]!.name, "middle/k");
});

t("a nested Sequential without an InputLayer", async () => {
  const inner = nested(sequential(layer("ReLU", "r", { batch_input_shape: [null, 2] })), "inner");
  assert.equal(run(await read(sequential(input(2), inner)), [-3, 4]), [0, 4]);
});

/** enc is called on x and on its own first output; Keras counts building it as call 0 (`first` = 1), or does not. */
const twice = (first: 0 | 1): J =>
  functional(
    [
      inputLayer("x", 1),
      wired(nested(encoder, "enc"), [ref("x")], [ref("enc", first)]),
      wired(layer("Subtract", "s"), [ref("enc", first + 1, 1), ref("enc", first, 1)]),
    ],
    [["x", 0, 0]],
    [
      ["s", 0, 0],
      ["enc", first + 1, 0],
    ],
  );

t("a model called twice, with several outputs, has its weights once", async () => {
  const weights = await weightsFile({ "enc/a/kernel": [[1, 1], [3]], "enc/b/kernel": [[1, 1], [5]] });
  for (const first of [0, 1] as const) {
    const graph = await read(twice(first), weights);
    assert.equal(
      graph.layers.map((l) => l.name),
      ["x", "enc/a", "enc/b", "enc/a:1", "enc/b:1", "s"],
    );
    // x·3·5 − x·5, and x·3·3
    assert.equal(runAll(graph, [2]), [[20], [18]]);
    assert.equal(
      graph.outputs.map((o) => o.name),
      ["s", "enc/a"],
    );
  }
});

t("weights of a nested model: by its name, by counters, and by the names at `vars`", async () => {
  const model = functional(
    [
      inputLayer("x", 1),
      wired(dense("first", 1), [ref("x")]),
      wired(nested(encoder, "enc"), [ref("first")]),
      wired(layer("Add", "s"), [ref("enc", 1, 0), ref("enc", 1, 1)]),
    ],
    [["x", 0, 0]],
    [["s", 0, 0]],
  );
  const want = [[2], [3], [5]];
  assert.equal(
    kernels(
      await read(model, await weightsFile({ "first/kernel": [[1, 1], [2]], "enc/a/kernel": [[1, 1], [3]], "enc/b/kernel": [[1, 1], [5]] })),
    ),
    want,
  );
  // Keras 3 writes the names of the models around a layer as well, and layers of both levels may have one name.
  const same = functional(
    [
      inputLayer("x", 1),
      wired(nested(sequential(input(1), dense("k", 1), nested(sequential(input(1), dense("k", 1)), "b")), "a"), [ref("x")]),
    ],
    [["x", 0, 0]],
    [["a", 1, 0]],
  );
  assert.equal(kernels(await read(same, await weightsFile({ "a/m/a/k/kernel": [[1, 1], [7]], "a/m/a/b/k/kernel": [[1, 1], [9]] }))), [
    [7],
    [9],
  ]);
  for (const noted of [false, true]) {
    const weights = await hdf5((f) => {
      const put = (parent: ReturnType<typeof f.create_group>, folder: string, name: string, value?: number) => {
        const group = parent.create_group(folder);
        const vars = group.create_group("vars");
        if (noted) vars.create_attribute("name", name);
        if (value !== undefined) vars.create_dataset({ name: "0", data: new Float32Array([value]), shape: [1, 1] });
        return group;
      };
      const layers = f.create_group("layers");
      put(layers, noted ? "dense_9" : "dense", "first", 2);
      const inner = put(layers, "functional", "enc").create_group("layers");
      // With names, the folders may be in any order.
      put(inner, noted ? "dense_1" : "dense", "a", 3);
      put(inner, noted ? "dense" : "dense_1", "b", 5);
    });
    assert.equal(kernels(await read(model, weights)), want, noted ? "names" : "counters");
  }
});

t("a numbered TimeDistributed keeps its layer's weights in the part `layer`, a folded layer its statistics in `batchnorm`", async () => {
  const weights = await hdf5((f) => {
    const layers = f.create_group("layers");
    const vars = layers.create_group("time_distributed").create_group("layer").create_group("vars");
    vars.create_dataset({ name: "0", data: new Float32Array([4]), shape: [1, 1] });
    const folded = layers.create_group("q_conv2d_batchnorm");
    const own = folded.create_group("vars");
    own.create_dataset({ name: "0", data: new Float32Array([3]), shape: [1, 1, 1, 1] });
    own.create_dataset({ name: "1", data: new Float32Array([1]) });
    own.create_dataset({ name: "2", data: new Float32Array([100]) });
    const norm = folded.create_group("batchnorm").create_group("vars");
    for (const [i, v] of [2, 5, 1, 4].entries()) norm.create_dataset({ name: String(i), data: new Float32Array([v]) });
  });
  const folded = layer("QConv2DBatchnorm", "c", {
    filters: 1,
    kernel_size: 1,
    epsilon: 0,
    kernel_quantizer: "quantized_bits(8,4,0,alpha=1)",
  });
  const model = sequential(
    input(2, 1),
    layer("TimeDistributed", "t", { layer: dense("d", 1) }),
    layer("Reshape", "r", { target_shape: [1, 2, 1] }),
    folded,
  );
  // γ/σ = 1: the kernel stays 3, the bias is (1 − 1) + 5.
  assert.equal(run(await read(model, weights), [1, -2]), [17, -19]);
});

t("malformed nesting is refused", async () => {
  const cases: readonly (readonly [J, string])[] = [
    [sequential(input(1), nested(functional([], [["i", 0, 0]], [["i", 0, 0]]), "f")), "QN214"],
    [sequential(input(1), nested(functional([inputLayer("i", 1)], [["i", 0, 0]], []), "f")), "QN200"],
    // Two inputs, one given.
    [
      sequential(
        input(1),
        nested(
          functional(
            [inputLayer("i", 1), inputLayer("j", 1)],
            [
              ["i", 0, 0],
              ["j", 0, 0],
            ],
            [["i", 0, 0]],
          ),
          "f",
        ),
      ),
      "QN210",
    ],
    // Reads the call of itself.
    [functional([inputLayer("x", 1), wired(nested(encoder, "enc"), [ref("enc")])], [["x", 0, 0]], [["enc", 0, 0]]), "QN210"],
    // Output 2 of two, and a call that is not there.
    [functional([inputLayer("x", 1), wired(nested(encoder, "enc"), [ref("x")])], [["x", 0, 0]], [["enc", 0, 2]]), "QN210"],
    [functional([inputLayer("x", 1), wired(nested(encoder, "enc"), [ref("x")])], [["x", 0, 0]], [["enc", 7, 0]]), "QN210"],
    [sequential(input(1), nested(sequential(input(1), layer("ReLU", "r".repeat(3000))), "f".repeat(3000))), "QN213"],
    [sequential(input(1), layer("ReLU", "f/r"), nested(sequential(input(1), layer("ReLU", "r")), "f")), "QN215"],
  ];
  for (const [model, code] of cases) {
    const { graph, reporter } = await tryRead(model);
    assert.is(graph, undefined);
    assert.is(reporter.diagnostics[0]!.code, code, reporter.diagnostics.map((d) => d.message).join("; "));
  }
});

t("models that call one another twice on every level stop at the limit", async () => {
  let model: J = functional([inputLayer("i", 1), wired(layer("ReLU", "r"), [ref("i")])], [["i", 0, 0]], [["r", 0, 0]]);
  for (let depth = 0; depth < 20; depth++) {
    model = functional([inputLayer("i", 1), wired(nested(model, "n"), [ref("i")], [ref("n", 1)])], [["i", 0, 0]], [["n", 2, 0]]);
  }
  const { graph, reporter } = await tryRead(model);
  assert.is(graph, undefined);
  assert.is(reporter.diagnostics[0]!.code, "QN213");
});

t.run();
