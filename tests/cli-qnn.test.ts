// .qnn from the command line: building, importing, laying out, watching; which files are read, and what wins, the flag or the file.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import type { Manifest } from "../src/manifest.js";
import { formatNpy, formatNpz, parseNpy } from "../src/npy.js";
import { builtCli, digits, inProcess, qnnc, testFolder } from "./support/cli.js";

const cwd = testFolder("cli-qnn");
const examples = fileURLToPath(new URL("../examples/", import.meta.url));
const write = (name: string, content: string | Uint8Array): void => writeFileSync(join(cwd, name), content);
const text = (name: string): string => readFileSync(join(cwd, name), "utf8");
const start = (...args: readonly string[]) => inProcess(args, cwd);
const tree = (folder: string): readonly string[] =>
  (readdirSync(join(cwd, folder), { recursive: true }) as string[]).filter((f) => statSync(join(cwd, folder, f)).isFile()).sort();

interface Recorded extends Manifest {
  readonly options: {
    readonly pipeline: unknown;
    readonly hlsStyle: string;
    readonly vectors: string;
    readonly part: string;
    readonly wrapper: boolean;
  };
}
const manifestOf = (folder: string): Recorded => JSON.parse(text(`${folder}/manifest.json`)) as Recorded;

async function succeeds(...args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const r = await start(...args);
  assert.is(r.code, 0, `qnnc ${args.join(" ")}: ${r.stderr}`);
  return r;
}

const half = new Float32Array([0.5, -0.5]);
mkdirSync(join(cwd, "net/more"), { recursive: true });
write("net/w.npz", formatNpz(new Map([["y/kernel", { shape: [2, 1], data: half }]])));
write("net/more/blocks.qnn", "block twice(a) {\n  return a + a\n}\n");
write("net/x.npy", formatNpy({ shape: [3, 2], data: Float64Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) }));
const small = `include "more/blocks.qnn"

network small {
  weights "w.npz"
  input x: fixed<8,3>[2]
  layer t = twice(x)
  layer y = dense(t, kernel: fixed<4,1>)
  output y
}

target verilog {
  clock: 4 ns
  latency: 3
  top: from_file
}

target hls {
  clock: 200 MHz
  style: unrolled
}

vectors "x.npy"
`;
write("net/small.qnn", small);

const building = suite("building .qnn");

building("an example, with its own clock and the samples of its training", async () => {
  mkdirSync(join(cwd, "example"));
  cpSync(join(examples, "residual"), join(cwd, "example"), { recursive: true });
  await succeeds("example/residual.qnn", "--vectors", "example/x.npy", "-o", "fw-example");
  const { top, vectors, options, sources } = manifestOf("fw-example");
  const samples = parseNpy(new Uint8Array(readFileSync(join(examples, "residual/x.npy"))), "x.npy", new Reporter())!.shape[0];
  assert.equal([top, vectors, options.vectors, options.pipeline], ["residual_net", samples, "given", { clock: 4 }]);
  assert.equal(Object.keys(sources), ["blocks.qnn", "residual.npz", "residual.qnn"]);
  // What was trained and what is built give the same numbers: golden vectors against the stored results of the training framework.
  const [built, trained] = [join(cwd, "fw-example/tb/vectors/logits.npy"), join(examples, "residual/logits.npy")].map((path) => {
    const array = parseNpy(new Uint8Array(readFileSync(path)), path, new Reporter())!;
    return Array.from(array.data as ArrayLike<number>, Number);
  });
  assert.equal(built, trained);
});

building("the file's settings are obeyed, and flags win over each of them", async () => {
  await succeeds("net/small.qnn", "-o", "fw-own");
  const own = manifestOf("fw-own");
  assert.equal([own.top, own.latency, own.vectors, own.options.hlsStyle], ["from_file", 3, 3, "unrolled"]);
  assert.match(text("fw-own/constraints/from_file.xdc"), /-period 4\b/);
  const script = tree("fw-own").find((f) => /^hls\/.*\.tcl$/.test(f))!;
  assert.match(text(`fw-own/${script}`), /create_clock -period 5\b/);

  await succeeds("net/small.qnn", "-o", "fw-flags", "--top", "mine", "--clock", "7", "--hls-style", "loops", "--vector-count", "20");
  const flags = manifestOf("fw-flags");
  assert.equal([flags.top, flags.vectors, flags.options.hlsStyle, flags.options.pipeline], ["mine", 20, "loops", { clock: 7 }]);
  assert.equal(Object.keys(flags.sources), ["blocks.qnn", "small.qnn", "w.npz"], "vectors that are not used are not read");
  assert.match(text("fw-flags/constraints/mine.xdc"), /-period 7\b/);
  assert.match(text(`fw-flags/${script}`), /create_clock -period 7\b/);

  await succeeds("net/small.qnn", "-o", "fw-latency", "--latency", "1");
  assert.is(manifestOf("fw-latency").latency, 1);
  assert.match(text("fw-latency/constraints/from_file.xdc"), /-period 4\b/, "the clock of the file remains a constraint");

  write("net/device.qnn", small.replace("latency: 3", 'part: "xc7a35t"\n  wrapper: none'));
  const partsOf = (folder: string): readonly (string | undefined)[] =>
    ["scripts/vivado.tcl", script].map((f) => /PART\) : "([^"]*)"/.exec(text(`${folder}/${f}`))?.[1]);
  const quiet = await succeeds("net/device.qnn", "-o", "fw-device");
  assert.not.match(quiet.stderr, /warning/);
  assert.equal(partsOf("fw-device"), ["xc7a35t", "xc7a35t"], "the HLS target names no other part");
  assert.equal([manifestOf("fw-device").options.part, manifestOf("fw-device").options.wrapper], ["xc7a35t", false]);
  assert.not.ok(tree("fw-device").some((f) => f.endsWith("_axis.v")));
  assert.not.match(text("fw-device/Makefile"), /_axis/);
  await succeeds("net/device.qnn", "-o", "fw-wrapped", "--wrapper", "--part", "xcku5p-ffva676-3-e");
  assert.equal(partsOf("fw-wrapped"), ["xcku5p-ffva676-3-e", "xcku5p-ffva676-3-e"]);
  assert.ok(tree("fw-wrapped").includes("rtl/from_file_axis.v"));
  assert.is((await start("net/device.qnn", "-o", "fw-bad", "--part", 'x"; exec rm')).code, 2);
  write("net/device.qnn", small.replace("latency: 3", 'part: "x]; exec rm"'));
  assert.match((await start("check", "net/device.qnn")).stderr, /error\[QN812\].*is none\n +┌─ net\/device.qnn:13:3/);

  write("net/quantize.qnn", `${small}\nquantize { data: "x.npy", max_loss: 0.5%, time: 10 m }\n`);
  const idle = await succeeds("check", "net/quantize.qnn");
  assert.match(
    idle.stderr,
    /warning\[QN814\]: `quantize` is not carried out.*\n +┌─ net\/quantize.qnn:24:12/,
    "what has no effect is said",
  );

  write("other.npy", formatNpy({ shape: [5, 2], data: new Float32Array(10) }));
  await succeeds("net/small.qnn", "-o", "fw-vectors", "--vectors", "other.npy");
  assert.is(manifestOf("fw-vectors").vectors, 5);
});

building("-MD names every file that was read", async () => {
  await succeeds("net/small.qnn", "-o", "fw-own", "-MD", "-MF", "own.d");
  assert.equal(
    text("own.d").replaceAll(" \\\n ", "").trim().split(" "),
    ["fw-own/manifest.json:", "net/small.qnn", "net/w.npz", "net/more/blocks.qnn", "net/x.npy"].sort((a, b) =>
      a.endsWith(":") ? -1 : text("own.d").indexOf(a) - text("own.d").indexOf(b),
    ),
  );
});

building("sim, inspect and --until work on .qnn", async () => {
  await succeeds("sim", "net/small.qnn", "--input", "net/x.npy", "--output", "y.npy");
  const y = parseNpy(new Uint8Array(readFileSync(join(cwd, "y.npy"))), "y.npy", new Reporter());
  // y = (2·a − 2·b)/2
  assert.equal([...(y!.data as Float64Array)], [-0.25, -0.25, -0.25]);
  const { layers, settings } = JSON.parse(
    (await succeeds("inspect", "net/small.qnn", "--json", "--until", "t", "--clock", "7")).stdout,
  ) as {
    layers: readonly { layer: string }[];
    settings: readonly { setting: string; value: string; from: string; line?: number }[];
  };
  assert.ok(layers.some((r) => r.layer === "t"));
  const shown = new Map(settings.map((s) => [s.setting, [s.value, s.from, s.line]]));
  assert.equal(
    ["top", "pipeline", "HLS style", "wrapper", "test vectors"].map((name) => shown.get(name)),
    [
      ["from_file", "file", 14],
      ["for a clock of 7 ns", "command line", undefined],
      ["unrolled", "file", 19],
      ["AXI4-Stream", "default", undefined],
      ["net/x.npy", "file", 22],
    ],
  );
  assert.match((await succeeds("inspect", "net/small.qnn")).stdout, /^clock +4 ns +net\/small\.qnn:12$/m);
});

building("mistakes: each with code and caret, exit code 1, no folder", async () => {
  const broken = small.replace("twice(x)", "twise(x)").replace("fixed<8,3>", "fixed<8,3,RNDD>").replace("latency: 3", "latencies: 3");
  write("net/broken.qnn", broken);
  const r = await start("net/broken.qnn", "-o", "fw-broken");
  assert.is(r.code, 1, r.stderr);
  const places = [...r.stderr.matchAll(/^error\[(QN8\d\d)\]: .*\n +┌─ net\/broken\.qnn:(\d+):\d+.*\n(?:.*\n)*? +│ +\^/gm)];
  assert.equal(
    places.map((m) => Number(m[2])).sort((a, b) => a - b),
    [5, 6, 13],
    r.stderr,
  );
  assert.match(r.stderr, /did you mean `twice`\?/);
  assert.not.ok(existsSync(join(cwd, "fw-broken")));
});

building("files: missing ones at the place that names them, none from outside, no --weights", async () => {
  write("net/missing.qnn", small.replace("x.npy", "xx.npy"));
  const missing = await start("net/missing.qnn", "-o", "fw-missing");
  assert.is(missing.code, 3);
  assert.match(missing.stderr, /error\[QN100\][\s\S]*net\/missing\.qnn:22:1[\s\S]*net\/xx\.npy/);

  write("w.npz", readFileSync(join(cwd, "net/w.npz")));
  write("net/outside.qnn", small.replace("w.npz", "../w.npz"));
  assert.match((await start("check", "net/outside.qnn")).stderr, /error\[QN810\][\s\S]*net\/outside\.qnn:4:/);

  symlinkSync(join(cwd, "w.npz"), join(cwd, "net/link.npz"));
  write("net/link.qnn", small.replace("w.npz", "link.npz"));
  const link = await start("check", "net/link.qnn");
  assert.is(link.code, 1);
  assert.match(link.stderr, /error\[QN810\]: net\/link\.npz is a link that leads out/);

  const weights = await start("net/small.qnn", "-w", "w.npz", "-o", "fw-weights");
  assert.is(weights.code, 2);
  assert.match(weights.stderr, /error\[QN401\]: --weights goes with a \.json model/);

  write("net/tops.qnn", small.replace("style: unrolled", "top: another"));
  assert.match((await start("check", "net/tops.qnn")).stderr, /error\[QN812\][\s\S]*tops\.qnn:19:[\s\S]*the other name/);
  await succeeds("net/tops.qnn", "-o", "fw-tops", "--top", "one");

  const two = small.replace("input x: fixed<8,3>[2]", "input x: fixed<8,3>[2]\n  input z: fixed<8,3>[2]").replace("twice(x)", "x + z");
  write("net/two.qnn", two);
  assert.match((await start("net/two.qnn", "-o", "fw-two")).stderr, /error\[QN500\]: the network has 2 inputs[\s\S]*two\.qnn:23:/);
  write("net/two.npz", formatNpz(new Map(["z", "x"].map((n) => [n, { shape: [4, 2], data: new Float32Array(8) }]))));
  write("net/two.qnn", two.replace("x.npy", "two.npz"));
  await succeeds("net/two.qnn", "-o", "fw-two");
  assert.is(manifestOf("fw-two").vectors, 4);
});

building.run();

const tools = suite("import, fmt, watch");

tools("an imported model builds into the same files, byte for byte", async () => {
  await succeeds("import", digits.model, "-w", digits.weights, "-o", "digits.qnn");
  assert.ok(existsSync(join(cwd, "digits.npz")));
  const flags = ["--top", "digits", "--input-type", "fixed<16,6,RND,SAT>", "--vector-count", "30"];
  await succeeds(digits.model, "-w", digits.weights, "-o", "fw-keras", ...flags);
  await succeeds("digits.qnn", "-o", "fw-qnn", ...flags);
  const files = tree("fw-keras");
  assert.ok(files.length > 15);
  assert.equal(tree("fw-qnn"), files);
  for (const f of files.filter((name) => name !== "manifest.json"))
    assert.ok(readFileSync(join(cwd, "fw-keras", f)).equals(readFileSync(join(cwd, "fw-qnn", f))), f);
  const [keras, qnn] = [manifestOf("fw-keras"), manifestOf("fw-qnn")];
  assert.equal({ ...qnn, sources: keras.sources }, keras);
  assert.equal(Object.keys(qnn.sources), ["digits.npz", "digits.qnn"]);
});

tools("import writes a laid out text, prints with -o -, and spares the model's own files", async () => {
  assert.is((await succeeds("fmt", "--check", "digits.qnn")).stderr, "");
  const printed = await succeeds("import", digits.model, "-w", digits.weights, "-o", "-", "--until", "fc1");
  assert.match(printed.stdout, /network digits \{[\s\S]*output fc1\n/);
  assert.match(printed.stderr, /reads its weights from digits\.npz/);
  const before = text("digits.qnn");
  const again = await start("import", "digits.qnn", "-o", "./digits.qnn");
  assert.is(again.code, 2);
  assert.match(again.stderr, /error\[QN401\]: digits\.qnn would be overwritten/);
  assert.is(text("digits.qnn"), before);
});

tools("fmt lays out once and for all; --check writes nothing", async () => {
  const crooked = `// kept\n${small.replace(/ {2}/g, "      ").replace("network small {", "network   small\n{")}`;
  write("crooked.qnn", crooked);
  const checked = await start("fmt", "--check", "crooked.qnn");
  assert.is(checked.code, 1);
  assert.match(checked.stderr, /error\[QN815\][\s\S]*qnnc fmt crooked\.qnn/);
  assert.is(text("crooked.qnn"), crooked);
  const printed = await succeeds("fmt", "crooked.qnn", "-o", "-");
  assert.is(printed.stdout, `// kept\n${small}`);
  assert.is(text("crooked.qnn"), crooked);
  await succeeds("fmt", "crooked.qnn");
  assert.is(text("crooked.qnn"), printed.stdout);
  assert.is((await succeeds("fmt", "crooked.qnn")).stderr, "", "the second time nothing is written");
  assert.is((await succeeds("fmt", "--check", "crooked.qnn")).stderr, "");
  write("wrong.qnn", "network { input");
  const wrong = await start("fmt", "wrong.qnn");
  assert.is(wrong.code, 1);
  assert.is(text("wrong.qnn"), "network { input");
});

tools("check --watch checks again after each change, until interrupted", async () => {
  let child: ChildProcess | undefined;
  let seen = "";
  const outcome = qnnc(["check", "--watch", "net/small.qnn"], {
    cwd,
    onStart: (started) => {
      child = started;
      started.stderr!.on("data", (b: Buffer) => {
        seen += b.toString();
      });
    },
  });
  const until = async (pattern: RegExp): Promise<void> => {
    for (const end = Date.now() + 10_000; !pattern.test(seen); await new Promise((done) => setTimeout(done, 20)))
      assert.ok(Date.now() < end, `waited for ${String(pattern)}, and got:\n${seen}`);
    seen = "";
  };
  try {
    await until(/no errors\n.*waiting for a change of 3 files/);
    // Not the main file: whatever it names is watched as well.
    write("net/more/blocks.qnn", "block twice(a) {\n  return a + b\n}\n");
    await until(/error\[QN803\][\s\S]*blocks\.qnn:2:14[\s\S]*waiting for a change/);
    write("net/more/blocks.qnn", "block twice(a) {\n  return a + a\n}\n");
    await until(/no errors\n.*waiting for a change/);
  } finally {
    child?.kill("SIGINT");
  }
  const { code, signal } = await outcome;
  assert.equal([code, signal], [null, "SIGINT"]);
  const absent = await start("check", "--watch", "absent.qnn");
  assert.is(absent.code, 3);
  assert.is(absent.stderr.split("error[QN100]").length, 2, "reported once");
});

tools("lsp answers on standard output, and nothing else stands there", async () => {
  const frame = (message: object): string => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    return `Content-Length: ${body.length}\r\n\r\n${body}`;
  };
  const child = spawn(process.execPath, [builtCli().main, "lsp", "--stdio"], { cwd });
  const closed = new Promise<number | null>((done) => child.on("close", done));
  let [said, wrong] = ["", ""];
  child.stderr.on("data", (b: Buffer) => {
    wrong += b.toString();
  });
  const answer = (id: number): Promise<void> =>
    new Promise((done) => {
      child.stdout.on("data", (b: Buffer) => {
        said += b.toString();
        if (said.includes(`"id":${id}`)) {
          child.stdout.removeAllListeners("data");
          done();
        }
      });
    });
  const ask = async (id: number, method: string, params?: object): Promise<void> => {
    const answered = answer(id);
    child.stdin.write(frame({ id, method, params }));
    await Promise.race([answered, closed]);
  };
  await ask(1, "initialize", { processId: null, rootUri: null, capabilities: {} });
  await ask(2, "shutdown");
  child.stdin.write(frame({ method: "exit" }));
  assert.equal([await closed, wrong], [0, ""]);
  assert.match(said, /^Content-Length: \d+\r\n\r\n\{.*"serverInfo":\{"name":"qnnc"\}.*"id":2,"result":null\}$/s);
});

tools.run();
