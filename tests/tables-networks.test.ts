// Functions in whole networks: split tables, softmax, argmax and normalizations, by reference, simulator and netlist.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { convert, dyadic, exponent, type FixedType, fixed, rangeOf, toNumber } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder, type HostStep, type NodeWith } from "../src/ir/graph.js";
import { addArgmax, addSoftmax } from "../src/ir/softmax.js";
import { sizeOf } from "../src/ir/tensor.js";
import { printGraph } from "../src/ir/text/print.js";
import { parseGraph } from "../src/ir/text/parse-graph.js";
import { verifyGraph } from "../src/ir/verify.js";
import { applyUnary, type Unary, type UnaryName, unaries } from "../src/ir/unary.js";
import type { Vectors } from "../src/ir/vectors.js";
import { typeModel } from "../src/compile.js";
import { parseNpy } from "../src/npy.js";
import { defaultOptions } from "../src/options.js";
import { derivativeBound } from "../src/passes/function-bounds.js";
import { lowerGraph } from "../src/passes/lower.js";
import { runPasses } from "../src/passes/pass.js";
import { graphPipeline } from "../src/passes/pipelines.js";
import { makeSegments } from "../src/passes/segments.js";
import { splitTables } from "../src/passes/split-tables.js";
import { evaluate } from "../src/sim/reference.js";
import { selfCheck } from "../src/sim/self-check.js";
import { makeInputs } from "../src/sim/vectors.js";
import { golden, skip } from "./support/golden.js";
import { randomGraph } from "./support/random-graph.js";
import { simulatorOf } from "./support/simulator-of.js";
import { fullTier } from "./support/tools.js";

type Options = Partial<typeof defaultOptions>;

/** A network of one input, through all graph passes. */
function network(type: FixedType, shape: readonly number[], build: (b: GraphBuilder, x: number) => number, options: Options = {}): { graph: Graph; reporter: Reporter } {
  const reporter = new Reporter();
  const b = new GraphBuilder("net", reporter);
  const x = b.add("input", [], { name: "x", shape, type, round: "TRN", overflow: "WRAP" });
  b.beginLayer("f", "Function");
  const y = build(b, x);
  b.output("y", y);
  const graph = b.done();
  assert.ok(graph, reporter.diagnostics.map((d) => renderText(d)).join("\n"));
  return { graph: typedGraph(graph, options, reporter), reporter };
}

function typedGraph(graph: Graph, options: Options, reporter: Reporter): Graph {
  const out = runPasses({ kind: "graph", ir: graph }, graphPipeline, { options: { ...defaultOptions, ...options }, reporter });
  assert.ok(out?.kind === "graph", reporter.diagnostics.map((d) => renderText(d)).join("\n"));
  return out.ir;
}

/** Outputs as real numbers. */
function run(graph: Graph, mantissas: readonly bigint[]): readonly number[] {
  const { elem } = graph.nodes[graph.outputs[0]!.value]!.type;
  assert.ok(elem !== "real");
  return evaluate(graph, [mantissas])[0]!.map((m) => toNumber(m, exponent(elem)));
}

/** Reference, simulator and netlist agree on corner and random inputs. */
async function agree(graph: Graph, count = 24): Promise<void> {
  const inputs = makeInputs(graph, count, 7);
  const expected = inputs[0]!.map((_, s) => evaluate(graph, inputs.map((p) => p[s]!)));
  const outputs = graph.outputs.map((_, k) => expected.map((e) => e[k]!));
  const sim = await simulatorOf(graph, graph.name);
  const got = sim.runMantissas(inputs.map((p) => BigInt64Array.from(p.flat())), count, new Reporter())!;
  outputs.forEach((o, k) => assert.equal(Array.from(got[k]!), o.flat().map((m) => BigInt.asIntN(64, m)), `simulator, output ${k}`));
  const vectors: Vectors = { count, inputs, outputs };
  assert.is(await selfCheck(lowerGraph(graph), vectors), undefined);
}

const split = suite("split tables");
const smooth = (Object.keys(unaries) as UnaryName[]).filter((n) => !["linear", "square", "step", "ternary", "po2", "table", "rsqrt_po2"].includes(n));
/** In the quick tier the simulator and the netlist run one of each form: odd, one-sided, with a pole. */
const COMPILED: readonly UnaryName[] = ["tanh", "swish", "rsqrt"];
const positive = (n: UnaryName): boolean => ["log", "sqrt", "rsqrt", "reciprocal"].includes(n);

for (const name of smooth) {
  split(`${name}: within one step of the correctly rounded table on all codes, and alike in simulator and netlist`, async () => {
    const params = unaries[name].params.map(() => 0.75);
    const type = fixed(fullTier ? 14 : 12, positive(name) ? 3 : 5, !positive(name));
    const f: Unary = { name, params, to: { type: fixed(14, 6), round: "RND", overflow: "SAT" } };
    const { graph, reporter } = network(type, [1], (b, x) => b.add("lut", [x], { f }), { maxTable: 256 });
    assert.ok(reporter.diagnostics.every((d) => d.code === "QN307" && d.level === "note"), reporter.diagnostics.map((d) => d.message).join("; "));
    assert.is(reporter.diagnostics.length, 1);
    const tables = graph.nodes.filter((n): n is NodeWith<"lut"> => n.op === "lut");
    assert.ok(tables.length >= 2 && tables.every((n) => n.attrs.f.name === "table" && n.attrs.f.params.length <= 258));
    const r = rangeOf(type);
    let differing = 0;
    for (let m = r.lo; m <= r.hi; m += fullTier ? 1n : 61n) {
      const [y] = evaluate(graph, [[m]])[0]!;
      const elem = graph.nodes[graph.outputs[0]!.value]!.type.elem as FixedType;
      const got = convert(y!, exponent(elem), f.to);
      const want = applyUnary(f, m, exponent(type));
      const d = got - want;
      assert.ok(d >= -1n && d <= 1n, `${name}(${m}) = ${got} instead of ${want}`);
      if (d !== 0n) differing++;
    }
    const said = reporter.diagnostics[0]!.message;
    assert.ok(differing === 0 || /differ from the table, by at most 1 step of/.test(said), said);
    if (fullTier || COMPILED.includes(name)) await agree(graph);
  });
}

split("few levels become comparisons, flat tails a clamp, and both are exact", async () => {
  const cases: readonly (readonly [Unary, FixedType])[] = [
    [{ name: "sigmoid", params: [], to: { type: fixed(3, 0, false), round: "RND_CONV", overflow: "SAT" } }, fixed(16, 6)],
    [{ name: "tanh", params: [], to: { type: fixed(6, 1), round: "RND", overflow: "SAT_SYM" } }, fixed(14, 10)],
    [{ name: "step", params: [0.3, -1, 2], to: { type: fixed(4, 3), round: "RND", overflow: "SAT" } }, fixed(16, 6)],
    [{ name: "ternary", params: [0.3, 0.5], to: { type: fixed(4, 2), round: "RND", overflow: "WRAP" } }, fixed(16, 6)],
    [{ name: "po2", params: [-4, 3, 1, 0], to: { type: fixed(12, 6), round: "RND", overflow: "SAT" } }, fixed(16, 6)],
    [{ name: "rsqrt_po2", params: [], to: { type: fixed(20, 10), round: "RND", overflow: "SAT" } }, fixed(16, 6)],
    [{ name: "swish", params: [], to: { type: fixed(3, 2), round: "RND", overflow: "SAT" } }, fixed(14, 6)],
  ];
  for (const [f, type] of cases) {
    const { graph, reporter } = network(type, [1], (b, x) => b.add("lut", [x], { f }), { maxTable: 256 });
    assert.equal(reporter.diagnostics, []);
    const r = rangeOf(type);
    for (let m = r.lo; m <= r.hi; m += 211n) {
      const elem = graph.nodes[graph.outputs[0]!.value]!.type.elem as FixedType;
      assert.is(convert(evaluate(graph, [[m]])[0]![0]!, exponent(elem), f.to), applyUnary(f, m, exponent(type)), `${f.name}(${m})`);
    }
    if (fullTier || f.name === "po2") await agree(graph);
  }
});

split("the stated bound holds where codes are too many to try", () => {
  const f: Unary = { name: "tanh", params: [], to: { type: fixed(24, 1), round: "RND", overflow: "SAT" } };
  const range = { lo: -(1n << 23n), hi: (1n << 23n) - 1n };
  const fine: Unary = { ...f, to: { type: fixed(80, 2), round: "RND", overflow: "SAT" } };
  const { graph } = network(fixed(24, 4), [1], (b, x) => b.add("lut", [x], { f }));
  const s = makeSegments(f, range, -20, 2, { tolerance: 0.25, guard: 4, most: 4096 });
  assert.ok(s && s.error < 0.5);
  for (let i = 0n; i < (fullTier ? 20_000n : 200n); i++) {
    const m = ((i * 0x9e3779b1n) & 0xffffffn) - (1n << 23n);
    const [y] = evaluate(graph, [[m]])[0]!;
    const exact = Number(applyUnary(fine, m, -20)) * 2 ** (-78 + 23);
    assert.ok(Math.abs(Number(y) - exact) <= s.error + 0.5 + 2 ** -4, `${m}: ${y} and ${exact}`);
  }
});

split("random graphs whose tables have at most 16 entries: reference, simulator and netlist agree", async () => {
  let changed = 0;
  for (let seed = 1; seed <= (fullTier ? 300 : 120); seed++) {
    const graph = randomGraph(seed);
    if (!graph.nodes.some((n) => n.op === "lut")) continue;
    const after = splitTables.run(graph, { options: { ...defaultOptions, maxTable: 16 }, reporter: new Reporter() });
    assert.ok(after);
    if (after.nodes.length === graph.nodes.length || after.nodes.length > 600) continue;
    changed++;
    verifyGraph(after);
    if (after.nodes.some((n) => n.type.elem !== "real" && n.type.elem.width > 64)) continue;
    await agree(after, 8);
  }
  assert.ok(changed > 5, String(changed));
});

split("the derivative bounds hold", () => {
  for (const name of smooth) {
    const params = unaries[name].params.map(() => 0.75);
    const at = (x: number): bigint => {
      const { m, exp } = dyadic(x);
      return applyUnary({ name, params, to: { type: fixed(200, 40), round: "RND", overflow: "SAT" } }, m, exp);
    };
    const h = 2 ** -12;
    for (let x = positive(name) ? 0.25 : -9; x < 9; x += fullTier ? 0.07 : 0.53) {
      const [a, b, c, d] = [x - 1.5 * h, x - 0.5 * h, x + 0.5 * h, x + 1.5 * h].map(at) as [bigint, bigint, bigint, bigint];
      if (Math.abs(x) < 2 * h) continue;
      const found = [c - b, c - 2n * b + a, d - 3n * c + 3n * b - a].map((v, i) => (Number(v) * 2 ** -160) / h ** (i + 1));
      found.forEach((v, i) => {
        const bound = derivativeBound({ name, params }, (i + 1) as 1 | 2 | 3, x - 1.5 * h, x + 1.5 * h);
        assert.ok(Math.abs(v) <= bound * 1.001, `${name}, derivative ${i + 1} at ${x}: ${v} and at most ${bound}`);
      });
    }
  }
});

split("functions without a type survive text, and get one of the working width", () => {
  const reporter = new Reporter();
  const b = new GraphBuilder("net", reporter);
  const x = b.add("input", [], { name: "x", shape: [2], type: fixed(12, 5), round: "TRN", overflow: "WRAP" });
  b.output("y", b.add("lut", [b.add("lut", [x], { f: { name: "elu", params: [0.5] } })], { f: { name: "tanh", params: [] } }));
  const graph = b.done()!;
  const text = printGraph(graph);
  assert.match(text, /lut %0 \{f = elu\(0\.5, real\)\} : \[2\] real/);
  assert.is(printGraph(parseGraph(text, "net.qir", reporter)!), text);
  const typed = typedGraph(graph, { width: 14, maxTable: 65536 }, reporter);
  const types = typed.nodes.flatMap((n) => (n.op === "lut" ? [n.type.elem as FixedType] : []));
  assert.equal(types, [fixed(14, 5), fixed(14, 1)]);
});

split.run();

const softmax = suite("softmax and argmax");

const exactSoftmax = (x: readonly number[]): readonly number[] => {
  const top = Math.max(...x);
  const e = x.map((v) => Math.exp(v - top));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
};

softmax("tables: within 2^−12 of double precision, along any axis, alike in simulator and netlist", async () => {
  const type = fixed(12, 5);
  for (const [shape, axis] of [[[5], 0], [[2, 3, 2], 1]] as const) {
    const { graph } = network(type, shape, (b, x) => addSoftmax(b, x, axis));
    const after = sizeOf(shape.slice(axis + 1));
    const n = shape[axis]!;
    for (const sample of makeInputs(graph, 24, 3)[0]!) {
      const x = sample.map((m) => toNumber(m, exponent(type)));
      const y = run(graph, sample);
      for (let start = 0; start < x.length; start++) {
        if (Math.floor(start / after) % n !== 0) continue;
        const at = Array.from({ length: n }, (_, i) => start + i * after);
        exactSoftmax(at.map((i) => x[i]!)).forEach((p, i) => assert.ok(Math.abs(y[at[i]!]! - p) < 2 ** -12, `${y[at[i]!]} and ${p}`));
      }
    }
    await agree(graph, 8);
  }
});

softmax("argmax is the index of the first largest, on all inputs of small widths", async () => {
  const type = fixed(2, 2);
  for (const [n, shape, axis] of [[1, [1], 0], [3, [3], 0], [4, [4], -1]] as const) {
    const { graph } = network(type, shape, (b, x) => addArgmax(b, x, axis));
    for (let code = 0; code < 4 ** n; code++) {
      const x = Array.from({ length: n }, (_, i) => BigInt((code >> (2 * i)) & 3) - 2n);
      const want = x.indexOf(x.reduce((a, b) => (a > b ? a : b)));
      assert.equal(run(graph, x), [want]);
    }
    if (n > 1) await agree(graph);
    const { elem } = graph.nodes[graph.outputs[0]!.value]!.type;
    assert.ok(elem !== "real" && !elem.signed && elem.width <= Math.ceil(Math.log2(n)), "an unsigned index");
  }
  const { graph } = network(type, [2, 3], (b, x) => addArgmax(b, x, 0));
  assert.equal(run(graph, [1n, -2n, 0n, 1n, 1n, -1n]), [0, 1, 0]);
});

softmax("--softmax: the host's, by tables, the index, or the logits", () => {
  const build = (mode: Options["softmax"], host: HostStep = "softmax") => {
    const reporter = new Reporter();
    const b = new GraphBuilder("net", reporter);
    const x = b.add("input", [], { name: "x", shape: [4], type: fixed(10, 4), round: "TRN", overflow: "WRAP" });
    b.beginLayer("probabilities", "Softmax");
    b.output("probabilities", x, host);
    return typedGraph(b.done()!, { softmax: mode! }, reporter);
  };
  const logits = [3n, -100n, 200n, 190n];
  assert.is(build("host").outputs[0]!.host, "softmax");
  assert.equal(run(build("none"), logits), logits.map((m) => Number(m) / 64));
  assert.equal(run(build("argmax"), logits), [2]);
  const [, , p] = run(build("table"), logits);
  assert.ok(Math.abs(p! - exactSoftmax(logits.map((m) => Number(m) / 64))[2]!) < 2 ** -12);
  for (const mode of ["none", "argmax", "table"] as const) assert.is(build(mode).outputs[0]!.host, undefined);
  assert.equal(
    ["host", "table", "argmax", "none"].map((mode) => build(mode as Options["softmax"], "sigmoid").outputs[0]!.host),
    ["sigmoid", undefined, "sigmoid", undefined],
  );
  const [s] = run(build("table", "sigmoid"), logits);
  assert.ok(Math.abs(s! - 1 / (1 + Math.exp(-3 / 64))) < 2 ** -12);
});

softmax.run();

const keras = suite("float Keras models");

/** Largest error over the largest output. */
async function compare(folder: string, files: readonly string[], weights?: string): Promise<{ readonly error: number; readonly graph: Graph } | undefined> {
  const sources = new Map(files.map((name) => [name, golden(`${folder}/${name}`)] as const));
  const [input, output] = [golden(`${folder}/input.npy`), golden(`${folder}/logits.npy`)];
  if (!input || !output || [...sources.values()].includes(undefined)) return undefined;
  const reporter = new Reporter();
  const source = { model: files[0]!, files: sources as ReadonlyMap<string, Uint8Array>, ...(weights ? { weights } : {}) };
  const inputType = { type: fixed(24, 4), round: "RND", overflow: "SAT" } as const;
  const typed = await typeModel(source, { width: 24, inputType }, reporter);
  assert.ok(typed, reporter.diagnostics.map((d) => renderText(d)).join("\n"));
  const [x, y] = [parseNpy(input, "input.npy", reporter)!, parseNpy(output, "logits.npy", reporter)!];
  const rows = fullTier ? x.shape[0]! : 12;
  const [n, k] = [x.data.length / x.shape[0]!, y.data.length / y.shape[0]!];
  let [error, largest] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const mantissas = Array.from({ length: n }, (_, i) => {
      const { m, exp } = dyadic(Number(x.data[row * n + i]));
      return convert(m, exp, inputType);
    });
    run(typed.graph, mantissas).forEach((v, j) => {
      const want = Number(y.data[row * k + j]);
      largest = Math.max(largest, Math.abs(want));
      error = Math.max(error, Math.abs(v - want));
    });
  }
  return { error: error / largest, graph: typed.graph };
}

keras("LayerNormalization, UnitNormalization, swish, gelu and exp with --width 24: under 2^−12 of the output's range", async () => {
  for (const [folder, files, weights] of [
    ["random-keras2/15", ["model.json", "model_weights.h5"], "model_weights.h5"],
    ["random-keras3/15", ["model.keras"], undefined],
  ] as const) {
    const found = await compare(folder, files, weights);
    if (!found) skip(`${folder}: no golden files`);
    else assert.ok(found.error < 2 ** -12, `${folder}: 2^${Math.log2(found.error).toFixed(2)}`);
  }
});

keras.run();
