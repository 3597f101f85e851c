// The graph passes: what they merge, which types they assign, and that folding changes no value.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { type Exact, exact } from "../src/ir/arith.js";
import { type Conversion, fixed, parseConversion, printFixed } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { opDef } from "../src/ir/ops/index.js";
import { tensorFromNumbers } from "../src/ir/tensor.js";
import { assignPrecision } from "../src/passes/assign-precision.js";
import { checkLimits } from "../src/passes/check-limits.js";
import { foldBatchnorm } from "../src/passes/fold-batchnorm.js";
import type { PassOptions } from "../src/passes/pass.js";

const options: PassOptions = { inputType: { type: fixed(8, 3), round: "TRN", overflow: "WRAP" }, width: 16, maxCells: 1e6, maxTable: 4096, softmax: "host", pipeline: { stages: 0 } };

const build = (make: (b: GraphBuilder) => void): Graph => {
  const reporter = new Reporter();
  const builder = new GraphBuilder("net", reporter);
  make(builder);
  const graph = builder.done();
  assert.equal(reporter.diagnostics, []);
  return graph!;
};

const real = { real: true } as const;
const floats = (n: number, seed: number): number[] => Array.from({ length: n }, (_, i) => Math.fround(Math.sin(seed + i * 1.7)));

/** Exact values of the outputs for exact inputs: floats and all, before any precision is assigned. */
function exactOutputs(graph: Graph, x: readonly Exact[]): readonly Exact[] {
  const values: (readonly Exact[])[] = [];
  graph.nodes.forEach((node) => {
    const operands = node.operands.map((v) => ({ shape: graph.nodes[v]!.type.shape, at: values[v]! }));
    values.push(node.op === "input" ? x : opDef(node.op).expand(exact, operands, node.attrs as never));
  });
  return graph.outputs.flatMap((o) => values[o.value]!);
}

const sameValue = (a: Exact, b: Exact): boolean => {
  const exp = Math.min(a.exp, b.exp);
  return a.m << BigInt(a.exp - exp) === b.m << BigInt(b.exp - exp);
};

const batchnorm = (b: GraphBuilder, x: number, channels: number, seed: number): number => {
  b.beginLayer(`bn${seed}`, "BatchNormalization");
  const scale = b.add("constant", [], { value: tensorFromNumbers([channels], floats(channels, seed), real) });
  const shift = b.add("constant", [], { value: tensorFromNumbers([channels], floats(channels, seed + 9), real) });
  const y = b.add("add", [b.add("mul", [x, scale], {}), shift], {});
  b.endLayer(y);
  return y;
};
const floatDense = (b: GraphBuilder, x: number, n: number, m: number, seed: number, bias = true): number => {
  b.beginLayer(`fc${seed}`, "Dense");
  const y = b.add("dense", [x], { kernel: tensorFromNumbers([n, m], floats(n * m, seed), real), bias: bias ? tensorFromNumbers([m], floats(m, seed + 5), real) : undefined });
  b.endLayer(y);
  return y;
};

const folding = suite("fold-batchnorm");

for (const bias of [true, false]) {
  folding(`merges after and before a float dense layer, exactly (bias: ${bias})`, () => {
    const before = build((b) => {
      const x = b.input("x", [3]);
      b.output("y", floatDense(b, batchnorm(b, batchnorm(b, floatDense(b, x, 3, 4, 1, bias), 4, 2), 4, 3), 4, 2, 4, bias));
    });
    const reporter = new Reporter();
    const after = foldBatchnorm.run(before, { options, reporter })!;
    assert.is(after.nodes.filter((n) => n.op === "mul" || n.op === "add").length, 0);
    assert.is(after.nodes.filter((n) => n.op === "dense").length, 2);
    for (const sample of [[1n, -2n, 3n], [0n, 0n, 0n], [127n, -128n, 5n]]) {
      const x = sample.map((m) => ({ m, exp: -5 }));
      const [a, b] = [exactOutputs(before, x), exactOutputs(after, x)];
      assert.ok(a.every((v, i) => sameValue(v, b[i]!)));
    }
  });
}

folding("leaves a quantized kernel, and a value that is read twice, alone", () => {
  const quantized = build((b) => {
    const x = b.input("x", [2]);
    const y = b.add("dense", [x], { kernel: tensorFromNumbers([2, 2], [0.5, -0.25, 1, 0.75]), bias: undefined });
    b.output("y", batchnorm(b, y, 2, 1));
  });
  const shared = build((b) => {
    const y = floatDense(b, b.input("x", [2]), 2, 2, 1);
    b.output("a", y);
    b.output("b", batchnorm(b, y, 2, 2));
  });
  for (const graph of [quantized, shared]) {
    const after = foldBatchnorm.run(graph, { options, reporter: new Reporter() })!;
    assert.is(after.nodes.filter((n) => n.op === "mul").length, 1);
  }
});

folding("a layer whose value was merged away loses it, the batchnorm keeps it", () => {
  const graph = build((b) => b.output("y", batchnorm(b, floatDense(b, b.input("x", [2]), 2, 2, 1), 2, 2)));
  const after = foldBatchnorm.run(graph, { options, reporter: new Reporter() })!;
  const value = (name: string): number => after.layers.find((l) => l.name === name)!.value;
  assert.is(value("fc1"), -1);
  assert.is(value("bn2"), after.outputs[0]!.value);
});

folding.run();

const precision = suite("assign-precision");

const run = (graph: Graph, extra: Partial<PassOptions> = {}) => {
  const reporter = new Reporter();
  const after = assignPrecision.run(graph, { options: { ...options, ...extra }, reporter })!;
  return { after, codes: reporter.diagnostics.map((d) => d.code) };
};
const elem = (graph: Graph, value: number): string => {
  const type = graph.nodes[value]!.type.elem;
  return type === "real" ? "real" : printFixed(type);
};

precision("without --precision: --width bits from the proven range, and a warning; no value can overflow", () => {
  const graph = build((b) => b.output("y", floatDense(b, b.input("x", [3]), 3, 2, 1)));
  const { after, codes } = run(graph, { width: 12 });
  assert.equal(codes, ["QN302"]);
  const dense = after.nodes.find((n) => n.op === "dense")!;
  assert.ok(dense.op === "dense" && dense.attrs.kernel.type!.width === 12 && !dense.attrs.kernel.real);
  const out = after.nodes[after.outputs[0]!.value]!;
  assert.ok(out.op === "quantize" && out.type.elem !== "real" && out.type.elem.width <= 12);
});

precision("with --precision: weights saturate aloud, a result that may overflow is named", () => {
  const graph = build((b) => b.output("y", floatDense(b, b.input("x", [3]), 3, 2, 1)));
  const to = parseConversion("fixed<8,0>") as Conversion;
  const { after, codes } = run(graph, { precision: to });
  assert.ok(codes.includes("QN304") && codes.includes("QN303"));
  assert.is(elem(after, after.outputs[0]!.value), "fixed<8,0>");
});

precision("a result that only a quantize reads is not rounded twice", () => {
  const graph = build((b) => {
    const y = floatDense(b, b.input("x", [3]), 3, 2, 1);
    b.beginLayer("act", "QActivation");
    b.output("y", b.add("quantize", [y], { to: fixed(6, 1), round: "RND_CONV", overflow: "SAT" }));
  });
  assert.is(run(graph).after.nodes.filter((n) => n.op === "quantize").length, 1);
});

precision("a network that is typed already gets its input type and nothing else", () => {
  const graph = build((b) => {
    const x = b.input("x", [2]);
    b.output("y", b.add("dense", [x], { kernel: tensorFromNumbers([2, 1], [0.5, -0.25]), bias: undefined }));
  });
  const { after, codes } = run(graph);
  assert.equal(codes, []);
  assert.is(elem(after, 0), "fixed<8,3>");
  assert.equal(after.nodes.map((n) => n.op), ["input", "dense"]);
});

precision.run();

const limits = suite("check-limits");

limits("a value beyond 64 bits names its layer", () => {
  const graph = build((b) => {
    b.beginLayer("huge", "Multiply");
    const x = b.input("x", [1], { type: fixed(40, 20), round: "TRN", overflow: "WRAP" });
    const y = b.add("mul", [x, x], {});
    b.endLayer(y);
    b.output("y", y);
  });
  const reporter = new Reporter();
  assert.is(checkLimits.run(graph, { options, reporter }), undefined);
  assert.is(reporter.diagnostics[0]!.code, "QN301");
  assert.is(reporter.diagnostics[0]!.at?.layer, "huge");
});

limits("a table too large names its function", () => {
  const graph = build((b) => {
    const x = b.input("x", [1], { type: fixed(20, 4), round: "TRN", overflow: "WRAP" });
    b.output("y", b.add("lut", [x], { f: { name: "tanh", params: [], to: { type: fixed(8, 1), round: "RND", overflow: "SAT" } } }));
  });
  const reporter = new Reporter();
  assert.is(checkLimits.run(graph, { options, reporter }), undefined);
  assert.match(reporter.diagnostics[0]!.message, /tanh/);
});

limits.run();
