// The Makefile of a firmware folder does what it says, with the tools of this machine, without qnnc.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { project } from "../src/backends/project/project.js";
import { formatNpy } from "../src/npy.js";
import { prng } from "../src/sim/prng.js";
import { randomNetlist } from "./support/random-netlist.js";
import { fullTier, hasTool, run, withTempDir, writeFiles } from "./support/tools.js";
import { randomSchedule, randomVectors, withWrongOutput, writeDesign } from "./support/verilog.js";

const test = suite("firmware project");
const n = { ...randomNetlist(11, { cells: 30, maxWidth: 12 }), name: "top" };
const design = { ...n, schedule: randomSchedule(n, prng(11)) };
const vectors = randomVectors(n, 50, 11);
const make = (folder: string, ...args: string[]) => run("make", args, { cwd: folder, timeoutMs: 300_000 });
const ready = (...tools: string[]): boolean => tools.every((t) => hasTool(t)) && hasTool("make");

/** A stand-in for the simulator: copies the golden outputs. */
const model = `import { copyFileSync } from "node:fs";
for (const path of process.argv.slice(2 + ${n.inputs.length})) copyFileSync(path.replace(/^build/, "tb/vectors"), path);
`;

function inFolder(use: (folder: string) => void): void {
  withTempDir((folder) => {
    writeDesign(folder, design, vectors);
    writeFiles(folder, project({ top: design.name, ports: design, netlist: design, clockNs: 2.5, wrapper: true }));
    const npy = formatNpy({ shape: [1], data: Float64Array.of(1.5) });
    writeFiles(
      folder,
      new Map<string, string | Uint8Array>([
        ["sim/top.mjs", model],
        ...[...n.inputs, ...n.outputs].map((p) => [`tb/vectors/${p.name}.npy`, npy] as const),
      ]),
    );
    use(folder);
  });
}

test("make names the targets; make sim passes on golden vectors and fails on altered ones", () => {
  if (!ready("iverilog", "node")) return;
  inFolder((folder) => {
    for (const target of ["sim", "lint", "synth", "hls-sim", "verilator-sim", "clean"])
      assert.match(make(folder).stdout, `make ${target} `);
    const good = make(folder, "sim");
    assert.is(good.code, 0, good.text);
    assert.match(good.stdout, "PASS 50 vectors");
    assert.match(good.stdout, "PASS: the simulator gives the golden outputs");
    writeDesign(folder, design, withWrongOutput(n, vectors, 0, 31, 0));
    const bad = make(folder, "sim-rtl");
    assert.is.not(bad.code, 0);
    assert.match(bad.stdout, `FAIL vector 31: ${n.outputs[0]!.name}[0]`);
    writeFiles(
      folder,
      new Map([["sim/top.mjs", `${model}import { writeFileSync } from "node:fs"; writeFileSync(process.argv.at(-1), "x");`]]),
    );
    const wrong = make(folder, "sim-model");
    assert.is.not(wrong.code, 0);
    assert.match(wrong.stdout, "FAIL: the simulator's");
    assert.is(make(folder, "clean").code, 0);
    assert.is(run("ls", [], { cwd: folder }).stdout.includes("build"), false);
  });
});

test("make lint is silent", () => {
  if (!ready("verilator")) return;
  inFolder((folder) => {
    const r = make(folder, "-s", "lint");
    assert.is(r.text, "");
    assert.is(r.code, 0);
  });
});

test("make hls-sim without headers says where they are", () => {
  if (!ready("g++")) return;
  inFolder((folder) => {
    const r = make(folder, "hls-sim", "AP_TYPES=");
    assert.is.not(r.code, 0);
    assert.match(r.stdout, "pip download --no-deps hls4ml");
  });
});

test("make synth writes a report that counts cells", () => {
  if (!ready("yosys")) return;
  inFolder((folder) => {
    const r = make(folder, "synth");
    assert.is(r.code, 0, r.text);
    assert.match(r.stdout, /Number of cells: +[1-9]/);
    assert.match(r.stdout, /FDRE +[1-9]/);
  });
});

test("constraints name the clock and every bus; without registers the clock is virtual", () => {
  const text = (netlist: typeof n): string => project({ top: netlist.name, ports: netlist, netlist, clockNs: 2.5, wrapper: true }).get("constraints/top.xdc") as string;
  assert.match(text(design), "create_clock -name clk -period 2.500 [get_ports clk]");
  for (const p of [...n.inputs, ...n.outputs]) assert.match(text(design), new RegExp(`[{ ]${p.name}(\\[\\*\\])?[ }]`));
  assert.match(text(n), /create_clock -name clk -period 2\.500\n/);
});

if (fullTier) {
  test("make verilator-sim passes", () => {
    if (!ready("verilator", "g++")) return;
    inFolder((folder) => {
      const r = make(folder, "verilator-sim");
      assert.is(r.code, 0, r.text);
      assert.match(r.stdout, "PASS 50 vectors");
    });
  });
}

test.run();
