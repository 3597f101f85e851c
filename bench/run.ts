// npm run bench: the figures of the README, measured here and now, peers in the same run. Medians of several runs; nothing here is a test.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { simulate, type Source, typeModel } from "../src/compile.js";
import { Reporter } from "../src/diagnostics.js";
import { parseNpy } from "../src/npy.js";
import { images } from "./images.js";
import { qnn } from "./qnn.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const golden = join(root, "../shared/golden/models/qkeras_3layer");
const jets = existsSync(golden);
const folder = jets ? golden : join(root, "examples/digits");
const [model, weights, input] = jets ? ["qkeras_3layer.json", "qkeras_3layer_weights.h5", "input.npy"] : ["digits.json", "digits_weights.h5", "digits_x_test.npy"];
/** A Python with hls4ml, TensorFlow and QKeras, for the peer's figure. */
const python = process.env.QNNC_PEERS_PYTHON;

const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)]!;
const show = (what: string, value: string): void => console.log(`${what.padEnd(62)} ${value}`);

function endToEnd(runs: number): void {
  const cli = join(root, "dist/cli/main.js");
  if (!existsSync(cli)) throw new Error("dist/ is missing: run `npm run build` first");
  const seconds: number[] = [];
  const mebibytes: number[] = [];
  for (let i = 0; i < runs; i++) {
    const out = mkdtempSync(join(tmpdir(), "qnnc-bench-"));
    const start = performance.now();
    const r = spawnSync(process.execPath, ["--import", join(root, "bench/rss.mjs"), cli, join(folder, model!), "--weights", join(folder, weights!), "-o", join(out, "firmware")], { encoding: "utf8" });
    seconds.push((performance.now() - start) / 1000);
    rmSync(out, { recursive: true });
    if (r.status !== 0) throw new Error(r.stderr);
    mebibytes.push(Number(/"maxRssKiB":(\d+)/.exec(r.stderr)![1]) / 1024);
  }
  show(`${model} -> firmware/, process start to end (wall)`, `${median(seconds).toFixed(2)} s   target < 2 s`);
  show("  peak memory", `${median(mebibytes).toFixed(0)} MiB   target < 400 MB`);
}

async function simulator(): Promise<number> {
  const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
  const source: Source = { model: model!, weights: weights!, files: new Map([[model!, bytes(model!)], [weights!, bytes(weights!)]]) };
  const reporter = new Reporter();
  const graph = (await typeModel(source, {}, reporter))?.graph;
  const sim = graph && (await simulate(graph, reporter));
  const x = parseNpy(bytes(input!), input!, reporter);
  if (!sim || !x) throw new Error(JSON.stringify(reporter.diagnostics));
  const rows = 262_144;
  const features = x.data.length / x.shape[0]!;
  const tiled = Float32Array.from({ length: rows * features }, (_, i) => Number(x.data[i % x.data.length]));
  sim.simulator.run([tiled], rows, reporter);
  const rates = Array.from({ length: 7 }, () => {
    const start = performance.now();
    sim.simulator.run([tiled], rows, reporter);
    return rows / ((performance.now() - start) / 1000);
  });
  show("simulator, float32 in, float64 out, one core", `${(median(rates) / 1e6).toFixed(2)} M samples/s   target >= 2`);
  return median(rates);
}

function hls4ml(ours: number): void {
  if (python === undefined) {
    show("hls4ml compiled simulation", "SKIP: set QNNC_PEERS_PYTHON to a Python with hls4ml 1.3.0 and QKeras");
    return;
  }
  const r = spawnSync(python, [join(root, "bench/hls4ml_csim.py"), join(folder, model!), join(folder, weights!), join(folder, input!)], { encoding: "utf8" });
  const line = r.stdout.trim().split("\n").at(-1) ?? "";
  if (r.status !== 0) throw new Error(r.stderr);
  const peer = JSON.parse(line) as { version: string; compile_s: number; samples_per_s: number };
  show(`hls4ml ${peer.version} compiled simulation (compiled in ${peer.compile_s.toFixed(1)} s)`, `${(peer.samples_per_s / 1e6).toFixed(4)} M samples/s`);
  show("  ratio", `${(ours / peer.samples_per_s).toFixed(0)}x`);
}

console.log(`${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}, model ${model}`);
endToEnd(5);
hls4ml(await simulator());
await images(python);
await qnn();
