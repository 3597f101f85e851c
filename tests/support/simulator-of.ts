// A graph's simulator, ready to run; a graph that does not compile fails the test.
import { Reporter } from "../../src/diagnostics.js";
import type { Graph } from "../../src/ir/graph.js";
import { compileSimulator } from "../../src/sim/jit/compile.js";
import { instantiate, type Simulator } from "../../src/sim/simulator.js";
import { showGraph } from "./random-graph.js";

export async function simulatorOf(graph: Graph, name: string): Promise<Simulator> {
  const reporter = new Reporter();
  const module = await compileSimulator(graph, reporter);
  if (!module) throw new Error(`${name}: ${JSON.stringify(reporter.diagnostics)}\n${showGraph(graph)}`);
  return instantiate(module);
}
