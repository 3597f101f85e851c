// The test command: runs each tests/*.test.ts in its own process, two at a time, and ends with the line `N passed, N failed, N skipped`.
//
//   npm test                     the quick tier: tests read QNNC_TIER and take smaller samples
//   npm run test:full            everything (QNNC_TIER=full), as CI does
//   FILTER=cells,cli npm test    only files whose name contains one of the words
//   REQUIRE_TOOLS=1 npm test     a test skipped because a tool is not installed is a failure
//   JOBS=1 npm test              that many files at a time
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

const FILE_TIMEOUT_SECONDS = 2400;
/** How a test says that it did not run because a tool is absent; see tests/support/tools.ts. */
const MISSING_TOOL = /^SKIP .*(not installed|headers are absent)/i;

interface Result {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly string[];
  readonly skipped: number;
  readonly seconds: number;
  /** Shown to the user: why the file failed. */
  readonly output?: string;
}

const folder = fileURLToPath(new URL("./", import.meta.url));
const root = fileURLToPath(new URL("../", import.meta.url));
const running = new Set<ChildProcess>();

/** uvu drops a suite that nobody runs without a word, so the runner looks for it. */
function suitesNeverRun(source: string): readonly string[] {
  const declared = [...source.matchAll(/^\s*(?:export )?const (\w+)\s*=\s*suite\b/gm)].map((m) => m[1]!);
  if (declared.length === 0 && !/\.run\(\)/.test(source)) return ["(no suite)"];
  return declared.filter((name) => !new RegExp(`\\b${name}\\.run\\(\\)`).test(source));
}

function execute(file: string): Promise<{ readonly text: string; readonly status: string | undefined }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", new URL("support/register.mjs", import.meta.url).href, folder + file], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...(process.stdout.isTTY ? { FORCE_COLOR: "1" } : {}) },
    });
    running.add(child);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (c: Buffer) => chunks.push(c));
    child.stderr.on("data", (c: Buffer) => chunks.push(c));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, FILE_TIMEOUT_SECONDS * 1000);
    child.on("error", (e) => chunks.push(Buffer.from(`${e.message}\n`)));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const status = late
        ? `took longer than ${FILE_TIMEOUT_SECONDS} s`
        : code === 0
          ? undefined
          : signal
            ? `was killed by ${signal}`
            : `exited with ${code}`;
      resolve({ text: Buffer.concat(chunks).toString(), status });
    });
  });
}

/** Sums uvu's `Total: N`, `Passed: N` and `Skipped: N` lines. */
const sum = (text: string, word: string): number =>
  [...text.matchAll(new RegExp(`^\\s*${word}:\\s+(\\d+)\\s*$`, "gm"))].reduce((n, m) => n + Number(m[1]), 0);

async function runFile(file: string): Promise<Result> {
  const start = performance.now();
  const never = suitesNeverRun(readFileSync(folder + file, "utf8"));
  if (never.length > 0) {
    return {
      file,
      passed: 0,
      failed: 1,
      skips: [],
      skipped: 0,
      seconds: 0,
      output: `${file}: .run() is never called on ${never.join(", ")}`,
    };
  }
  const { text, status } = await execute(file);
  const bare = stripVTControlCharacters(text);
  const skips = bare.split("\n").filter((line) => line.startsWith("SKIP "));
  const [total, uvuPassed, uvuSkipped] = [sum(bare, "Total"), sum(bare, "Passed"), sum(bare, "Skipped")];
  const forbidden = process.env["REQUIRE_TOOLS"] === "1" ? skips.filter((line) => MISSING_TOOL.test(line)) : [];
  const reasons = [
    ...(status === undefined || total > uvuPassed ? [] : [`${file} ${status}`]),
    ...(/^\s*Total:\s+\d+/m.test(bare) ? [] : [`${file} ended before its tests did: no summary was printed`]),
    ...(/^\s*Total:\s+0\s*$/m.test(bare) && skips.length === 0 ? [`${file} holds no test`] : []),
    ...forbidden.map((line) => `${file}: REQUIRE_TOOLS=1 and ${line}`),
  ];
  const failed = total - uvuPassed + reasons.length;
  return {
    file,
    // A test that prints SKIP returns early and uvu calls it passed; it did not test anything, so it does not count as passed.
    passed: Math.max(0, uvuPassed - skips.length),
    failed,
    skips,
    skipped: uvuSkipped + skips.length,
    seconds: (performance.now() - start) / 1000,
    ...(failed > 0 ? { output: [text.trimEnd(), ...reasons].join("\n") } : {}),
  };
}

const counts = (r: Pick<Result, "passed" | "failed" | "skipped">): string =>
  `${r.passed} passed, ${r.failed} failed${r.skipped > 0 ? `, ${r.skipped} skipped` : ""}`;

async function main(): Promise<number> {
  if (process.argv.includes("--full")) process.env["QNNC_TIER"] = "full";
  process.env["QNNC_TIER"] ??= "quick";
  const words = (process.env["FILTER"] ?? "").split(",").filter((w) => w !== "");
  const files = readdirSync(folder)
    .filter((f) => f.endsWith(".test.ts") && (words.length === 0 || words.some((w) => f.includes(w))))
    .sort();
  if (files.length === 0) {
    console.error(`no tests/*.test.ts matches FILTER=${words.join(",")}`);
    return 1;
  }
  const results: Result[] = [];
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const r = await runFile(file);
      results.push(r);
      console.log(`${r.failed > 0 ? "FAIL" : "ok  "} ${r.file.padEnd(32)} ${counts(r)}  (${r.seconds.toFixed(1)} s)`);
      for (const line of r.skips) console.log(`     ${line}`);
      if (r.output !== undefined) console.log(`${r.output.replace(/^/gm, "     | ")}\n`);
    }
  };
  const jobs = Number(process.env["JOBS"] ?? Math.min(2, availableParallelism()));
  await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs || 1, files.length)) }, worker));
  const all = results.reduce((a, r) => ({ passed: a.passed + r.passed, failed: a.failed + r.failed, skipped: a.skipped + r.skipped }), {
    passed: 0,
    failed: 0,
    skipped: 0,
  });
  const broken = results.filter((r) => r.failed > 0).map((r) => r.file);
  if (broken.length > 0) console.log(`failed: ${broken.sort().join(", ")}`);
  console.log(counts(all));
  return all.failed > 0 ? 1 : 0;
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    for (const child of running) child.kill("SIGKILL");
    process.kill(process.pid, signal);
  });
}
process.exitCode = await main();
