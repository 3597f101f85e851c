// Reads .qir text of either form.
import type { Reporter } from "../../diagnostics.js";
import type { Graph } from "../graph.js";
import type { Netlist } from "../netlist.js";
import { parseGraph } from "./parse-graph.js";
import { parseNetlist } from "./parse-netlist.js";

export type ParsedIr = { readonly kind: "graph"; readonly ir: Graph } | { readonly kind: "netlist"; readonly ir: Netlist };

/** The first line says which IR follows. */
export function parseIr(text: string, source: string, reporter: Reporter): ParsedIr | undefined {
  const first = /^(?:[ \t]*(?:\/\/[^\n]*)?\r?\n)*[ \t]*qir[ \t]+\d+[ \t]+(\w+)/.exec(text);
  if (first?.[1] === "netlist") {
    const ir = parseNetlist(text, source, reporter);
    return ir && { kind: "netlist", ir };
  }
  const ir = parseGraph(text, source, reporter);
  return ir && { kind: "graph", ir };
}

export { parseGraph, parseNetlist };
