// How long the compiled netlist of a build's self-check takes: assembling, and running 1,000 vectors.

import { Reporter } from "../src/diagnostics.js";
import { fixed } from "../src/ir/fixed.js";
import { NetBuilder, type Netlist } from "../src/ir/netlist.js";
import { compileNetlist } from "../src/sim/netlist-jit.js";
import { prng } from "../src/sim/prng.js";

/** Additions of random earlier cells with random shifts, narrowed to 24 bits. */
function randomNetlist(cells: number): Netlist {
  const r = prng(1);
  const b = new NetBuilder("bench", [""]);
  const ids = [
    ...b.input(
      { name: "x", shape: [64], type: fixed(8, 8) },
      Array.from({ length: 64 }, () => ({ lo: -128n, hi: 127n })),
    ),
  ];
  while (ids.length < cells) {
    const recent = (): number => ids[Math.max(0, ids.length - 1 - r.below(2000))]!;
    const sum = b.add("shadd", [recent(), recent()], { shift: r.below(4), sub: r.chance(0.5) ? 1 : 0 });
    ids.push(b.range(sum).hi > 2n ** 24n ? b.add("wrap", [sum], { width: 12, signed: 1 }) : sum);
  }
  // Every cell is live: what nothing else reads is summed up.
  const read = new Set<number>();
  for (const id of ids) for (const x of b.cell(id).args) read.add(x);
  const loose = ids.filter((id) => !read.has(id));
  const total = loose.reduce((sum, id) => b.add("wrap", [b.add("shadd", [sum, id], { shift: 0, sub: 0 })], { width: 30, signed: 1 }));
  b.output({ name: "y", shape: [1], type: fixed(40, 40) }, [total]);
  return b.done();
}

await import("binaryen");
for (const cells of [10_000, 100_000]) {
  const netlist = randomNetlist(cells);
  const t0 = performance.now();
  const simulator = (await compileNetlist(netlist, new Reporter()))!;
  const t1 = performance.now();
  const r = prng(2);
  simulator.run([Array.from({ length: 1000 }, () => Array.from({ length: 64 }, () => r.between(-128n, 127n)))]);
  const t2 = performance.now();
  console.log(`${netlist.cells.length} cells: compiled in ${(t1 - t0).toFixed(0)} ms, ${((t2 - t1) / 1000).toFixed(3)} ms a sample`);
}
