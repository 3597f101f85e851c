// Movement, merges, products along named axes, time steps and functions of straight pieces, against hand-worked values.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { functional, input, type J, layer, read, run, runAll, sequential, tryRead, weightsFile, wired } from "./support/keras-model.js";

/** Deterministic small integers, so that all sums are exact. */
const integers = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => ((i * 7 + seed * 13 + ((i * i) % 11)) % 9) - 4);
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const t = suite("keras movement, merges and functions");

t("movement", async () => {
  const one = async (l: J, ...shape: number[]) => read(sequential(input(...shape), l));
  const x = [1, 2, 3, 4, 5, 6];
  assert.equal(run(await one(layer("Permute", "p", { dims: [2, 1] }), 2, 3), x), [1, 4, 2, 5, 3, 6]);
  assert.equal(run(await one(layer("ZeroPadding1D", "p", { padding: [1, 0] }), 2, 3), x), [0, 0, 0, ...x]);
  assert.equal(
    run(
      await one(
        layer("ZeroPadding2D", "p", {
          padding: [
            [0, 1],
            [2, 0],
          ],
        }),
        1,
        3,
        2,
      ),
      x,
    ),
    [0, 0, 0, 0, ...x, ...new Array<number>(10).fill(0)],
  );
  assert.equal(run(await one(layer("Cropping1D", "p", { cropping: [1, 1] }), 3, 2), x), [3, 4]);
  assert.equal(
    run(
      await one(
        layer("Cropping2D", "p", {
          cropping: [
            [0, 0],
            [1, 0],
          ],
        }),
        2,
        3,
        1,
      ),
      x,
    ),
    [2, 3, 5, 6],
  );
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
    assert.equal(
      reporter.diagnostics.map((d) => [d.code, d.at?.layer]),
      [[code, "p"]],
      JSON.stringify(l),
    );
  }
});

t("merges broadcast from the last axis; Dot sums over one axis of each", async () => {
  const [a, b] = [
    wired(layer("InputLayer", "a", { batch_input_shape: [null, 2] })),
    wired(layer("InputLayer", "b", { batch_input_shape: [null, 2, 2] })),
  ];
  const both: J = [
    ["a", 0, 0, {}],
    ["b", 0, 0, {}],
  ];
  const merge = (kind: string, config: { readonly [key: string]: J } = {}): Promise<readonly number[]> =>
    read(
      functional(
        [a, b, wired(layer(kind, "y", config), both)],
        [
          ["a", 0, 0],
          ["b", 0, 0],
        ],
        [["y", 0, 0]],
      ),
    ).then((g) => run(g, [1, -2], [3, 4, -5, 6]));
  assert.equal(await merge("Add"), [4, 2, -4, 4]);
  assert.equal(await merge("Subtract"), [-2, -6, 6, -8]);
  assert.equal(await merge("Multiply"), [3, -8, -5, -12]);
  assert.equal(await merge("Average"), [2, 1, -2, 2]);
  assert.equal(await merge("Maximum"), [3, 4, 1, 6]);
  assert.equal(await merge("Minimum"), [1, -2, -5, -2]);
  assert.equal(await merge("Dot", { axes: [1, 2] }), [3 - 8, -5 - 12]);
  assert.equal(await merge("Dot", { axes: [1, 1] }), [3 + 10, 4 - 12]);
  const self: J = [
    ["b", 0, 0, {}],
    ["b", 0, 0, {}],
  ];
  const joined = await read(functional([b, wired(layer("Concatenate", "y", { axis: -1 }), self)], [["b", 0, 0]], [["y", 0, 0]]));
  assert.equal(run(joined, [1, 2, 3, 4]), [1, 2, 1, 2, 3, 4, 3, 4]);
});

t("EinsumDense: summed, shared and new axes in any order", async () => {
  const x = integers(6, 2);
  const at = (b: number, c: number): number => x[b * 3 + c]!;
  const cases: readonly { equation: string; output: readonly number[]; kernel: readonly number[]; want(w: readonly number[]): number[] }[] =
    [
      {
        equation: "abc,cd->abd",
        output: [2, 2],
        kernel: [3, 2],
        want: (w) => [0, 1].flatMap((b) => [0, 1].map((d) => [0, 1, 2].reduce((s, c) => s + at(b, c) * w[c * 2 + d]!, 0))),
      },
      {
        equation: "...c,cd->...d",
        output: [2],
        kernel: [3, 2],
        want: (w) => [0, 1].flatMap((b) => [0, 1].map((d) => [0, 1, 2].reduce((s, c) => s + at(b, c) * w[c * 2 + d]!, 0))),
      },
      {
        equation: "abc,dbc->ad",
        output: [2],
        kernel: [2, 2, 3],
        want: (w) => [0, 1].map((d) => x.reduce((s, v, i) => s + v * w[d * 6 + i]!, 0)),
      },
      {
        equation: "abc,bcd->adb",
        output: [2, 2],
        kernel: [2, 3, 2],
        want: (w) => [0, 1].flatMap((d) => [0, 1].map((b) => [0, 1, 2].reduce((s, c) => s + at(b, c) * w[(b * 3 + c) * 2 + d]!, 0))),
      },
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
  const graph = await read(
    sequential(input(2, 3), biased),
    await weightsFile({
      "e/kernel": [
        [3, 2],
        [1, 0, 1, 0, 1, 0],
      ],
      "e/bias": [
        [2, 1],
        [1, 2],
      ],
    }),
  );
  assert.equal(run(graph, [1, 2, 3, -4, -5, -6]), [7, 0, 2, 2]);
  for (const equation of ["ab,bc->ac", "abc,cd->adc,", "abc,ac->b", "abc,c->ab!", "abc,bd->ad", 7] as J[]) {
    const { reporter } = await tryRead(sequential(input(2, 3), layer("EinsumDense", "e", { equation, output_shape: [2, 2] })));
    assert.is(reporter.diagnostics[0]?.code, "QN212", String(equation));
  }
});

t("TimeDistributed: the weights are the wrapper's, and every step is a sample of its own", async () => {
  const dense = layer("TimeDistributed", "t", { layer: layer("Dense", "inner", { units: 1, activation: "relu" }) });
  const graph = await read(
    sequential(input(3, 2), dense),
    await weightsFile({
      "t/kernel": [
        [2, 1],
        [1, -2],
      ],
      "t/bias": [[1], [1]],
    }),
  );
  assert.equal(run(graph, [5, 1, 1, 5, 0, 0]), [4, 0, 1]);
  const flat = await read(
    sequential(input(2, 2, 2), layer("TimeDistributed", "t", { layer: layer("Permute", "inner", { dims: [2, 1] }) })),
  );
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
  const keras3 = {
    class_name: "Sequential",
    config: {
      name: "m",
      layers: [layer("InputLayer", "x", { batch_shape: [null, 6] }), layer("Activation", "r", { activation: "hard_sigmoid" })],
    },
  };
  near(
    run(await read(keras3), x),
    x.map((v) => Math.min(Math.max(v / 6 + 0.5, 0), 1)),
  );
  const prelu = await read(
    sequential(input(2, 2), layer("PReLU", "p", { shared_axes: [1] })),
    await weightsFile({
      "p/alpha": [
        [1, 2],
        [0.5, -1],
      ],
    }),
  );
  assert.equal(run(prelu, [-2, -2, 4, -4]), [-1, 2, 4, 4]);
  near(await one(layer("Rescaling", "r", { scale: 1 / 4, offset: -1 }), [4, 8]), [0, 1]);
  // tf.keras 2.15: a boundary belongs to the interval above it.
  const bins = layer("Discretization", "d", { bin_boundaries: [-0.5, 0.25, 1], output_mode: "int", sparse: false });
  assert.equal(await one(bins, [-1, -0.5, -0.375, 0.125, 0.25, 0.5, 1, 3]), [0, 1, 1, 1, 2, 2, 3, 3]);
  const normal = await read(
    sequential(input(2), layer("Normalization", "n", { axis: [-1] })),
    await weightsFile({ "n/mean": [[2], [1, 2]], "n/variance": [[2], [4, 0.25]], "n/count": [[1], [9]] }),
  );
  near(run(normal, [3, 1]), [1, -2]);
  const axis = await read(
    sequential(input(2, 3), layer("BatchNormalization", "b", { axis: [1], epsilon: 0 })),
    await weightsFile({
      "b/gamma": [[2], [1, 2]],
      "b/beta": [[2], [0, 1]],
      "b/moving_mean": [[2], [0, 1]],
      "b/moving_variance": [[2], [1, 1]],
    }),
  );
  near(run(axis, [1, 2, 3, 4, 5, 6]), [1, 2, 3, 7, 9, 11]);
});

t.run();
