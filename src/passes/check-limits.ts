// check-limits: refuses, with the layer's name, what the simulator and the backends cannot hold.
import type { Place, Reporter } from "../diagnostics.js";
import { MAX_WIDTH, printFixed } from "../ir/fixed.js";
import { type Graph, type Node, rangeOfNode } from "../ir/graph.js";
import { MAX_TABLE } from "./lower.js";
import { pass } from "./pass.js";

export const checkLimits = pass({
  name: "check-limits",
  doc: "reports untyped values, values wider than 64 bits and tables too large, each with its layer; changes nothing",
  from: "graph",
  to: "graph",
  run(graph: Graph, { reporter }) {
    for (const node of graph.nodes) {
      const layer = graph.layers[node.layer];
      checkNode(graph, node, layer ? { at: { ...layer.at, layer: layer.name } } : {}, reporter);
    }
    return reporter.failed ? undefined : graph;
  },
});

function checkNode(graph: Graph, node: Node, place: { at?: Place }, reporter: Reporter): void {
  const type = node.type.elem;
  if (type === "real") {
    reporter.error("QN305", `the ${node.op} has no fixed-point type`, { ...place, help: "run assign-precision, or give --input-type" });
    return;
  }
  if (type.width > MAX_WIDTH) {
    reporter.error("QN301", `the exact result of ${node.op} needs ${printFixed(type)}, beyond the limit of ${MAX_WIDTH} bits`, {
      ...place,
      help: "give the layer before it, or its weights, a narrower type: quantize activations, or use --precision or a smaller --width",
    });
  }
  if (node.op === "lut") {
    const x = graph.nodes[node.operands[0]!]!;
    if (x.type.elem === "real") return;
    const r = rangeOfNode(x);
    if (r.hi - r.lo >= BigInt(MAX_TABLE)) {
      reporter.error("QN305", `a table of ${node.attrs.f.name} over ${printFixed(x.type.elem)} has ${r.hi - r.lo + 1n} entries, more than ${MAX_TABLE}`, {
        ...place,
        help: "only functions that saturate are split: give it a type with SAT, or quantize the value before it to 16 bits or fewer",
      });
    }
  }
}
