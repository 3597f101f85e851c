// The float reference against the exact one, and precision from observed ranges.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { agreementText, isFloat } from "../src/cli/sim-analysis.js";
import { defaultOptions } from "../src/compile.js";
import { Reporter } from "../src/diagnostics.js";
import { convert, dyadic, exponent, fixed, overflows, roundings, toNumber } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder, type NodeWith } from "../src/ir/graph.js";
import { tensorFromNumbers } from "../src/ir/tensor.js";
import { assignPrecision } from "../src/passes/assign-precision.js";
import { calibrate } from "../src/sim/calibrate.js";
import { convertNumber, evaluateFloat } from "../src/sim/float-reference.js";
import { prng } from "../src/sim/prng.js";
import { evaluateAll } from "../src/sim/reference.js";
import { randomGraph } from "./support/random-graph.js";

const float = suite("float reference");

float("conversion of doubles = conversion of exact numbers, every mode, every value in 1/16 steps", () => {
  for (const round of roundings) {
    for (const overflow of overflows) {
      for (const type of [fixed(4, 2), fixed(3, 3, false), fixed(1, 1), fixed(5, 6), fixed(0, 0, false)]) {
        for (let i = -400; i <= 400; i++) {
          const x = i / 16;
          const { m, exp } = dyadic(x);
          const expected = toNumber(convert(m, exp, { type, round, overflow }), exponent(type));
          assert.is(convertNumber(x, { type, round, overflow }) + 0, expected, `${x} ${round} ${overflow} ${type.width},${type.int}`);
        }
      }
    }
  }
});

float("on typed graphs whose values fit a double it is the exact reference, every node", () => {
  const r = prng(5);
  for (let seed = 0; seed < 60; seed++) {
    const graph = randomGraph(seed, { maxWidth: 24, nodes: 4 + (seed % 9) });
    const inputs = graph.inputs.map((id) => {
      const { elements, type, attrs } = graph.nodes[id] as NodeWith<"input">;
      // Symmetric saturation never gives the lowest code.
      const least = (lo: bigint, hi: bigint): bigint => (attrs.overflow === "SAT_SYM" && hi > 0n && lo < 0n ? -hi : lo);
      const exp = type.elem === "real" ? 0 : exponent(type.elem);
      return elements!.map((e) => (least(e.lo, e.hi) + BigInt(r.below(Number(e.hi - least(e.lo, e.hi)) + 1))) << BigInt(e.lo === 0n && e.hi === 0n ? 0 : e.exp - exp));
    });
    const numbers = graph.inputs.map((id, k) => {
      const { elem } = graph.nodes[id]!.type;
      return inputs[k]!.map((m) => (elem === "real" ? Number.NaN : toNumber(m, exponent(elem))));
    });
    const exact = evaluateAll(graph, inputs);
    evaluateFloat(graph, numbers).forEach((values, id) => {
      const { elem } = graph.nodes[id]!.type;
      assert.ok(elem !== "real");
      assert.equal(values.map((v) => v + 0), exact[id]!.map((m) => toNumber(m, exponent(elem)) + 0), `seed ${seed}, %${id} ${graph.nodes[id]!.op}`);
    });
  }
});
float.run();

/** x of two numbers → fc = 100·x0 − 50·x1 (trained floats) → y = fc·0.3. */
function model(): Graph {
  const b = new GraphBuilder("net", new Reporter());
  b.beginLayer("x", "InputLayer");
  const x = b.input("x", [2]);
  b.endLayer(x);
  b.beginLayer("fc", "Dense");
  const fc = b.add("dense", [x], { kernel: tensorFromNumbers([2, 1], [100, -50], { real: true }), bias: undefined });
  b.endLayer(fc);
  b.beginLayer("y", "Dense");
  const y = b.add("dense", [fc], { kernel: tensorFromNumbers([1, 1], [0.3], { real: true }), bias: undefined });
  b.endLayer(y);
  b.output("y", y);
  return b.done()!;
}
const array = (data: readonly number[], ...shape: readonly number[]) => ({ shape, data: Float64Array.from(data) });

const calibration = suite("calibration");

calibration("ranges are those of the layers' values on the samples", () => {
  const seen = calibrate(model(), [array([0.5, 1, -0.25, 0.125], 2, 2)], new Reporter())!;
  assert.equal(seen.get("x"), { lo: -0.25, hi: 1 });
  assert.equal(seen.get("fc"), { lo: -31.25, hi: 0 });
  const { lo, hi } = seen.get("y")!;
  assert.ok(Math.abs(lo + 9.375) < 1e-12 && hi === 0);
});

calibration("inputs and results get their integer bits from it, saturate, and lose no more than the last bit", () => {
  const graph = model();
  const observed = calibrate(graph, [array([0.5, 1, -0.25, 0.125], 2, 2)], new Reporter())!;
  const reporter = new Reporter();
  const typed = assignPrecision.run(graph, { options: { ...defaultOptions, width: 12, observed }, reporter })!;
  const input = typed.nodes.find((n) => n.op === "input") as NodeWith<"input">;
  assert.equal([input.attrs.type, input.attrs.round, input.attrs.overflow], [fixed(12, 2), "RND", "SAT"]);
  const rounded = typed.nodes.filter((n) => n.op === "quantize") as NodeWith<"quantize">[];
  assert.equal(rounded.map((n) => [n.attrs.to, n.attrs.overflow]), [[fixed(12, 6), "SAT"], [fixed(12, 5), "WRAP"]]);
  const proven = assignPrecision.run(graph, { options: { ...defaultOptions, width: 12 }, reporter })!;
  const widest = (proven.nodes.filter((n) => n.op === "quantize") as NodeWith<"quantize">[]).map((n) => ("per" in n.attrs.to ? 0 : n.attrs.to.int));
  assert.ok(widest[0]! > 6 && widest.at(-1)! > 5, String(widest));
});

calibration("what does not fit is said", () => {
  for (const [given, message] of [
    [[array([1, 2, 3], 1, 3)], /takes \(samples, 2\), and the array has \(1, 3\)/],
    [[], /0 arrays are given, and the model has 1 inputs/],
    [new Map([["z", array([1, 2], 1, 2)]]), /no array `x`/],
    [[array([1, Number.NaN], 1, 2)], /not finite/],
  ] as const) {
    const reporter = new Reporter();
    assert.is(calibrate(model(), given, reporter), undefined);
    assert.match(reporter.diagnostics[0]!.message, message);
  }
});
calibration("agreement counts the samples whose answer the float model shares", () => {
  const graph = model();
  assert.ok(isFloat(graph));
  // y = 0.3·(100·a − 50·b) is above 0 for the first two samples alone.
  const x = [[1, 0], [0.5, 0.5], [-1, 0], [0, 1]];
  const inputs = (sample: number): readonly number[][] => [x[sample]!];
  assert.is(agreementText(graph, inputs, Int32Array.of(1, 1, 0, 0), 0), "agreement with the float model: 100.000 %, 4 of 4 samples\n");
  assert.is(agreementText(graph, inputs, Int32Array.of(1, 0, 0, 1), 0), "agreement with the float model: 50.000 %, 2 of 4 samples\n");
});
calibration.run();
