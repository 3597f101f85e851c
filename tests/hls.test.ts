// HLS C++ against the reference: random graphs in all styles, exhaustive cells, every conversion mode, and testbenches that must fail.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { datVectors, type HlsStyle, hls, hlsStyles } from "../src/backends/hls/hls.js";
import { type FixedType, fixed, overflows, printFixed, rangeOf, roundings } from "../src/ir/fixed.js";
import type { Graph, GraphBuilder } from "../src/ir/graph.js";
import { identifiers } from "../src/ir/names.js";
import { tensor } from "../src/ir/tensor.js";
import { evaluate } from "../src/sim/reference.js";
import { type CellCases, cellVectors, exhaustiveCellCases, wideCellCases } from "./support/cell-cases.js";
import { caseOf, graphOf, type HlsCase, runHlsBatch, vectorsOf } from "./support/hls-batch.js";
import { randomGraph, showGraph } from "./support/random-graph.js";
import { apTypes, fullTier, hasTool, run, withTempDir, writeFiles } from "./support/tools.js";

const headers = hasTool("g++") ? apTypes() : undefined;

const conversions = suite("hls: conversions");

/** Each conversion costs g++ about 30 ms. */
const SOURCES: readonly FixedType[] = fullTier
  ? [fixed(1, 1), fixed(3, 3), fixed(3, 1, false), fixed(64, 3), fixed(64, 70, false)]
  : [fixed(3, 3)];

/** Target widths, signs and shifts as one element each; every rounding and overflow mode as one op each. */
function conversionGraph(source: FixedType, name: string): Graph {
  const drops = fullTier ? [-5, -1, 0, 1, 2, 6] : [-1, 2];
  const widths = fullTier ? [0, 1, 3, 64] : [1, 2];
  const shifts = source.width > 32 ? drops.map((d) => d + source.width - 3) : drops;
  const types = widths.flatMap((w) =>
    shifts.flatMap((d) => [true, false].map((s) => fixed(w, w + source.int - source.width + d, s && w > 0))),
  );
  return graphOf(name, (b) => {
    const x = b.input("x", [types.length], { type: source, round: "TRN", overflow: "WRAP" });
    for (const round of roundings) {
      for (const overflow of overflows)
        b.output(`${round}_${overflow}`, b.add("quantize", [x], { to: { per: "element", types }, round, overflow }));
    }
  });
}

/** All codes of a narrow type; of a wide one those around zero, the ends and the halves of each power of two. */
function codesOf(t: FixedType): readonly bigint[] {
  const { lo, hi } = rangeOf(t);
  if (t.width <= 4) return Array.from({ length: 2 ** t.width }, (_, i) => lo + BigInt(i));
  const near = (m: bigint): bigint[] => [m - 1n, m, m + 1n];
  const halves = [0, 1, 2, 3, 4, 5].flatMap((k) =>
    [hi >> BigInt(k), (hi >> BigInt(k)) + (hi >> BigInt(k + 1))].flatMap((m) => [...near(m), ...near(-m)]),
  );
  return [...near(0n), ...near(lo), ...near(hi), ...halves].filter((m) => m >= lo && m <= hi);
}

conversions("every rounding and overflow mode equals the reference", () => {
  if (headers === undefined) return;
  const cases = SOURCES.map((source, k) => {
    const graph = conversionGraph(source, `convert_${k}`);
    const size = graph.nodes[graph.inputs[0]!]!.type.shape[0]!;
    const inputs = [codesOf(source).map((m) => new Array<bigint>(size).fill(m))];
    const results = inputs[0]!.map((x) => evaluate(graph, [x]));
    const vectors = { count: results.length, inputs, outputs: graph.outputs.map((_, o) => results.map((r) => r[o]!)) };
    return caseOf(graph, "loops", vectors);
  });
  for (const [k, v] of runHlsBatch(cases, headers).entries())
    assert.is(v, `PASS ${cases[k]!.vectors.count} vectors`, printFixed(SOURCES[k]!));
});
conversions.run();

const cells = suite("hls: cells");

function cellBatch(all: readonly CellCases[], folder: string): void {
  const cases = all.map((c): HlsCase => {
    const netlist = { ...c.netlist, name: `cells_${c.name}` };
    const ports = identifiers([...netlist.inputs, ...netlist.outputs].map((p) => p.name));
    const names = { inputs: ports.slice(0, netlist.inputs.length), outputs: ports.slice(netlist.inputs.length) };
    const graph: Graph = { name: netlist.name, nodes: [], inputs: [], outputs: [], layers: [] };
    return { name: netlist.name, files: hls.emit({ graph, netlist }, { style: "unrolled", names, clockNs: 5 }), vectors: cellVectors(c) };
  });
  for (const [k, v] of runHlsBatch(cases, folder).entries()) assert.is(v, `PASS ${cases[k]!.vectors.count} vectors`, explain(v, all[k]!));
}

/** Names the cell of a mismatch. */
function explain(verdict: string, c: CellCases): string {
  const m = /, (\w+)\[(\d+)\]/.exec(verdict);
  const port = c.netlist.outputs.findIndex((p) => m?.[1]?.startsWith(p.name));
  return `${c.name}: ${verdict}: ${m && port >= 0 ? c.labels[port]![Number(m[2])] : ""}`;
}

cells("every cell on every narrow operand equals the cell table", () => {
  const slow = new Set(["affine2", "affine3", "mux"]);
  if (headers !== undefined)
    cellBatch(
      exhaustiveCellCases().filter((c) => fullTier || !slow.has(c.name)),
      headers,
    );
});
cells("cells on wide operands equal the cell table", () => {
  if (headers !== undefined && fullTier) cellBatch(wideCellCases(), headers);
});
cells.run();

const others = suite("hls: by hand");

type Build = (b: GraphBuilder) => void;
const input = (b: GraphBuilder, name: string, shape: readonly number[], type: FixedType): number =>
  b.input(name, shape, { type, round: "TRN", overflow: "WRAP" });

/** What random graphs reach seldom or never. */
const byHand: Readonly<Record<string, Build>> = {
  values_beyond_64_bits: (b) => {
    const x = input(b, "x", [3], fixed(64, 10));
    const wide = (n: number): bigint[] =>
      Array.from({ length: n }, (_, i) => (i % 2 ? -1n : 1n) * (2n ** BigInt(62 - i) + 3n * 7n ** BigInt(i)));
    const d = b.add("dense", [x], {
      kernel: tensor([3, 3], -5, wide(9)),
      bias: tensor([3], -90, [2n ** 100n + 1n, -(2n ** 99n) - 7n, 0n]),
    });
    b.output("sum", d);
    b.output("square", b.add("mul", [d, d], {}));
    const c = b.add("constant", [], { value: tensor([3], -70, [2n ** 80n + 5n, -(2n ** 90n), 1n]) });
    b.output("largest", b.add("max", [d, c], {}));
    b.output(
      "po2",
      b.add("dense", [input(b, "p", [2], fixed(8, 8))], {
        kernel: tensor([2, 2], -60, [1n, -(2n ** 70n), 2n ** 65n, 3n]),
        bias: undefined,
      }),
    );
    b.output("back", b.add("quantize", [d], { to: fixed(64, 40), round: "RND_CONV", overflow: "SAT" }));
  },
  constants_as_values: (b) => {
    const x = input(b, "x", [2, 3], fixed(6, 2));
    const c = b.add("constant", [], { value: tensor([2, 3], -2, [1n, -2n, 3n, 0n, 5n, -6n]) });
    b.output("c", c);
    const r = b.add("reshape", [c], { shape: [3, 2] });
    b.output("r", r);
    b.output("d", b.add("dense", [c], { kernel: tensor([3, 2], 0, [1n, 0n, 2n, 0n, -1n, 0n]), bias: undefined }));
    b.output("q", b.add("quantize", [c], { to: fixed(3, 3), round: "RND", overflow: "SAT" }));
    b.output("both", b.add("sub", [c, b.add("constant", [], { value: tensor([], -3, [9n]) })], {}));
    b.output("sum", b.add("add", [x, c], {}));
  },
  sums_that_cancel: (b) => {
    const one = b.add("constant", [], { value: tensor([2], -5, [1n, 1n]) });
    // Every sum is 0 while the products are finer than 0's own grid.
    b.output("zero", b.add("dense", [one], { kernel: tensor([2, 2], -3, [1n, -7n, -1n, 7n]), bias: undefined }));
    b.output("bias", b.add("dense", [one], { kernel: tensor([2, 1], -3, [1n, 2n]), bias: tensor([1], -8, [-3n]) }));
    b.output("none", b.add("dense", [input(b, "x", [2], fixed(4, 4))], { kernel: tensor([2, 2], 0, [0n, 0n, 0n, 0n]), bias: undefined }));
    b.output("one", b.add("dense", [one], { kernel: tensor([2, 1], 0, [1n, 0n]), bias: tensor([1], 3, [-1n]) }));
  },
  broadcasting: (b) => {
    const x = input(b, "x", [2, 1, 3], fixed(5, 3));
    const y = input(b, "y", [4, 1], fixed(4, 1, false));
    b.output("sum", b.add("add", [x, y], {}));
    b.output("largest", b.add("max", [y, x], {}));
    const c = b.add("constant", [], { value: tensor([2, 1, 1], -1, [3n, -1n]) });
    b.output("product", b.add("mul", [c, x], {}));
    b.output("least", b.add("min", [x, b.add("constant", [], { value: tensor([1], 0, [0n]) })], {}));
    b.output("rows", b.add("dense", [x], { kernel: tensor([3, 2], -1, [1n, -2n, 3n, 4n, -5n, 6n]), bias: tensor([2], 0, [1n, -1n]) }));
  },
  // The headers compare as C does, where −1 > 1u.
  signed_against_unsigned: (b) => {
    const s = input(b, "s", [4], fixed(31, 26));
    for (const [name, type] of [
      ["u33", fixed(33, 32, false)],
      ["u64", fixed(64, 40, false)],
      ["u5", fixed(5, 5, false)],
    ] as const) {
      const u = input(b, name, [4], type);
      b.output(`max_${name}`, b.add("max", [u, s], {}));
      b.output(`min_${name}`, b.add("min", [s, u], {}));
    }
    b.output("constant", b.add("min", [s, b.add("constant", [], { value: tensor([4], -2, [1n, 2n ** 40n, 0n, 7n]) })], {}));
  },
  // The headers look for the rounding bit inside the operand.
  more_bits_dropped_than_held: (b) => {
    const x = input(b, "x", [6], fixed(3, 3));
    const to = { per: "element", types: [4, 5, 6, 9, 70, 3].map((e) => fixed(3, 3 + e)) } as const;
    for (const round of roundings) b.output(round, b.add("quantize", [x], { to, round, overflow: "SAT_SYM" }));
  },
  // One table for each range where one for all would be too large.
  tables_by_range: (b) => {
    const types = [fixed(9, 9), fixed(9, -10), fixed(0, 0, false), fixed(9, 9), fixed(5, 3, false)];
    const wide = input(b, "x", [5], fixed(12, 6));
    const x = b.add("quantize", [wide], { to: { per: "element", types }, round: "RND", overflow: "WRAP" });
    b.output(
      "step",
      b.add("lut", [x], { f: { name: "step", params: [0.25, -1.5, 2], to: { type: fixed(4, 3), round: "RND", overflow: "SAT" } } }),
    );
    b.output(
      "flat",
      b.add("lut", [wide], { f: { name: "tanh", params: [], to: { type: fixed(8, 1), round: "RND_CONV", overflow: "SAT" } } }),
    );
  },
};

others("graphs with corner cases equal the reference", () => {
  if (headers === undefined) return;
  const graphs = Object.entries(byHand).map(([name, build]) => graphOf(name, build));
  const cases = graphs.map((g) => caseOf(g, "loops", vectorsOf(g, 12, 5)));
  for (const [k, v] of runHlsBatch(cases, headers).entries()) assert.is(v, "PASS 12 vectors", cases[k]!.name);
});

/** Layers and ports named by an enemy of C++. */
const hostile = graphOf("exp", (b) => {
  b.beginLayer("NULL", "InputLayer");
  let x = input(b, "NULL", [2], fixed(5, 3));
  const other = input(b, "i", [2], fixed(3, 3, false));
  b.endLayer(x);
  for (const name of [
    "int8",
    "INT8",
    "time",
    "wchar",
    "*/ bad \\",
    "??/",
    "line\nbreak",
    "mantissa",
    "input",
    "acc",
    "_",
    "\u202eevil",
    "errno",
  ]) {
    b.beginLayer(name, `Kind\\\n${name}`);
    x = b.add("dense", [x], { kernel: tensor([2, 2], -1, [1n, 2n, -1n, 1n]), bias: undefined });
    b.endLayer(b.add("max", [x, other], {}));
    x = b.add("quantize", [x], { to: fixed(6, 3), round: "RND", overflow: "SAT" });
    if (name === "int8") b.output("errno", x);
  }
  b.output("main", x);
});

others("the folder compiles under hostile names, and its testbench notices every altered file", () => {
  if (headers === undefined) return;
  withTempDir((folder) => {
    const c = caseOf(hostile, "loops", vectorsOf(hostile, 5, 1));
    const good = datVectors(c.vectors);
    writeFiles(folder, c.files);
    for (const [path, text] of c.files)
      assert.not.match(String(text).replace(/\/\/.*$/gm, ""), /\w__|__\w/, `${path}: C++ reserves names with two underscores`);
    const sources = ["hls/exp.cpp", "hls/exp_tb.cpp"];
    const built = run("g++", ["-std=c++14", "-O0", "-w", "-Werror=return-type", "-isystem", headers, ...sources, "-o", "testbench"], {
      cwd: folder,
    });
    assert.is(built.code, 0, built.text.slice(0, 3000));
    const tryWith = (change: (path: string, text: string) => string) => {
      writeFiles(folder, new Map([...good].map(([path, text]) => [path, change(path, text as string)])));
      return run("./testbench", [], { cwd: folder });
    };
    const outputs = (change: (text: string) => string) => tryWith((path, text) => (path.endsWith("outputs.dat") ? change(text) : text));
    assert.equal(
      [tryWith((_, text) => text)].map((r) => [r.code, r.stdout]),
      [[0, "PASS 5 vectors\n"]],
    );
    const last = /(-?\d+)\n$/;
    const lines = (text: string): string[] => text.trimEnd().split("\n");
    const failures: readonly (readonly [string, RegExp, () => { readonly code: number; readonly stdout: string }])[] = [
      [
        "a wrong bit",
        /^MISMATCH vector 4, main_\[1\]: got -?\d+, expected -?\d+\n$/,
        () => outputs((t) => t.replace(last, (_, m: string) => `${BigInt.asIntN(6, BigInt(m) ^ 1n)}\n`)),
      ],
      ["a line missing", /^FAIL outputs.dat has fewer lines/, () => outputs((t) => `${lines(t).slice(0, -1).join("\n")}\n`)],
      ["a line too many", /^FAIL outputs.dat has more lines/, () => outputs((t) => `${t}${lines(t)[0]}\n`)],
      ["a number too many", /^FAIL outputs.dat, line 5/, () => outputs((t) => t.replace(last, "$1 0\n"))],
      ["a number missing", /^FAIL outputs.dat, line 5/, () => outputs((t) => t.replace(/ -?\d+\n$/, "\n"))],
      ["a word", /^FAIL outputs.dat, line 5/, () => outputs((t) => t.replace(last, "1x\n"))],
      ["a number out of range", /^FAIL outputs.dat, line 5/, () => outputs((t) => t.replace(last, "1000000000\n"))],
      ["a number beyond 64 bits", /^FAIL outputs.dat, line 5/, () => outputs((t) => t.replace(last, "18446744073709551616\n"))],
      ["no vectors", /^FAIL inputs.dat holds no vectors/, () => tryWith(() => "")],
    ];
    for (const [what, expected, attempt] of failures) {
      const r = attempt();
      assert.is(r.code, 1, what);
      assert.match(r.stdout, expected, what);
    }
    assert.is(run("./testbench", ["nowhere"], { cwd: folder }).code, 1);
  });
});

others("the same graph gives the same bytes, and styles differ as they say", () => {
  const graph = randomGraph(7);
  const source = (style: HlsStyle): string =>
    caseOf(graph, style, { count: 0, inputs: [], outputs: [] }).files.get(`hls/${graph.name}.cpp`) as string;
  for (const style of hlsStyles) assert.is(source(style), source(style));
  assert.match(source("loops"), "#pragma HLS UNROLL");
  assert.not.match(source("rolled"), "#pragma HLS UNROLL");
  const code = (text: string): string => text.replace(/^#pragma.*\n/gm, "");
  assert.is(code(source("rolled")), code(source("loops")), "pragmas alone tell loops from rolled");
});
others.run();

const random = suite("hls: random graphs");
// `rolled` is `loops` with other pragmas, as a test above shows.
for (const style of ["loops", "unrolled"] as const) {
  random(`${style} equals the reference`, () => {
    if (headers === undefined) return;
    const count = fullTier ? 40 : 4;
    const graphs = Array.from({ length: count }, (_, i) => randomGraph(1000 * hlsStyles.indexOf(style) + i));
    const verdicts = runHlsBatch(
      graphs.map((g, i) => caseOf(g, style, vectorsOf(g, 30, i))),
      headers,
    );
    for (const [i, v] of verdicts.entries()) assert.is(v, "PASS 30 vectors", showGraph(graphs[i]!));
  });
}
random.run();
