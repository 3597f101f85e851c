// Compiled simulators by content: the same network, compiled by the same qnnc, is not compiled twice. A miss or a damaged entry costs nothing but the compilation.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Graph } from "../ir/graph.js";
import { printGraph } from "../ir/text/print.js";
import type { SimulatorModule } from "../sim/jit/module.js";
import { version } from "../version.js";
import { Damaged, openModule } from "./open-module.js";

/** Entries kept; the longest unused go first. */
const MAX_ENTRIES = 64;
/** Larger modules compile so long that reading them would not be noticed, and fill the disk. */
const MAX_BYTES = 2 ** 26;

/** QNNC_CACHE names the folder, `0` switches the cache off; by default it lies where the system keeps caches. */
function cacheFolder(): string | undefined {
  const asked = process.env["QNNC_CACHE"];
  if (asked !== undefined && asked !== "") return asked === "0" ? undefined : asked;
  // Run from TypeScript sources, qnnc is being changed.
  if (import.meta.url.endsWith(".ts")) return undefined;
  const base = process.env["XDG_CACHE_HOME"] ?? process.env["LOCALAPPDATA"] ?? join(homedir(), ".cache");
  return join(base, "qnnc");
}

/** The code that compiles, so that a changed qnnc never runs an old one's modules. */
function compilerDigest(): string {
  const hash = createHash("sha256").update(version);
  const folder = fileURLToPath(new URL("../sim/jit/", import.meta.url));
  for (const name of readdirSync(folder).sort()) if (/\.[jt]s$/.test(name)) hash.update(readFileSync(join(folder, name)));
  return hash.digest("hex");
}

export interface CacheEntry {
  /** The module, where there is one. */
  load(): Promise<SimulatorModule | undefined>;
  store(module: SimulatorModule): void;
}

/** Failures of the file system are no failures of the command. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

export function cacheEntry(graph: Graph): CacheEntry | undefined {
  const folder = cacheFolder();
  if (folder === undefined) return undefined;
  const key = createHash("sha256").update(compilerDigest()).update(printGraph(graph)).digest("hex");
  const path = join(folder, `${key}.wasm`);
  return {
    load: async () => {
      const wasm = attempt(() => readFileSync(path));
      if (!wasm) return undefined;
      try {
        const module = await openModule(new Uint8Array(wasm));
        attempt(() => utimesSync(path, new Date(), new Date()));
        return module;
      } catch (e) {
        if (!(e instanceof Damaged)) throw e;
        return undefined;
      }
    },
    store: ({ wasm }) => {
      if (wasm.length > MAX_BYTES) return;
      attempt(() => {
        mkdirSync(folder, { recursive: true });
        const staged = `${path}.${process.pid}`;
        writeFileSync(staged, wasm);
        renameSync(staged, path);
        prune(folder);
      });
    },
  };
}

function prune(folder: string): void {
  const entries = readdirSync(folder)
    .filter((name) => name.endsWith(".wasm"))
    .map((name) => ({ path: join(folder, name), used: statSync(join(folder, name)).mtimeMs }));
  for (const { path } of entries.sort((a, b) => b.used - a.used).slice(MAX_ENTRIES)) rmSync(path, { force: true });
}
