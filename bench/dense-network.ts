// A random fully connected network of given sizes, with ReLU and saturating quantizers: what the simulator's benchmarks run.
import { Reporter } from "../src/diagnostics.js";
import { fixed } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { tensor } from "../src/ir/tensor.js";
import { prng } from "../src/sim/prng.js";

export function denseNetwork(units: readonly number[], bits: number, seed = 1): { readonly graph: Graph; readonly reporter: Reporter } {
  const random = prng(seed);
  const reporter = new Reporter();
  const b = new GraphBuilder("bench", reporter);
  const integers = (n: number): bigint[] =>
    Array.from({ length: n }, () => random.between(-(2n ** BigInt(bits - 1)) + 1n, 2n ** BigInt(bits - 1) - 1n));
  b.beginLayer("network", "Dense");
  let x = b.input("x", [units[0]!], { type: fixed(16, 6), round: "TRN", overflow: "SAT" });
  if (bits <= 8) x = b.add("quantize", [x], { to: fixed(8, 1), round: "RND", overflow: "SAT" });
  units.slice(1).forEach((m, i) => {
    const n = units[i]!;
    x = b.add("dense", [x], { kernel: tensor([n, m], -(bits - 1), integers(n * m)), bias: tensor([m], -(bits - 1), integers(m)) });
    if (i === units.length - 2) return;
    x = b.add("max", [x, b.add("constant", [], { value: tensor([1], 0, [0n]) })], {});
    x = b.add("quantize", [x], { to: { signed: false, width: bits, int: 2 }, round: "RND_CONV", overflow: "SAT" });
  });
  b.output("y", x);
  return { graph: b.done()!, reporter };
}
