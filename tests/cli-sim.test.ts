// `qnnc sim`: shapes, engines, formats, and the same bits from a model, from a firmware folder and by hand.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { softmax } from "../src/cli/host-steps.js";
import { Reporter } from "../src/diagnostics.js";
import { formatNpy, formatNpz, type NpyArray, type NpyData, parseNpy, parseNpz } from "../src/npy.js";
import { digits, inProcess, type Outcome, qnnc, testFolder } from "./support/cli.js";
import { tiny, tinyQir, twoOutputsQir } from "./support/tiny.js";
import { fullTier } from "./support/tools.js";

const cwd = testFolder("sim");
const write = (name: string, shape: readonly number[], data: NpyData): void => writeFileSync(join(cwd, name), formatNpy({ shape, data }));
function read(bytes: Uint8Array): NpyArray {
  const reporter = new Reporter();
  const array = parseNpy(bytes, "result", reporter);
  assert.equal(reporter.diagnostics, []);
  return array!;
}
const readFrom = (name: string): NpyArray => read(new Uint8Array(readFileSync(join(cwd, name))));
const start = (...args: readonly string[]): Promise<Outcome> => qnnc(["sim", ...args], { cwd });
async function done(...args: readonly string[]): Promise<Outcome> {
  const r = await start(...args);
  assert.is(r.code, 0, `${args.join(" ")}: ${r.stderr}`);
  return r;
}

writeFileSync(join(cwd, "tiny.qir"), tinyQir);
writeFileSync(join(cwd, "two.qir"), twoOutputsQir);
/** On the grid, between its steps, and outside the type: 4 of the 18 values lie outside. */
const samples: readonly (readonly [number, number])[] = [
  [0, 0],
  [1.75, -2],
  [-2, 1.75],
  [0.125, -0.125],
  [1.8749, -2.1249],
  [7, -9],
  [0.3, 0.6],
  [1e9, 0],
  [-1.1, -1e-30],
];
const flat = samples.flat();
write("x.npy", [samples.length, 2], Float64Array.from(flat));
const expected = Float64Array.from(samples.flatMap(tiny));

const engines = suite("engines");

engines("values computed by hand, from every engine, from float32 and by way of standard streams", async () => {
  const first = await done("tiny.qir", "--input", "x.npy", "--output", "y.npy");
  assert.match(first.stderr, /^warning\[QN501\]: 3 of 18 input values lie outside/);
  assert.equal(readFrom("y.npy"), { shape: [samples.length, 3], data: expected });
  for (const engine of ["netlist", "reference"]) {
    const r = await done("tiny.qir", "--input", "x.npy", "--output", "-", "--engine", engine);
    assert.equal(read(new Uint8Array(r.bytes)).data, expected, engine);
    assert.match(r.stderr, /^warning\[QN501\]: 3 of 18/, engine);
  }
  const piped = await qnnc(["sim", "tiny.qir", "-i", "-", "-o", "-", "-q"], {
    cwd,
    input: formatNpy({ shape: [samples.length, 2], data: Float32Array.from(flat) }),
  });
  assert.equal([piped.code, piped.stderr], [0, ""]);
  assert.equal(
    read(new Uint8Array(piped.bytes)).data,
    Float64Array.from(samples.flatMap(([a, b]) => tiny([Math.fround(a), Math.fround(b)]))),
  );
});

engines("mantissas with --raw, the same from every engine", async () => {
  const mantissas = BigInt64Array.from(expected, (v) => BigInt(v * 8));
  for (const engine of ["jit", "netlist", "reference"]) {
    await done("tiny.qir", "-i", "x.npy", "-o", "raw.npy", "--raw", "--engine", engine);
    assert.equal(readFrom("raw.npy").data, mantissas, engine);
  }
});

engines("several outputs go into an .npz, a softmax is the host's", async () => {
  await done("two.qir", "-i", "x.npy", "-o", "y.npz", "-q");
  const arrays = parseNpz(new Uint8Array(readFileSync(join(cwd, "y.npz"))), "y.npz", new Reporter())!;
  assert.equal(arrays.get("relu")!.data, expected);
  const fc = arrays.get("fc")!.data as Float64Array;
  for (let row = 0; row < fc.length; row += 3) assert.ok(Math.abs(fc[row]! + fc[row + 1]! + fc[row + 2]! - 1) < 1e-12);
  const one = await start("two.qir", "-i", "x.npy", "-o", "y2.npy");
  assert.is(one.code, 2);
  assert.match(one.stderr, /the network has 2 outputs, `relu`, `fc`, and a \.npy holds one/);
});

engines("softmax: known values, large logits, rows", () => {
  assert.equal([...softmax(Float64Array.of(0, 0, 1000, 0), [2])], [0.5, 0.5, 1, 0]);
  const y = softmax(Float64Array.of(1, 2, 3), [3]);
  for (const [i, p] of [0.09003057317038046, 0.24472847105479764, 0.6652409557748219].entries()) assert.ok(Math.abs(y[i]! - p) < 1e-15);
});

engines.run();

const networks = suite("networks");

networks("digits: the logits of the framework, from the model and from its firmware folder", async () => {
  const model = [digits.model, "-w", digits.weights];
  await done(...model, "-i", digits.inputs, "-o", "logits.npy", "--until", "output");
  const logits = readFrom("logits.npy");
  const framework = read(new Uint8Array(readFileSync(digits.logits)));
  assert.equal(logits.shape, framework.shape);
  const numbers = (a: NpyArray): number[] => Array.from(a.data as ArrayLike<number>, Number);
  assert.equal(numbers(logits), numbers(framework));

  await done(...model, "-i", digits.inputs, "-o", "probabilities.npy");
  const built = await qnnc([...model, "-o", "fw", "--vectors", digits.inputs], { cwd });
  assert.is(built.code, 0, built.stderr);
  await done("fw", "-i", digits.inputs, "-o", "folder.npy");
  assert.equal(readFrom("folder.npy"), readFrom("probabilities.npy"));
  assert.equal(readFrom("folder.npy").data, softmax(logits.data as Float64Array, [10]));
  await done("fw", "-i", digits.inputs, "-o", "raw.npy", "--raw");
  const manifest = JSON.parse(readFileSync(join(cwd, "fw/manifest.json"), "utf8"));
  const [, width, int] = /fixed<(\d+),(-?\d+)>/.exec(manifest.outputs[0].type)!.map(Number);
  assert.equal(
    Array.from(readFrom("raw.npy").data as BigInt64Array, (m) => Number(m) * 2 ** (int! - width!)),
    numbers(logits),
  );

  const until = await start("fw", "-i", digits.inputs, "-o", "y.npy", "--until", "output");
  assert.is(until.code, 2);
  assert.match(until.stderr, /--until needs the model/);
  writeFileSync(join(cwd, "fw/sim/digits.wasm"), "broken");
  const broken = await start("fw", "-i", digits.inputs, "-o", "y.npy");
  assert.is(broken.code, 1);
  assert.match(broken.stderr, /QN101[\s\S]*not a WebAssembly module/);
});

networks.run();

const many = suite("many samples");
function twice(data: Float64Array): Float64Array {
  const out = new Float64Array(2 * data.length);
  out.set(data);
  out.set(data, data.length);
  return out;
}

many("two simulators give what one gives, in order; a non-finite number is found in its stretch", async () => {
  const n = 100_000;
  const data = Float32Array.from({ length: 2 * n }, (_, i) => ((i * 37) % 29) / 8 - 2);
  write("many.npy", [n, 2], data);
  await done("tiny.qir", "-i", "many.npy", "-o", "one.npy", "-j", "1", "-q");
  await done("tiny.qir", "-i", "many.npy", "-o", "two.npy", "-j", "2", "-q");
  const [one, two] = [readFrom("one.npy"), readFrom("two.npy")];
  assert.equal(two.shape, [n, 3]);
  assert.ok(Buffer.from(one.data.buffer).equals(Buffer.from(two.data.buffer)));
  for (const k of [0, 1, 32767, 32768, 65536, n - 1]) assert.equal([...two.data.slice(3 * k, 3 * k + 3)], tiny([data[2 * k]!, data[2 * k + 1]!]));
  data[2 * 70_000] = Number.NaN;
  write("many.npy", [n, 2], data);
  const r = await start("tiny.qir", "-i", "many.npy", "-o", "never.npy", "-j", "2", "-q");
  assert.is(r.code, 1);
  assert.match(r.stderr, /QN502/);
  assert.throws(() => readFileSync(join(cwd, "never.npy")));
});

if (fullTier) many("files of 64 MiB and more are streamed in and out", async () => {
  const n = 2_900_000;
  const data = Float64Array.from({ length: 2 * n }, (_, i) => ((i * 53) % 31) / 8 - 2);
  // Twice, so that input and output pass the 64 MiB from which files are streamed.
  write("large.npy", [2 * n, 2], twice(data));
  await done("tiny.qir", "-i", "large.npy", "-o", "large-out.npy", "-q");
  const y = readFrom("large-out.npy");
  assert.equal(y.shape, [2 * n, 3]);
  for (const k of [0, 1, 65535, n - 1, n, 2 * n - 1]) assert.equal([...y.data.slice(3 * k, 3 * k + 3)], tiny([data[(2 * k) % (2 * n)]!, data[(2 * k + 1) % (2 * n)]!]));
});
many.run();

const cache = suite("cache");

cache("a second run takes the compiled module from the cache; a damaged entry is compiled again", async () => {
  const folder = join(cwd, "cache");
  const env = { QNNC_CACHE: folder };
  const first = await qnnc(["sim", "tiny.qir", "-i", "x.npy", "-o", "c1.npy", "-q"], { cwd, env });
  assert.is(first.code, 0, first.stderr);
  const [entry, ...others] = readdirSync(folder);
  assert.equal(others, []);
  const path = join(folder, entry!);
  const bytes = readFileSync(path);
  const again = await qnnc(["sim", "tiny.qir", "-i", "x.npy", "-o", "c2.npy", "-q"], { cwd, env });
  assert.is(again.code, 0, again.stderr);
  assert.equal(readFrom("c2.npy"), readFrom("c1.npy"));
  // Under the name of this network, the module of one with another bias: its results show that the entry is what runs.
  writeFileSync(join(cwd, "biased.qir"), tinyQir.replace("(1, 0, -1)", "(1, 0, -2)"));
  const other = await qnnc(["sim", "biased.qir", "-i", "x.npy", "-o", "c3.npy", "-q"], { cwd, env });
  assert.is(other.code, 0, other.stderr);
  const second = readdirSync(folder).find((name) => name !== entry)!;
  writeFileSync(path, readFileSync(join(folder, second)));
  await qnnc(["sim", "tiny.qir", "-i", "x.npy", "-o", "c2.npy", "-q"], { cwd, env });
  assert.equal(readFrom("c2.npy"), readFrom("c3.npy"));
  assert.not.equal(readFrom("c2.npy"), readFrom("c1.npy"));
  for (const damaged of [bytes.subarray(0, 100), Buffer.from("not wasm")]) {
    writeFileSync(path, damaged);
    const mended = await qnnc(["sim", "tiny.qir", "-i", "x.npy", "-o", "c4.npy", "-q"], { cwd, env });
    assert.is(mended.code, 0, mended.stderr);
    assert.equal(readFrom("c4.npy"), readFrom("c1.npy"));
    assert.ok(readFileSync(path).equals(bytes));
  }
});
cache.run();

const told = suite("what sim tells");

told("--accuracy: class numbers and one-hot rows, confusion and recall by hand", async () => {
  const best = samples.map((x) => {
    const y = tiny(x);
    return y.indexOf(Math.max(...y));
  });
  // One label is wrong on purpose.
  const labels = best.map((k, i) => (i === 0 ? (k + 1) % 3 : k));
  write("labels.npy", [samples.length], BigInt64Array.from(labels, BigInt));
  write("onehot.npy", [samples.length, 3], Float32Array.from(labels.flatMap((k) => [0, 1, 2].map((j) => Number(j === k)))));
  const first = await inProcess(["sim", "tiny.qir", "-i", "x.npy", "--accuracy", "labels.npy", "--engine", "reference"], cwd);
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stdout, /^relu: accuracy 88\.889 %, 8 of 9 samples/);
  const counted = [0, 1, 2].map((label) => [0, 1, 2].map((k) => best.filter((b, i) => labels[i] === label && b === k).length));
  counted.forEach((row, label) => assert.match(first.stdout, new RegExp(`^\\s*${label}\\s+${row.join("\\s+")}\\s`, "m")));
  const second = await inProcess(["sim", "tiny.qir", "-i", "x.npy", "--accuracy", "onehot.npy", "--engine", "reference"], cwd);
  assert.is(second.stdout, first.stdout);
});

told("--trace writes every layer, --compare names the first that differs and exits with 4", async () => {
  const traced = await inProcess(["sim", "tiny.qir", "-i", "x.npy", "--trace", "t.npz", "--engine", "reference"], cwd);
  assert.is(traced.code, 0, traced.stderr);
  const reporter = new Reporter();
  const layers = parseNpz(new Uint8Array(readFileSync(join(cwd, "t.npz"))), "t", reporter)!;
  assert.equal([...layers.keys()], ["x", "fc", "relu"]);
  assert.equal(layers.get("relu")!.data, expected);
  const equal = await inProcess(["sim", "tiny.qir", "-i", "x.npy", "--compare", "t.npz", "--engine", "reference"], cwd);
  assert.is(equal.code, 0, equal.stderr);
  assert.match(equal.stdout, /^x: equal, 9 samples\nfc: equal, 9 samples\nrelu: equal, 9 samples\n$/);
  const fc = layers.get("fc")!.data.slice() as Float64Array;
  fc[4]! += 0.5;
  writeFileSync(join(cwd, "other.npz"), formatNpz(new Map([...layers, ["fc", { shape: [samples.length, 3], data: fc }]])));
  const differs = await inProcess(["sim", "tiny.qir", "-i", "x.npy", "--compare", "other.npz", "--engine", "reference"], cwd);
  assert.is(differs.code, 4);
  assert.match(differs.stdout, /fc: 1 of 27 values differ, by at most 0\.5/);
  assert.match(differs.stderr, /QN701\]: layer `fc`, sample 1, element 1/);
  const allowed = await inProcess(["sim", "tiny.qir", "-i", "x.npy", "--compare", "other.npz", "--tolerance", "0.5", "--engine", "reference"], cwd);
  assert.is(allowed.code, 0);
});

told("what does not fit is refused", async () => {
  write("few.npy", [2], Int32Array.of(0, 1));
  write("high.npy", [samples.length], new Int32Array(samples.length).fill(3));
  writeFileSync(join(cwd, "strange.npz"), formatNpz(new Map([["nothing", { shape: [1], data: new Float64Array(1) }]])));
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["--accuracy", "few.npy"], 1, /QN500\]: --accuracy: there are 2 labels for 9 samples/],
    [["--accuracy", "high.npy"], 1, /QN500\]: --accuracy: 3 is no class number from 0 to 2/],
    [["--compare", "strange.npz"], 1, /QN500\]: --compare: no array has the name of a layer[\s\S]*nothing/],
    [["--compare", "x.npy"], 2, /--compare: name an \.npz/],
    [["--trace", "t.npy"], 2, /--trace: name an \.npz/],
    [["--accuracy", "few.npy", "--raw", "-o", "y.npy"], 2, /QN401\]: --accuracy needs values/],
    [["--accuracy", "few.npy", "-o", "-"], 2, /QN401\]: standard output cannot take both/],
  ];
  for (const [flags, code, message] of cases) {
    const r = await inProcess(["sim", "tiny.qir", "-i", "x.npy", ...flags, "--engine", "reference"], cwd);
    assert.is(r.code, code, r.stderr);
    assert.match(r.stderr, message);
  }
});

told.run();

const wrong = suite("wrong samples");

wrong("each is told what was expected and what would help", async () => {
  write("one.npy", [2], Float64Array.of(1, 2));
  write("flat.npy", [4], new Float64Array(4));
  write("wide.npy", [4, 3], new Float64Array(12));
  write("deep.npy", [4, 2, 1], new Float64Array(8));
  write("none.npy", [0, 2], new Float64Array(0));
  write("nan.npy", [2, 2], Float64Array.of(1, 2, Number.NaN, 3));
  writeFileSync(join(cwd, "text.npy"), "1,2,3\n");
  writeFileSync(join(cwd, "named.npz"), formatNpz(new Map([["y", { shape: [1, 2], data: new Float64Array(2) }]])));
  writeFileSync(
    join(cwd, "right.npz"),
    formatNpz(
      new Map([
        ["y", { shape: [1], data: new Float64Array(1) }],
        ["x", { shape: [1, 2], data: new Float64Array(2) }],
      ]),
    ),
  );
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["one.npy"], 1, /QN500\]: the array has shape \(2,\), and the input `x` takes \(n, 2\)[\s\S]*x\[None\]/],
    [["flat.npy"], 1, /QN500[\s\S]*first axis counts samples/],
    [["wide.npy"], 1, /QN500\]: the array has shape \(4, 3\)/],
    [["deep.npy"], 1, /QN500[\s\S]*x\.reshape\(\(4, 2\)\)/],
    [["none.npy"], 1, /QN500\]: the array holds no sample/],
    [["nan.npy"], 1, /QN502[\s\S]*NaN/],
    [["text.npy"], 1, /QN105[\s\S]*numpy\.save/],
    [["missing.npy"], 3, /QN100/],
    [["x.npy", "x.npy"], 1, /QN500\]: the model has 1 inputs, `x`, and 2 arrays are given/],
    [["named.npz"], 1, /QN500\]: named\.npz has no array `x`[\s\S]*it has `y`/],
    [["x.npy", "named.npz"], 2, /QN401\]: one \.npz holds all inputs/],
  ];
  for (const [inputs, code, message] of cases) {
    const r = await inProcess(["sim", "tiny.qir", ...inputs.flatMap((i) => ["-i", i]), "-o", "wrong.npy", "--engine", "reference"], cwd);
    assert.is(r.code, code, `${inputs}: ${r.stderr}`);
    assert.match(r.stderr, message, inputs.join());
  }
  const nan = await start("tiny.qir", "-i", "nan.npy", "-o", "wrong.npy");
  assert.is(nan.code, 1);
  assert.match(nan.stderr, /QN502[\s\S]*NaN/);
  await done("tiny.qir", "-i", "right.npz", "-o", "right.npy", "--engine", "reference");
  assert.equal(readFrom("right.npy").data, Float64Array.from(tiny([0, 0])));
  assert.throws(() => readFileSync(join(cwd, "wrong.npy")));
});

wrong.run();
