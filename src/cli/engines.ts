// The three ways to run a network: the compiled simulator, the scheduled netlist, the exact reference. Same samples in, same bits out.
import { setFlagsFromString } from "node:v8";
import type { BuildOptions } from "../compile.js";
import { assert, type Reporter } from "../diagnostics.js";
import { dyadic, exponent, type FixedType, overflowTo, roundShift, toNumber } from "../ir/fixed.js";
import type { Graph, NodeWith } from "../ir/graph.js";
import { typeAt } from "../ir/ops/op.js";
import type { Shape } from "../ir/tensor.js";
import type { Mantissas } from "../ir/vectors.js";
import { runPasses } from "../passes/pass.js";
import { netlistPipeline } from "../passes/pipelines.js";
import { compileSimulator } from "../sim/jit/compile.js";
import type { SimulatorModule } from "../sim/jit/module.js";
import { compileNetlist } from "../sim/netlist-jit.js";
import { evaluate } from "../sim/reference.js";
import { instantiate, type Simulator } from "../sim/simulator.js";
import { givenInputs } from "../sim/vectors.js";
import type { Batch, InputPort } from "./batch.js";
import { cacheEntry } from "./module-cache.js";

export interface OutputPort extends InputPort {
  readonly type: FixedType;
  /** A last step that the host computes. */
  readonly host?: string;
}

export type Numbers = Float64Array | BigInt64Array | BigUint64Array;

export interface RunResult {
  /** outputs[port]: samples × elements; values, or with `raw` mantissas. */
  readonly outputs: readonly Numbers[];
  /** How many input values lay outside their types. */
  readonly outside: number;
}

export interface Engine {
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly OutputPort[];
  /** Samples to give it at a time, so that progress shows. */
  readonly stride: number;
  run(batch: Batch, raw: boolean): RunResult | undefined;
  /** What several of which may run beside one another, where results are values. */
  readonly module?: SimulatorModule;
}

export const engineNames = ["jit", "netlist", "reference"] as const;
export type EngineName = (typeof engineNames)[number];

export const isEngine = (name: string | undefined): name is EngineName => engineNames.some((n) => n === name);

/** V8 starts WebAssembly in a baseline tier that is several times slower; a short run would end before it changes. */
export const compileFastCode = (): void => setFlagsFromString("--no-liftoff");

/** Doubles hold integers exactly up to here. */
const EXACT_BITS = 53;

const rawArray = (type: FixedType, mantissas: readonly bigint[]): BigInt64Array | BigUint64Array =>
  !type.signed && type.width === 64 ? BigUint64Array.from(mantissas) : BigInt64Array.from(mantissas);

function rawOfValues(values: Float64Array, type: FixedType): BigInt64Array {
  const scale = 2 ** -exponent(type);
  return BigInt64Array.from(values, (v) => BigInt(v * scale));
}

/** About two megabytes of inputs and outputs: enough for a worker's turn, little enough for many turns. */
const strideFor = ({ inputs, outputs }: SimulatorModule): number => {
  const elements = [...inputs, ...outputs].reduce((n, p) => n + p.elements, 0);
  return Math.min(1 << 16, Math.max(64, 2 ** Math.floor(Math.log2(2 ** 18 / elements))));
};

/** An engine around the compiled simulator; `mantissas` converts inputs where results need more than a double holds. */
export function simulatorEngine(
  simulator: Simulator,
  outputs: readonly OutputPort[],
  reporter: Reporter,
  mantissas: (batch: Batch) => readonly (readonly Mantissas[])[] | undefined,
): Engine {
  const exact = outputs.every((o) => o.type.width <= EXACT_BITS && Math.abs(exponent(o.type)) < 1000);
  return {
    inputs: simulator.module.inputs,
    outputs,
    module: simulator.module,
    stride: strideFor(simulator.module),
    run: (batch, raw) => {
      const result = simulator.run(batch.inputs, batch.samples, reporter);
      if (!result || !raw) return result;
      if (exact) return { outputs: result.outputs.map((y, k) => rawOfValues(y, outputs[k]!.type)), outside: result.outside };
      const inputs = mantissas(batch);
      const results =
        inputs &&
        simulator.runMantissas(
          inputs.map((port) => BigInt64Array.from(port.flat())),
          batch.samples,
          reporter,
        );
      return (
        results && { outputs: results.map((y, k) => (outputs[k]!.type.signed ? y : new BigUint64Array(y.buffer))), outside: result.outside }
      );
    },
  };
}

const inputNodes = (graph: Graph): readonly NodeWith<"input">[] => graph.inputs.map((id) => graph.nodes[id] as NodeWith<"input">);

const portsOf = (graph: Graph): { readonly inputs: readonly InputPort[]; readonly outputs: readonly OutputPort[] } => ({
  inputs: inputNodes(graph).map((node) => ({ name: node.attrs.name, shape: node.type.shape })),
  outputs: graph.outputs.map((o) => {
    const { elem, shape } = graph.nodes[o.value]!.type;
    assert(elem !== "real", "engine: a real output");
    return { name: o.name, shape, type: elem, ...(o.host === undefined ? {} : { host: o.host }) };
  }),
});

const asArrays = (batch: Batch, shapes: readonly { readonly shape: Shape }[]) =>
  batch.inputs.map((data, i) => ({ shape: [batch.samples, ...shapes[i]!.shape], data }));

/** How many values the overflow mode of their type changes. */
function countOutside(graph: Graph, batch: Batch): number {
  let outside = 0;
  inputNodes(graph).forEach((node, k) => {
    const { type, round, overflow } = node.attrs;
    assert(type !== undefined, "engine: an input without a type");
    const channels = node.attrs.shape.at(-1) ?? 1;
    const elements = batch.inputs[k]!.length / batch.samples;
    batch.inputs[k]!.forEach((x, i) => {
      const own = typeAt(type, i % elements, channels);
      const { m, exp } = dyadic(x);
      const rounded = roundShift(m, exponent(own) - exp, round);
      if (overflowTo(rounded, own, overflow) !== rounded) outside++;
    });
  });
  return outside;
}

/** An engine that computes sample by sample on mantissas. */
function exactEngine(
  graph: Graph,
  stride: number,
  reporter: Reporter,
  compute: (inputs: readonly (readonly Mantissas[])[], samples: number) => readonly (readonly Mantissas[])[],
): Engine {
  const ports = portsOf(graph);
  return {
    ...ports,
    stride,
    run: (batch, raw) => {
      const inputs = givenInputs(graph, asArrays(batch, ports.inputs), reporter);
      if (!inputs) return undefined;
      const results = compute(inputs, batch.samples);
      const outputs = ports.outputs.map(({ type }, k): Numbers => {
        const flat = results[k]!.flat();
        return raw ? rawArray(type, flat) : Float64Array.from(flat, (m) => toNumber(m, exponent(type)));
      });
      return { outputs, outside: countOutside(graph, batch) };
    },
  };
}

type MakeEngine = (graph: Graph, options: BuildOptions, reporter: Reporter) => Promise<Engine | undefined>;

/** Engines by name, for a graph in which every value is typed. */
export const engines: Readonly<Record<EngineName, MakeEngine>> = {
  jit: async (graph, _, reporter) => {
    const entry = cacheEntry(graph);
    const known = await entry?.load();
    const module = known ?? (await compileSimulator(graph, reporter));
    if (!module) return undefined;
    if (!known) entry?.store(module);
    // Not earlier: binaryen, which made the module, is WebAssembly too, and runs only once.
    compileFastCode();
    const ports = portsOf(graph);
    return simulatorEngine(await instantiate(module), ports.outputs, reporter, (batch) =>
      givenInputs(graph, asArrays(batch, ports.inputs), reporter),
    );
  },
  netlist: async (graph, options, reporter) => {
    const lowered = runPasses({ kind: "graph", ir: graph }, netlistPipeline, { options, reporter });
    const compiled = lowered?.kind === "netlist" ? await compileNetlist(lowered.ir, reporter) : undefined;
    return compiled && exactEngine(graph, 1 << 12, reporter, (inputs) => compiled.run(inputs));
  },
  reference: async (graph, _, reporter) =>
    exactEngine(graph, 1 << 8, reporter, (inputs, samples) => {
      const rows = Array.from({ length: samples }, (_, s) =>
        evaluate(
          graph,
          inputs.map((port) => port[s]!),
        ),
      );
      return graph.outputs.map((_, k) => rows.map((r) => r[k]!));
    }),
};
