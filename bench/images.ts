// 10,000 images through a convolutional network, beside hls4ml's compiled simulation in the same run. Needs the golden data.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { simulate, typeModel } from "../src/compile.js";
import { Reporter } from "../src/diagnostics.js";
import { parseNpy } from "../src/npy.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "../shared/golden/models/qkeras_mnist_cnn");
const [model, weights, input] = ["qkeras_mnist_cnn.json", "qkeras_mnist_cnn_weights.h5", "input.npy"];
const IMAGES = 10_000;
/** hls4ml takes minutes for all of them: it is timed on fewer and its rate applied. */
const PEER_IMAGES = 1_000;

const show = (what: string, value: string): void => console.log(`${what.padEnd(62)} ${value}`);
const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)]!;

export async function images(python: string | undefined): Promise<void> {
  if (!existsSync(folder)) return show("qkeras_mnist_cnn, 10,000 images", "SKIP: the golden data is absent");
  const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
  const reporter = new Reporter();
  const start = performance.now();
  const typed = await typeModel({ model, weights, files: new Map([[model, bytes(model)], [weights, bytes(weights)]]) }, {}, reporter);
  const sim = typed && (await simulate(typed.graph, reporter));
  const x = parseNpy(bytes(input), input, reporter);
  if (!sim || !x) throw new Error(JSON.stringify(reporter.diagnostics));
  const ready = (performance.now() - start) / 1000;
  const tiled = Float32Array.from({ length: IMAGES * 784 }, (_, i) => Number(x.data[i % x.data.length]));
  const seconds = Array.from({ length: 3 }, () => {
    const from = performance.now();
    sim.simulator.run([tiled], IMAGES, reporter);
    return (performance.now() - from) / 1000;
  });
  show("qkeras_mnist_cnn, 10,000 images, one core", `${median(seconds).toFixed(2)} s = ${(IMAGES / median(seconds)).toFixed(0)} images/s   target >= 5000 (ready after ${ready.toFixed(1)} s)`);
  if (python === undefined) return show("  hls4ml compiled simulation", "SKIP: set QNNC_PEERS_PYTHON to a Python with hls4ml 1.3.0 and QKeras");
  const files = [model, weights, input].map((name) => join(folder, name));
  const r = spawnSync(python, [join(root, "bench/hls4ml_csim.py"), ...files, "--rows", String(PEER_IMAGES), "--repeat", "3", "--io", "io_stream"], { encoding: "utf8" });
  if (r.status !== 0) throw new Error(r.stderr);
  const peer = JSON.parse(r.stdout.trim().split("\n").at(-1) ?? "") as { version: string; compile_s: number; samples_per_s: number };
  show(`  hls4ml ${peer.version} compiled simulation (compiled in ${peer.compile_s.toFixed(1)} s)`, `${(IMAGES / peer.samples_per_s).toFixed(0)} s = ${peer.samples_per_s} images/s`);
  show("  ratio", `${(IMAGES / median(seconds) / peer.samples_per_s).toFixed(0)}x`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await images(process.env.QNNC_PEERS_PYTHON);
