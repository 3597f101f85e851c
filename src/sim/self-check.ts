// The check of every build: the netlist must give the simulator's outputs on all vectors; where there is none, the exact reference on some.
import { assert, Reporter } from "../diagnostics.js";
import type { Graph, Node } from "../ir/graph.js";
import type { Netlist } from "../ir/netlist.js";
import { sizeOf } from "../ir/tensor.js";
import type { Mantissas, Vectors } from "../ir/vectors.js";
import { compileNetlist, widestCell } from "./netlist-jit.js";
import { evaluate, interpret } from "./reference.js";

export interface Mismatch {
  readonly sample: number;
  readonly output: string;
  readonly element: number;
  /** Mantissas of the output's type. */
  readonly expected: bigint;
  readonly got: bigint;
}

/** The first difference between two sets of outputs[port][sample][element], in the order of samples. */
export function firstMismatch(
  names: readonly string[],
  expected: readonly (readonly Mantissas[])[],
  got: readonly (readonly Mantissas[])[],
): Mismatch | undefined {
  const samples = expected[0]?.length ?? 0;
  for (let sample = 0; sample < samples; sample++) {
    for (let k = 0; k < names.length; k++) {
      const [e, g] = [expected[k]![sample]!, got[k]?.[sample] ?? []];
      const element = e.findIndex((m, i) => m !== g[i]);
      if (element >= 0) return { sample, output: names[k]!, element, expected: e[element]!, got: g[element]! };
    }
  }
  return undefined;
}

/** Runs the netlist on the vectors: compiled where every cell has at most 64 bits, else by the cell table itself. */
export async function selfCheck(netlist: Netlist, vectors: Vectors): Promise<Mismatch | undefined> {
  const names = netlist.outputs.map((o) => o.name);
  if (widestCell(netlist) >= 0) {
    const samples = Array.from({ length: vectors.count }, (_, s) =>
      interpret(
        netlist,
        vectors.inputs.map((port) => port[s]!),
      ),
    );
    return firstMismatch(
      names,
      vectors.outputs,
      names.map((_, k) => samples.map((r) => r[k]!)),
    );
  }
  const reporter = new Reporter();
  const compiled = await compileNetlist(netlist, reporter);
  assert(compiled, "selfCheck: the netlist does not compile");
  return firstMismatch(names, vectors.outputs, compiled.run(vectors.inputs));
}

/** Elements that the exact reference computes for one check: a second or so of BigInt arithmetic. */
const REFERENCE_WORK = 4_000_000;

/** Runs the graph's definition on as many vectors as its size allows, at least on one. */
export function referenceCheck(graph: Graph, vectors: Vectors): Mismatch | undefined {
  const work = graph.nodes.reduce((n, node) => n + cost(node), 0);
  const count = Math.min(vectors.count, Math.max(1, Math.floor(REFERENCE_WORK / work)));
  const first = (ports: Vectors["inputs"]): Vectors["inputs"] => ports.map((port) => port.slice(0, count));
  const inputs = first(vectors.inputs);
  const samples = Array.from({ length: count }, (_, s) => evaluate(graph, inputs.map((port) => port[s]!)));
  return firstMismatch(
    graph.outputs.map((o) => o.name),
    first(vectors.outputs),
    graph.outputs.map((_, k) => samples.map((r) => r[k]!)),
  );
}

const cost = (node: Node): number => {
  const elements = sizeOf(node.type.shape);
  return node.op === "dense" || node.op === "conv" ? (elements * node.attrs.kernel.data.length) / node.attrs.kernel.shape.at(-1)! : elements;
};
