// The Verilog backend on whole netlists: random cells and random lowered graphs, combinational and under random legal schedules; names, edges and the testbench itself.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commentSafe, coreModule } from "../src/backends/verilog/core.js";
import { hexVectors, verilog } from "../src/backends/verilog/verilog.js";
import { InternalError } from "../src/diagnostics.js";
import { fixed } from "../src/ir/fixed.js";
import { NetBuilder, type Netlist } from "../src/ir/netlist.js";
import { lowerGraph } from "../src/passes/lower.js";
import { prng } from "../src/sim/prng.js";
import { randomGraph } from "./support/random-graph.js";
import { randomNetlist } from "./support/random-netlist.js";
import { fullTier, hasTool, run, withTempDir, writeFiles } from "./support/tools.js";
import { lint, randomSchedule, randomVectors, runIcarus, runVerilator, simulate, withWrongOutput, writeDesign } from "./support/verilog.js";

const test = suite("verilog");
const icarus = hasTool("iverilog");
const verilator = hasTool("verilator");
const yosys = hasTool("yosys");
const VECTORS = 40;

/** Combinational, then with two schedules: the same answers, and a silent lint. */
function check(n: Netlist, seed: number): void {
  const vectors = randomVectors(n, VECTORS, seed);
  const r = prng(seed);
  for (const design of [n, { ...n, schedule: randomSchedule(n, r) }, { ...n, schedule: randomSchedule(n, r) }]) {
    withTempDir((folder) => {
      writeDesign(folder, design, vectors);
      const what = `${n.name}, schedule ${JSON.stringify(design.schedule)}`;
      if (icarus) assert.is(runIcarus(folder, n.name), `PASS ${VECTORS} vectors`, what);
      if (verilator) assert.is(lint(folder, n.name), "", what);
    });
  }
}

const netlists = fullTier ? 60 : 20;
const graphs = fullTier ? 40 : 12;
for (let seed = 1; seed <= netlists; seed++)
  test(`random netlist ${seed}`, () => check(randomNetlist(seed, { cells: 60, outputs: 8 }), seed));
for (let seed = 1; seed <= graphs; seed++) test(`random graph ${seed}`, () => check(lowerGraph(randomGraph(seed, { maxWidth: 40 })), seed));

const port = (name: string, width: number, elements = 1) => ({ name, shape: [elements], type: { signed: false, width, int: width } });
const bits = (count: number) => Array.from({ length: count }, () => ({ lo: 0n, hi: 1n }));

test("buses of zero width, of one bit, of constants and of inputs passed on; ports with the names of cells", () => {
  const b = new NetBuilder("edges", ["", "table0"]);
  const [zero] = b.input(port("v1", 0), [{ lo: 0n, hi: 0n }]);
  const [one] = b.input(port("valid", 1), bits(1));
  const two = b.input(port("unused0", 4, 2), bits(2));
  b.layer = 1;
  const looked = b.add("lut", [two[0]!], { lo: 0n, table: [3n, 1n] });
  const still = b.add("shadd", [b.add("wrap", [b.constant(9n)], { width: 3, signed: 1 }), b.constant(1n)], { shift: 1, sub: 0 });
  b.output(port("table0", 0, 3), [zero!, zero!, zero!]);
  b.output(port("v2_r1", 1), [one!]);
  b.output(port("y", 5, 3), [looked, b.constant(21n), two[1]!]);
  b.output({ ...port("z", 0), type: fixed(6, 6) }, [still]);
  check(b.done(), 7);
});

test("layer names and other comments can not leave their line", () => {
  const hostile = 'a\nendmodule */ /* `include "x" \\ \u202e \u{1f600} verilator lint_off WIDTH';
  assert.match(commentSafe(hostile), /^[ -~]*$/);
  assert.not.match(commentSafe(hostile), /[`\\"]|\*\/|\/\*/);
  const b = new NetBuilder("names", [hostile]);
  const [x] = b.input(port("x", 1), bits(1));
  b.output(port("y", 1), [x!]);
  check(b.done(), 1);
});

test("names that are no identifiers, repeated port names and illegal schedules are bugs", () => {
  const design = (name: string, y: string): Netlist => {
    const b = new NetBuilder(name, [""]);
    const [x] = b.input(port("x", 1), bits(1));
    b.output(port(y, 1), [b.add("shl", [x!], { shift: 1 })]);
    return b.done();
  };
  const isBug = (e: unknown): boolean => e instanceof InternalError;
  assert.throws(() => verilog.emit(design("a b", "y"), {}), isBug);
  assert.throws(() => verilog.emit(design("top", "y; endmodule"), {}), isBug);
  assert.throws(() => verilog.emit(design("top", "x"), {}), isBug);
  assert.throws(() => verilog.emit(design("top", "clk"), {}), isBug);
  assert.throws(() => verilog.emit({ ...design("top", "y"), schedule: { stage: [1, 0], latency: 1 } }, {}), isBug);
  assert.throws(() => verilog.emit({ ...design("top", "y"), schedule: { stage: [0, 2], latency: 1 } }, {}), isBug);
});

test("registers are shared in one chain, constants and unread cells pass none", () => {
  const b = new NetBuilder("chain", [""]);
  const [x] = b.input(port("x", 4), [{ lo: 0n, hi: 15n }]);
  const k = b.constant(5n);
  const p = b.add("shadd", [x!, k], { shift: 0, sub: 0 });
  const q = b.add("shadd", [x!, k], { shift: 1, sub: 0 });
  b.add("mul", [p, q], {});
  b.output(port("y", 6, 2), [p, q]);
  const text = coreModule({ ...b.done(), schedule: { stage: [0, 0, 1, 3, 3], latency: 3 } });
  assert.match(text, "reg [3:0] v0_r1, v0_r2, v0_r3;");
  assert.match(text, "reg [4:0] v2_r1, v2_r2;");
  assert.match(text, "v2 = {1'd0, v0_r1} + 5'd5;");
  assert.match(text, "v3 = {1'd0, v0_r3} + 5'd10;");
  assert.not.match(text, /\bv1\b|\bv4\b/);
});

test("vectors as text", () => {
  const b = new NetBuilder("hex", [""]);
  const x = b.input(
    { ...port("x", 0, 3), type: fixed(6, 6) },
    [0, 1, 2].map(() => ({ lo: -32n, hi: 31n })),
  );
  const wide = b.input(
    port("wide", 64, 65),
    Array.from({ length: 65 }, () => ({ lo: 0n, hi: (1n << 64n) - 1n })),
  );
  b.output({ ...port("y", 0), type: fixed(6, 6) }, [x[0]!]);
  b.output(port("z", 64), [wide[64]!]);
  const n = b.done();
  const last = 0xfedcba9876543210n;
  const vectors = { count: 1, inputs: [[[-1n, 2n, -32n]], [[...new Array<bigint>(64).fill(0n), last]]], outputs: [[[-1n]], [[last]]] };
  const files = hexVectors(n, vectors);
  // x is 18 bits: 100000 000010 111111; the element above it begins at bit 18 + 64·64 = 4114.
  const shifted = (last << 18n).toString(16).padStart(21, "0");
  assert.is(files.get("tb/vectors/inputs.hex"), `${shifted} ${"0".repeat(1024 - 5)}200bf\n`);
  assert.is(files.get("tb/vectors/outputs.hex"), `${((last << 6n) | 63n).toString(16).padStart(18, "0")}\n`);
  if (icarus) assert.is(simulate(n, vectors), "PASS 1 vectors");
});

test("a testbench fails on every altered golden value, on missing and surplus lines, and on a wrong latency", () => {
  if (!icarus) return;
  const n = { ...randomNetlist(3, { outputs: 6 }) };
  const pipelined = { ...n, schedule: randomSchedule(n, prng(3)) };
  const vectors = randomVectors(n, 20, 3);
  const targets = n.outputs.flatMap((p, k) => p.elements.map((_, e) => ({ k, e })));
  targets.forEach(({ k, e }, i) => {
    const sample = (i * 7) % 20;
    const text = simulate(pipelined, withWrongOutput(n, vectors, k, sample, e));
    assert.match(
      text,
      new RegExp(`^FAIL vector ${sample}: ${n.outputs[k]!.name}\\[${e}\\] = -?\\d+, expected -?\\d+\\nFAIL 1 of 20 vectors$`),
    );
  });
  const shortened = (from: "inputs" | "outputs") => ({ ...vectors, [from]: vectors[from].map((p) => p.slice(0, 19)) });
  withTempDir((folder) => {
    for (const from of ["inputs", "outputs"] as const) {
      writeDesign(folder, pipelined, vectors);
      const text = hexVectors(n, { ...shortened(from), count: 19 }).get(`tb/vectors/${from}.hex`)!;
      writeFiles(folder, new Map([[`tb/vectors/${from}.hex`, text]]));
      assert.match(runIcarus(folder, n.name), from === "inputs" ? /more lines than/ : /has no such line/);
    }
    writeFiles(
      folder,
      new Map([
        ["tb/vectors/inputs.hex", ""],
        ["tb/vectors/outputs.hex", ""],
      ]),
    );
    assert.match(runIcarus(folder, n.name), /^FAIL 0 of 0 vectors/m);
    const late = { ...pipelined, schedule: { ...pipelined.schedule, latency: pipelined.schedule.latency + 1 } };
    writeDesign(folder, pipelined, vectors);
    writeFiles(folder, new Map([[`rtl/${n.name}.v`, coreModule(late)]]));
    assert.match(runIcarus(folder, n.name), /^FAIL after 0 results: out_valid is 0, expected 1/);
  });
});

test("synthesised to gates by Yosys, the design still gives every answer", () => {
  if (!icarus || !yosys) return;
  for (const seed of fullTier ? [1, 2, 3, 4, 5, 6] : [1, 2]) {
    const n = randomNetlist(seed, { cells: 40, maxWidth: 16 });
    const design = { ...n, schedule: randomSchedule(n, prng(seed)) };
    withTempDir((folder) => {
      writeDesign(folder, design, randomVectors(n, VECTORS, seed));
      const script = `read_verilog rtl/${n.name}.v; synth -flatten -top ${n.name}; check -assert; write_verilog -noattr rtl/${n.name}.v`;
      const r = run("yosys", ["-q", "-p", script], { cwd: folder });
      assert.is(r.code, 0, r.text);
      assert.is(runIcarus(folder, n.name), `PASS ${VECTORS} vectors`);
    });
  }
});

if (fullTier && verilator) {
  test("a pipelined design in Verilator", () => {
    const n = lowerGraph(randomGraph(5, { maxWidth: 40, nodes: 12 }));
    const design = { ...n, schedule: randomSchedule(n, prng(5)) };
    withTempDir((folder) => {
      writeDesign(folder, design, randomVectors(n, 200, 5));
      assert.is(runVerilator(folder, n.name), "PASS 200 vectors");
    });
  });
}

test.run();
