// The command line as users run it: compiled once for the test process, then started as plain Node programs.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../src/cli/run.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly bytes: Buffer;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Sees the process when it starts. */
  onStart?(child: ChildProcess): void;
}

let place: string | undefined;

/** src/ compiled to JavaScript in a folder of its own: a program starts in half the time that it takes through tsx. */
export function builtCli(): { readonly main: string; readonly spec: string } {
  if (place === undefined) {
    place = join(root, ".cache", `cli-${process.pid}`);
    const made = place;
    mkdirSync(made, { recursive: true });
    process.on("exit", () => rmSync(made, { recursive: true, force: true }));
    const tsc = spawnSync(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "tsconfig.build.json"), "--outDir", join(made, "dist")],
      { encoding: "utf8" },
    );
    if (!existsSync(join(made, "dist/cli/main.js"))) throw new Error(`tsc made no command line:\n${tsc.stdout}${tsc.stderr}`);
    symlinkSync(join(root, "spec"), join(made, "spec"));
  }
  return { main: join(place, "dist/cli/main.js"), spec: join(place, "spec") };
}

/** Runs one command line to its end. */
export function qnnc(args: readonly string[], { cwd, env, input, onStart }: StartOptions): Promise<Outcome> {
  const { main } = builtCli();
  const { NO_COLOR: _, FORCE_COLOR: __, ...plain } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], { cwd, env: { ...plain, QNNC_CACHE: "0", ...env }, stdio: ["pipe", "pipe", "pipe"] });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (b: Buffer) => out.push(b));
    child.stderr.on("data", (b: Buffer) => err.push(b));
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({ code, signal, bytes: Buffer.concat(out), stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    );
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    onStart?.(child);
  });
}

/** Runs one command line within this process: for the many that end before any work. */
export async function inProcess(args: readonly string[], cwd: string): Promise<Pick<Outcome, "code" | "stdout" | "stderr">> {
  const texts = { stdout: "", stderr: "" };
  const [home, streams] = [process.cwd(), ["stdout", "stderr"] as const];
  const originals = streams.map((name) => process[name].write);
  for (const name of streams) {
    process[name].write = ((text: string | Uint8Array, ...rest: readonly unknown[]) => {
      texts[name] += typeof text === "string" ? text : new TextDecoder().decode(text);
      const done = rest.at(-1);
      if (typeof done === "function") process.nextTick(done);
      return true;
    }) as typeof process.stdout.write;
  }
  process.chdir(cwd);
  try {
    return { code: await run(args), ...texts };
  } finally {
    process.chdir(home);
    streams.forEach((name, i) => {
      process[name].write = originals[i]!;
    });
  }
}

/** A fresh folder that is removed when the test process ends. */
export function testFolder(name: string): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), `qnnc-${name}-`));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The network of examples/digits. */
export const digits = {
  model: join(root, "examples/digits/digits.json"),
  weights: join(root, "examples/digits/digits_weights.h5"),
  inputs: join(root, "examples/digits/digits_x_test.npy"),
  logits: join(root, "examples/digits/digits_logits.npy"),
};
