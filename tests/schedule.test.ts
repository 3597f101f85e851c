// schedule: legal for every netlist and every kind of request, exact in what it promises, and no worse in registers than as early as possible.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultOptions } from "../src/compile.js";
import { Reporter } from "../src/diagnostics.js";
import { fit } from "../src/ir/fixed.js";
import { NetBuilder, type Netlist, rewriteNetlist, copyCell } from "../src/ir/netlist.js";
import { verifyNetlist } from "../src/ir/verify.js";
import { cmvm } from "../src/passes/cmvm.js";
import { delayOf, REGISTER_OVERHEAD } from "../src/passes/delay.js";
import { depthOf, levelsOf } from "../src/passes/depth.js";
import type { Pipelining } from "../src/passes/pass.js";
import { schedule } from "../src/passes/schedule.js";
import { earliestStages, registerBits } from "../src/passes/schedule-stages.js";
import { simplify } from "../src/passes/simplify.js";
import { splitProducts } from "../src/passes/split-products.js";
import { interpret } from "../src/sim/reference.js";
import { randomNetlist } from "./support/random-netlist.js";

const attempt = (n: Netlist, pipeline: Pipelining): { readonly n: Netlist | undefined; readonly reporter: Reporter } => {
  const reporter = new Reporter();
  const options = { inputType: { type: fit({ lo: 0n, hi: 1n }), round: "TRN", overflow: "WRAP" }, width: 16, maxCells: 1e6, maxTable: 4096, softmax: "host", pipeline } as const;
  return { n: schedule.run(n, { options, reporter }), reporter };
};
function scheduled(n: Netlist, pipeline: Pipelining): Netlist {
  const { n: out, reporter } = attempt(n, pipeline);
  assert.equal(reporter.diagnostics, []);
  verifyNetlist(out!);
  assert.equal(out!.cells, n.cells);
  return out!;
}

/** The longest sum of `cost` over cells of one stage in a row. */
function worstStage(n: Netlist, cost: (id: number) => number): number {
  const { stage } = n.schedule!;
  const ready = n.cells.map(() => 0);
  n.cells.forEach((c, id) => {
    ready[id] = cost(id) + Math.max(0, ...c.args.filter((a) => stage[a] === stage[id]).map((a) => ready[a]!));
  });
  return Math.max(0, ...ready);
}

const simplified = (seed: number): Netlist => simplify.run(cmvm.run(randomNetlist(seed, { cells: 60 }), undefined as never)!, undefined as never)!;
/** The live part: dead cells are in no promise. */
const netlists = Array.from({ length: 60 }, (_, seed) => rewriteNetlist(simplified(seed), copyCell));

const laws = suite("schedule");

laws("stages: exactly that many registers from input to output, none for 0", () => {
  for (const n of netlists) {
    for (const stages of [0, 1, 2, 3, 5, 40]) {
      const s = scheduled(n, { stages });
      assert.is(s.schedule!.latency, stages);
      if (stages === 0) assert.is(registerBits(s), 0);
      else assert.ok(s.schedule!.stage.every((k) => k < stages), "outputs leave through registers");
    }
  }
});

laws("depth: no path between registers holds more than that many adders, in as few stages as possible", () => {
  for (const n of netlists) {
    for (const depth of [1, 2, 3, 100]) {
      const s = scheduled(n, { depth });
      const bound = Math.max(depth, ...n.cells.map(levelsOf));
      const worst = worstStage(s, (id) => levelsOf(n.cells[id]!));
      assert.ok(worst <= bound, `${worst} levels`);
      assert.is(s.schedule!.latency, Math.max(1, Math.ceil(depthOf(n) / bound)));
    }
  }
});

laws("clock: no path between registers is slower by the delay model", () => {
  for (const n of netlists) {
    const slowest = Math.max(...n.cells.map((_, id) => delayOf(n, id)));
    for (const clock of [slowest + REGISTER_OVERHEAD, 3, 6, 1000]) {
      if (clock < slowest + REGISTER_OVERHEAD) continue;
      const s = scheduled(n, { clock });
      const worst = worstStage(s, (id) => delayOf(n, id));
      assert.ok(worst <= clock - REGISTER_OVERHEAD + 1e-6, `${worst} ns`);
    }
  }
});

laws("more stages never make the slowest stage slower", () => {
  for (const n of netlists) {
    const worst = [1, 2, 3, 4, 6].map((stages) => worstStage(scheduled(n, { stages }), (id) => delayOf(n, id)));
    for (let i = 1; i < worst.length; i++) assert.ok(worst[i]! <= worst[i - 1]! + 1e-4, `${worst}`);
  }
});

laws("moving cells later saves registers and never costs any", () => {
  let [early, late] = [0, 0];
  for (const n of netlists) {
    const s = scheduled(n, { stages: 4 });
    const bound = Math.max(worstStage(s, (id) => delayOf(n, id)), ...n.cells.map((_, id) => delayOf(n, id)));
    const asap = { ...n, schedule: { stage: [...earliestStages(n, n.cells.map((_, id) => delayOf(n, id)), bound).stage], latency: 4 } };
    early += registerBits(asap);
    late += registerBits(s);
  }
  assert.ok(late < 0.97 * early, `${late} bits after, ${early} before`);
});

laws("a constant passes no register and holds nothing back", () => {
  const b = new NetBuilder("n", [""]);
  const [x] = b.input({ name: "x", shape: [1], type: fit({ lo: 0n, hi: 15n }) }, [{ lo: 0n, hi: 15n }]);
  const y = b.add("shadd", [b.add("shadd", [x!, x!], { shift: 2, sub: 0 }), b.constant(3n)], { shift: 0, sub: 0 });
  b.output({ name: "y", shape: [1], type: fit(b.range(y)) }, [y]);
  const s = scheduled(b.done(), { depth: 1 });
  assert.is(s.schedule!.latency, 2);
  assert.is(registerBits(s), 7 + 7, "5·x, and 5·x + 3, have 7 bits each");
});

laws("what cannot be scheduled is reported with the layer and the delay", () => {
  const b = new NetBuilder("n", ["", "wide product"]);
  const x = b.input({ name: "x", shape: [2], type: fit({ lo: 0n, hi: 65535n }) }, Array(2).fill({ lo: 0n, hi: 65535n }));
  b.layer = 1;
  const y = b.add("mul", x, {});
  b.output({ name: "y", shape: [1], type: fit(b.range(y)) }, [y]);
  const n = b.done();
  const { n: out, reporter } = attempt(n, { clock: 2 });
  assert.is(out, undefined);
  const d = reporter.diagnostics[0]!;
  assert.equal([d.code, d.at?.layer], ["QN402", "wide product"]);
  assert.match(d.message, /2 ns is too short: one `mul` needs \d+\.\d\d ns/);
  assert.ok(d.help);
  for (const pipeline of [{ stages: -1 }, { stages: 1.5 }, { depth: 0 }, { clock: 0 }, { clock: Number.NaN }]) assert.is(attempt(n, pipeline).n, undefined);
});

laws.run();

const splitting = suite("split-products");
splitting("every product of 7 by 6 bits, in every sign, is the same from parts that fit the clock; wider ones fit too", () => {
  for (const [x, y] of [
    [{ lo: -64n, hi: 63n }, { lo: -32n, hi: 31n }],
    [{ lo: 0n, hi: 127n }, { lo: -32n, hi: 31n }],
    [{ lo: 0n, hi: 127n }, { lo: 0n, hi: 63n }],
  ] as const) {
    const b = new NetBuilder("t", ["", "layer"]);
    const types = [x, y].map((r) => fit(r));
    const [a] = b.input({ name: "a", shape: [1], type: types[0]! }, [x]);
    const [c] = b.input({ name: "c", shape: [1], type: types[1]! }, [y]);
    const product = b.add("mul", [a!, c!], {});
    b.output({ name: "y", shape: [1], type: fit(b.range(product)) }, [product]);
    const n = b.done();
    const split = splitProducts.run(n, { options: { ...defaultOptions, pipeline: { clock: REGISTER_OVERHEAD + 2.2 } }, reporter: new Reporter() })!;
    verifyNetlist(split);
    assert.ok(split.cells.filter((cell) => cell.op === "mul").length > 1);
    split.cells.forEach((cell, id) => cell.op !== "mul" || assert.ok(delayOf(split, id) <= 2.2));
    for (let p = x.lo; p <= x.hi; p++) for (let q = y.lo; q <= y.hi; q++) assert.equal(interpret(split, [[p], [q]]), [[p * q]]);
  }
  const b = new NetBuilder("t", ["", "layer"]);
  const wide = { lo: -(1n << 31n), hi: (1n << 31n) - 1n };
  const [a] = b.input({ name: "a", shape: [1], type: fit(wide) }, [wide]);
  const square = b.add("mul", [a!, a!], {});
  b.output({ name: "y", shape: [1], type: fit(b.range(square)) }, [square]);
  const options = { ...defaultOptions, pipeline: { clock: 5 } } as const;
  const split = splitProducts.run(b.done(), { options, reporter: new Reporter() })!;
  assert.ok(schedule.run(split, { options, reporter: new Reporter() }));
  for (const p of [wide.lo, wide.hi, -1n, 0n, 123456789n]) assert.equal(interpret(split, [[p]]), [[p * p]]);
});
splitting.run();
