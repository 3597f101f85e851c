// The compiled netlist against the cell table: every cell with every operand value, wide operands, and lowered random graphs.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { NetBuilder, type Netlist } from "../src/ir/netlist.js";
import type { Vectors } from "../src/ir/vectors.js";
import { lowerGraph as lower } from "../src/passes/lower.js";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { compileNetlist, widestCell } from "../src/sim/netlist-jit.js";
import { interpret } from "../src/sim/reference.js";
import { firstMismatch, selfCheck } from "../src/sim/self-check.js";
import { instantiate } from "../src/sim/simulator.js";
import { makeInputs, makeVectors } from "../src/sim/vectors.js";
import { type CellCases, cellVectors, exhaustiveCellCases, wideCellCases } from "./support/cell-cases.js";
import { randomGraph, showGraph } from "./support/random-graph.js";

async function compiled(netlist: Netlist) {
  const reporter = new Reporter();
  const simulator = await compileNetlist(netlist, reporter);
  if (!simulator) throw new Error(JSON.stringify(reporter.diagnostics));
  return simulator;
}

async function agree(c: CellCases): Promise<number> {
  const vectors = cellVectors(c);
  const names = c.netlist.outputs.map((o) => o.name);
  const bad = firstMismatch(names, vectors.outputs, (await compiled(c.netlist)).run(vectors.inputs));
  if (bad) {
    const inputs = vectors.inputs.map((p) => p[bad.sample]!.join(" ")).join(" | ");
    throw new Error(
      `${c.name}: ${c.labels[names.indexOf(bad.output)]![bad.element]}: ${bad.got} instead of ${bad.expected}; inputs ${inputs}`,
    );
  }
  return c.labels.flat().length;
}

const cellsSuite = suite("netlist-jit: cells");

cellsSuite("every cell, widths 0 to 4, both signs, shifts -5 to 5, every operand value", async () => {
  let cells = 0;
  for (const c of exhaustiveCellCases()) cells += await agree(c);
  assert.ok(cells > 3500, `${cells} cells`);
});

cellsSuite("every cell on corner values of operands up to 64 bits", async () => {
  let cells = 0;
  for (const c of wideCellCases()) cells += await agree(c);
  assert.ok(cells > 8000, `${cells} cells`);
});

cellsSuite("max and min of a signed and an unsigned 64-bit operand", async () => {
  const b = new NetBuilder("mixed", [""]);
  const signed = { lo: -(2n ** 63n), hi: 2n ** 62n };
  const unsigned = { lo: 0n, hi: 2n ** 64n - 1n };
  const port = (name: string, sign: boolean) => ({ name, shape: [1], type: { signed: sign, width: 64, int: 64 } });
  const [x] = b.input(port("x", true), [signed]);
  const [y] = b.input(port("y", false), [unsigned]);
  b.output(port("a", false), [b.add("max", [x!, y!], {}), b.add("max", [y!, x!], {})]);
  b.output(
    port("b", true),
    [b.add("min", [x!, y!], {}), b.add("min", [y!, x!], {})].filter((id) => b.range(id).hi < 2n ** 63n),
  );
  const netlist = b.done();
  const xs = [signed.lo, -1n, 0n, 1n, signed.hi];
  const ys = [0n, 1n, 2n ** 63n - 1n, 2n ** 63n, unsigned.hi];
  const inputs = [xs.flatMap((v) => ys.map(() => [v])), xs.flatMap(() => ys.map((v) => [v]))];
  const expected = inputs[0]!.map((_, s) =>
    interpret(
      netlist,
      inputs.map((p) => p[s]!),
    ),
  );
  assert.equal(
    (await compiled(netlist)).run(inputs),
    netlist.outputs.map((_, k) => expected.map((r) => r[k]!)),
  );
});

cellsSuite("a cell beyond 64 bits is refused with its layer", async () => {
  const b = new NetBuilder("wide", ["", "dense_1"]);
  b.layer = 1;
  const [x] = b.input({ name: "x", shape: [1], type: { signed: true, width: 64, int: 64 } }, [{ lo: -(2n ** 63n), hi: 0n }]);
  const y = b.add("shadd", [x!, x!], { shift: 0, sub: 0 });
  b.output({ name: "y", shape: [1], type: { signed: true, width: 65, int: 65 } }, [y]);
  const netlist = b.done();
  const reporter = new Reporter();
  assert.is(await compileNetlist(netlist, reporter), undefined);
  assert.is(reporter.diagnostics[0]?.code, "QN301");
  assert.is(reporter.diagnostics[0]?.at?.layer, "dense_1");
  // The self-check still runs, by the cell table.
  const vectors: Vectors = { count: 2, inputs: [[[-5n], [-(2n ** 63n)]]], outputs: [[[-10n], [-(2n ** 64n)]]] };
  assert.is(await selfCheck(netlist, vectors), undefined);
});

cellsSuite.run();

const lowered = suite("netlist-jit: lowered graphs");

lowered("random graphs: compiled netlist = cell table = simulator", async () => {
  let checked = 0;
  for (let seed = 5000; seed < 5000 + Number(process.env["JIT_SEEDS"] ?? 120); seed++) {
    const graph = randomGraph(seed, { maxWidth: 40 });
    const netlist = lower(graph);
    if (widestCell(netlist) >= 0) continue;
    const inputs = makeInputs(graph, 24, seed);
    const expected = inputs[0]!.map((_, s) =>
      interpret(
        netlist,
        inputs.map((p) => p[s]!),
      ),
    );
    const names = netlist.outputs.map((o) => o.name);
    const bad = firstMismatch(
      names,
      names.map((_, k) => expected.map((r) => r[k]!)),
      (await compiled(netlist)).run(inputs),
    );
    assert.is(bad, undefined, `seed ${seed}\n${showGraph(graph)}`);
    const reporter = new Reporter();
    const module = await compileSimulator(graph, reporter);
    const vectors = module && makeVectors(graph, await instantiate(module), { count: 24, seed }, reporter);
    assert.ok(vectors, `seed ${seed}: ${JSON.stringify(reporter.diagnostics)}`);
    const mismatch = await selfCheck(netlist, vectors!);
    assert.is(mismatch, undefined, `seed ${seed}: ${mismatch?.got} instead of ${mismatch?.expected}\n${showGraph(graph)}`);
    checked++;
  }
  assert.ok(checked > 80, `${checked} graphs`);
});

lowered("the self-check names the first difference", async () => {
  const graph = randomGraph(5001, { maxWidth: 40 });
  const reporter = new Reporter();
  const vectors = makeVectors(graph, await instantiate((await compileSimulator(graph, reporter))!), { count: 10, seed: 1 }, reporter)!;
  const wrong = vectors.outputs.map((port, k) =>
    port.map((sample, s) => (k === 0 && s >= 7 ? sample.map((m, i) => (i === 0 ? m + 1n : m)) : sample)),
  );
  const bad = await selfCheck(lower(graph), { ...vectors, outputs: wrong });
  assert.is(bad?.sample, 7);
  assert.is(bad?.element, 0);
  assert.is(bad?.output, lower(graph).outputs[0]!.name);
  assert.is(bad?.expected, bad!.got + 1n);
});

lowered.run();
