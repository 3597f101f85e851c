// HLS C++ against the reference: random graphs in all styles, exhaustive cells, every conversion mode, and testbenches that must fail.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type HlsStyle, hls, hlsStyles } from "../src/backends/hls/hls.js";
import { Reporter } from "../src/diagnostics.js";
import { type FixedType, fixed, overflows, printFixed, rangeOf, roundings } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { identifiers } from "../src/ir/names.js";
import type { Mantissas, Vectors } from "../src/ir/vectors.js";
import { lowerGraph, portNames } from "../src/passes/lower.js";
import { prng } from "../src/sim/prng.js";
import { evaluate } from "../src/sim/reference.js";
import { type CellCases, cellVectors, exhaustiveCellCases, wideCellCases } from "./support/cell-cases.js";
import { type HlsCase, runHlsBatch } from "./support/hls-batch.js";
import { randomGraph, showGraph } from "./support/random-graph.js";
import { apTypes, fullTier, hasTool } from "./support/tools.js";

const headers = hasTool("g++") ? apTypes() : undefined;

/** Corner and random samples of every input, with the reference's outputs. */
function vectorsOf(graph: Graph, count: number, seed: number): Vectors {
  const random = prng(seed);
  const inputs = graph.inputs.map((id) => {
    const node = graph.nodes[id]!;
    const t = node.type.elem as FixedType;
    return Array.from({ length: count }, (_, s): Mantissas =>
      node.elements!.map((e) => {
        const m = s === 0 ? e.lo : s === 1 ? e.hi : random.chance(0.2) ? random.pick([e.lo, e.hi]) : random.between(e.lo, e.hi);
        return e.lo === 0n && e.hi === 0n ? 0n : m << BigInt(e.exp - (t.int - t.width));
      }),
    );
  });
  const results = Array.from({ length: count }, (_, s) => evaluate(graph, inputs.map((port) => port[s]!)));
  return { count, inputs, outputs: graph.outputs.map((_, k) => results.map((r) => r[k]!)) };
}

function caseOf(graph: Graph, style: HlsStyle, vectors: Vectors): HlsCase {
  return { name: graph.name, files: hls.emit({ graph, netlist: lowerGraph(graph) }, { style, names: portNames(graph), clockNs: 5 }), vectors };
}

const conversions = suite("hls: conversions");

/** Each conversion costs g++ about 30 ms. */
const SOURCES: readonly FixedType[] = fullTier ? [fixed(1, 1), fixed(3, 3), fixed(3, 1, false), fixed(64, 3), fixed(64, 70, false)] : [fixed(3, 3)];

/** Target widths, signs and shifts as one element each; every rounding and overflow mode as one op each. */
function conversionGraph(source: FixedType, name: string): Graph {
  const reporter = new Reporter();
  const b = new GraphBuilder(name, reporter);
  const drops = fullTier ? [-5, -1, 0, 1, 2, 6] : [-1, 2];
  const widths = fullTier ? [0, 1, 3, 64] : [1, 2];
  const shifts = source.width > 32 ? drops.map((d) => d + source.width - 3) : drops;
  const types = widths.flatMap((w) => shifts.flatMap((d) => [true, false].map((s) => fixed(w, w + source.int - source.width + d, s && w > 0))));
  const x = b.input("x", [types.length], { type: source, round: "TRN", overflow: "WRAP" });
  for (const round of roundings) {
    for (const overflow of overflows) b.output(`${round}_${overflow}`, b.add("quantize", [x], { to: { per: "element", types }, round, overflow }));
  }
  const graph = b.done();
  if (!graph) throw new Error(JSON.stringify(reporter.diagnostics));
  return graph;
}

/** All codes of a narrow type; of a wide one those around zero, the ends and the halves of each power of two. */
function codesOf(t: FixedType): readonly bigint[] {
  const { lo, hi } = rangeOf(t);
  if (t.width <= 4) return Array.from({ length: 2 ** t.width }, (_, i) => lo + BigInt(i));
  const near = (m: bigint): bigint[] => [m - 1n, m, m + 1n];
  const halves = [0, 1, 2, 3, 4, 5].flatMap((k) => [hi >> BigInt(k), (hi >> BigInt(k)) + (hi >> BigInt(k + 1))].flatMap((m) => [...near(m), ...near(-m)]));
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
  runHlsBatch(cases, headers).forEach((v, k) => assert.is(v, `PASS ${cases[k]!.vectors.count} vectors`, printFixed(SOURCES[k]!)));
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
  runHlsBatch(cases, folder).forEach((v, k) => assert.is(v, `PASS ${cases[k]!.vectors.count} vectors`, explain(v, all[k]!)));
}

/** Names the cell of a mismatch. */
function explain(verdict: string, c: CellCases): string {
  const m = /, (\w+)\[(\d+)\]/.exec(verdict);
  const port = c.netlist.outputs.findIndex((p) => m?.[1]?.startsWith(p.name));
  return `${c.name}: ${verdict}: ${m && port >= 0 ? c.labels[port]![Number(m[2])] : ""}`;
}

cells("every cell on every narrow operand equals the cell table", () => {
  if (headers !== undefined) cellBatch(exhaustiveCellCases(), headers);
});
cells("cells on wide operands equal the cell table", () => {
  if (headers !== undefined && fullTier) cellBatch(wideCellCases(), headers);
});
cells.run();

const random = suite("hls: random graphs");
for (const style of hlsStyles) {
  random(`${style} equals the reference`, () => {
    if (headers === undefined) return;
    const count = fullTier ? 60 : 12;
    const graphs = Array.from({ length: count }, (_, i) => randomGraph(1000 * hlsStyles.indexOf(style) + i));
    const verdicts = runHlsBatch(graphs.map((g, i) => caseOf(g, style, vectorsOf(g, 30, i))), headers);
    verdicts.forEach((v, i) => assert.is(v, "PASS 30 vectors", showGraph(graphs[i]!)));
  });
}
random.run();
