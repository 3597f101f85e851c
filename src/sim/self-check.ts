// The check of every build: the netlist must give the simulator's outputs on all vectors.
import { assert, Reporter } from "../diagnostics.js";
import type { Netlist } from "../ir/netlist.js";
import type { Mantissas, Vectors } from "../ir/vectors.js";
import { compileNetlist, widestCell } from "./netlist-jit.js";
import { interpret } from "./reference.js";

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
