// Writes a .npy file a stretch at a time, under a temporary name until it is whole.
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Reporter } from "../diagnostics.js";
import { npyHeader } from "../npy.js";
import type { Numbers } from "./engines.js";
import { systemReason } from "./file-errors.js";

export interface NpyWriter {
  write(data: Numbers): boolean;
  /** Renames the file into place. */
  commit(): boolean;
  discard(): void;
}

export function npyWriter(name: string, samples: number, shape: readonly number[], reporter: Reporter): NpyWriter {
  const staged = join(dirname(name), `.${basename(name)}.qnnc-new-${process.pid}`);
  let file: number | undefined;
  const discard = (): void => {
    if (file !== undefined) closeSync(file);
    file = undefined;
    rmSync(staged, { force: true });
  };
  const attempt = (work: () => void): boolean => {
    try {
      work();
      return true;
    } catch (e) {
      discard();
      reporter.error("QN404", `cannot write ${name}: ${systemReason(e)}`, { at: { source: name } });
      return false;
    }
  };
  const put = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) at += writeSync(file!, bytes, at);
  };
  return {
    write: (data) =>
      attempt(() => {
        if (file === undefined) {
          file = openSync(staged, "w");
          put(npyHeader(data, [samples, ...shape]));
        }
        put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      }),
    commit: () =>
      attempt(() => {
        closeSync(file!);
        file = undefined;
        renameSync(staged, name);
      }),
    discard,
  };
}
