// Writes an output folder all or nothing: staged beside its place, then moved in. What did not change is not touched; what an earlier build
// wrote and this one does not is removed; what qnnc did not write stays.
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, type Stats } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { assert, type Reporter } from "../diagnostics.js";
import type { Files } from "../ir/target.js";
import { systemCode, systemReason } from "./file-errors.js";
import { acquireLock } from "./lock.js";

/** Lists what the folder holds; a folder with such a file is qnnc's own. */
export const MANIFEST = "manifest.json";

export interface StagedFolder {
  /** How many files differ from what is there. */
  readonly changed: number;
  /** Moves everything into place; false after reporting why it could not, and then everything is as before. */
  commit(): boolean;
  /** Forgets the staged files. Does nothing after `commit`. */
  discard(): void;
}

/** Thrown inside this file where the place does not suit; reported as QN404. */
class Refusal extends Error {
  constructor(
    message: string,
    readonly help: string,
  ) {
    super(message);
  }
}

const statOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });
const elsewhere = "name another folder with -o";

/** Paths of files that an earlier build wrote here; undefined where qnnc wrote nothing. */
function filesOfManifest(folder: string): readonly string[] | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8"));
    if (typeof manifest !== "object" || manifest === null || !("generator" in manifest) || manifest.generator !== "qnnc") return undefined;
    const files = "files" in manifest && typeof manifest.files === "object" && manifest.files !== null ? Object.keys(manifest.files) : [];
    return [...files.filter(isSafePath), MANIFEST];
  } catch (e) {
    if (e instanceof SyntaxError || systemCode(e) !== undefined) return undefined;
    throw e;
  }
}

/** Relative, with `/`, inside the folder. */
const isSafePath = (path: string): boolean =>
  /^[^\\/:\0]+(\/[^\\/:\0]+)*$/.test(path) && !path.split("/").some((part) => part === "." || part === "..");

/** Whether qnnc may write at `folder`: nothing there, an empty folder, its own folder, or any folder by force. */
export function checkPlace(folder: string, force: boolean): { readonly exists: boolean } {
  const stat = statOf(folder);
  if (!stat) return { exists: false };
  if (stat.isSymbolicLink()) throw new Refusal("it is a symbolic link", elsewhere);
  if (!stat.isDirectory()) throw new Refusal("it is a file", elsewhere);
  const own = readdirSync(folder).every((name) => name.startsWith(".qnnc-")) || filesOfManifest(folder) !== undefined;
  if (!own && !force)
    throw new Refusal(
      "the folder holds files that qnnc did not write",
      "name another folder with -o, or add --force to write into this one",
    );
  return { exists: true };
}

/** Runs `work`, turning refusals and system errors into QN404. */
export function reporting<T>(name: string, reporter: Reporter, work: () => T): T | undefined {
  try {
    return work();
  } catch (e) {
    return reportFailure(name, reporter, e);
  }
}

function reportFailure(name: string, reporter: Reporter, e: unknown): undefined {
  const help = e instanceof Refusal ? e.help : systemCode(e) === "EACCES" ? elsewhere : undefined;
  const reason = e instanceof Refusal ? e.message : systemReason(e);
  reporter.error("QN404", `cannot write ${name}: ${reason}`, { at: { source: name }, ...(help === undefined ? {} : { help }) });
}

export interface StageOptions {
  readonly force: boolean;
  /** Learns at once how to discard what is staged, for an interrupt while staging. */
  onStart(started: { discard(): void }): void;
}

/** Writes `files` to a staging folder on the same device and takes the lock; `name` is the folder as the user wrote it. */
export async function stageFolder(
  name: string,
  files: Files,
  { force, onStart }: StageOptions,
  reporter: Reporter,
): Promise<StagedFolder | undefined> {
  for (const path of files.keys()) assert(isSafePath(path), `unsafe output path ${path}`);
  assert(files.has(MANIFEST), "an output folder needs a manifest");
  const folder = resolve(name);
  const endings: Ending[] = [];
  const end = (success: boolean): void => {
    for (const { always, run } of endings.splice(0).reverse()) if (always || !success) run();
  };
  const discard = (): void => end(false);
  onStart({ discard });
  try {
    const { exists } = await lockPlace(folder, force, endings);
    const suffix = `qnnc-new-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
    const staging = exists ? join(folder, `.${suffix}`) : join(dirname(folder), `.${basename(folder)}.${suffix}`);
    mkdirSync(staging);
    endings.push({ always: true, run: () => rmSync(staging, { recursive: true, force: true, maxRetries: 3 }) });
    const changed = [...files].filter(([path, content]) => !exists || !sameContent(join(folder, path), content));
    for (const [path, content] of changed) {
      await mkdir(dirname(join(staging, path)), { recursive: true });
      await writeFile(join(staging, path), content);
    }
    const paths = changed.map(([path]) => path);
    const commit = (): boolean => {
      const done = reporting(name, reporter, () => {
        if (exists) mergeInto(folder, staging, paths, new Set(files.keys()));
        else renameSync(staging, folder);
        return true;
      });
      end(done === true);
      return done === true;
    };
    return { changed: paths.length, commit, discard };
  } catch (e) {
    discard();
    return reportFailure(name, reporter, e);
  }
}

/** What is due at the end, last first; what is not `always` due, only where nothing was written. */
interface Ending {
  readonly always: boolean;
  run(): void;
}

/** Takes the lock that belongs to the place: inside the folder where it exists, else beside it. Parents are made as needed. */
async function lockPlace(folder: string, force: boolean, endings: Ending[]): Promise<{ readonly exists: boolean }> {
  for (;;) {
    const { exists } = checkPlace(folder, force);
    if (!exists) makeParents(dirname(folder), (run) => endings.push({ always: false, run }));
    const path = exists ? join(folder, ".qnnc-lock") : join(dirname(folder), `.${basename(folder)}.qnnc-lock`);
    const lock = await acquireLock(path);
    if (!lock) throw new Refusal("another qnnc has been writing it for a minute", `if none is running, remove ${basename(path)}`);
    if (checkPlace(folder, force).exists === exists) {
      endings.push({ always: true, run: () => lock.release() });
      return { exists };
    }
    // Another process created it in between: its own lock counts from now on.
    lock.release();
  }
}

function makeParents(folder: string, onUndo: (step: () => void) => void): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined) return;
  onUndo(() => {
    for (let at = folder; at.length >= first.length; at = dirname(at)) removeIfEmpty(at);
  });
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (e) {
    systemReason(e);
  }
}

function sameContent(path: string, content: string | Uint8Array): boolean {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const stat = statOf(path);
  return stat?.isFile() === true && stat.size === bytes.length && readFileSync(path).equals(bytes);
}

/** Puts the changed files in place of the old ones and removes those that are no longer built; undone where a step fails. */
function mergeInto(folder: string, staging: string, changed: readonly string[], wanted: ReadonlySet<string>): void {
  const stale = (filesOfManifest(folder) ?? []).filter((path) => !wanted.has(path));
  for (const path of [...changed, ...stale]) checkTarget(folder, path);
  const old = join(staging, ".old");
  const undo: (() => void)[] = [];
  const setAside = (path: string): void => {
    if (!statOf(join(folder, path))) return;
    mkdirSync(dirname(join(old, path)), { recursive: true });
    renameSync(join(folder, path), join(old, path));
    undo.push(() => renameSync(join(old, path), join(folder, path)));
  };
  // The manifest goes last: until then the folder is the old build's.
  const order = [...changed].sort((a, b) => Number(a === MANIFEST) - Number(b === MANIFEST));
  try {
    for (const path of order) {
      makeParents(dirname(join(folder, path)), (step) => undo.push(step));
      setAside(path);
      renameSync(join(staging, path), join(folder, path));
      undo.push(() => rmSync(join(folder, path), { force: true }));
    }
    for (const path of stale) setAside(path);
  } catch (e) {
    for (const step of undo.reverse()) step();
    throw e;
  }
  rmSync(staging, { recursive: true, force: true });
  for (const path of stale) for (let at = dirname(path); at !== "."; at = dirname(at)) removeIfEmpty(join(folder, at));
}

/** A link or a folder where a file belongs would lead the write elsewhere. */
function checkTarget(folder: string, path: string): void {
  const parts = path.split("/");
  parts.forEach((_, i) => {
    const at = parts.slice(0, i + 1).join("/");
    const stat = statOf(join(folder, at.replaceAll("/", sep)));
    if (!stat) return;
    const last = i === parts.length - 1;
    if (last ? !stat.isFile() : !stat.isDirectory()) {
      throw new Refusal(
        `${at} in it is ${stat.isSymbolicLink() ? "a symbolic link" : stat.isDirectory() ? "a folder" : "not a folder"}`,
        "remove it, or name another folder with -o",
      );
    }
  });
}
