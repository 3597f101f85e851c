// The exit codes, and which one a run's diagnostics call for.
import type { Code } from "../diagnostic-codes.js";
import type { Diagnostic } from "../diagnostics.js";

export const exitCodes = {
  done: 0,
  input: 1,
  usage: 2,
  file: 3,
  mismatch: 4,
  /** EX_SOFTWARE of sysexits.h. */
  bug: 70,
} as const;

/** Codes that stand for something other than a mistake in the input. */
const special: Partial<Record<Code, number>> = {
  QN100: exitCodes.file,
  QN404: exitCodes.file,
  QN400: exitCodes.usage,
  QN401: exitCodes.usage,
  QN700: exitCodes.mismatch,
  QN701: exitCodes.mismatch,
};

/** A mismatch outranks a failed file, which outranks wrong usage, which outranks a mistake in the input. */
export const exitCodeOf = (diagnostics: readonly Diagnostic[]): number =>
  Math.max(exitCodes.done, ...diagnostics.filter((d) => d.level === "error").map((d) => special[d.code] ?? exitCodes.input));
