// Runs emitted Verilog in Icarus, Verilator and its lint, through the emitted testbench.
import { join } from "node:path";
import { hexVectors, verilog } from "../../src/backends/verilog/verilog.js";
import { rangeOf } from "../../src/ir/fixed.js";
import type { Netlist, Schedule } from "../../src/ir/netlist.js";
import type { Vectors } from "../../src/ir/vectors.js";
import { type Prng, prng } from "../../src/sim/prng.js";
import { interpret } from "../../src/sim/reference.js";
import type { CellCases } from "./cell-cases.js";
import { randomInputs } from "./random-netlist.js";
import { type RunResult, run, withTempDir, writeFiles } from "./tools.js";

/** The netlist under a name, with port names that Verilog allows (the cell cases call theirs `signed` and `unsigned`). */
export const renamed = (n: Netlist, name: string): Netlist => ({
  ...n,
  name,
  outputs: n.outputs.map((p) => ({ ...p, name: `${p.name}_out` })),
});

export function writeDesign(folder: string, n: Netlist, vectors: Vectors): void {
  writeFiles(folder, verilog.emit(n, {}));
  writeFiles(folder, hexVectors(n, vectors));
}

/** The testbench's output in Icarus; compiler messages come first and make it differ from `PASS …`. */
export function runIcarus(folder: string, top: string): string {
  const compiled = run("iverilog", ["-g2005", "-Wall", "-s", `${top}_tb`, "-o", "tb.vvp", `rtl/${top}.v`, `tb/${top}_tb.v`], {
    cwd: folder,
  });
  if (compiled.code !== 0 || compiled.text !== "") return compiled.text || `iverilog: ${compiled.code}`;
  return run("vvp", ["-n", "tb.vvp"], { cwd: folder, timeoutMs: 300_000 }).text.trim();
}

/** The testbench's output in Verilator. C++ is compiled without optimisation: building takes longer than running. */
export function runVerilator(folder: string, top: string): string {
  const args = [
    "--binary",
    "--timing",
    "-CFLAGS",
    "-O0",
    "-j",
    "2",
    "--top-module",
    `${top}_tb`,
    "--Mdir",
    "obj",
    `rtl/${top}.v`,
    `tb/${top}_tb.v`,
  ];
  const built = run("verilator", args, { cwd: folder, timeoutMs: 600_000 });
  if (built.code !== 0) return built.text;
  return run(join(folder, "obj", `V${top}_tb`), [], { cwd: folder, timeoutMs: 300_000 })
    .stdout.split("\n")
    .filter((l) => /^(PASS|FAIL)/.test(l))
    .join("\n");
}

/** Verilator's lint of core and wrapper; empty where it is clean. */
export const lint = (folder: string, top: string): string => {
  const r: RunResult = run("verilator", ["--lint-only", "-Wall", "--top-module", `${top}_axis`, `rtl/${top}_axis.v`, `rtl/${top}.v`], {
    cwd: folder,
  });
  return r.code === 0 ? r.text : r.text || `verilator: ${r.code}`;
};

/** Simulates one design in Icarus in a folder of its own. */
export const simulate = (n: Netlist, vectors: Vectors): string =>
  withTempDir((folder) => {
    writeDesign(folder, n, vectors);
    return runIcarus(folder, n.name);
  });

/** Random samples within the input ranges, and what the reference makes of them. */
export function randomVectors(n: Netlist, count: number, seed: number): Vectors {
  const r = prng(seed);
  const samples = Array.from({ length: count }, () => randomInputs(n, r));
  const results = samples.map((s) => interpret(n, s));
  return { count, inputs: n.inputs.map((_, k) => samples.map((s) => s[k]!)), outputs: n.outputs.map((_, k) => results.map((s) => s[k]!)) };
}

/** A legal schedule: every cell some stages after its operands, the outputs some stages after the last cell. */
export function randomSchedule(n: Netlist, r: Prng): Schedule {
  const delay = 1 + r.below(4);
  const stage: number[] = [];
  n.cells.forEach((c) => {
    const ready = c.args.reduce((s, a) => Math.max(s, stage[a]!), 0);
    stage.push(c.op === "input" ? 0 : ready + (r.below(delay + 3) === 0 ? 1 + r.below(2) : 0));
  });
  return { stage, latency: Math.max(...stage) + r.below(3) };
}

/** Several cases side by side in one module; shorter ones repeat their samples. */
export function mergeCases(
  cases: readonly CellCases[],
  name: string,
  vectorsOf: (c: CellCases) => Vectors,
): { readonly netlist: Netlist; readonly vectors: Vectors } {
  const all = cases.map((c) => ({ n: c.netlist, name: c.name, v: vectorsOf(c) }));
  const count = Math.max(...all.map(({ v }) => v.count));
  const cells: Netlist["cells"][number][] = [];
  const [ranges, inputs, outputs]: [Netlist["ranges"][number][], Netlist["inputs"][number][], Netlist["outputs"][number][]] = [[], [], []];
  let elements = 0;
  for (const { n, name } of all) {
    const base = cells.length;
    const moved = <P extends { readonly name: string; readonly elements: readonly number[] }>(p: P): P => ({
      ...p,
      name: `${name}_${p.name}`,
      elements: p.elements.map((e) => e + base),
    });
    for (const c of n.cells) {
      const attrs = c.op === "input" ? { index: c.attrs.index + elements } : c.attrs;
      cells.push({ ...c, args: c.args.map((a) => a + base), attrs } as typeof c);
    }
    ranges.push(...n.ranges);
    inputs.push(...n.inputs.map(moved));
    outputs.push(...n.outputs.map(moved));
    elements += n.inputs.reduce((sum, p) => sum + p.elements.length, 0);
  }
  const repeated = (side: "inputs" | "outputs"): Vectors["inputs"] =>
    all.flatMap(({ v }) => v[side].map((port) => Array.from({ length: count }, (_, s) => port[s % v.count]!)));
  const netlist: Netlist = { name, cells, ranges, inputs, outputs, layer: cells.map(() => 0), layers: [""] };
  return { netlist, vectors: { count, inputs: repeated("inputs"), outputs: repeated("outputs") } };
}

/** The same vectors with one bit of one output flipped. */
export function withWrongOutput(n: Netlist, v: Vectors, port: number, sample: number, element: number): Vectors {
  const range = rangeOf(n.outputs[port]!.type);
  const change = (m: bigint): bigint => (m === range.hi ? m - 1n : m + 1n);
  const outputs = v.outputs.map((rows, p) =>
    rows.map((row, s) => (p === port && s === sample ? row.map((m, e) => (e === element ? change(m) : m)) : row)),
  );
  return { ...v, outputs };
}
