// Compiles many emitted HLS designs in one g++ call, each in its own namespace with its testbench: the headers alone cost seconds a call.
import { join } from "node:path";
import { datVectors } from "../../src/backends/hls/hls.js";
import type { Files } from "../../src/ir/target.js";
import type { Vectors } from "../../src/ir/vectors.js";
import { run, withTempDir, writeFiles } from "./tools.js";

export interface HlsCase {
  /** The network's name: its files' base name and its top function. */
  readonly name: string;
  readonly files: Files;
  readonly vectors: Vectors;
}

const SYSTEM = ["ap_fixed.h", "ap_int.h", "fstream", "iostream", "sstream", "string", "cstring"];

const text = (files: Files, path: string): string => {
  const content = files.get(path);
  if (typeof content !== "string") throw new Error(`${path} is not among ${[...files.keys()].join(", ")}`);
  return content;
};

/** Header, weights, functions and testbench of one design, inside a namespace. */
function inNamespace(c: HlsCase, k: number): string {
  const weights = [...c.files.keys()].filter((p) => p.startsWith("hls/weights/"));
  const parts = [`hls/${c.name}.h`, ...weights, `hls/${c.name}.cpp`, `hls/${c.name}_tb.cpp`].map((p) => text(c.files, p));
  const code = parts
    .join("\n")
    .replace(/^#include .*$/gm, "")
    .replace(/\bint main\(/, "static int test_main(")
    .replace(/ ::(\w+)\(/g, ` n${k}::$1(`);
  return `namespace n${k} {\n${code}\n}\n`;
}

/** g++ takes about 60 MB a design. */
const BATCH = 10;

/** What each design's testbench printed last, such as `PASS 20 vectors`. */
export function runHlsBatch(cases: readonly HlsCase[], headers: string): readonly string[] {
  const batches = Array.from({ length: Math.ceil(cases.length / BATCH) }, (_, i) => cases.slice(i * BATCH, i * BATCH + BATCH));
  return batches.flatMap((batch) => runBatch(batch, headers));
}

function runBatch(cases: readonly HlsCase[], headers: string): readonly string[] {
  return withTempDir((folder) => {
    for (const [k, c] of cases.entries()) writeFiles(join(folder, String(k)), datVectors(c.vectors));
    const calls = cases.map(
      (_, k) =>
        `  { char folder[] = "${k}/tb/vectors"; char *argv[] = {folder, folder}; std::cout << n${k}::test_main(2, argv) << "\\n"; }`,
    );
    const source = [...SYSTEM.map((h) => `#include <${h}>`), ...cases.map(inNamespace), "int main() {", ...calls, "}", ""].join("\n");
    writeFiles(folder, new Map([["all.cpp", source]]));
    const compiled = run("g++", ["-std=c++14", "-w", "-O0", "-isystem", headers, "all.cpp", "-o", "all"], {
      cwd: folder,
      timeoutMs: 600_000,
    });
    if (compiled.code !== 0)
      throw new Error(
        `g++: ${
          compiled.text
            .split("\n")
            .filter((l) => /error|killed|limit/.test(l))
            .slice(0, 8)
            .join("\n") || compiled.text.slice(0, 2000)
        }`,
      );
    const ran = run("./all", [], { cwd: folder });
    const lines = ran.stdout.trim().split("\n");
    if (ran.code !== 0 || lines.length !== 2 * cases.length)
      throw new Error(`the testbenches ended with ${ran.code}: ${ran.text.slice(-2000)}`);
    return cases.map((_, k) => {
      const [verdict, status] = [lines[2 * k]!, lines[2 * k + 1]!];
      if ((status === "0") !== verdict.startsWith("PASS ")) throw new Error(`exit status ${status} with ${verdict}`);
      return verdict;
    });
  });
}
