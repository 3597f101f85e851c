// The command line from outside: usage, exit codes, streams, and what a build writes, touches and leaves alone.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { exitCodeOf } from "../src/cli/exit-codes.js";
import { codes } from "../src/diagnostic-codes.js";
import { version } from "../src/version.js";
import { builtCli, digits, inProcess, type Outcome, qnnc, testFolder } from "./support/cli.js";
import { tinyQir } from "./support/tiny.js";

const cwd = testFolder("cli");
writeFileSync(join(cwd, "tiny.qir"), tinyQir);
writeFileSync(join(cwd, "my net #1$.qir"), tinyQir);

const start = (...args: readonly string[]): Promise<Outcome> => qnnc(args, { cwd });

const wordsOf = (line: string): readonly string[] => line.split(" ").filter((w) => w !== "");

/** Several command lines, two at a time. */
async function startAll(lines: readonly string[]): Promise<readonly Outcome[]> {
  const results: Outcome[] = [];
  const queue = lines.map((line, i) => ({ line, i }));
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) results[next.i] = await start(...wordsOf(next.line));
  };
  await Promise.all([worker(), worker()]);
  return results;
}

const tree = (folder: string): readonly string[] =>
  (readdirSync(join(cwd, folder), { recursive: true }) as string[]).filter((f) => statSync(join(cwd, folder, f)).isFile()).sort();
const nothingNew = (...known: readonly string[]): void =>
  assert.equal(
    readdirSync(cwd)
      .filter((f) => !known.includes(f))
      .sort(),
    ["my net #1$.qir", "tiny.qir"],
  );

const usage = suite("usage");

usage("each wrong command line: exit code 2, one coded message, help, nothing on standard output", async () => {
  const lines: readonly (readonly [string, RegExp])[] = [
    ["", /needs `model`[\s\S]*qnnc MODEL -o DIR/],
    ["tiny.qir --latncy 3 -o fw", /unknown flag `--latncy`[\s\S]*did you mean `--latency`\?/],
    ["tiny.qir -MDD -o fw", /unknown flag `--MDD`[\s\S]*did you mean `-MD`\?/],
    ["simm tiny.qir", /`simm` is neither a command nor a file[\s\S]*did you mean `qnnc sim`\?/],
    ["verify tiny.qir", /neither a command nor a file/],
    ["tiny.qir other.qir -o fw", /unexpected argument `other.qir`/],
    ["tiny.qir", /say where the firmware goes[\s\S]*add -o DIR/],
    ["tiny.qir -o", /`-o` needs a value/],
    ["tiny.qir -o -", /QN401[\s\S]*does not fit on standard output/],
    ["tiny.qir -o a -o b", /--output: it is given more than once/],
    ["tiny.qir -o fw --dump-ir ./fw/", /QN401[\s\S]*same folder/],
    ["tiny.qir -o fw --latency 3 --clock 2", /QN401[\s\S]*--latency and --clock contradict/],
    ["tiny.qir -o fw --latency -1", /--latency: `-1` is not a whole number from 0/],
    ["tiny.qir -o fw --clock 0", /--clock: `0` is not a number above 0/],
    ["tiny.qir -o fw --width 65", /--width: `65` is not a whole number from 1 to 64/],
    ["tiny.qir -o fw --width 8 --precision fixed<8,4>", /QN401/],
    ["tiny.qir -o fw --input-type fixed<16>", /--input-type: `fixed<16>` is not a type/],
    ["tiny.qir -o fw --top 3x", /--top: `3x` is not an identifier/],
    ["tiny.qir -o fw --seed 1 --vectors x.npy", /QN401/],
    ["tiny.qir -o fw -MF x.d", /QN401[\s\S]*add -MD/],
    ["tiny.qir --emit graph -MD", /QN401[\s\S]*-MF FILE -MT TARGET/],
    ["tiny.qir --emit verilo", /there is no stage `verilo`[\s\S]*did you mean `verilog`\?/],
    ["tiny.qir --emit ir-after=cmv", /there is no pass `cmv`[\s\S]*did you mean `cmvm`\?/],
    ["tiny.qir -o fw --hls-style loop", /--hls-style: `loop` is not one of loops, rolled, unrolled[\s\S]*did you mean `loops`\?/],
    ["sim tiny.qir", /--input X.npy/],
    ["opt tiny.qir --passes lower,simplfy", /no pass `simplfy`[\s\S]*did you mean `simplify`\?/],
    ["opt tiny.qir --passes simplify", /QN401[\s\S]*simplify takes a netlist, and at this point there is a graph/],
    ["explain QN999", /no diagnostic code `QN999`/],
  ];
  for (const [line, message] of lines) {
    const r = await inProcess(wordsOf(line), cwd);
    assert.is(r.code, 2, `qnnc ${line}: ${r.stderr}`);
    assert.is(r.stdout, "", line);
    assert.match(stripVTControlCharacters(r.stderr), /^error\[QN40[01]\]: /, line);
    assert.match(r.stderr, message, line);
  }
  const started = await start("tiny.qir", "--latncy", "3", "-o", "fw");
  assert.equal(
    [started.code, started.stdout, started.stderr],
    [2, "", "error[QN400]: unknown flag `--latncy`\n  = help: did you mean `--latency`?\n"],
  );
  nothingNew();
});

usage("help, version, explain, passes and completion go to standard output", async () => {
  const [help, short, simHelp, ver, explained, lower, passes, completion] = await startAll([
    "--help",
    "-h",
    "sim --help",
    "--version",
    "explain QN201",
    "explain qn700",
    "passes",
    "completion",
  ]);
  for (const r of [help, short, simHelp, ver, explained, lower, passes, completion]) {
    assert.is(r!.code, 0, r!.stderr);
    assert.is(r!.stderr, "");
  }
  for (const word of ["qnnc MODEL -o DIR", "--latency", "inspect", "Exit codes"]) assert.ok(help!.stdout.includes(word), word);
  assert.is(short!.stdout, help!.stdout);
  assert.ok(simHelp!.stdout.includes("--engine") && !simHelp!.stdout.includes("--latency"));
  assert.is(ver!.stdout, `${version}\n`);
  assert.ok(explained!.stdout.startsWith(`QN201: ${codes.QN201}\n`) && explained!.stdout.includes("What to do"));
  assert.not.ok(explained!.stdout.includes("QN202:"));
  assert.ok(lower!.stdout.startsWith("QN700:"));
  assert.match(passes!.stdout, /^lower {2}\(graph to netlist\)\n {4}\S/m);
  assert.match(passes!.stdout, /A build runs fold-batchnorm, /);
  assert.match(completion!.stdout, /--get-yargs-completions/);
});

usage("the largest exit code of several errors counts, and warnings do not", () => {
  const of = (...list: readonly (readonly [keyof typeof codes, "error" | "warning"])[]): number =>
    exitCodeOf(list.map(([code, level]) => ({ code, level, message: "" })));
  assert.is(of(), 0);
  assert.is(of(["QN700", "warning"], ["QN100", "warning"]), 0);
  assert.is(of(["QN201", "error"]), 1);
  assert.is(of(["QN201", "error"], ["QN400", "error"]), 2);
  assert.is(of(["QN404", "error"], ["QN401", "error"]), 3);
  assert.is(of(["QN700", "error"], ["QN100", "error"]), 4);
});

usage("messages as JSON and SARIF are one document, colour only on demand", async () => {
  const json = await start("tiny.qir", "--latncy", "3", "--diagnostics", "json");
  assert.equal(
    JSON.parse(json.stderr).map((d: { code: string }) => d.code),
    ["QN400"],
  );
  const sarif = await start("check", "none.json", "--diagnostics=sarif");
  assert.is(sarif.code, 3);
  const log = JSON.parse(sarif.stderr);
  assert.is(log.version, "2.1.0");
  assert.equal(
    log.runs[0].results.map((r: { ruleId: string }) => r.ruleId),
    ["QN100"],
  );
  const fine = await start("check", "tiny.qir", "--diagnostics", "json");
  assert.equal([fine.code, JSON.parse(fine.stderr)], [0, []]);
  assert.ok((await start("check", "none.json", "--color")).stderr.startsWith("\u001b[31merror[QN100]"));
});

usage.run();

const builds = suite("build");

builds("a build writes the folder that its manifest lists, twice the same, and the second time touches nothing", async () => {
  const first = await start("tiny.qir", "-o", "fw/");
  assert.is(first.code, 0, first.stderr);
  assert.is(first.stdout, "");
  assert.match(first.stderr, /^fw\/: tiny, latency \d+, \d+ cells, 1000 vectors verified; (\d+) of \1 files changed\n$/);
  const manifest = JSON.parse(readFileSync(join(cwd, "fw/manifest.json"), "utf8"));
  assert.equal([...Object.keys(manifest.files), "manifest.json"].sort(), tree("fw"));
  for (const f of ["rtl/tiny.v", "rtl/tiny_axis.v", "hls/tiny.cpp", "sim/tiny.wasm", "Makefile"]) assert.ok(tree("fw").includes(f), f);
  assert.not.match(readFileSync(join(cwd, "fw/manifest.json"), "utf8"), new RegExp(cwd));

  const past = new Date(2001, 0, 1);
  for (const f of tree("fw")) utimesSync(join(cwd, "fw", f), past, past);
  writeFileSync(join(cwd, "fw/rtl/tiny.v"), "edited");
  const second = await start("tiny.qir", "-o", "fw", "--quiet");
  assert.equal([second.code, second.stderr], [0, ""]);
  const touched = tree("fw").filter((f) => statSync(join(cwd, "fw", f)).mtimeMs !== past.getTime());
  assert.equal(touched, ["rtl/tiny.v"]);

  const renamed = await start("tiny.qir", "-o", "fw", "--top", "other");
  assert.is(renamed.code, 0, renamed.stderr);
  assert.ok(tree("fw").includes("rtl/other.v") && !tree("fw").includes("rtl/tiny.v"));
  nothingNew("fw");
});

builds("--no-rtl leaves the Verilog out; --max-cells refuses it beyond a size and says so", async () => {
  const bare = await start("tiny.qir", "-o", "bare", "--no-rtl");
  assert.is(bare.code, 0, bare.stderr);
  const files = tree("bare");
  assert.not(files.some((f) => /^(rtl|scripts|constraints)|[.]hex$|_tb[.]v$/.test(f)), files.join());
  assert.ok(files.includes("sim/tiny.wasm") && files.includes("hls/tiny.cpp"));
  assert.is(JSON.parse(readFileSync(join(cwd, "bare/manifest.json"), "utf8")).latency, null);
  assert.not.match(readFileSync(join(cwd, "bare/Makefile"), "utf8"), /^(lint|synth|sim-rtl):/m);
  const refused = await start("tiny.qir", "-o", "never", "--max-cells", "1");
  assert.is(refused.code, 1);
  assert.match(refused.stderr, /QN403[\s\S]*about \d+ cells, and --max-cells allows 1[\s\S]*--no-rtl/);
  assert.match((await start("tiny.qir", "-o", "never", "--no-rtl", "--hls-style", "unrolled")).stderr, /QN401[\s\S]*unrolled/);
  assert.not.ok(existsSync(join(cwd, "never")));
  nothingNew("bare", "fw");
});

builds("dependency files name what was read, quoted for make; the target is the manifest", async () => {
  const r = await start("my net #1$.qir", "-o", "fw", "-MD", "-MP");
  assert.is(r.code, 0, r.stderr);
  assert.is(readFileSync(join(cwd, "fw.d"), "utf8"), "fw/manifest.json: \\\n  my\\ net\\ \\#1$$.qir\n");
  const keras = await start(
    digits.model,
    "-w",
    digits.weights,
    "-o",
    "digits",
    "-MD",
    "-MFdeps.mk",
    "-MT",
    "all these",
    "-MP",
    "--vectors",
    digits.inputs,
  );
  assert.is(keras.code, 0, keras.stderr);
  assert.is(
    readFileSync(join(cwd, "deps.mk"), "utf8"),
    `all these: \\\n  ${digits.model} \\\n  ${digits.weights} \\\n  ${digits.inputs}\n\n${digits.weights}:\n\n${digits.inputs}:\n`,
  );
  const missing = await start("tiny.qir", "-o", "fw2", "-MD", "-MF", "no/such/folder/x.d");
  assert.is(missing.code, 3);
  assert.match(missing.stderr, /^error\[QN404\][\s\S]*make the folder/);
  nothingNew("bare", "fw", "fw.d", "digits", "deps.mk");
});

builds("foreign places are refused before any work, with --force written into", async () => {
  mkdirSync(join(cwd, "docs"));
  writeFileSync(join(cwd, "docs/thesis.txt"), "years of work");
  const refused = await start("tiny.qir", "-o", "docs");
  assert.is(refused.code, 3);
  assert.match(refused.stderr, /^error\[QN404\]: cannot write docs: the folder holds files that qnnc did not write\n[\s\S]*--force/);
  assert.equal(tree("docs"), ["thesis.txt"]);
  const file = await start("tiny.qir", "-o", "tiny.qir");
  assert.is(file.code, 3);
  assert.is(readFileSync(join(cwd, "tiny.qir"), "utf8"), tinyQir);
  assert.is((await start("tiny.qir", "-o", "docs", "--force")).code, 0);
  assert.ok(tree("docs").includes("thesis.txt") && tree("docs").includes("rtl/tiny.v"));
});

builds("broken input: exit code 1, a coded message with a place, no folder", async () => {
  const weights = readFileSync(digits.weights);
  const model = readFileSync(digits.model, "utf8");
  const cases: readonly (readonly [string, string | Uint8Array, string | Uint8Array, RegExp])[] = [
    ["cut at 0", model, weights.subarray(0, 0), /QN103/],
    ["cut at 1000", model, weights.subarray(0, 1000), /QN103/],
    ["cut in the middle", model, weights.subarray(0, weights.length >> 1), /QN10\d|QN20\d/],
    ["cut at the end", model, weights.subarray(0, weights.length - 1), /QN103/],
    ["not JSON", model.slice(0, 1000), weights, /QN102/],
    ["__proto__", model.replace("{", '{"__proto__": {}, '), weights, /QN102/],
    ["unknown layer", model.replaceAll('"QDense"', '"QDens"'), weights, /QN201[\s\S]*did you mean `QDense`/],
    ["Lambda", model.replace('"QActivation"', '"Lambda"'), weights, /QN202/],
  ];
  for (const [name, json, h5, message] of cases) {
    writeFileSync(join(cwd, "bad.json"), json);
    writeFileSync(join(cwd, "bad.h5"), h5);
    const r = await inProcess(["bad.json", "-w", "bad.h5", "-o", "badfw", "-MD"], cwd);
    assert.is(r.code, 1, `${name}: ${r.stderr}`);
    assert.match(r.stderr, message, name);
    assert.match(r.stderr, /┌─ bad\.(json|h5)/, name);
    assert.not.ok(existsSync(join(cwd, "badfw")) || existsSync(join(cwd, "badfw.d")), name);
  }
  const others: readonly (readonly [string, number, string])[] = [
    [`${digits.model} -w none.h5 -o badfw`, 1, "QN106"],
    [`${digits.model} -o badfw`, 1, "QN106"],
    ["none.json -o badfw", 3, "QN100"],
    [`check ${digits.model} -w ${digits.weights} --until relu9`, 1, "QN211"],
    ["check tiny.qir/x", 3, "QN100"],
    ["tiny.qir/x -o badfw", 3, "QN100"],
  ];
  for (const [line, code, diagnostic] of others) {
    const r = await inProcess(wordsOf(line), cwd);
    assert.is(r.code, code, r.stderr);
    assert.ok(r.stderr.includes(`error[${diagnostic}]`), r.stderr);
  }
  assert.not.ok(existsSync(join(cwd, "badfw")));
});

builds("an interrupted build leaves nothing or everything", async () => {
  for (const delay of [150, 700, 1500]) {
    const r = await qnnc([digits.model, "-w", digits.weights, "-o", "interrupted"], {
      cwd,
      onStart: (child) => setTimeout(() => child.kill("SIGINT"), delay),
    });
    const folder = join(cwd, "interrupted");
    if (r.code !== 0) assert.is(r.signal, "SIGINT", r.stderr);
    assert.is(existsSync(folder), existsSync(join(folder, "manifest.json")));
    assert.equal(
      readdirSync(cwd).filter((f) => f.includes("qnnc-")),
      [],
    );
  }
});

builds.run();

const stages = suite("stages");

stages("--emit prints one stage, --dump-ir all of them, and opt continues from any", async () => {
  const [graph, netlist, verilog, hls, wat, after] = await startAll(
    ["graph", "netlist", "verilog", "hls", "wat", "ir-after=lower"].map((s) => `tiny.qir --emit ${s}`),
  );
  for (const r of [graph, netlist, verilog, hls, wat, after]) assert.equal([r!.code, r!.stderr], [0, ""]);
  assert.is(graph!.stdout, tinyQir);
  assert.match(netlist!.stdout, /^qir 1 netlist "tiny"\n/);
  assert.match(verilog!.stdout, /\nmodule tiny\b/);
  assert.match(hls!.stdout, /\/\/ ==== hls\/tiny\.cpp\n/);
  assert.match(wat!.stdout, /^\(module\n[\s\S]*"qnnc_run"/);

  const dumped = await start("tiny.qir", "--dump-ir", "dump", "--emit", "netlist", "-o", "net.qir", "-MD", "-MT", "net");
  assert.is(dumped.code, 0, dumped.stderr);
  assert.is(dumped.stdout, "");
  assert.is(readFileSync(join(cwd, "net.qir"), "utf8"), netlist!.stdout);
  assert.is(readFileSync(join(cwd, "net.d"), "utf8"), "net: \\\n  tiny.qir\n");
  const names = tree("dump").filter((f) => f.endsWith(".qir"));
  assert.equal(names.slice(0, 2), ["00-input.qir", "01-fold-batchnorm-unchanged.qir"]);
  const lowered = names.find((f) => f.endsWith("-lower-changed.qir"))!;
  assert.is(readFileSync(join(cwd, "dump", lowered), "utf8"), after!.stdout);
  assert.is(readFileSync(join(cwd, "dump", names.at(-1)!), "utf8"), netlist!.stdout);

  const rest = names.slice(names.indexOf(lowered) + 1).map((f) => /^\d+-(.*)-(un)?changed\.qir$/.exec(f)![1]!);
  const [same, continued] = await startAll([`opt dump/${lowered}`, `opt dump/${lowered} --passes ${rest.join(",")}`]);
  assert.is(same!.stdout, after!.stdout);
  assert.is(continued!.stdout, netlist!.stdout);
});

stages("opt reads standard input and refuses what contradicts itself", async () => {
  const piped = await qnnc(["opt", "-"], { cwd, input: tinyQir });
  assert.is(piped.stdout, tinyQir);
  const wrong = await qnnc(["opt", "-"], { cwd, input: tinyQir.replace("fixed<7,4> #1", "fixed<8,4> #1") });
  assert.equal([wrong.code, wrong.stdout], [1, ""]);
  assert.match(wrong.stderr, /^error\[QN601\]/);
  const garbage = await qnnc(["opt", "-"], { cwd, input: "qir 1 graph" });
  assert.equal([garbage.code, garbage.stdout], [1, ""]);
  assert.match(garbage.stderr, /^error\[QN60[01]\]/);
});

stages("check and inspect", async () => {
  const [check, table, json] = await startAll(
    ["check", "inspect", "inspect --json"].map((c) => `${c} ${digits.model} -w ${digits.weights}`),
  );
  assert.equal([check!.code, check!.stdout], [0, ""]);
  assert.match(check!.stderr, /digits\.json: 7 layers, no errors\n$/);
  const { layers: rows, settings } = JSON.parse(json!.stdout);
  assert.ok(settings.every((s: { from: string }) => s.from === "default"));
  const fc1 = rows.find((r: { layer: string }) => r.layer === "fc1");
  assert.equal([fc1.kind, fc1.shape, fc1.parameters, fc1.macs, fc1.kernel], ["QDense", [32], 2080, 2048, "fixed<4,1>"]);
  assert.is(rows.at(-1).host, "softmax");
  assert.match(table!.stdout, /^fc1 +QDense +\[32\] +fixed<4,1> .* 2080 +\d+ +2048$/m);
  assert.match(table!.stdout, /^total +3122 +\d+ +3056$/m);
});

stages.run();

const streams = suite("streams");

streams("a reader that stops early is no error; a full disk is", async () => {
  const r = await qnnc([digits.model, "-w", digits.weights, "--emit", "netlist"], {
    cwd,
    onStart: (child) => child.stdout!.once("data", () => child.stdout!.destroy()),
  });
  assert.equal([r.code, r.stderr], [0, ""]);
  if (!existsSync("/dev/full")) return;
  const full = await start("tiny.qir", "--emit", "graph", "-o", "/dev/full");
  assert.is(full.code, 3);
  assert.match(full.stderr, /^error\[QN404\]: cannot write \/dev\/full: the disk is full\n/);
});

streams("--verbose tells the passes, --quiet leaves out warnings", async () => {
  const verbose = await start("tiny.qir", "--emit", "netlist", "-o", "v.qir", "--verbose");
  assert.match(verbose.stderr, /lower: \d+ cells\n/);
  const quiet = await start("tiny.qir", "--emit", "netlist", "-o", "v.qir", "--quiet", "--verbose");
  assert.is(quiet.stderr, "");
});

streams("a bug in qnnc exits with 70 and says what to report", async () => {
  const { spec } = builtCli();
  renameSync(spec, `${spec}-away`);
  const r = await start("explain", "QN201");
  renameSync(`${spec}-away`, spec);
  assert.is(r.code, 70);
  assert.match(r.stderr, /^internal error: /);
  for (const part of [
    `qnnc ${version}, node ${process.version}`,
    "command  qnnc explain QN201",
    "stack    Error: ",
    basename("explain.js"),
  ])
    assert.ok(r.stderr.includes(part), part);
});

streams.run();
