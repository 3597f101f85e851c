// Convolutions and pooling against their definition, written here as plain loops over an image; movement, merges and products against hand-worked values.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { numbersOf } from "../src/ir/tensor.js";
import { functional, input, type J, layer, read, run, runAll, sequential, tryRead, type Values, weightsFile, wired } from "./support/keras-model.js";

/** Deterministic small integers, so that all sums are exact. */
const integers = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => ((i * 7 + seed * 13 + ((i * i) % 11)) % 9) - 4);
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

interface Window {
  readonly k: readonly [number, number];
  readonly s: readonly [number, number];
  readonly d?: readonly [number, number];
  readonly same: boolean;
}

/** For each output pixel the list of input pixels under the window, `undefined` outside the image: TensorFlow's SAME and VALID. */
function windows([h, w]: readonly [number, number], { k, s, d = [1, 1], same }: Window): { readonly out: readonly [number, number]; readonly at: (readonly ([number, number] | undefined)[])[] } {
  const axis = (n: number, i: 0 | 1): { out: number; before: number } => {
    const reach = (k[i] - 1) * d[i] + 1;
    if (!same) return { out: Math.ceil((n - reach + 1) / s[i]), before: 0 };
    const out = Math.ceil(n / s[i]);
    return { out, before: Math.floor(Math.max((out - 1) * s[i] + reach - n, 0) / 2) };
  };
  const [rows, columns] = [axis(h, 0), axis(w, 1)];
  const at: ([number, number] | undefined)[][] = [];
  for (let y = 0; y < rows.out; y++)
    for (let x = 0; x < columns.out; x++) {
      const taps: ([number, number] | undefined)[] = [];
      for (let i = 0; i < k[0]; i++)
        for (let j = 0; j < k[1]; j++) {
          const [r, c] = [y * s[0] - rows.before + i * d[0], x * s[1] - columns.before + j * d[1]];
          taps.push(r >= 0 && r < h && c >= 0 && c < w ? [r, c] : undefined);
        }
      at.push(taps);
    }
  return { out: [rows.out, columns.out], at };
}

const t = suite("keras spatial layers");
const [H, W] = [7, 6] as const;
const padding = (same: boolean): string => (same ? "same" : "valid");

t("Conv2D: strides, dilation, groups, padding", async () => {
  const cases: readonly (Window & { readonly cin: number; readonly filters: number; readonly groups: number })[] = [
    { k: [3, 2], s: [1, 1], same: false, cin: 2, filters: 3, groups: 1 },
    { k: [3, 3], s: [2, 2], same: true, cin: 1, filters: 2, groups: 1 },
    { k: [2, 3], s: [3, 2], same: true, cin: 2, filters: 2, groups: 1 },
    { k: [2, 2], s: [1, 1], d: [2, 3], same: true, cin: 2, filters: 2, groups: 1 },
    { k: [2, 2], s: [1, 1], d: [3, 1], same: false, cin: 2, filters: 2, groups: 1 },
    { k: [3, 1], s: [1, 2], same: true, cin: 4, filters: 6, groups: 2 },
    { k: [1, 1], s: [3, 3], same: true, cin: 2, filters: 2, groups: 1 },
  ];
  for (const c of cases) {
    const { cin, filters, groups } = c;
    const [kernel, bias, x] = [integers(c.k[0] * c.k[1] * (cin / groups) * filters, 1), integers(filters, 2), integers(H * W * cin, 3)];
    const model = sequential(
      input(H, W, cin),
      layer("Conv2D", "c", { filters, kernel_size: c.k, strides: c.s, dilation_rate: c.d ?? [1, 1], groups, padding: padding(c.same), data_format: "channels_last" }),
    );
    const graph = await read(model, await weightsFile({ "c/kernel": [[...c.k, cin / groups, filters], kernel], "c/bias": [[filters], bias] }));
    const want = windows([H, W], c).at.flatMap((taps) =>
      bias.map((b, f) => {
        const first = Math.floor(f / (filters / groups)) * (cin / groups);
        return taps.reduce((sum, p, n) => {
          if (!p) return sum;
          for (let i = 0; i < cin / groups; i++) sum += x[(p[0] * W + p[1]) * cin + first + i]! * kernel[(n * (cin / groups) + i) * filters + f]!;
          return sum;
        }, b);
      }),
    );
    assert.equal(run(graph, x), want, JSON.stringify(c));
    assert.equal(graph.nodes[graph.outputs[0]!.value]!.type.shape, [...windows([H, W], c).out, filters]);
  }
});

t("DepthwiseConv2D and SeparableConv2D: a filter for each channel, results of one channel side by side", async () => {
  const [cin, multiplier, filters] = [2, 3, 4];
  const c: Window = { k: [2, 3], s: [2, 2], same: true };
  const [deep, bias, x] = [integers(6 * cin * multiplier, 5), integers(cin * multiplier, 6), integers(H * W * cin, 7)];
  const options = { kernel_size: c.k, strides: c.s, padding: "same", depth_multiplier: multiplier };
  const between = windows([H, W], c).at.map((taps) =>
    Array.from({ length: cin * multiplier }, (_, o) => {
      const i = Math.floor(o / multiplier);
      return taps.reduce((sum, p, n) => sum + (p ? x[(p[0] * W + p[1]) * cin + i]! * deep[n * cin * multiplier + o]! : 0), 0);
    }),
  );
  for (const name of ["depthwise_kernel", "kernel"]) {
    // Keras 3 names the only kernel `kernel`.
    const values: Values = { [`c/${name}`]: [[...c.k, cin, multiplier], deep], "c/bias": [[cin * multiplier], bias] };
    const graph = await read(sequential(input(H, W, cin), layer("DepthwiseConv2D", "c", options)), await weightsFile(values));
    assert.equal(run(graph, x), between.flatMap((row) => row.map((v, o) => v + bias[o]!)));
  }
  const point = integers(cin * multiplier * filters, 8);
  const values: Values = {
    "c/depthwise_kernel": [[...c.k, cin, multiplier], deep],
    "c/pointwise_kernel": [[1, 1, cin * multiplier, filters], point],
  };
  const graph = await read(
    sequential(input(H, W, cin), layer("SeparableConv2D", "c", { ...options, filters, use_bias: false })),
    await weightsFile(values),
  );
  const want = between.flatMap((row) => Array.from({ length: filters }, (_, f) => row.reduce((sum, v, o) => sum + v * point[o * filters + f]!, 0)));
  assert.equal(run(graph, x), want);
});

t("Conv1D: causal padding sees only the past", async () => {
  const values: Values = { "c/kernel": [[2, 1, 1], [1, 10]], "c/bias": [[1], [0]] };
  const causal = layer("Conv1D", "c", { filters: 1, kernel_size: [2], dilation_rate: [2], padding: "causal" });
  assert.equal(run(await read(sequential(input(5, 1), causal), await weightsFile(values)), [1, 2, 3, 4, 5]), [10, 20, 31, 42, 53]);
  const { reporter } = await tryRead(sequential(input(5, 1, 1), layer("Conv2D", "c", { filters: 1, kernel_size: 1, padding: "causal" })));
  assert.is(reporter.diagnostics[0]!.code, "QN212");
});

t("channels_first is the same layer between two transpositions", async () => {
  const values: Values = { "c/kernel": [[3, 2, 2, 3], integers(36, 1)], "c/bias": [[3], integers(3, 2)] };
  const model = (data_format: string, ...shape: number[]): J =>
    sequential(
      input(...shape),
      layer("Conv2D", "c", { filters: 3, kernel_size: [3, 2], padding: "same", data_format }),
      layer("MaxPooling2D", "p", { pool_size: 2, data_format }),
      layer("Flatten", "f", { data_format }),
    );
  const x = integers(H * W * 2, 3);
  const first = Array.from({ length: x.length }, (_, i) => x[(i % (H * W)) * 2 + Math.floor(i / (H * W))]!);
  const last = run(await read(model("channels_last", H, W, 2), await weightsFile(values)), x);
  assert.equal(run(await read(model("channels_first", 2, H, W), await weightsFile(values)), first), last);
});

t("pooling: padding never counts, neither as a maximum nor in a divisor", async () => {
  const x = integers(H * W * 2, 4).map((v) => v - 5);
  for (const c of [
    { k: [3, 2], s: [2, 3], same: true },
    { k: [2, 2], s: [2, 2], same: false },
    { k: [3, 3], s: [1, 1], same: true },
    { k: [4, 3], s: [3, 3], same: true },
  ] as const) {
    const { at, out } = windows([H, W], c);
    const options = { pool_size: c.k, strides: c.s, padding: padding(c.same) };
    const each = (f: (values: readonly number[]) => number): number[] =>
      at.flatMap((taps) => [0, 1].map((ch) => f(taps.filter((p) => p !== undefined).map((p) => x[(p[0] * W + p[1]) * 2 + ch]!))));
    const highest = await read(sequential(input(H, W, 2), layer("MaxPooling2D", "p", options)));
    assert.equal(run(highest, x), each((v) => Math.max(...v)), JSON.stringify(c));
    assert.equal(highest.nodes.at(-1)!.type.shape, [...out, 2]);
    const mean = run(await read(sequential(input(H, W, 2), layer("AveragePooling2D", "p", options))), x);
    for (const [i, v] of each((v) => v.reduce((a, b) => a + b, 0) / v.length).entries()) assert.ok(Math.abs(mean[i]! - v) < 1e-6, `${JSON.stringify(c)} ${i}`);
  }
  const all = (kind: string, options: { readonly [key: string]: J } = {}) => read(sequential(input(2, 2, 2), layer(kind, "p", options)));
  const image = [1, -8, 3, -6, 5, -4, 7, -2];
  assert.equal(run(await all("GlobalMaxPooling2D"), image), [7, -2]);
  assert.equal(run(await all("GlobalAveragePooling2D"), image), [4, -5]);
  const kept = await all("GlobalAveragePooling2D", { keepdims: true });
  assert.equal(kept.nodes.at(-1)!.type.shape, [1, 1, 2]);
});

t("an average of quantized values is rounded as its exact quotient, ties included", async () => {
  const halfEven = (x: number): number => 2 * Math.round(x / 2) === x + 0.5 || Math.round(x) - x !== 0.5 ? Math.round(x) : Math.round(x) - 1;
  for (const n of [3, 5, 7, 9]) {
    const graph = await read(
      sequential(
        input(n, 1),
        layer("QActivation", "q", { activation: "quantized_relu(8,4)" }),
        layer("AveragePooling1D", "p", { pool_size: n }),
        layer("QActivation", "r", { activation: "quantized_relu(6,4)" }),
      ),
    );
    // Steps of 1/16 are averaged and rounded to steps of 1/4: ties where the sum is an odd multiple of n/8.
    for (let sum = 0; sum < 48 * n; sum++) {
      const x = Array.from({ length: n }, (_, i) => (Math.floor(sum / n) + Number(i < sum % n)) / 16);
      assert.equal(run(graph, x), [halfEven((sum / 16 / n) * 4) / 4], `${sum}/${16 * n}`);
    }
  }
});

t("QAveragePooling2D multiplies the sum by the quantized 1/area", async () => {
  const options = { pool_size: [1, 3], strides: [1, 3], average_quantizer: "quantized_bits(4,0,1,alpha=1)", activation: "quantized_relu(8,4)" };
  // 1/3 in steps of 1/8 is 3/8.
  assert.equal(run(await read(sequential(input(1, 6, 1), layer("QAveragePooling2D", "p", options))), [1, 2, 4, -1, 0, -3]), [2.625, 0]);
  const global = layer("QGlobalAveragePooling2D", "p", { average_quantizer: "quantized_bits(4,0,1,alpha=1)" });
  assert.equal(run(await read(sequential(input(1, 3, 1), global)), [1, 2, 4]), [2.625]);
});

t("folded batch normalization: the quantizers see γ/√(σ²+ε)·W and γ/√(σ²+ε)·(b − μ) + β", async () => {
  const config = { kernel_size: [1, 1], epsilon: 0, kernel_quantizer: "quantized_bits(8,3,0,alpha=1)", bias_quantizer: "quantized_bits(8,3,0,alpha=1)", depthwise_quantizer: "quantized_bits(8,3,0,alpha=1)" };
  const norm = (n: number): Values => ({
    "c/batch_normalization/gamma": [[n], [2, 3]],
    "c/batch_normalization/beta": [[n], [0.5, -1]],
    "c/batch_normalization/moving_mean": [[n], [1, 2]],
    "c/batch_normalization/moving_variance": [[n], [4, 0.25]],
    "c/iteration": [[1], [7]],
  });
  const full = await read(
    sequential(input(1, 1, 1), layer("QConv2DBatchnorm", "c", { ...config, filters: 2 })),
    await weightsFile({ "c/kernel": [[1, 1, 1, 2], [0.75, 0.25]], "c/bias": [[2], [3, 1]], ...norm(2) }),
  );
  const node = full.nodes.at(-1)!;
  assert.ok(node.op === "conv");
  assert.equal([numbersOf(node.attrs.kernel), numbersOf(node.attrs.bias!)], [[0.75, 1.5], [2.5, -7]]);
  const deep = await read(
    sequential(input(1, 1, 2), layer("QDepthwiseConv2DBatchnorm", "c", { ...config, use_bias: false })),
    await weightsFile({ "c/depthwise_kernel": [[1, 1, 2, 1], [0.75, 0.25]], ...norm(2) }),
  );
  assert.equal(run(deep, [1, 1]), [0.75 - 0.5, 1.5 - 8]);
});

t("movement", async () => {
  const one = async (l: J, ...shape: number[]) => read(sequential(input(...shape), l));
  const x = [1, 2, 3, 4, 5, 6];
  assert.equal(run(await one(layer("Permute", "p", { dims: [2, 1] }), 2, 3), x), [1, 4, 2, 5, 3, 6]);
  assert.equal(run(await one(layer("ZeroPadding1D", "p", { padding: [1, 0] }), 2, 3), x), [0, 0, 0, ...x]);
  assert.equal(run(await one(layer("ZeroPadding2D", "p", { padding: [[0, 1], [2, 0]] }), 1, 3, 2), x), [0, 0, 0, 0, ...x, ...new Array<number>(10).fill(0)]);
  assert.equal(run(await one(layer("Cropping1D", "p", { cropping: [1, 1] }), 3, 2), x), [3, 4]);
  assert.equal(run(await one(layer("Cropping2D", "p", { cropping: [[0, 0], [1, 0]] }), 2, 3, 1), x), [2, 3, 5, 6]);
  assert.equal(run(await one(layer("UpSampling1D", "p", { size: 2 }), 3, 2), x), [1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6]);
  assert.equal(run(await one(layer("UpSampling2D", "p", { size: [1, 2] }), 1, 2, 3), x), [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]);
  assert.equal(run(await one(layer("RepeatVector", "p", { n: 2 }), 2), [1, 2]), [1, 2, 1, 2]);
  for (const [l, code] of [
    [layer("UpSampling2D", "p", { size: 2, interpolation: "bilinear" }), "QN212"],
    [layer("Cropping2D", "p", { cropping: 2 }), "QN209"],
    [layer("ZeroPadding2D", "p", { padding: [1, 2, 3] }), "QN200"],
    [layer("UpSampling2D", "p", { size: 2 ** 20 }), "QN213"],
    [layer("ZeroPadding2D", "p", { padding: 2 ** 19 }), "QN213"],
    [layer("Permute", "p", { dims: [1, 1, 2] }), "QN209"],
    [layer("MaxPooling3D", "p"), "QN209"],
    [layer("MaxPooling2D", "p", { pool_size: 9 }), "QN305"],
  ] as const) {
    const { graph, reporter } = await tryRead(sequential(input(2, 3, 1), l));
    assert.is(graph, undefined);
    assert.equal(reporter.diagnostics.map((d) => [d.code, d.at?.layer]), [[code, "p"]], JSON.stringify(l));
  }
});

t("merges broadcast from the last axis; Dot sums over one axis of each", async () => {
  const [a, b] = [wired(layer("InputLayer", "a", { batch_input_shape: [null, 2] })), wired(layer("InputLayer", "b", { batch_input_shape: [null, 2, 2] }))];
  const both: J = [["a", 0, 0, {}], ["b", 0, 0, {}]];
  const merge = (kind: string, config: { readonly [key: string]: J } = {}): Promise<readonly number[]> =>
    read(functional([a, b, wired(layer(kind, "y", config), both)], [["a", 0, 0], ["b", 0, 0]], [["y", 0, 0]])).then((g) => run(g, [1, -2], [3, 4, -5, 6]));
  assert.equal(await merge("Add"), [4, 2, -4, 4]);
  assert.equal(await merge("Subtract"), [-2, -6, 6, -8]);
  assert.equal(await merge("Multiply"), [3, -8, -5, -12]);
  assert.equal(await merge("Average"), [2, 1, -2, 2]);
  assert.equal(await merge("Maximum"), [3, 4, 1, 6]);
  assert.equal(await merge("Minimum"), [1, -2, -5, -2]);
  assert.equal(await merge("Dot", { axes: [1, 2] }), [3 - 8, -5 - 12]);
  assert.equal(await merge("Dot", { axes: [1, 1] }), [3 + 10, 4 - 12]);
  const self: J = [["b", 0, 0, {}], ["b", 0, 0, {}]];
  const joined = await read(functional([b, wired(layer("Concatenate", "y", { axis: -1 }), self)], [["b", 0, 0]], [["y", 0, 0]]));
  assert.equal(run(joined, [1, 2, 3, 4]), [1, 2, 1, 2, 3, 4, 3, 4]);
});

t("EinsumDense: summed, shared and new axes in any order", async () => {
  const x = integers(6, 2);
  const at = (b: number, c: number): number => x[b * 3 + c]!;
  const cases: readonly { equation: string; output: readonly number[]; kernel: readonly number[]; want(w: readonly number[]): number[] }[] = [
    { equation: "abc,cd->abd", output: [2, 2], kernel: [3, 2], want: (w) => [0, 1].flatMap((b) => [0, 1].map((d) => [0, 1, 2].reduce((s, c) => s + at(b, c) * w[c * 2 + d]!, 0))) },
    { equation: "...c,cd->...d", output: [2], kernel: [3, 2], want: (w) => [0, 1].flatMap((b) => [0, 1].map((d) => [0, 1, 2].reduce((s, c) => s + at(b, c) * w[c * 2 + d]!, 0))) },
    { equation: "abc,dbc->ad", output: [2], kernel: [2, 2, 3], want: (w) => [0, 1].map((d) => x.reduce((s, v, i) => s + v * w[d * 6 + i]!, 0)) },
    { equation: "abc,bcd->adb", output: [2, 2], kernel: [2, 3, 2], want: (w) => [0, 1].flatMap((d) => [0, 1].map((b) => [0, 1, 2].reduce((s, c) => s + at(b, c) * w[(b * 3 + c) * 2 + d]!, 0))) },
  ];
  for (const c of cases) {
    const w = integers(size(c.kernel), 9);
    const graph = await read(
      sequential(input(2, 3), layer("EinsumDense", "e", { equation: c.equation, output_shape: c.output, bias_axes: null })),
      await weightsFile({ "e/kernel": [c.kernel, w] }),
    );
    assert.equal(run(graph, x), c.want(w), c.equation);
  }
  const biased = layer("EinsumDense", "e", { equation: "abc,cd->adb", output_shape: [2, 2], bias_axes: "d", activation: "relu" });
  const graph = await read(sequential(input(2, 3), biased), await weightsFile({ "e/kernel": [[3, 2], [1, 0, 1, 0, 1, 0]], "e/bias": [[2, 1], [1, 2]] }));
  assert.equal(run(graph, [1, 2, 3, -4, -5, -6]), [7, 0, 2, 2]);
  for (const equation of ["ab,bc->ac", "abc,cd->adc,", "abc,ac->b", "abc,c->ab!", "abc,bd->ad", 7] as J[]) {
    const { reporter } = await tryRead(sequential(input(2, 3), layer("EinsumDense", "e", { equation, output_shape: [2, 2] })));
    assert.is(reporter.diagnostics[0]?.code, "QN212", String(equation));
  }
});

t("TimeDistributed: the weights are the wrapper's, and every step is a sample of its own", async () => {
  const dense = layer("TimeDistributed", "t", { layer: layer("Dense", "inner", { units: 1, activation: "relu" }) });
  const graph = await read(sequential(input(3, 2), dense), await weightsFile({ "t/kernel": [[2, 1], [1, -2]], "t/bias": [[1], [1]] }));
  assert.equal(run(graph, [5, 1, 1, 5, 0, 0]), [4, 0, 1]);
  const flat = await read(sequential(input(2, 2, 2), layer("TimeDistributed", "t", { layer: layer("Permute", "inner", { dims: [2, 1] }) })));
  assert.equal(run(flat, [1, 2, 3, 4, 5, 6, 7, 8]), [1, 3, 2, 4, 5, 7, 6, 8]);
});

t("activations of straight pieces, and layers of them", async () => {
  const one = async (l: J, x: readonly number[]) => runAll(await read(sequential(input(x.length), l)), x)[0]!;
  const near = (got: readonly number[], want: readonly number[]): void => {
    for (const [i, v] of want.entries()) assert.ok(Math.abs(got[i]! - v) < 1e-6, `${got} is not ${want}`);
  };
  const x = [-4, -0.5, 0.25, 0.5, 3, 8];
  assert.equal(await one(layer("ReLU", "r", { max_value: 6, threshold: 0.25 }), x), [0, 0, 0, 0.5, 3, 6]);
  near(await one(layer("ReLU", "r", { negative_slope: 0.5, threshold: 0.5 }), x), [-2.25, -0.5, -0.125, 0, 3, 8]);
  assert.equal(await one(layer("ThresholdedReLU", "r", { theta: 0.5 }), x), [0, 0, 0, 0, 3, 8]);
  near(await one(layer("Activation", "r", { activation: "leaky_relu" }), x), [-0.8, -0.1, 0.25, 0.5, 3, 8]);
  near(await one(layer("Activation", "r", { activation: "hard_sigmoid" }), x), [0, 0.4, 0.55, 0.6, 1, 1]);
  assert.equal(await one(layer("Activation", "r", { activation: "hard_tanh" }), x), [-1, -0.5, 0.25, 0.5, 1, 1]);
  const keras3 = { class_name: "Sequential", config: { name: "m", layers: [layer("InputLayer", "x", { batch_shape: [null, 6] }), layer("Activation", "r", { activation: "hard_sigmoid" })] } };
  near(run(await read(keras3), x), x.map((v) => Math.min(Math.max(v / 6 + 0.5, 0), 1)));
  const prelu = await read(sequential(input(2, 2), layer("PReLU", "p", { shared_axes: [1] })), await weightsFile({ "p/alpha": [[1, 2], [0.5, -1]] }));
  assert.equal(run(prelu, [-2, -2, 4, -4]), [-1, 2, 4, 4]);
  near(await one(layer("Rescaling", "r", { scale: 1 / 4, offset: -1 }), [4, 8]), [0, 1]);
  const normal = await read(
    sequential(input(2), layer("Normalization", "n", { axis: [-1] })),
    await weightsFile({ "n/mean": [[2], [1, 2]], "n/variance": [[2], [4, 0.25]], "n/count": [[1], [9]] }),
  );
  near(run(normal, [3, 1]), [1, -2]);
  const axis = await read(
    sequential(input(2, 3), layer("BatchNormalization", "b", { axis: [1], epsilon: 0 })),
    await weightsFile({ "b/gamma": [[2], [1, 2]], "b/beta": [[2], [0, 1]], "b/moving_mean": [[2], [0, 1]], "b/moving_variance": [[2], [1, 1]] }),
  );
  near(run(axis, [1, 2, 3, 4, 5, 6]), [1, 2, 3, 7, 9, 11]);
});

t.run();
