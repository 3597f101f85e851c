// Preload for tests and benchmarks: TypeScript through tsx, but packages as they are. tsx would rewrite binaryen's 12 MB of JavaScript for seconds in every process.
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

/** A module hook, called before tsx's own: package files of known format are read and passed on untouched. */
export async function load(url, context, nextLoad) {
  if (url.startsWith("file:") && url.includes("/node_modules/") && context.format === "module") {
    return { format: "module", shortCircuit: true, source: await readFile(new URL(url)) };
  }
  return nextLoad(url, context);
}

// The thread that runs the hooks imports this file too; only the main thread registers.
if (isMainThread) {
  await import("tsx");
  register(import.meta.url);
}
