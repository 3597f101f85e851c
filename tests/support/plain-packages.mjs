// Loads packages without tsx's transform: binaryen is 15 MB of JavaScript, and transforming it takes 10 s a process.
// Use: node --import tsx --import ./tests/support/plain-packages.mjs FILE
import { register } from "node:module";

const hooks = `
  import { readFile } from "node:fs/promises";
  export async function load(url, context, next) {
    if (!/\\/node_modules\\/binaryen\\/.*\\.js$/.test(url)) return next(url, context);
    return { format: "module", source: await readFile(new URL(url)), shortCircuit: true };
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
