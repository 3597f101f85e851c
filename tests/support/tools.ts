// External programs for tests: found on PATH or skipped aloud (REQUIRE_TOOLS=1 makes a missing one a failure), run with a time limit in a folder that is removed.
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { skip } from "./golden.js";

/** Whether a program is on PATH; says so where it is not, and throws under REQUIRE_TOOLS=1. */
export function hasTool(name: string): boolean {
  const found = (process.env.PATH ?? "").split(delimiter).some((folder) => isExecutable(join(folder, name)));
  if (!found) missing(`${name} is not installed`);
  return found;
}

/** The folder of Xilinx's ap_fixed.h (AP_TYPES, else /tmp/ap_types); skips like `hasTool`. */
export function apTypes(): string | undefined {
  const found = [process.env.AP_TYPES, "/tmp/ap_types"].find((folder) => folder !== undefined && exists(join(folder, "ap_fixed.h")));
  if (found === undefined) missing("the ap_fixed headers are absent (set AP_TYPES)");
  return found;
}

/** Whether the slow tests run too (QNNC_TIER=full). */
export const fullTier = process.env.QNNC_TIER === "full";

function missing(what: string): void {
  if (process.env.REQUIRE_TOOLS === "1") throw new Error(`REQUIRE_TOOLS=1, and ${what}`);
  skip(what);
}

const isExecutable = (path: string): boolean => exists(path, constants.X_OK);
function exists(path: string, mode: number = constants.R_OK): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

export interface RunResult {
  /** Exit status; −1 where the program was killed or could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both streams, for messages. */
  readonly text: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
}

/** Runs a program to its end; does not throw when it fails. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): RunResult {
  const { cwd, timeoutMs = 120_000, env, input } = options;
  const r = spawnSync(command, [...args], {
    encoding: "utf8",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? {} : { input }),
  });
  const stderr = `${r.stderr ?? ""}${r.error ? `${r.error.message}\n` : ""}${r.signal ? `killed by ${r.signal} (limit ${timeoutMs} ms)\n` : ""}`;
  return { code: r.status ?? -1, stdout: r.stdout ?? "", stderr, text: `${r.stdout ?? ""}${stderr}` };
}

/** Calls `use` with a fresh folder and removes the folder afterwards, also after a failure. */
export function withTempDir<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "qnnc-test-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const result = use(folder);
    if (result instanceof Promise) return result.finally(remove) as T;
    remove();
    return result;
  } catch (e) {
    remove();
    throw e;
  }
}

/** Writes what a target emitted below `folder`. */
export function writeFiles(folder: string, files: ReadonlyMap<string, string | Uint8Array>): void {
  for (const [path, content] of files) {
    const at = join(folder, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
  }
}
