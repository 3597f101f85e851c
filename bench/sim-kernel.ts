// Samples a second of the simulator on a 16-64-32-32-5 network with 6-bit weights, real inputs to real outputs, on one core.
import v8 from "node:v8";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { prng } from "../src/sim/prng.js";
import { instantiate } from "../src/sim/simulator.js";
import { denseNetwork } from "./dense-network.js";

async function measure(name: string, units: readonly number[], bits: number, samples: number): Promise<void> {
  const { graph, reporter } = denseNetwork(units, bits);
  const t0 = performance.now();
  const module = (await compileSimulator(graph, reporter))!;
  const t1 = performance.now();
  const simulator = await instantiate(module);
  const t2 = performance.now();
  const random = prng(2);
  for (const kind of [Float64Array, Float32Array]) {
    const x = new kind(samples * units[0]!).map(() => random.u32() / 2 ** 31 - 1);
    let best = Number.POSITIVE_INFINITY;
    for (const start = performance.now(); performance.now() - start < 1000; ) {
      const before = performance.now();
      simulator.run([x], samples, reporter);
      best = Math.min(best, performance.now() - before);
    }
    const macs = units.slice(1).reduce((s, m, i) => s + m * units[i]!, 0);
    const rate = samples / best / 1e3;
    const speed = `${rate.toFixed(2)} M samples/s, ${((rate * macs) / 1e3).toFixed(1)} GMAC/s from ${kind.name}`;
    console.log(`${name}: ${speed}; ${module.wasm.length} bytes, compiled in ${(t1 - t0).toFixed(0)} + ${(t2 - t1).toFixed(0)} ms`);
  }
}

// The optimising tier at once: V8 starts in its baseline tier. Only after binaryen is loaded, whose own WebAssembly would take ten seconds in it.
await import("binaryen");
if (!process.argv.includes("--liftoff")) v8.setFlagsFromString("--no-liftoff");
await measure("16-64-32-32-5, 6 bit", [16, 64, 32, 32, 5], 6, 65536);
await measure("784-100-100-10, 6 bit", [784, 100, 100, 10], 6, 4096);
await measure("16-64-32-32-5, 16 bit", [16, 64, 32, 32, 5], 16, 65536);
await measure("16-64-32-32-5, 24 bit", [16, 64, 32, 32, 5], 24, 16384);
