// hls4ml's arithmetic on networks small enough to compute by hand, and what --fix changes where hls4ml is wrong.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type HlsConfigText, type LayerText, messages, readSmall, runRows } from "./support/hls4ml.js";
import { hdf5 } from "./support/hdf5.js";

type Numbers = readonly number[];
type WeightsByLayer = Readonly<Record<string, Readonly<Record<string, { readonly shape: Numbers; readonly data: Numbers }>>>>;

const h5 = (layers: WeightsByLayer): Promise<Uint8Array> =>
  hdf5((file) => {
    file.create_attribute("layer_names", Object.keys(layers));
    for (const [layer, weights] of Object.entries(layers)) {
      const group = file.create_group(layer);
      group.create_attribute("weight_names", Object.keys(weights));
      for (const [name, { shape, data }] of Object.entries(weights))
        group.create_dataset({ name, data: Float32Array.from(data), shape: [...shape], dtype: "<f4" });
    }
  });

const layer = (class_name: string, name: string, config: Readonly<Record<string, unknown>> = {}): LayerText => ({
  class_name,
  config: { name, ...config },
});
const dense = (name: string, units: number, more: Readonly<Record<string, unknown>> = {}, class_name = "Dense"): LayerText =>
  layer(class_name, name, { units, use_bias: true, activation: "linear", ...more });
const column = (...data: Numbers) => ({ kernel: { shape: [data.length, 1], data }, bias: { shape: [1], data: [0] } });

interface Small {
  readonly shape: Numbers;
  readonly layers: readonly LayerText[];
  readonly weights?: WeightsByLayer;
  readonly config: HlsConfigText;
  readonly rows: readonly Numbers[];
}

/** The outputs of all rows, and the codes of the warnings. */
async function run({ shape, layers, weights, config, rows }: Small, fix = false) {
  const { graph, reporter } = await readSmall(shape, layers, config, { fix, ...(weights ? { weights: await h5(weights) } : {}) });
  assert.ok(graph, messages(reporter));
  const x = { shape: [rows.length, ...shape], data: Float64Array.from(rows.flat()) };
  const warnings = reporter.diagnostics.filter((d) => d.level === "warning").map((d) => d.code);
  return {
    y: runRows(
      graph,
      x,
      rows.map((_, i) => i),
    ),
    warnings,
    graph,
  };
}

const Model = { Precision: "fixed<16,6>" };
const sums = suite("hls4ml sums");

sums("a product is cut to the accumulator before the sum", async () => {
  // 0.3125·0.328125 = 0.10254 is 1/16 in four fractional bits; the exact sum 0.205 would be 3/16.
  const LayerName = { d: { Precision: { weight: "fixed<8,1>", bias: "fixed<8,4>", accum: "fixed<8,4>", result: "fixed<12,4>" } } };
  const { y } = await run({
    shape: [2],
    layers: [dense("d", 1)],
    weights: { d: column(0.328125, 0.328125) },
    config: { Model, LayerName },
    rows: [[0.3125, 0.3125]],
  });
  assert.equal(y, [[0.125]]);
});

const partial = (accum: string): Promise<{ readonly y: readonly Numbers[] }> =>
  run({
    shape: [3],
    layers: [dense("d", 1)],
    weights: { d: column(1, 1, 1) },
    config: { Model, LayerName: { d: { Precision: { accum } } } },
    rows: [
      [3, 3, -3],
      [-3, -3, 3],
      [1, 1, 1],
      [3, 3, 3],
    ],
  });

sums("a saturating accumulator saturates after every addition; a wrapping one wraps the sum", async () => {
  assert.equal((await partial("fixed<6,3,TRN,SAT>")).y, [[0.875], [-1], [3], [3.875]]);
  assert.equal((await partial("fixed<6,3,TRN,SAT_ZERO>")).y, [[-3], [3], [3], [3]]);
  assert.equal((await partial("fixed<6,3>")).y, [[3], [-3], [3], [1]]);
});

sums("a bias is rounded by its own type, then by the accumulator", async () => {
  const weights = { d: { ...column(0), bias: { shape: [1], data: [0.4375] } } };
  const LayerName = { d: { Precision: { bias: "fixed<5,2,RND,SAT>", accum: "fixed<4,2>", result: "fixed<8,4>" } } };
  // Text 0.438 rounds to 0.5 in eighths and stays 0.5 in quarters.
  assert.equal((await run({ shape: [1], layers: [dense("d", 1)], weights, config: { Model, LayerName }, rows: [[1]] })).y, [[0.5]]);
});

sums("a convolution is the same sum at every position", async () => {
  const conv = layer("Conv1D", "c", {
    filters: 1,
    kernel_size: [2],
    strides: [1],
    padding: "same",
    data_format: "channels_last",
    use_bias: true,
    activation: "linear",
  });
  const weights = { c: { kernel: { shape: [2, 1, 1], data: [0.328125, 0.328125] }, bias: { shape: [1], data: [0] } } };
  const cut = { Model, LayerName: { c: { Precision: { accum: "fixed<8,4>" } } } };
  const small = { shape: [3, 1], layers: [conv], weights, rows: [[0.3125, 0.3125, 0.5]] };
  assert.equal((await run({ ...small, config: cut })).y, [[0.125, 0.1875, 0.125]]);
  assert.equal(
    (await run({ ...small, config: { Model } })).y,
    [[0.205078125, 0.2666015625, 0.1640625]].map((r) => r.map((v) => Math.floor(v * 1024) / 1024)),
  );
});

sums("binary data and binary weights count agreements; 2·count − n drops a fraction toward zero", async () => {
  const binary = { class_name: "binary", config: { use_01: false, alpha: 1 } };
  const bits = { class_name: "quantized_bits", config: { bits: 4, integer: 1, alpha: 1 } };
  const layers = [
    layer("BatchNormalization", "bn", { epsilon: 0, scale: false, center: false, axis: [1] }),
    layer("QActivation", "s", { activation: binary }),
    dense("d", 1, { kernel_quantizer: binary, bias_quantizer: bits }, "QDense"),
  ];
  const weights = {
    // A scale of ½: hls4ml leaves out a batch normalization that does nothing, and the step alone gives no xnor bits.
    bn: { moving_mean: { shape: [1], data: [0] }, moving_variance: { shape: [1], data: [4] } },
    d: { kernel: { shape: [1, 1], data: [0.7] }, bias: { shape: [1], data: [0.25] } },
  };
  const LayerName = { d: { Precision: { accum: "auto", result: "fixed<8,4>" } } };
  assert.equal((await run({ shape: [1], layers, weights, config: { Model, LayerName }, rows: [[-1], [1]] })).y, [[0], [1]]);
});

sums.run();

const fixes = suite("hls4ml's mistakes, as they are and with --fix");
const both = async (small: Small) => ({ asIs: await run(small), fixed: await run(small, true) });

fixes("a binary threshold is rounded down, whatever the sign of the scale", async () => {
  const at = (gamma: number, beta: number): Small => ({
    shape: [1],
    layers: [
      layer("BatchNormalization", "bn", { epsilon: 0, scale: true, center: true, axis: [1] }),
      layer("QActivation", "s", { activation: "binary(alpha=1)" }),
    ],
    weights: {
      bn: {
        gamma: { shape: [1], data: [gamma] },
        beta: { shape: [1], data: [beta] },
        moving_mean: { shape: [1], data: [0] },
        moving_variance: { shape: [1], data: [1] },
      },
    },
    config: { Model },
    rows: [[307 / 1024], [308 / 1024]],
  });
  const positive = await both(at(1, -0.3));
  assert.equal(positive.asIs.y, [[1], [1]]);
  assert.equal(positive.asIs.warnings, ["QN306"]);
  assert.equal(positive.fixed.y, [[0], [1]]);
  assert.equal(positive.fixed.warnings, []);
  assert.equal((await run(at(-1, 0.3), true)).y, [[1], [0]]);
  // On the grid there is nothing to fix.
  assert.equal((await run(at(1, -0.25))).warnings, []);
});

fixes("unsigned weights keep their last bit only with --fix", async () => {
  const kernel_quantizer = { class_name: "quantized_bits", config: { bits: 4, integer: 0, keep_negative: false, alpha: 1 } };
  const layers = [dense("d", 1, { kernel_quantizer, bias_quantizer: null }, "QDense")];
  const { asIs, fixed } = await both({ shape: [1], layers, weights: { d: column(0.95) }, config: { Model }, rows: [[1]] });
  assert.equal([asIs.y, asIs.warnings], [[[0.875]], ["QN306"]]);
  assert.equal([fixed.y, fixed.warnings], [[[0.9375]], []]);
});

fixes("power-of-two weights have no inferred accumulator without --fix", async () => {
  const kernel_quantizer = { class_name: "quantized_po2", config: { bits: 4 } };
  const layers = [dense("d", 1, { kernel_quantizer, bias_quantizer: null }, "QDense")];
  const LayerName = { d: { Precision: { accum: "auto", result: "auto" } } };
  const config = { Model: { Precision: "fixed<8,3>" }, LayerName };
  const { asIs, fixed } = await both({ shape: [2], layers, weights: { d: column(2, 2) }, config, rows: [[2, 1]] });
  assert.equal([asIs.y, asIs.warnings], [[[-2]], ["QN306"]]);
  assert.equal([fixed.y, fixed.warnings], [[[6]], []]);
});

fixes("a relu behind an inferred sum wraps without --fix", async () => {
  const config = {
    Model: { Precision: "fixed<8,3>" },
    LayerName: { d: { Precision: { accum: "auto", result: "auto" } }, d_relu: { Precision: { result: "auto" } } },
  };
  const { asIs, fixed } = await both({
    shape: [2],
    layers: [dense("d", 1, { activation: "relu" })],
    weights: { d: column(1, 1.5) },
    config,
    rows: [[2, 2]],
  });
  assert.equal([asIs.y, asIs.warnings], [[[-3]], ["QN306"]]);
  assert.equal([fixed.y, fixed.warnings], [[[5]], []]);
});

fixes("a linear activation behind an inferred sum rounds only with --fix", async () => {
  const config = {
    Model,
    LayerName: {
      d: { Precision: { accum: "auto", result: "auto" } },
      d_linear: { Precision: { result: "auto" } },
      q: { Precision: "fixed<2,1,RND_CONV,SAT>" },
    },
  };
  const layers = [dense("d", 1), layer("QActivation", "q", { activation: "quantized_bits(2,0,alpha=1)" })];
  const { asIs, fixed } = await both({ shape: [1], layers, weights: { d: column(1) }, config, rows: [[0.3125]] });
  assert.equal([asIs.y, asIs.warnings], [[[0.3125]], ["QN306"]]);
  assert.equal([fixed.y, fixed.warnings], [[[0.5]], []]);
});

fixes("max pooling of unsigned data is padded with half its range without --fix", async () => {
  const layers = [
    layer("Activation", "r", { activation: "relu" }),
    layer("MaxPooling1D", "p", { pool_size: [2], strides: [2], padding: "same", data_format: "channels_last" }),
  ];
  const config = { Model, LayerName: { r: { Precision: "ufixed<4,1>" }, p: { Precision: { accum: "auto", result: "auto" } } } };
  const { asIs, fixed } = await both({ shape: [3, 1], layers, config, rows: [[0, 0.25, 0.5]] });
  assert.equal([asIs.y, asIs.warnings], [[[0.25, 1]], ["QN306"]]);
  assert.equal([fixed.y, fixed.warnings], [[[0.25, 0.5]], []]);
});

fixes("the softmax of tables becomes the host's", async () => {
  const { asIs, fixed } = await both({
    shape: [3],
    layers: [layer("Activation", "s", { activation: "softmax" })],
    config: { Model },
    rows: [[0, -1, -1.3125]],
  });
  assert.equal(asIs.warnings, ["QN306"]);
  assert.is(asIs.graph.outputs[0]!.host, undefined);
  assert.is(asIs.y[0]!.reduce((a, b) => a + b) > 1.05, true);
  assert.equal([fixed.y, fixed.warnings], [[[0, -1, -1.3125]], []]);
  assert.is(fixed.graph.outputs[0]!.host, "softmax");
});

fixes.run();
