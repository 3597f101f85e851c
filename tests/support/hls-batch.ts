// Compiles many emitted HLS designs in one g++ call, each in its own namespace with its testbench: the headers alone cost seconds a call.
import { join } from "node:path";
import { datVectors, type HlsStyle, hls } from "../../src/backends/hls/hls.js";
import { Reporter } from "../../src/diagnostics.js";
import type { FixedType } from "../../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../../src/ir/graph.js";
import type { Files } from "../../src/ir/target.js";
import type { Mantissas, Vectors } from "../../src/ir/vectors.js";
import { lowerGraph, portNames } from "../../src/passes/lower.js";
import { prng } from "../../src/sim/prng.js";
import { evaluate } from "../../src/sim/reference.js";
import { run, withTempDir, writeFiles } from "./tools.js";

export interface HlsCase {
  /** The network's name: its files' base name and its top function. */
  readonly name: string;
  readonly files: Files;
  readonly vectors: Vectors;
}

/** A graph built by hand; mistakes throw. */
export function graphOf(name: string, build: (b: GraphBuilder) => void): Graph {
  const reporter = new Reporter();
  const b = new GraphBuilder(name, reporter);
  build(b);
  const graph = b.done();
  if (!graph) throw new Error(JSON.stringify(reporter.diagnostics));
  return graph;
}

/** Corner and random samples of every input, with the reference's outputs. */
export function vectorsOf(graph: Graph, count: number, seed: number): Vectors {
  const random = prng(seed);
  const inputs = graph.inputs.map((id) => {
    const node = graph.nodes[id]!;
    const t = node.type.elem as FixedType;
    return Array.from(
      { length: count },
      (_, s): Mantissas =>
        node.elements!.map((e) => {
          const m = s === 0 ? e.lo : s === 1 ? e.hi : random.chance(0.2) ? random.pick([e.lo, e.hi]) : random.between(e.lo, e.hi);
          return e.lo === 0n && e.hi === 0n ? 0n : m << BigInt(e.exp - (t.int - t.width));
        }),
    );
  });
  const results = Array.from({ length: count }, (_, s) =>
    evaluate(
      graph,
      inputs.map((port) => port[s]!),
    ),
  );
  return { count, inputs, outputs: graph.outputs.map((_, k) => results.map((r) => r[k]!)) };
}

/** The design of a graph in one style. */
export function caseOf(graph: Graph, style: HlsStyle, vectors: Vectors): HlsCase {
  const netlist = style === "unrolled" ? lowerGraph(graph) : undefined;
  return { name: graph.name, files: hls.emit({ graph, netlist }, { style, names: portNames(graph), clockNs: 5 }), vectors };
}

const SYSTEM = ["ap_fixed.h", "ap_int.h", "fstream", "iostream", "sstream", "string", "cstring"];

const text = (files: Files, path: string): string => {
  const content = files.get(path);
  if (typeof content !== "string") throw new Error(`${path} is not among ${[...files.keys()].join(", ")}`);
  return content;
};

/** Header, weights, functions and testbench of one design, inside a namespace. */
function inNamespace(c: HlsCase, k: number): string {
  const weights = [...c.files.keys()].filter((p) => p.startsWith("hls/weights/"));
  const parts = [`hls/${c.name}.h`, ...weights, `hls/${c.name}.cpp`, `hls/${c.name}_tb.cpp`].map((p) => text(c.files, p));
  const code = parts
    .join("\n")
    .replace(/^#include .*$/gm, "")
    .replace(/\bint main\(/, "static int test_main(")
    .replace(/ ::(\w+)\(/g, ` n${k}::$1(`);
  return `namespace n${k} {\n${code}\n}\n`;
}

/** g++ takes about 60 MB a design. */
const BATCH = 10;

/** What each design's testbench printed last, such as `PASS 20 vectors`. */
export function runHlsBatch(cases: readonly HlsCase[], headers: string): readonly string[] {
  const batches = Array.from({ length: Math.ceil(cases.length / BATCH) }, (_, i) => cases.slice(i * BATCH, i * BATCH + BATCH));
  return batches.flatMap((batch) => runBatch(batch, headers));
}

function runBatch(cases: readonly HlsCase[], headers: string): readonly string[] {
  return withTempDir((folder) => {
    for (const [k, c] of cases.entries()) writeFiles(join(folder, String(k)), datVectors(c.vectors));
    const calls = cases.map(
      (_, k) =>
        `  { char folder[] = "${k}/tb/vectors"; char *argv[] = {folder, folder}; std::cout << n${k}::test_main(2, argv) << "\\n"; }`,
    );
    const source = [...SYSTEM.map((h) => `#include <${h}>`), ...cases.map(inNamespace), "int main() {", ...calls, "}", ""].join("\n");
    writeFiles(folder, new Map([["all.cpp", source]]));
    const compiled = run("g++", ["-std=c++14", "-w", "-O0", "-isystem", headers, "all.cpp", "-o", "all"], {
      cwd: folder,
      timeoutMs: 600_000,
    });
    if (compiled.code !== 0)
      throw new Error(
        `g++: ${
          compiled.text
            .split("\n")
            .filter((l) => /error|killed|limit/.test(l))
            .slice(0, 8)
            .join("\n") || compiled.text.slice(0, 2000)
        }`,
      );
    const ran = run("./all", [], { cwd: folder });
    const lines = ran.stdout.trim().split("\n");
    if (ran.code !== 0 || lines.length !== 2 * cases.length)
      throw new Error(`the testbenches ended with ${ran.code}: ${ran.text.slice(-2000)}`);
    return cases.map((_, k) => {
      const [verdict, status] = [lines[2 * k]!, lines[2 * k + 1]!];
      if ((status === "0") !== verdict.startsWith("PASS ")) throw new Error(`exit status ${status} with ${verdict}`);
      return verdict;
    });
  });
}
