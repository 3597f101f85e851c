// How long .qnn takes: a file of 2,000 lines parsed and checked, in a new process and in a warm one; the language server's answer to a change in one of 500.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { connect } from "../tests/support/lsp-client.js";
import { longNetwork } from "./qnn-text.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const show = (what: string, value: string): void => console.log(`${what.padEnd(62)} ${value}`);
const sorted = (xs: readonly number[]): readonly number[] => [...xs].sort((a, b) => a - b);
const median = (xs: readonly number[]): number => sorted(xs)[Math.floor(xs.length / 2)]!;

/** Run in a process of its own: loads the frontend, then checks the project again and again, each time as if it had never seen the files. */
const checker = `
import { readFileSync } from "node:fs";
const [folder, dist, runs] = process.argv.slice(1);
const files = new Map(["long.qnn", "long.npz"].map((n) => [n, new Uint8Array(readFileSync(folder + "/" + n))]));
const cpu = () => { const c = process.cpuUsage(); return (c.user + c.system) / 1000; };
const [w0, c0] = [performance.now(), cpu()];
const { readQnn, filesNeeded } = await import(dist + "/frontend/qnn/read-qnn.js");
const { Reporter } = await import(dist + "/diagnostics.js");
const loaded = performance.now() - w0;
const out = [];
for (let i = 0; i < Number(runs); i++) {
  const own = new Map([...files].map(([n, bytes]) => [n, bytes.slice()]));
  const [w, c] = [i === 0 ? w0 : performance.now(), i === 0 ? c0 : cpu()];
  const reporter = new Reporter();
  await filesNeeded({ model: "long.qnn", files: own });
  const model = await readQnn({ model: "long.qnn", files: own }, {}, reporter);
  if (!model) throw new Error(JSON.stringify(reporter.diagnostics));
  out.push([performance.now() - w, cpu() - c]);
}
console.log(JSON.stringify({ loaded, out }));
`;

interface Timed {
  readonly loaded: number;
  /** Wall and processor time of each run in milliseconds; of the first, with loading. */
  readonly out: readonly (readonly [wall: number, cpu: number])[];
}

function check(folder: string, runs: number): Timed {
  const r = spawnSync(process.execPath, ["--input-type=module", "-e", checker, folder, pathToFileURL(dist).href, String(runs)], {
    encoding: "utf8",
  });
  if (r.status !== 0) throw new Error(r.stderr);
  return JSON.parse(r.stdout) as Timed;
}

function checking(folder: string): void {
  for (const [name, bytes] of longNetwork(2000)) writeFileSync(join(folder, name), bytes);
  const cold = Array.from({ length: 7 }, () => check(folder, 1));
  const first = cold.map((t) => t.out[0]![0]);
  const loading = median(cold.map((t) => t.loaded));
  show(
    "a .qnn of 2,000 lines checked, new process, with loading",
    `${median(first).toFixed(0)} ms (best ${sorted(first)[0]!.toFixed(0)}), ${median(cold.map((t) => t.out[0]![1])).toFixed(0)} ms CPU`,
  );
  show("  of it loading the frontend", `${loading.toFixed(0)} ms`);
  const warm = check(folder, 40).out.slice(20);
  show(
    "the same in a warm process",
    `${median(warm.map((t) => t[0])).toFixed(0)} ms, ${median(warm.map((t) => t[1])).toFixed(0)} ms CPU   target < 200 ms`,
  );
}

async function editing(folder: string): Promise<void> {
  const files = longNetwork(500);
  for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
  let text = new TextDecoder().decode(files.get("long.qnn"));
  const uri = pathToFileURL(join(folder, "long.qnn")).href;
  const child = spawn(process.execPath, [join(dist, "cli/main.js"), "lsp"], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const client = connect(child);
    await client.request("initialize", { processId: process.pid, rootUri: null, capabilities: {} });
    client.notify("initialized", {});
    const opened = client.next("textDocument/publishDiagnostics");
    client.notify("textDocument/didOpen", { textDocument: { uri, languageId: "qnn", version: 1, text } });
    await opened;
    const times: number[] = [];
    for (let version = 2; version < 42; version++) {
      // A character typed into a comment in the middle of the file, as one change of a range.
      const line = text.split("\n").findIndex((l, i) => i > 250 && l.trimStart().startsWith("//"));
      const answer = client.next("textDocument/publishDiagnostics");
      const start = performance.now();
      const at = { line, character: 4 };
      client.notify("textDocument/didChange", {
        textDocument: { uri, version },
        contentChanges: [{ range: { start: at, end: at }, text: "x" }],
      });
      await answer;
      times.push(performance.now() - start);
      const lines = text.split("\n");
      lines[line] = `${lines[line]!.slice(0, 4)}x${lines[line]!.slice(4)}`;
      text = lines.join("\n");
    }
    show(
      "language server, a change in a file of 500 lines",
      `${median(times.slice(20)).toFixed(0)} ms; the first ${times[0]!.toFixed(0)} ms   target < 50 ms`,
    );
    await client.request("shutdown", null);
    client.notify("exit", null);
  } finally {
    child.kill();
  }
}

export async function qnn(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "qnnc-bench-"));
  try {
    checking(folder);
    await editing(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await qnn();
