// Samples a second of the simulator, real inputs to real outputs, on one core: the figures that issue 7 asks for. `sim-kernel.ts [--liftoff] [name …]`
import v8 from "node:v8";
import { fixed } from "../src/ir/fixed.js";
import { sizeOf } from "../src/ir/tensor.js";
import { loadBinaryen } from "../src/sim/binaryen.js";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { prng } from "../src/sim/prng.js";
import { instantiate } from "../src/sim/simulator.js";
import { type BenchNetwork, denseNetwork, mnistCnn } from "./dense-network.js";
import { dotPeak } from "./dot-peak.js";

const jet = [16, 64, 32, 32, 5];
const mnist = { units: [784, 100, 100, 10], input: fixed(8, 0, false) };

const networks: Readonly<Record<string, () => BenchNetwork>> = {
  "jet-6": () => denseNetwork({ units: jet, bits: 6 }),
  "jet-6-sparse50": () => denseNetwork({ units: jet, bits: 6, zeros: 0.5 }),
  "jet-6-sparse80": () => denseNetwork({ units: jet, bits: 6, zeros: 0.8 }),
  "mnist-6": () => denseNetwork({ ...mnist, bits: 6 }),
  "mnist-8": () => denseNetwork({ ...mnist, bits: 8 }),
  "mnist-cnn": () => mnistCnn(),
  "jet-16": () => denseNetwork({ units: jet, bits: 16 }),
  "jet-24": () => denseNetwork({ units: jet, bits: 24, input: fixed(24, 4), activation: fixed(24, 4, false) }),
  "jet-33": () => denseNetwork({ units: jet, bits: 16, input: fixed(33, 4), activation: fixed(33, 4, false) }),
  "jet-40": () => denseNetwork({ units: jet, bits: 12, input: fixed(40, 4), activation: fixed(40, 4, false) }),
};

/** The best of many short runs, each beside one of the bare instruction: a shared machine is seldom quiet for long. */
const MILLISECONDS = 1200;

async function measure(name: string, { graph, reporter, macs }: BenchNetwork, peak: () => number): Promise<void> {
  const start = performance.now();
  const module = await compileSimulator(graph, reporter);
  if (!module) throw new Error(`${name}: ${JSON.stringify(reporter.diagnostics)}`);
  const compiled = performance.now();
  const simulator = await instantiate(module);
  const ready = performance.now();
  const random = prng(2);
  const samples = module.capacity;
  for (const kind of [Float64Array, Float32Array]) {
    const x = new kind(samples * sizeOf(graph.nodes[graph.inputs[0]!]!.type.shape)).map(() => random.u32() / 2 ** 32);
    let [best, dot] = [0, 0];
    for (const begin = performance.now(); performance.now() - begin < MILLISECONDS; ) {
      const before = performance.now();
      simulator.run([x], samples, reporter);
      best = Math.max(best, samples / (performance.now() - before) / 1e3);
      dot = Math.max(dot, peak());
    }
    const rate = best * macs / 1e3;
    const share = `${rate.toFixed(1)} GMAC/s = ${((100 * rate) / dot).toFixed(0)} % of the dot instruction's ${dot.toFixed(0)}`;
    const cost = `${module.wasm.length} bytes, ${(compiled - start).toFixed(0)} + ${(ready - compiled).toFixed(0)} ms`;
    console.log(`${name.padEnd(15)} ${kind.name.padEnd(12)} ${best.toFixed(4)} M samples/s, ${share}; ${cost}`);
  }
}

const names = process.argv.slice(2).filter((a) => !a.startsWith("--"));
// The optimising tier at once: V8 starts in its baseline tier. Only after binaryen is loaded, whose own WebAssembly would take ten seconds in it.
await loadBinaryen();
if (!process.argv.includes("--liftoff")) v8.setFlagsFromString("--no-liftoff");
const peak = await dotPeak();
for (const [name, network] of Object.entries(networks)) if (names.length === 0 || names.includes(name)) await measure(name, network(), peak);
