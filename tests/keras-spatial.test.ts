// Convolutions and pooling against their definition, written here as plain loops over an image.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { quantizerForward } from "../src/frontend/keras/quantizer-forward.js";
import { type ArgValue, makeQuantizer, type Quantizer } from "../src/frontend/keras/quantizers.js";
import { numbersOf } from "../src/ir/tensor.js";
import { input, type J, layer, read, run, sequential, tryRead, type Values, weightsFile } from "./support/keras-model.js";

/** Deterministic small integers, so that all sums are exact. */
const integers = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => ((i * 7 + seed * 13 + ((i * i) % 11)) % 9) - 4);

interface Window {
  readonly k: readonly [number, number];
  readonly s: readonly [number, number];
  readonly d?: readonly [number, number];
  readonly same: boolean;
}

/** For each output pixel the list of input pixels under the window, `undefined` outside the image: TensorFlow's SAME and VALID. */
function windows(
  [h, w]: readonly [number, number],
  { k, s, d = [1, 1], same }: Window,
): { readonly out: readonly [number, number]; readonly at: (readonly ([number, number] | undefined)[])[] } {
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
      layer("Conv2D", "c", {
        filters,
        kernel_size: c.k,
        strides: c.s,
        dilation_rate: c.d ?? [1, 1],
        groups,
        padding: padding(c.same),
        data_format: "channels_last",
      }),
    );
    const graph = await read(
      model,
      await weightsFile({ "c/kernel": [[...c.k, cin / groups, filters], kernel], "c/bias": [[filters], bias] }),
    );
    const want = windows([H, W], c).at.flatMap((taps) =>
      bias.map((b, f) => {
        const first = Math.floor(f / (filters / groups)) * (cin / groups);
        return taps.reduce((sum, p, n) => {
          if (!p) return sum;
          for (let i = 0; i < cin / groups; i++)
            sum += x[(p[0] * W + p[1]) * cin + first + i]! * kernel[(n * (cin / groups) + i) * filters + f]!;
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
    assert.equal(
      run(graph, x),
      between.flatMap((row) => row.map((v, o) => v + bias[o]!)),
    );
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
  const want = between.flatMap((row) =>
    Array.from({ length: filters }, (_, f) => row.reduce((sum, v, o) => sum + v * point[o * filters + f]!, 0)),
  );
  assert.equal(run(graph, x), want);
});

t("Conv1D: causal padding sees only the past", async () => {
  const values: Values = {
    "c/kernel": [
      [2, 1, 1],
      [1, 10],
    ],
    "c/bias": [[1], [0]],
  };
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
    assert.equal(
      run(highest, x),
      each((v) => Math.max(...v)),
      JSON.stringify(c),
    );
    assert.equal(highest.nodes.at(-1)!.type.shape, [...out, 2]);
    const mean = run(await read(sequential(input(H, W, 2), layer("AveragePooling2D", "p", options))), x);
    for (const [i, v] of each((v) => v.reduce((a, b) => a + b, 0) / v.length).entries())
      assert.ok(Math.abs(mean[i]! - v) < 1e-6, `${JSON.stringify(c)} ${i}`);
  }
  const all = (kind: string, options: { readonly [key: string]: J } = {}) => read(sequential(input(2, 2, 2), layer(kind, "p", options)));
  const image = [1, -8, 3, -6, 5, -4, 7, -2];
  assert.equal(run(await all("GlobalMaxPooling2D"), image), [7, -2]);
  assert.equal(run(await all("GlobalAveragePooling2D"), image), [4, -5]);
  const kept = await all("GlobalAveragePooling2D", { keepdims: true });
  assert.equal(kept.nodes.at(-1)!.type.shape, [1, 1, 2]);
});

t("an average of quantized values is rounded as its exact quotient, ties included", async () => {
  const halfEven = (x: number): number => {
    const up = Math.floor(x + 0.5);
    return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
  };
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
  const options = {
    pool_size: [1, 3],
    strides: [1, 3],
    average_quantizer: "quantized_bits(4,0,1,alpha=1)",
    activation: "quantized_relu(8,4)",
  };
  // 1/3 in steps of 1/8 is 3/8.
  assert.equal(run(await read(sequential(input(1, 6, 1), layer("QAveragePooling2D", "p", options))), [1, 2, 4, -1, 0, -3]), [2.625, 0]);
  const global = layer("QGlobalAveragePooling2D", "p", { average_quantizer: "quantized_bits(4,0,1,alpha=1)" });
  assert.equal(run(await read(sequential(input(1, 3, 1), global)), [1, 2, 4]), [2.625]);
});

t("folded batch normalization: the quantizers see γ/√(σ²+ε)·W and γ/√(σ²+ε)·(b − μ) + β", async () => {
  const config = {
    kernel_size: [1, 1],
    epsilon: 0,
    kernel_quantizer: "quantized_bits(8,3,0,alpha=1)",
    bias_quantizer: "quantized_bits(8,3,0,alpha=1)",
    depthwise_quantizer: "quantized_bits(8,3,0,alpha=1)",
  };
  const norm = (n: number): Values => ({
    "c/batch_normalization/gamma": [[n], [2, 3]],
    "c/batch_normalization/beta": [[n], [0.5, -1]],
    "c/batch_normalization/moving_mean": [[n], [1, 2]],
    "c/batch_normalization/moving_variance": [[n], [4, 0.25]],
    "c/iteration": [[1], [7]],
  });
  const full = await read(
    sequential(input(1, 1, 1), layer("QConv2DBatchnorm", "c", { ...config, filters: 2 })),
    await weightsFile({
      "c/kernel": [
        [1, 1, 1, 2],
        [0.75, 0.25],
      ],
      "c/bias": [[2], [3, 1]],
      ...norm(2),
    }),
  );
  const node = full.nodes.at(-1)!;
  assert.ok(node.op === "conv");
  assert.equal(
    [numbersOf(node.attrs.kernel), numbersOf(node.attrs.bias!)],
    [
      [0.75, 1.5],
      [2.5, -7],
    ],
  );
  const deep = await read(
    sequential(input(1, 1, 2), layer("QDepthwiseConv2DBatchnorm", "c", { ...config, use_bias: false })),
    await weightsFile({
      "c/depthwise_kernel": [
        [1, 1, 2, 1],
        [0.75, 0.25],
      ],
      ...norm(2),
    }),
  );
  assert.equal(run(deep, [1, 1]), [0.75 - 0.5, 1.5 - 8]);
});

t("a scale that is no power of two multiplies the sums of every channel that it belongs to", async () => {
  const kernel = [0.9, -0.33, 0.11, 0.45];
  const q = makeQuantizer(
    "quantized_bits",
    new Map<string, ArgValue>([
      ["bits", 4],
      ["symmetric", 1],
      ["alpha", "auto"],
    ]),
  ) as Quantizer;
  const text = "quantized_bits(4,0,1,alpha='auto')";
  const one = { kernel_size: [1, 1], use_bias: false };
  const deep = await read(
    sequential(input(1, 1, 2), layer("QDepthwiseConv2D", "c", { ...one, depth_multiplier: 2, depthwise_quantizer: text })),
    await weightsFile({ "c/depthwise_kernel": [[1, 1, 2, 2], kernel] }),
  );
  const full = await read(
    sequential(input(1, 1, 2), layer("QConv2D", "c", { ...one, filters: 2, kernel_quantizer: text })),
    await weightsFile({ "c/kernel": [[1, 1, 2, 2], kernel] }),
  );
  const w = [...quantizerForward(q, kernel, [1, 1, 2, 2]).values];
  for (const [got, want] of [
    [run(deep, [1, 10]), [w[0]!, w[1]!, 10 * w[2]!, 10 * w[3]!]],
    [run(full, [1, 10]), [w[0]! + 10 * w[2]!, w[1]! + 10 * w[3]!]],
  ] as const)
    for (const [i, v] of want.entries()) assert.ok(Math.abs(got[i]! - v) < 1e-5, `${got} is not ${want}`);
});

t.run();
