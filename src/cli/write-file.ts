// Writes single files all or nothing, and standard output.
import { lstatSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Reporter } from "../diagnostics.js";
import { systemCode, systemReason } from "./file-errors.js";

export interface StagedFile {
  commit(): boolean;
  discard(): void;
}

/** Writes to a temporary neighbour; `commit` renames it into place, or leaves the file untouched where its bytes are the same and `touch` is not asked. Devices and pipes are written at commit. */
export function stageFile(name: string, content: string | Uint8Array, reporter: Reporter, touch = false): StagedFile | undefined {
  const fail = (e: unknown): undefined =>
    reporter.error("QN404", `cannot write ${name}: ${systemReason(e)}`, {
      at: { source: name },
      ...(systemCode(e) === "ENOENT" ? { help: `make the folder ${dirname(name)} first` } : {}),
    });
  const commitBy = (work: () => void, discard: () => void): StagedFile => ({
    commit: () => {
      try {
        work();
        return true;
      } catch (e) {
        discard();
        fail(e);
        return false;
      }
    },
    discard,
  });
  try {
    // A link is followed: the file that it names is replaced, not the link.
    const target = lstatSync(name, { throwIfNoEntry: false })?.isSymbolicLink() ? realpathSync(name) : name;
    const stat = statSync(target, { throwIfNoEntry: false });
    const idle = (): void => {};
    if (stat?.isDirectory()) return fail({ code: "EISDIR" });
    if (stat && !stat.isFile()) return commitBy(() => writeFileSync(target, content), idle);
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    if (stat && !touch && stat.size === bytes.length && readFileSync(target).equals(bytes)) return commitBy(idle, idle);
    const staged = join(dirname(target), `.${basename(target)}.qnnc-new-${process.pid}`);
    const discard = (): void => rmSync(staged, { force: true });
    try {
      writeFileSync(staged, bytes);
    } catch (e) {
      discard();
      throw e;
    }
    return commitBy(() => renameSync(staged, target), discard);
  } catch (e) {
    return fail(e);
  }
}

/** Stages and commits at once; `-` is standard output. */
export async function writeFile(name: string, content: string | Uint8Array, reporter: Reporter): Promise<boolean> {
  if (name === "-") return writeOutput(content, reporter);
  return stageFile(name, content, reporter)?.commit() ?? false;
}

/** Writes to standard output and waits. A reader that stops early (`| head`) is no error. */
export function writeOutput(content: string | Uint8Array, reporter: Reporter): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (e: unknown): void => {
      const written = e === undefined || e === null || systemCode(e) === "EPIPE";
      if (!written) reporter.error("QN404", `cannot write standard output: ${systemReason(e)}`, { at: { source: "standard output" } });
      resolve(written);
    };
    process.stdout.once("error", end);
    process.stdout.write(content, (e) => {
      // The stream emits `error` after this callback; the listener stays for it.
      if (!e) process.stdout.off("error", end);
      end(e);
    });
  });
}
