// The layers of HGQ and HGQ2 that no golden network has, each against its formula in plain doubles.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { below, conf, hgq, kifs, quantized, reals, rounds, run, same, widths } from "./support/hgq.js";
import { functional, input, type J, type Values, layer, read, sequential, weightsFile, wired } from "./support/keras-model.js";

const t = suite("keras hgq layers");

t("QSoftmax, stable and not", async () => {
  const tables = {
    exp_oq_conf: conf("kif", "RND_CONV", "SAT"),
    inv_iq_conf: conf("kif", "RND", "SAT"),
    inv_oq_conf: conf("kif", "RND_CONV", "SAT"),
  };
  for (const stable of [true, false]) {
    const model = sequential(
      input(4),
      hgq("QSoftmax", "s", {
        stable,
        enable_iq: true,
        iq_conf: conf("kif", "RND", "SAT"),
        exp_iq_conf: conf("kif", "RND", "SAT"),
        input_scaler: 0.5,
        ...tables,
      }),
    );
    const weights = await weightsFile({
      ...widths("s/s_iq", [1, 4], same(4, 1, 2, 4)),
      ...widths("s/s_exp_table/s_exp_table_iq", [1, 1], same(1, 1, 4, 3)),
      ...widths("s/s_exp_table/s_exp_table_oq", [1, 1], same(1, 0, 3, 6)),
      ...widths("s/s_inv_table/s_inv_table_iq", [1, 1], same(1, 0, 4, 3)),
      ...widths("s/s_inv_table/s_inv_table_oq", [1, 1], same(1, 0, 2, 8)),
    });
    const graph = await read(model, weights);
    for (let sample = 0; sample < 20; sample++) {
      const x = reals(4);
      const y = x.map((v) => quantized(v, 1, 2, 4, "RND", "SAT"));
      const e = y.map((v) => {
        const d = stable ? quantized(Math.max(...y) - v, 1, 4, 3, "RND", "SAT") : v;
        return quantized(Math.exp((stable ? -d : d) * 0.5), 0, 3, 6, "RND_CONV", "SAT");
      });
      const sum = quantized(e[0]! + e[1]! + e[2]! + e[3]!, 0, 4, 3, "RND", "SAT");
      const inverse = quantized(1 / (sum + 1e-7), 0, 2, 8, "RND_CONV", "SAT");
      assert.equal(
        run(graph, x),
        e.map((v) => v * inverse),
        `stable ${stable}, ${x}`,
      );
    }
  }
});

t("sums, averages by powers of two and products of two values", async () => {
  const one = { iq_conf: conf("kif", "TRN", "SAT") };
  const wide = (name: string): Values => widths(`${name}/${name}_iq`, [1, 1, 1], same(1, 1, 9, 4));
  const cube = [2, 3];
  const x = reals(6).map((v) => Math.floor(v * 16) / 16);
  const [[a, b, c], [d, e, f]] = [x.slice(0, 3), x.slice(3)] as [[number, number, number], [number, number, number]];
  const cases: readonly (readonly [string, { readonly [key: string]: J }, readonly number[]])[] = [
    ["QSum", { axes: [1], scale: 0.5 }, [(a + d) / 2, (b + e) / 2, (c + f) / 2]],
    ["QSum", { axes: [-1], keepdims: true }, [a + b + c, d + e + f]],
    ["QMeanPow2", { axes: [-1, -2] }, [(a + b + c + d + e + f) / 8]],
  ];
  for (const [name, config, want] of cases) {
    const graph = await read(sequential(input(...cube), hgq(name, "s", { ...one, ...config })), await weightsFile(wide("s")));
    assert.equal(run(graph, x), want, `${name} ${JSON.stringify(config)}`);
  }
  const two = async (name: string, config: { readonly [key: string]: J }): Promise<readonly number[]> => {
    const layers = [
      wired(input(...cube)),
      wired(hgq(name, "m", { iq_confs: [one.iq_conf, one.iq_conf], ...config }), [
        ["x", 0, 0, {}],
        ["x", 0, 0, {}],
      ]),
    ];
    const q = (n: number): Values => widths(`m/multiple_quantizers/quantizer${n ? `_${n}` : ""}`, [1, 1, 1], same(1, 1, 9, 4));
    return run(await read(functional(layers, [["x", 0, 0]], [["m", 0, 0]]), await weightsFile({ ...q(0), ...q(1) })), x);
  };
  assert.equal(await two("QAveragePow2", {}), x);
  assert.equal(
    await two("QMultiply", {}),
    x.map((v) => v * v),
  );
  assert.equal(await two("QSubtract", {}), [0, 0, 0, 0, 0, 0]);
  const gram = [a * a + b * b + c * c, a * d + b * e + c * f, a * d + b * e + c * f, d * d + e * e + f * f];
  assert.equal(await two("QEinsum", { equation: "bij,bkj->bik" }), gram);
  assert.equal(await two("QEinsum", { equation: "bij,bij->bj" }), [a * a + d * d, b * b + e * e, c * c + f * f]);
});

t("QEinsumDense: any equation that sums axes of both", async () => {
  const size: Readonly<Record<string, number>> = { i: 2, j: 3, k: 2, l: 4 };
  const shape = (letters: string): number[] => [...letters].map((l) => size[l]!);
  for (const [inputs, kernel, output] of [
    ["ij", "jk", "ik"],
    ["ij", "jk", "ki"],
    ["ij", "ijk", "k"],
    ["ij", "jik", "ki"],
    ["ij", "ijk", "ik"],
    ["ijl", "ljk", "ikj"],
    ["ijl", "jk", "lki"],
    ["ij", "ij", "ij"],
  ] as const) {
    const [nx, nw] = [shape(inputs), shape(kernel)].map((s) => s.reduce((p, n) => p * n, 1)) as [number, number];
    const weights = Array.from({ length: nw }, () => below(15) - 7);
    const letters = [...new Set(inputs + kernel)];
    const config = {
      equation: `b${inputs},${kernel}->b${output}`,
      output_shape: shape(output),
      enable_iq: true,
      iq_conf: conf("kif", "TRN", "SAT"),
    };
    const values: Values = {
      "e/kernel": [shape(kernel), weights],
      ...widths("e/e_iq", [1, ...shape(inputs).map(() => 1)], same(1, 1, 4, 3)),
      ...widths(
        "e/e_kq",
        shape(kernel).map(() => 1),
        same(1, 1, 5, 0),
      ),
    };
    const graph = await read(
      sequential(input(...shape(inputs)), hgq("QEinsumDense", "e", { ...config, kq_conf: conf("kif", "RND", "SAT") })),
      await weightsFile(values),
    );
    const x = Array.from({ length: nx }, () => (below(128) - 64) / 8);
    const want = Array<number>(shape(output).reduce((p, n) => p * n, 1)).fill(0);
    const at = (names: string, index: ReadonlyMap<string, number>): number => [...names].reduce((o, l) => o * size[l]! + index.get(l)!, 0);
    const visit = (rest: readonly string[], index: ReadonlyMap<string, number>): void => {
      const [l, ...more] = rest;
      if (l === undefined) want[at(output, index)]! += x[at(inputs, index)]! * weights[at(kernel, index)]!;
      else for (let n = 0; n < size[l]!; n++) visit(more, new Map([...index, [l, n]]));
    };
    visit(letters, new Map());
    assert.equal(run(graph, x), want, config.equation);
  }
});

t("QConvT1D: a table for each tap, channel and filter, summed at every position", async () => {
  const [n, channels, taps, filters] = [5, 2, 3, 2];
  const pairs = taps * channels * filters;
  const [w, b] = [reals(pairs), reals(pairs)].map((v) => v.map((x) => Math.fround(x / 7))) as [number[], number[]];
  const iq = kifs(n * pairs, 0);
  const config = { filters, kernel_size: [taps], strides: [1], padding: "same", n_hl: 0, d_hl: 1, use_bias: true, subnn_activation: null };
  const quantizers = { iq_conf: conf("kif", "RND", "WRAP"), toq_conf: conf("kif", "RND_CONV", "SAT") };
  const values: Values = {
    ...widths("q", [1, 1, 1], same(1, 1, 3, 10)),
    ...widths("c/c_iq", [1, n, taps * channels, filters], iq),
    ...widths("c/quantizer_9", [1, 1, 1, 1], same(1, 1, 1, 5)),
    "c/sequential/einsum_dense_4/kernel": [[taps * channels, filters, 1], w],
    "c/sequential/einsum_dense_4/bias": [[taps * channels, filters], b],
  };
  const graph = await read(
    sequential(
      input(n, channels),
      hgq("Quantizer", "q", { config: conf("kif", "TRN", "SAT") }),
      hgq("QConvT1D", "c", { ...config, ...quantizers }),
    ),
    await weightsFile(values),
  );
  const x = reals(n * channels);
  const want = Array.from({ length: n * filters }, (_, o) => {
    const [position, filter] = [Math.floor(o / filters), o % filters];
    let sum = 0;
    for (let p = 0; p < taps * channels; p++) {
      const from = position + Math.floor(p / channels) - 1;
      const pair = p * filters + filter;
      const e = position * pairs + pair;
      const v = quantized(x[from * channels + (p % channels)] ?? 0, iq.k[e]!, iq.i[e]!, iq.f[e]!, "RND", "WRAP");
      sum += quantized(Math.fround(Math.fround(v * w[pair]!) + b[pair]!), 1, 1, 5, "RND_CONV", "SAT");
    }
    return sum;
  });
  assert.equal(run(graph, x), want);
});

t("HGQ 1: a proxy's quantizer and table; a training layer with batch normalization and activation", async () => {
  const quantizer = (name: string, shape: readonly number[]): J => hgq("FixedPointQuantizer", name, { RND: "RND", SAT: "WRAP", shape });
  const table = [0, 0.5, 1, 1.5, -2, -1.5, -1, -0.5];
  const proxy = sequential(input(3), quantizer("q", [1, 3]), hgq("UnaryLUT", "l", { kif_in: [1, 1, 1], kif_out: [1, 1, 2] }));
  const proxyWeights = await weightsFile({
    "q/keep_negative": [
      [1, 3],
      [1, 1, 0],
    ],
    "q/bits": [
      [1, 3],
      [5, 0, 3],
    ],
    "q/integers": [
      [1, 3],
      [3, 0, 2],
    ],
    "l/table": [[8], table],
  });
  for (let sample = 0; sample < 20; sample++) {
    const x = reals(3);
    const y = [quantized(x[0]!, 1, 2, 2, "RND", "WRAP"), 0, quantized(x[2]!, 0, 2, 1, "RND", "WRAP")];
    const want = y.map((v) => table[((rounds["RND_CONV"]!(v * 2) % 8) + 8) % 8]!);
    assert.equal(run(await read(proxy, proxyWeights), x), want, `${x}`);
  }
  const tanh = sequential(
    input(2),
    quantizer("q", [1, 1]),
    { ...(layer("Activation", "a", { activation: "tanh" }) as object), module: "keras.layers" },
    hgq("FixedPointQuantizer", "o", { RND: "TRN", SAT: "WRAP", shape: [1, 2] }),
  );
  const tanhWeights = await weightsFile({
    ...Object.fromEntries(
      [
        ["keep_negative", 1],
        ["bits", 8],
        ["integers", 6],
      ].map(([k, v]) => [`q/${k}`, [[1, 1], [v as number]] as const]),
    ),
    ...Object.fromEntries(
      [
        ["keep_negative", 1],
        ["bits", 5],
        ["integers", 2],
      ].map(([k, v]) => [
        `o/${k}`,
        [
          [1, 2],
          [v as number, v as number],
        ] as const,
      ]),
    ),
  });
  // In float32, tanh 12 is 1; cut off, the real value would be 7/8.
  assert.equal(run(await read(tanh, tanhWeights), [12, -0.5]), [1, -0.5]);
  const paq = (rnd_strategy: J): J => ({ rnd_strategy, bw_clip: [-3, 3] });
  const dense = { units: 2, use_bias: true, kq_conf: paq("standard_round"), epsilon: 0.25, activation: "relu", center: true, scale: true };
  const model = sequential(
    input(2),
    hgq("Quantizer", "q", { config: conf("kif", "TRN", "SAT") }),
    hgq("HDenseBatchNorm", "d", { ...dense, paq_conf: paq("auto") }),
    hgq("HActivation", "t", { activation: "tanh", paq_conf: paq("standard_round") }),
  );
  const bits = [2.4, 9];
  const weights = await weightsFile({
    ...widths("q", [1, 1], same(1, 1, 3, 4)),
    "d/kernel": [
      [2, 2],
      [0.5, -0.75, 1.25, 0.5],
    ],
    "d/bias": [[2], [0.3, -0.2]],
    "d/kernel_bw": [
      [2, 2],
      [3, 3, 1, 3],
    ],
    "d/activation_bw": [[1, 2], bits],
    "d/bn_gamma": [[2], [1, 2]],
    "d/bn_beta": [[2], [0.1, 0.6]],
    "d/moving_mean": [[2], [0.5, -0.25]],
    "d/moving_variance": [[2], [3.75, 0.75]],
    "t/activation_bw": [
      [1, 2],
      [3, 1],
    ],
  });
  const near = (v: number, f: number): number => Math.floor(v * 2 ** f + 0.5) / 2 ** f;
  // s = γ/√(σ² + ε) is ½ and 2; the clipped widths are 2 and 3 fraction bits.
  const [w, b] = [
    [near(0.25, 3), near(-1.5, 3), near(0.625, 1), near(1, 3)],
    [near(0.3 - 0.25 + 0.1, 2), near(-0.2 + 0.5 + 0.6, 3)],
  ];
  for (let sample = 0; sample < 20; sample++) {
    const x = reals(2);
    const [p, q] = x.map((v) => quantized(v, 1, 3, 4, "TRN", "SAT")) as [number, number];
    const want = [0, 1].map((j) => {
      const z = Math.max(near(p * w[j]! + q * w[2 + j]! + b[j]!, j === 0 ? 2 : 3), 0);
      return near(Math.tanh(z), j === 0 ? 3 : 1);
    });
    assert.equal(run(await read(model, weights), x), want, `${x}`);
  }
});

t.run();
