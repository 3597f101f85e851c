// Reads whole files, pipes and standard input within a limit.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Code } from "../diagnostic-codes.js";
import type { Reporter } from "../diagnostics.js";
import { systemCode, systemReason } from "./file-errors.js";

/** Models and weights beyond this size are not networks for an FPGA. */
export const MAX_MODEL_BYTES = 2 ** 30;
export const MAX_VECTOR_BYTES = 2 ** 31;

export interface ReadOptions {
  readonly limit: number;
  /** The code for a file that is not there. */
  readonly missing?: Code;
  readonly help?: string;
}

/** The bytes of `path` (`-`: standard input), or undefined after reporting why not. */
export function readFile(path: string, { limit, missing = "QN100", help }: ReadOptions, reporter: Reporter): Uint8Array | undefined {
  const source = path === "-" ? "standard input" : path;
  const fail = (code: Code, why: string, advice = help): undefined =>
    reporter.error(code, `cannot read ${source}: ${why}`, { at: { source }, ...(advice === undefined ? {} : { help: advice }) });
  let file: number | undefined;
  try {
    file = path === "-" ? 0 : openSync(path, "r");
    const stat = fstatSync(file);
    if (stat.isDirectory()) return fail("QN100", "it is a folder");
    const tooLarge = (): undefined => fail("QN100", `it is larger than the limit of ${limit / 2 ** 20} MiB`);
    if (stat.size > limit) return tooLarge();
    return readAll(file, stat.isFile() ? stat.size : 0, limit) ?? tooLarge();
  } catch (e) {
    return fail(systemCode(e) === "ENOENT" ? missing : "QN100", systemReason(e));
  } finally {
    if (file !== undefined && file !== 0) closeSync(file);
  }
}

/** Reads to the end; `expected` sizes the first buffer. undefined beyond the limit. */
function readAll(file: number, expected: number, limit: number): Uint8Array | undefined {
  let buffer = new Uint8Array(Math.max(expected + 1, 1 << 16));
  let length = 0;
  for (;;) {
    const count = readSome(file, buffer, length);
    if (count === 0) return buffer.subarray(0, length);
    length += count;
    if (length > limit) return undefined;
    if (length === buffer.length) {
      const larger = new Uint8Array(length * 2);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

/** Standard input may be non-blocking and say EAGAIN until data arrives; on Windows a closed pipe says EOF. */
function readSome(file: number, buffer: Uint8Array, at: number): number {
  for (;;) {
    try {
      return readSync(file, buffer, at, buffer.length - at, null);
    } catch (e) {
      const code = systemCode(e);
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw e;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
