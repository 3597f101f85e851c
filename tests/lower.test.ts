// lower: the typed integer networks of other tools give their own outputs, and ports, layers and limits are as promised.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultOptions } from "../src/options.js";
import { Reporter } from "../src/diagnostics.js";
import { exponent, fixed, shiftFloor } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { tensor } from "../src/ir/tensor.js";
import { verifyNetlist } from "../src/ir/verify.js";
import { parseNpz } from "../src/npy.js";
import { cmvm } from "../src/passes/cmvm.js";
import { lower, lowerGraph, portNames } from "../src/passes/lower.js";
import { narrow } from "../src/passes/narrow.js";
import { simplify } from "../src/passes/simplify.js";
import { evaluate, interpret } from "../src/sim/reference.js";
import { golden, hasGolden, skip } from "./support/golden.js";
import { rtlModel } from "./support/rtl-model.js";

const networks = suite("integer networks of other tools");

/** Samples of each network, corners among them: the last 64 of 4,096 leave the input's range. */
const SAMPLES = [...Array.from({ length: 24 }, (_, i) => i * 150), ...Array.from({ length: 12 }, (_, i) => 4084 + i)];

if (hasGolden) {
  for (const name of ["qkeras_3layer", "hgq_jet", "hgq2_openml_750", "hgq2_openml_758", "hgq2_openml_771", "rand4_dense"]) {
    networks(`${name}: reference, netlist and optimised netlist give its outputs`, () => {
      const g = rtlModel(name)!;
      const reporter = new Reporter();
      const arrays = parseNpz(golden(`rtl/${name}/vectors.npz`)!, name, reporter)!;
      assert.equal(reporter.diagnostics, []);
      const n = lowerGraph(g);
      const optimised = [simplify, cmvm, narrow, simplify].reduce((m, pass) => pass.run(m, undefined as never)!, n);
      verifyNetlist(n);
      verifyNetlist(optimised);
      const [x, y] = [arrays.get("x_int")!, arrays.get("y_int")!];
      const [xFrac, yFrac] = ["x_frac", "y_frac"].map((k) => Number(arrays.get(k)!.data[0])) as [number, number];
      const row = (a: typeof x, s: number): bigint[] => Array.from({ length: a.shape[1]! }, (_, i) => BigInt(a.data[s * a.shape[1]! + i]!));
      const [input, output] = [n.inputs[0]!, n.outputs[0]!];
      for (const s of SAMPLES) {
        const sample = [row(x, s).map((m) => shiftFloor(m, -xFrac - exponent(input.type)))];
        const want = row(y, s).map((m) => shiftFloor(m, -yFrac - exponent(output.type)));
        assert.equal(interpret(n, sample), [want], `sample ${s}`);
        assert.equal(interpret(optimised, sample), [want], `sample ${s}, optimised`);
        if (s % 4 === 0) assert.equal(evaluate(g, sample), [want], `sample ${s}, reference`);
      }
    });
  }
} else skip("integer networks: ../shared/golden is absent");

networks.run();

const lowering = suite("lower");

const graph = (build: (b: GraphBuilder) => void): Graph => {
  const reporter = new Reporter();
  const b = new GraphBuilder("g", reporter);
  build(b);
  const g = b.done();
  assert.ok(g, reporter.diagnostics.map((d) => d.message).join("; "));
  return g!;
};
const s8 = { type: fixed(8, 8), round: "TRN", overflow: "WRAP" } as const;

lowering("ports are legal identifiers, distinct without regard to case, inputs and outputs together", () => {
  const g = graph((b) => {
    for (const name of ["module", "a b", "A_B", "clk", "../x", ""]) b.output(name === "" ? "a b" : name, b.input(name, [1], s8));
  });
  const { inputs, outputs } = portNames(g);
  const all = [...inputs, ...outputs];
  assert.is(new Set(all.map((s) => s.toLowerCase())).size, all.length);
  for (const name of all) assert.match(name, /^[A-Za-z][A-Za-z0-9_]*$/);
  assert.not(all.includes("clk") || all.includes("module"));
  const n = lowerGraph(g);
  assert.equal([n.inputs.map((p) => p.name), n.outputs.map((p) => p.name)], [inputs, outputs]);
});

lowering("elements of one bus share the finest exponent, and coarser ones are zero-filled", () => {
  const g = graph((b) => {
    const x = b.add("input", [], { name: "x", shape: [3], type: { per: "element", types: [fixed(4, 2), fixed(3, 5), fixed(0, 0, false)] }, round: "TRN", overflow: "WRAP" });
    b.output("y", x);
  });
  const n = lowerGraph(g);
  assert.equal(n.inputs[0]!.type, { signed: true, width: 7, int: 5 });
  assert.equal(interpret(n, [[-8n, -4n << 4n, 0n]]), [[-8n, -64n, 0n]]);
});

lowering("each cell knows the layer that it serves", () => {
  const g = graph((b) => {
    const x = b.input("x", [2], s8);
    b.beginLayer("first", "Dense");
    const y = b.add("dense", [x], { kernel: tensor([2, 2], 0, [1n, 3n, 5n, 7n]), bias: undefined });
    b.endLayer(y);
    b.beginLayer("second", "Activation");
    const z = b.add("quantize", [y], { to: fixed(4, 4, false), round: "TRN", overflow: "SAT" });
    b.endLayer(z);
    b.output("y", z);
  });
  const n = lowerGraph(g);
  assert.equal(n.layers, ["", "first", "second"]);
  for (const [id, c] of n.cells.entries()) assert.is(n.layers[n.layer[id]!], c.op === "input" ? "" : c.op === "affine" ? "first" : "second");
});

lowering("zero weights and zero operands vanish", () => {
  const g = graph((b) => {
    const x = b.input("x", [3], s8);
    const zero = b.add("mul", [x, b.add("constant", [], { value: tensor([3], 0, [0n, 1n, 1n]) })], {});
    b.output("y", b.add("dense", [zero], { kernel: tensor([3, 2], 0, [9n, 9n, 0n, 1n, 0n, 1n]), bias: tensor([2], -2, [0n, 5n]) }));
  });
  const n = lowerGraph(g);
  const affine = n.cells.filter((c) => c.op === "affine" && c.args.length > 1);
  assert.is(affine.length, 1);
  assert.equal(interpret(n, [[100n, 2n, 3n]]), [[0n, 25n]]);
});

lowering("a network too large to be parallel is refused with its largest layer", () => {
  const size = 2100;
  const g = graph((b) => {
    const x = b.input("x", [size], { ...s8, type: fixed(1, 1, false) });
    b.beginLayer("huge", "Dense");
    b.output("y", b.add("dense", [x], { kernel: tensor([size, size], 0, Array<bigint>(size * size).fill(1n)), bias: undefined }));
  });
  const reporter = new Reporter();
  assert.is(lower.run(g, { options: { ...defaultOptions, maxCells: 4_000_000 }, reporter }), undefined);
  const d = reporter.diagnostics[0]!;
  assert.equal([d.code, d.at?.layer, reporter.diagnostics.length], ["QN403", "huge", 1]);
});

lowering.run();
