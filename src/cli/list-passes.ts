// `qnnc passes`: what each pass does, and the order of a build.
import { graphPipeline, netlistPipeline } from "../passes/pipelines.js";
import type { Handler } from "./commands.js";
import { writeOutput } from "./write-file.js";

const LINE = 100;

/** Words filled into lines, each behind `indent`. */
function filled(text: string, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`${indent}${word}`);
  }
  return lines.join("\n");
}

export const listPasses: Handler = async (_, session) => {
  const order = [...graphPipeline, ...netlistPipeline];
  const entries = [...new Set(order)].map(
    (p) => `${p.name}  (${p.from === p.to ? p.from : `${p.from} to ${p.to}`})\n${filled(p.doc, "    ")}\n`,
  );
  await writeOutput(`${entries.join("\n")}\n${filled(`A build runs ${order.map((p) => p.name).join(", ")}.`, "")}\n`, session.reporter);
};
