// What qnnc says when it is itself at fault: all that a report needs, on standard error.
import { arch, platform } from "node:os";
import { printable } from "../diagnostics.js";
import { version } from "../version.js";
import { exitCodes } from "./exit-codes.js";

const quoted = (word: string): string => (/^[\w./=:@%+,-]+$/.test(word) ? word : `'${printable(word).replaceAll("'", "'\\''")}'`);

/** Prints the report and gives the exit code. */
export function reportBug(e: unknown, argv: readonly string[]): number {
  const stack = e instanceof Error ? (e.stack ?? `${e.name}: ${e.message}`) : String(e);
  const lines = [
    `internal error: ${printable(e instanceof Error ? e.message : String(e))}`,
    "  = help: this is a bug in qnnc, not in your model; please report it with the model, where you may share it, and these lines:",
    `  version  qnnc ${version}, node ${process.version}, ${platform()} ${arch()}`,
    `  command  ${["qnnc", ...argv].map(quoted).join(" ")}`,
    ...stack.split("\n").map((line) => `  stack    ${printable(line)}`),
  ];
  process.stderr.write(`${lines.join("\n")}\n`);
  return exitCodes.bug;
}
