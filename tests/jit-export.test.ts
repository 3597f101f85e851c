// The exported simulator: its JavaScript and Python loaders give the values of the one in memory, and refuse bad input with a message.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { fixed } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { tensor } from "../src/ir/tensor.js";
import { formatNpy, type NpyArray, parseNpy } from "../src/npy.js";
import { emitSimulator } from "../src/sim/export/export.js";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { prng } from "../src/sim/prng.js";
import { instantiate, type Simulator } from "../src/sim/simulator.js";
import { skip } from "./support/golden.js";
import { run, withTempDir, writeFiles } from "./support/tools.js";

const SAMPLES = 5003;

/** Two inputs of different shapes and two outputs, one of them 64 bits wide and unsigned. */
function network(): Graph {
  const b = new GraphBuilder("pair", new Reporter());
  const x = b.input("first", [2, 3], { type: fixed(10, 3), round: "RND", overflow: "SAT" });
  const z = b.input("second", [3], { type: fixed(32, 20), round: "RND_CONV", overflow: "WRAP" });
  const h = b.add("dense", [x], {
    kernel: tensor([3, 4], -3, [1n, -2n, 3n, 5n, 7n, -9n, 11n, 0n, 2n, 2n, -1n, 6n]),
    bias: tensor([4], -1, [1n, 0n, -5n, 2n]),
  });
  b.output("h", h);
  b.output("bits", b.add("quantize", [z], { to: fixed(64, 30, false), round: "TRN", overflow: "WRAP" }));
  return b.done()!;
}

interface Case {
  readonly simulator: Simulator;
  readonly inputs: readonly Float64Array[];
  readonly expected: readonly NpyArray[];
}

async function prepare(folder: string): Promise<Case> {
  const reporter = new Reporter();
  const module = await compileSimulator(network(), reporter);
  if (!module) throw new Error(JSON.stringify(reporter.diagnostics));
  writeFiles(folder, emitSimulator(module, "pair"));
  const simulator = await instantiate(module);
  const random = prng(3);
  const inputs = module.inputs.map((p) => Float64Array.from({ length: SAMPLES * p.elements }, () => (random.u32() / 2 ** 31 - 1) * 4));
  const { outputs } = simulator.run(inputs, SAMPLES, reporter)!;
  for (const [i, data] of inputs.entries()) {
    writeFileSync(join(folder, `in${i}.npy`), formatNpy({ shape: [SAMPLES, ...module.inputs[i]!.shape], data }));
  }
  return { simulator, inputs, expected: outputs.map((data, i) => ({ shape: [SAMPLES, ...module.outputs[i]!.shape], data })) };
}

interface Pool {
  run(inputs: readonly Float64Array[]): Promise<{ readonly outputs: readonly Float64Array[]; readonly outside: number }>;
  close(): void;
}

const readOutputs = (folder: string): readonly NpyArray[] =>
  [0, 1].map((i) => parseNpy(new Uint8Array(readFileSync(join(folder, `out${i}.npy`))), "out", new Reporter())!);
const FILES = ["in0.npy", "in1.npy", "out0.npy", "out1.npy"];

const pools = suite("the JavaScript loader's pool");
pools("three workers give what one network gives, in order; an error reaches the caller", () =>
  withTempDir(async (folder) => {
    const { inputs, expected } = await prepare(folder);
    const { loadPool } = (await import(pathToFileURL(join(folder, "sim/pair.mjs")).href)) as { loadPool(size: number): Promise<Pool> };
    const pool = await loadPool(3);
    try {
      // Two questions at once.
      const [first, second] = await Promise.all([pool.run(inputs), pool.run(inputs)]);
      assert.equal(first.outputs, expected.map((a) => a.data));
      assert.equal(second, first);
      assert.ok(first.outside > 0);
      const bad = [inputs[0]!.slice(), inputs[1]!.slice()];
      bad[0]![5] = Number.NaN;
      const message = await pool.run(bad).then(() => "no error", (e: Error) => e.message);
      assert.match(message, /not finite/);
      assert.equal((await pool.run(inputs)).outputs, first.outputs);
    } finally {
      pool.close();
    }
  }),
);
pools.run();

/** The same checks for each language: how its loader is called from the command line. */
async function commandLine(folder: string, command: readonly string[]): Promise<void> {
  const { simulator, expected } = await prepare(folder);
  const call = (...args: string[]) => run(command[0]!, [...command.slice(1), ...args], { cwd: folder });

  const plain = call(...FILES);
  assert.is(plain.code, 0, plain.text);
  assert.match(plain.stderr, /warning: \d+ input values lie outside the input types/);
  assert.equal(readOutputs(folder), expected);

  const mantissas = simulator.module.inputs.map((p) =>
    BigInt64Array.from({ length: 20 * p.elements }, (_, i) => BigInt((i % 100) - 50) << (p.name === "second" ? 20n : 0n)),
  );
  for (const [i, data] of mantissas.entries()) {
    writeFileSync(join(folder, `in${i}.npy`), formatNpy({ shape: [20, ...simulator.module.inputs[i]!.shape], data }));
  }
  const raw = call(...FILES, "--raw");
  assert.is(raw.code, 0, raw.text);
  const got = readOutputs(folder);
  assert.instance(got[1]!.data, BigUint64Array);
  assert.equal(
    got.map((a) => BigInt64Array.from(a.data as BigInt64Array, (v) => BigInt.asIntN(64, v))),
    simulator.runMantissas(mantissas, 20, new Reporter()),
  );

  assert.is(call("in0.npy").code, 1);
  assert.match(call("in0.npy").stderr, /usage: .*first\.npy second\.npy h\.npy bits\.npy/);
  const bad = new Float64Array(3).fill(Number.NaN);
  writeFileSync(join(folder, "in0.npy"), formatNpy({ shape: [1, 2, 3], data: new Float64Array(6) }));
  writeFileSync(join(folder, "in1.npy"), formatNpy({ shape: [1, 3], data: bad }));
  const nan = call(...FILES);
  assert.is(nan.code, 1);
  assert.match(nan.stderr, /error: the inputs hold numbers that are not finite/);
  writeFileSync(join(folder, "in1.npy"), formatNpy({ shape: [1, 2], data: new Float64Array(2) }));
  const shape = call(...FILES);
  assert.is(shape.code, 1);
  assert.match(shape.stderr, /error: input second/);
}

const exported = suite("jit-export");

exported("node: the command line and the programming interface", () =>
  withTempDir(async (folder) => {
    await commandLine(join(folder), [process.execPath, "sim/pair.mjs"]);
    const program = `
      import { load } from "./sim/pair.mjs";
      const network = await load();
      const x = Float32Array.from({ length: 6 }, (_, i) => i / 4);
      const { outputs, outside } = network.run([x, new Float32Array(3)]);
      console.log(JSON.stringify({ names: network.outputs.map((p) => p.name), h: Array.from(outputs[0]), outside }));`;
    writeFileSync(join(folder, "use.mjs"), program);
    const r = run(process.execPath, ["use.mjs"], { cwd: folder });
    assert.is(r.code, 0, r.text);
    const simulator = await instantiate((await compileSimulator(network(), new Reporter()))!);
    const own = simulator.run([Float64Array.from({ length: 6 }, (_, i) => i / 4), new Float64Array(3)], 1, new Reporter())!;
    assert.equal(JSON.parse(r.stdout), { names: ["h", "bits"], h: Array.from(own.outputs[0]!), outside: 0 });
  }),
);

const python = [process.env["QNNC_PYTHON"], "/tmp/venv-wasm/bin/python", "/tmp/venv-qkeras/bin/python", "python3"].find(
  (p) => p !== undefined && (p === "python3" || existsSync(p)) && run(p, ["-c", "import wasmtime, numpy"]).code === 0,
);

if (python === undefined) skip("jit-export: no Python with numpy and wasmtime (set QNNC_PYTHON)");
else {
  exported("python: the command line and the class", () =>
    withTempDir(async (folder) => {
      await commandLine(folder, [python, "sim/pair.py"]);
      const program = `
import numpy as np, sys
sys.path.insert(0, "sim")
from pair import Network
network = Network()
x = np.arange(6, dtype=np.float32).reshape(1, 2, 3) / 4
h, bits = network(x, np.zeros((1, 3), np.float32))
print(h.shape, h.dtype, bits.dtype, network.outside, h.tolist() == network(x.astype(float), np.zeros((1, 3)))[0].tolist())
`;
      const r = run(python, ["-c", program], { cwd: folder });
      assert.is(r.stdout.trim(), "(1, 2, 4) float64 float64 0 True", r.text);
    }),
  );
}

exported.run();
