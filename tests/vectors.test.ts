// Test vectors: legal, seeded, with the corners; given real inputs are converted by the one rule; outputs are the reference's.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { convert, dyadic, exponent, fixed } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { tensor } from "../src/ir/tensor.js";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { evaluate, evaluateAll } from "../src/sim/reference.js";
import { instantiate } from "../src/sim/simulator.js";
import { makeInputs, makeVectors, realVectors, type VectorOptions } from "../src/sim/vectors.js";
import { randomGraph } from "./support/random-graph.js";

const graphOf = (): Graph => {
  const b = new GraphBuilder("net", new Reporter());
  const x = b.input("x y", [4], { type: fixed(6, 2), round: "RND_CONV", overflow: "SAT" });
  b.output("y", b.add("dense", [x], { kernel: tensor([4, 2], -2, [1n, 2n, -3n, 4n, 5n, -6n, 7n, 8n]), bias: undefined }));
  return b.done()!;
};

async function vectorsOf(graph: Graph, options: VectorOptions) {
  const reporter = new Reporter();
  const module = (await compileSimulator(graph, reporter))!;
  return { vectors: makeVectors(graph, await instantiate(module), options, reporter), reporter };
}

const made = suite("vectors: made");

made("the corners come first: all zero, all low, all high, one-hot", () => {
  const [port] = makeInputs(graphOf(), 100, 1);
  const has = (sample: readonly bigint[]): boolean => port!.some((s) => s.every((m, i) => m === sample[i]));
  for (const corner of [
    [0n, 0n, 0n, 0n],
    [-32n, -32n, -32n, -32n],
    [31n, 31n, 31n, 31n],
    [1n, 1n, 1n, 1n],
    [-32n, 31n, -32n, 31n],
    [0n, 0n, 31n, 0n],
    [0n, -32n, 0n, 0n],
  ]) {
    assert.ok(has(corner), corner.join(" "));
  }
  assert.is(new Set(port!.map((s) => s.join())).size > 80, true, "samples differ");
});

made("the same seed gives the same vectors, another seed others", () => {
  const text = (seed: number): string =>
    JSON.stringify(makeInputs(randomGraph(9), 50, seed), (_, v) => (typeof v === "bigint" ? `${v}` : v));
  assert.is(text(4), text(4));
  assert.is.not(text(4), text(5));
});

made("every sample is legal for its element and outputs are the reference's", async () => {
  for (let seed = 300; seed < 330; seed++) {
    const graph = randomGraph(seed);
    const { vectors, reporter } = await vectorsOf(graph, { count: 30, seed });
    assert.ok(vectors, JSON.stringify(reporter.diagnostics));
    for (let s = 0; s < 30; s++) {
      // evaluateAll throws where a value leaves its interval.
      const inputs = vectors!.inputs.map((p) => p[s]!);
      evaluateAll(graph, inputs);
      assert.equal(
        vectors!.outputs.map((p) => p[s]!),
        evaluate(graph, inputs),
        `seed ${seed}, sample ${s}`,
      );
    }
  }
});

made("as reals, by port name", async () => {
  const { vectors } = await vectorsOf(graphOf(), { count: 10, seed: 1 });
  const arrays = realVectors(graphOf(), vectors!);
  assert.equal([...arrays.keys()], ["x_y", "y"]);
  assert.equal(arrays.get("x_y")!.shape, [10, 4]);
  assert.equal(
    Array.from(arrays.get("x_y")!.data as Float64Array),
    vectors!.inputs[0]!.flat().map((m) => Number(m) / 16),
  );
});

made.run();

const given = suite("vectors: given");

given("real inputs are converted as the input's type says", async () => {
  const data = Float64Array.of(0.03, -0.03125, 1.96875, 7, -7, 1e-300, 1 / 32, 3 / 32, -0, 5e300, 0.5, 1.25);
  const { vectors } = await vectorsOf(graphOf(), { count: 1, seed: 1, given: [{ shape: [3, 4], data }] });
  const to = { type: fixed(6, 2), round: "RND_CONV", overflow: "SAT" } as const;
  const expected = Array.from(data, (x) => convert(dyadic(x).m, dyadic(x).exp, to));
  assert.equal(vectors!.inputs[0]!.flat(), expected);
  assert.is(vectors!.count, 3);
  assert.is(exponent(to.type), -4);
});

given("what does not fit is reported", async () => {
  const codes = async (...arrays: { shape: readonly number[]; data: Float64Array }[]) => {
    const { vectors, reporter } = await vectorsOf(graphOf(), { count: 1, seed: 1, given: arrays });
    assert.is(vectors, undefined);
    return reporter.diagnostics.map((d) => d.code);
  };
  assert.equal(await codes(), ["QN500"]);
  assert.equal(await codes({ shape: [0, 4], data: new Float64Array(0) }), ["QN500"]);
  assert.equal(await codes({ shape: [2, 3], data: new Float64Array(6) }), ["QN500"]);
  assert.equal(await codes({ shape: [1, 4], data: Float64Array.of(0, Number.NaN, 0, 0) }), ["QN502"]);
});

given.run();
