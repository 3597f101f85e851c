// The file layer of the command line: atomic folders, write-if-changed, locks, single files, dependency files, limited reads.
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dependencyFile, makeName } from "../src/cli/dependency-file.js";
import { readFile } from "../src/cli/read-file.js";
import { stageFile } from "../src/cli/write-file.js";
import { stageFolder } from "../src/cli/write-folder.js";
import { Reporter } from "../src/diagnostics.js";
import { hasTool } from "./support/tools.js";

const root = mkdtempSync(join(realpathSync(tmpdir()), "qnnc-files-"));
const fresh = (name: string): string => {
  const folder = join(root, name);
  mkdirSync(folder);
  return folder;
};

/** A folder as qnnc writes it: files and the manifest that lists them. */
const folderOf = (files: Readonly<Record<string, string>>): Map<string, string> =>
  new Map([...Object.entries(files), ["manifest.json", JSON.stringify({ generator: "qnnc", files })]]);

interface Written {
  readonly done: boolean;
  readonly changed: number | undefined;
  readonly messages: readonly string[];
}

async function write(folder: string, files: Readonly<Record<string, string>>, force = false): Promise<Written> {
  const reporter = new Reporter();
  const staged = await stageFolder(folder, folderOf(files), { force, onStart: () => {} }, reporter);
  const done = staged?.commit() ?? false;
  return { done, changed: staged?.changed, messages: reporter.diagnostics.map((d) => `${d.code} ${d.message}`) };
}

/** Every file below a folder, hidden ones too, with its content. */
const contents = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((name) => statSync(join(folder, name)).isFile() && name !== "manifest.json")
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );

const folders = suite("output folder");
folders.after(() => rmSync(root, { recursive: true, force: true }));

folders("a new folder appears with its parents and nothing beside it", async () => {
  const place = fresh("new");
  const { done, changed } = await write(join(place, "a/b/firmware"), { "rtl/top.v": "1", "x.txt": "2" });
  assert.is(done, true);
  assert.is(changed, 3);
  assert.equal(contents(join(place, "a/b/firmware")), { "rtl/top.v": "1", "x.txt": "2" });
  assert.equal(readdirSync(join(place, "a/b")), ["firmware"]);
  assert.is(statSync(join(place, "a/b/firmware")).mode & 0o777, 0o777 & ~process.umask());
});

folders("a second build touches only what changed, removes what it no longer builds and keeps what is not qnnc's", async () => {
  const place = join(fresh("again"), "fw");
  await write(place, { "rtl/top.v": "1", "old/gone.v": "2", "same.txt": "3" });
  const past = new Date(2001, 0, 1);
  for (const f of ["rtl/top.v", "same.txt", "manifest.json"]) utimesSync(join(place, f), past, past);
  writeFileSync(join(place, "mine.txt"), "user");
  mkdirSync(join(place, "obj_dir"));
  writeFileSync(join(place, "obj_dir/sim"), "built");
  assert.is((await write(place, { "rtl/top.v": "changed", "same.txt": "3" })).changed, 2);
  assert.equal(contents(place), { "mine.txt": "user", "obj_dir/sim": "built", "rtl/top.v": "changed", "same.txt": "3" });
  assert.is(existsSync(join(place, "old")), false);
  assert.is(statSync(join(place, "same.txt")).mtimeMs, past.getTime());
  assert.ok(statSync(join(place, "rtl/top.v")).mtimeMs > past.getTime());
  assert.is((await write(place, { "rtl/top.v": "changed", "same.txt": "3" })).changed, 0);
});

folders("foreign folders, files and links are refused and left alone", async () => {
  const place = fresh("foreign");
  mkdirSync(join(place, "docs"));
  writeFileSync(join(place, "docs/thesis.txt"), "years of work");
  writeFileSync(join(place, "file"), "x");
  symlinkSync(join(place, "docs"), join(place, "link"));
  mkdirSync(join(place, "other"));
  writeFileSync(join(place, "other/manifest.json"), '{"generator": "someone else"}');
  const refused = async (name: string, why: RegExp): Promise<void> => {
    const { done, messages } = await write(join(place, name), { a: "1" });
    assert.is(done, false);
    assert.match(messages.join(), why);
  };
  await refused("docs", /^QN404 cannot write .*: the folder holds files that qnnc did not write$/);
  await refused("other", /did not write$/);
  await refused("file", /^QN404 .*: it is a file$/);
  await refused("link", /^QN404 .*: it is a symbolic link$/);
  await refused("file/sub", /^QN404 .*(not a folder|exists already)$/);
  assert.equal(readdirSync(place).sort(), ["docs", "file", "link", "other"]);
  assert.equal(readdirSync(join(place, "docs")), ["thesis.txt"]);
});

folders("--force writes into a foreign folder and an empty one needs no force", async () => {
  const place = fresh("force");
  writeFileSync(join(place, "kept.txt"), "kept");
  assert.is((await write(place, { a: "1" }, true)).done, true);
  assert.equal(contents(place), { a: "1", "kept.txt": "kept" });
  assert.is((await write(fresh("empty"), { a: "1" })).done, true);
});

folders("a failure half-way leaves the earlier build whole", async () => {
  const place = join(fresh("undo"), "fw");
  await write(place, { a: "1", "rtl/b": "2", c: "3" });
  const before = contents(place);
  rmSync(join(place, "c"));
  mkdirSync(join(place, "c"));
  const { done, messages } = await write(place, { a: "new", "rtl/b": "new", c: "new" });
  assert.is(done, false);
  assert.match(messages.join(), /c in it is a folder/);
  rmSync(join(place, "c"), { recursive: true });
  writeFileSync(join(place, "c"), "3");
  assert.equal(contents(place), before);
});

folders("a link inside the folder does not lead the write out of it", async () => {
  const outside = fresh("outside");
  const place = join(fresh("linked"), "fw");
  await write(place, { "rtl/top.v": "1" });
  rmSync(join(place, "rtl"), { recursive: true });
  symlinkSync(outside, join(place, "rtl"));
  const { done, messages } = await write(place, { "rtl/top.v": "2" });
  assert.is(done, false);
  assert.match(messages.join(), /rtl in it is a symbolic link/);
  assert.equal(readdirSync(outside), []);
});

folders("a manifest that names files outside does not have them removed", async () => {
  const place = join(fresh("evil"), "fw");
  writeFileSync(join(dirname(place), "precious"), "x");
  await write(place, { a: "1" });
  writeFileSync(
    join(place, "manifest.json"),
    JSON.stringify({ generator: "qnnc", files: { "../precious": "", [join(dirname(place), "precious")]: "", a: "" } }),
  );
  assert.is((await write(place, { b: "1" })).done, true);
  assert.is(existsSync(join(dirname(place), "precious")), true);
  assert.equal(contents(place), { b: "1" });
});

folders("discarding leaves nothing, not even the parents", async () => {
  const place = fresh("discard");
  const staged = await stageFolder(join(place, "x/y/fw"), folderOf({ a: "1" }), { force: false, onStart: () => {} }, new Reporter());
  assert.ok(readdirSync(join(place, "x/y")).length > 0);
  staged!.discard();
  assert.equal(readdirSync(place), []);
});

folders("the lock of a process that died is taken over", async () => {
  const place = join(fresh("dead"), "fw");
  await write(place, { a: "1" });
  const gone = Number(execFileSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }));
  const host = execFileSync(process.execPath, ["-p", "os.hostname()"], { encoding: "utf8" }).trim();
  writeFileSync(join(place, ".qnnc-lock"), JSON.stringify({ host, process: gone, nonce: 1 }));
  assert.is((await write(place, { a: "2" })).done, true);
  assert.equal(contents(place), { a: "2" });
});

folders("builds of one folder at the same time leave one of them, whole", async () => {
  const place = join(fresh("race"), "fw");
  const script = join(root, "race.mts");
  const module = fileURLToPath(new URL("../src/cli/write-folder.ts", import.meta.url));
  const diagnostics = fileURLToPath(new URL("../src/diagnostics.ts", import.meta.url));
  writeFileSync(
    script,
    `import { stageFolder } from ${JSON.stringify(module)};
     import { Reporter } from ${JSON.stringify(diagnostics)};
     const [place, who] = process.argv.slice(2);
     for (let round = 0; round < 12; round++) {
       const text = who + round;
       const own = Object.fromEntries(Array.from({ length: 1 + ((round + Number(who)) % 4) }, (_, i) => ["rtl/own" + i + ".v", text]));
       const list = { ...own, "a/x.v": text, "b/y.v": text };
       const files = new Map([...Object.entries(list), ["manifest.json", JSON.stringify({ generator: "qnnc", text, files: list })]]);
       const reporter = new Reporter();
       const staged = await stageFolder(place, files, { force: false, onStart: () => {} }, reporter);
       if (!staged || !staged.commit()) { console.error(reporter.diagnostics); process.exit(1); }
     }`,
  );
  const exits = await Promise.all(
    ["1", "2", "3"].map(
      (who) =>
        new Promise((resolve) =>
          spawn(process.execPath, ["--import", "tsx", script, place, who], { stdio: ["ignore", "inherit", "inherit"] }).on(
            "close",
            resolve,
          ),
        ),
    ),
  );
  assert.equal(exits, [0, 0, 0]);
  const { text, files } = JSON.parse(readFileSync(join(place, "manifest.json"), "utf8"));
  assert.equal(contents(place), files);
  assert.ok(Object.values(files).every((content) => content === text));
  assert.equal(readdirSync(dirname(place)), ["fw"]);
});

folders("an interrupt while files are staged leaves nothing, and ends the process by the signal", async () => {
  const place = fresh("interrupt");
  const script = join(root, "interrupt.mts");
  const source = (path: string): string => JSON.stringify(fileURLToPath(new URL(path, import.meta.url)));
  writeFileSync(
    script,
    `import { readdirSync } from "node:fs";
     import { withCleanUp } from ${source("../src/cli/interrupts.ts")};
     import { stageFolder } from ${source("../src/cli/write-folder.ts")};
     import { Reporter } from ${source("../src/diagnostics.ts")};
     const files = new Map(Array.from({ length: 20000 }, (_, i) => ["rtl/" + i + ".v", "module"]));
     files.set("manifest.json", "{}");
     let started;
     await withCleanUp(() => started?.discard(), async () => {
       const staged = stageFolder(process.argv[2], files, { force: false, onStart: (s) => { started = s; } }, new Reporter());
       const timer = setInterval(() => {
         if (readdirSync(process.argv[3], { recursive: true }).length < 20) return;
         clearInterval(timer);
         console.log("staging");
       }, 2);
       await staged;
       clearInterval(timer);
     });`,
  );
  const [signal, seen] = await new Promise<readonly [string | null, boolean]>((resolve) => {
    let seen = false;
    const child = spawn(process.execPath, ["--import", "tsx", script, join(place, "a/fw"), place], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.once("data", () => {
      seen = true;
      child.kill("SIGINT");
    });
    child.on("close", (_, by) => resolve([by, seen]));
  });
  assert.is(signal, "SIGINT");
  assert.ok(seen, "the signal came while files were being staged");
  assert.equal(readdirSync(place), []);
});

folders("an unwritable place is a diagnostic", async () => {
  const place = fresh("readonly");
  chmodSync(place, 0o555);
  const { done, messages } = await write(join(place, "fw"), { a: "1" });
  chmodSync(place, 0o755);
  // The super-user may write everywhere.
  if (process.getuid?.() === 0) assert.is(done, true);
  else assert.match(messages.join(), /^QN404 .*permission denied$/);
  const missing = await write("/dev/null/x", { a: "1" });
  assert.match(missing.messages.join(), /^QN404 /);
});

folders.run();

const files = suite("single files");
const place = mkdtempSync(join(realpathSync(tmpdir()), "qnnc-file-"));
files.after(() => rmSync(place, { recursive: true, force: true }));

files("written whole, untouched where equal, touched on demand", () => {
  const name = join(place, "out.v");
  const reporter = new Reporter();
  assert.is(stageFile(name, "module", reporter)?.commit(), true);
  const past = new Date(2001, 0, 1);
  utimesSync(name, past, past);
  assert.is(stageFile(name, "module", reporter)?.commit(), true);
  assert.is(statSync(name).mtimeMs, past.getTime());
  assert.is(stageFile(name, "module", reporter, true)?.commit(), true);
  assert.ok(statSync(name).mtimeMs > past.getTime());
  stageFile(name, "other", reporter)?.discard();
  assert.is(readFileSync(name, "utf8"), "module");
  assert.equal(readdirSync(place), ["out.v"]);
  assert.is(stageFile("/dev/null", "x", reporter)?.commit(), true);
  assert.is(reporter.failed, false);
});

files("a missing folder and a folder in the way are diagnostics", () => {
  const reporter = new Reporter();
  assert.is(stageFile(join(place, "no/such/out.v"), "x", reporter), undefined);
  assert.is(stageFile(place, "x", reporter), undefined);
  assert.equal(
    reporter.diagnostics.map((d) => [d.code, d.message.split(": ")[1]]),
    [
      ["QN404", "there is no such file or folder"],
      ["QN404", "it is a folder"],
    ],
  );
});

files("reading stops at the limit, also where the size is unknown", () => {
  const name = join(place, "in.bin");
  writeFileSync(name, Buffer.alloc(100_000, 7));
  const reporter = new Reporter();
  assert.is(readFile(name, { limit: 100_000 }, reporter)?.length, 100_000);
  assert.is(reporter.failed, false);
  for (const bad of [name, "/dev/zero", place, join(place, "none"), "a\0b"]) readFile(bad, { limit: 99_999 }, reporter);
  readFile(join(place, "none"), { limit: 1, missing: "QN106" }, reporter);
  assert.equal(
    reporter.diagnostics.map((d) => d.code),
    ["QN100", "QN100", "QN100", "QN100", "QN100", "QN106"],
  );
});

files.run();

const make = suite("dependency files");

make("names are quoted as make reads them", () => {
  assert.is(makeName("a b/c#d$e.h5"), "a\\ b/c\\#d$$e.h5");
  assert.is(makeName("back\\ slash"), "back\\\\\\ slash");
  assert.is(dependencyFile(["t"], ["m.json", "w.h5", "w.h5"], false), "t: \\\n  m.json \\\n  w.h5\n");
  assert.is(dependencyFile(["t"], ["m.json", "w.h5"], true), "t: \\\n  m.json \\\n  w.h5\n\nw.h5:\n");
});

make("make itself rebuilds when a name with blanks, # and $ changes, and survives its removal", () => {
  if (!hasTool("make")) return;
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "qnnc-make-"));
  const names = ["my net.json", "w#1$x.h5"];
  for (const n of names) writeFileSync(join(folder, n), "");
  writeFileSync(join(folder, "out.d"), dependencyFile(["out"], names, true));
  writeFileSync(join(folder, "Makefile"), "all: out\nout:\n\t@echo built && touch out\n-include out.d\n");
  const dated = (name: string, year: number): void => utimesSync(join(folder, name), new Date(year, 0, 1), new Date(year, 0, 1));
  const run = (): string => {
    const said = execFileSync("make", ["-s"], { cwd: folder, encoding: "utf8" });
    dated("out", 2002);
    return said;
  };
  for (const n of names) dated(n, 2001);
  assert.is(run(), "built\n");
  assert.is(run(), "");
  for (const n of names) {
    dated(n, 2003);
    assert.is(run(), "built\n", n);
    dated(n, 2001);
  }
  rmSync(join(folder, names[1]!));
  assert.is(run(), "built\n");
  rmSync(folder, { recursive: true });
});

make.run();
