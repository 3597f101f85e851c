// The whole compiler on one page: a model's bytes in, the files of a firmware folder out. Pure: no file system, process or clock.
import { hls, type HlsStyle, datVectors } from "./backends/hls/hls.js";
import { project } from "./backends/project/project.js";
import { hexVectors, verilog } from "./backends/verilog/verilog.js";
import type { Reporter } from "./diagnostics.js";
import { readKeras } from "./frontend/keras/read-keras.js";
import { type Conversion, fixed } from "./ir/fixed.js";
import type { Graph } from "./ir/graph.js";
import { identifier } from "./ir/names.js";
import type { Netlist } from "./ir/netlist.js";
import type { Files } from "./ir/target.js";
import { parseIr } from "./ir/text/parse.js";
import type { Vectors } from "./ir/vectors.js";
import { type Manifest, makeManifest } from "./manifest.js";
import { formatNpy, type NpyArray } from "./npy.js";
import { type Ir, type Observe, type PassOptions, runPasses } from "./passes/pass.js";
import { portNames } from "./passes/lower.js";
import { graphPipeline, netlistPipeline } from "./passes/pipelines.js";
import { emitSimulator } from "./sim/export/export.js";
import { compileSimulator, type SimulatorModule } from "./sim/jit/compile.js";
import { instantiate, type Simulator } from "./sim/simulator.js";
import { type Mismatch, selfCheck } from "./sim/self-check.js";
import { makeVectors, realVectors } from "./sim/vectors.js";
import { version } from "./version.js";

/** The files that make up a model, by the names that diagnostics show. */
export interface Source {
  readonly model: string;
  readonly weights?: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface BuildOptions extends PassOptions {
  /** Name of the top module; by default the model file's. */
  readonly top?: string;
  /** The last layer to build; by default the model's outputs. */
  readonly until?: string;
  /** Input vectors, one array (samples, …) an input; by default seeded random and corner vectors. */
  readonly vectors?: readonly NpyArray[];
  readonly vectorCount: number;
  readonly seed: number;
  readonly hlsStyle: HlsStyle;
}

export const defaultInputType: Conversion = { type: fixed(16, 6), round: "TRN", overflow: "WRAP" };
export const defaultOptions: BuildOptions = {
  inputType: defaultInputType,
  width: 16,
  pipeline: { clock: 5 },
  vectorCount: 1000,
  seed: 1,
  hlsStyle: "loops",
};

export interface Artifacts {
  readonly graph: Graph;
  readonly netlist: Netlist;
  readonly simulator: SimulatorModule;
  readonly vectors: Vectors;
  readonly manifest: Manifest;
  /** Everything to write, manifest.json included. */
  readonly files: Files;
}

/** The model as a Graph, as its framework defines it: batchnorm unfolded, floats real. */
export async function readModel(source: Source, options: Pick<BuildOptions, "top" | "until">, reporter: Reporter): Promise<Ir | undefined> {
  const name = options.top ?? identifier(source.model.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, ""), new Set());
  if (/\.qir$/i.test(source.model)) {
    const parsed = parseIr(new TextDecoder().decode(source.files.get(source.model)), source.model, reporter);
    return parsed && reshapeIr(parsed, options, source.model, reporter);
  }
  const ir = await readKeras(source, { name, ...(options.until === undefined ? {} : { until: options.until }) }, reporter);
  return ir && { kind: "graph", ir };
}

/** The options that a frontend applies while it reads, applied to an IR that has been read. */
function reshapeIr(parsed: Ir, { top, until }: Pick<BuildOptions, "top" | "until">, source: string, reporter: Reporter): Ir | undefined {
  const name = top ?? parsed.ir.name;
  if (parsed.kind === "netlist") {
    return until === undefined ? { kind: "netlist", ir: { ...parsed.ir, name } } : reporter.error("QN401", "--until cuts a graph, and this file holds a netlist", { at: { source } });
  }
  if (until === undefined) return { kind: "graph", ir: { ...parsed.ir, name } };
  const value = parsed.ir.layers.find((l) => l.name === until)?.value ?? -1;
  if (value >= 0) return { kind: "graph", ir: { ...parsed.ir, name, outputs: [{ name: until, value }] } };
  return reporter.error("QN211", `the model has no layer \`${until}\` with a value of its own`, { at: { source }, help: `its layers: ${parsed.ir.layers.map((l) => l.name).join(", ")}` });
}

/** Every value typed: what the simulator and the HLS backend take. */
export async function typeModel(source: Source, options: BuildOptions, reporter: Reporter, observe?: Observe): Promise<Graph | undefined> {
  const model = await readModel(source, options, reporter);
  if (!model) return undefined;
  if (model.kind === "netlist") return reporter.error("QN401", "this file holds a netlist, and the command needs a graph", { at: { source: source.model } });
  const typed = runPasses(model, graphPipeline, { options, reporter }, observe);
  return typed?.kind === "graph" ? typed.ir : undefined;
}

export async function simulate(graph: Graph, reporter: Reporter): Promise<{ readonly module: SimulatorModule; readonly simulator: Simulator } | undefined> {
  const module = await compileSimulator(graph, reporter);
  return module && { module, simulator: await instantiate(module) };
}

/** Netlist and simulator must agree on every vector, or nothing is built (design law 11). */
function report(mismatch: Mismatch, reporter: Reporter): undefined {
  const { sample, output, element, expected, got } = mismatch;
  reporter.error("QN700", `sample ${sample}, output ${output}, element ${element}: the simulator says ${expected} and the netlist ${got}`, {
    help: "this is a bug in qnnc: please report it with the model and the command line",
  });
}

export async function compile(source: Source, options: BuildOptions, reporter: Reporter, observe?: Observe): Promise<Artifacts | undefined> {
  const graph = await typeModel(source, options, reporter, observe);
  const sim = graph && (await simulate(graph, reporter));
  if (!sim) return undefined;

  const lowered = runPasses({ kind: "graph", ir: graph }, netlistPipeline, { options, reporter }, observe);
  if (lowered?.kind !== "netlist") return undefined;
  const netlist = lowered.ir;

  const vectors = makeVectors(graph, sim.simulator, { count: options.vectorCount, seed: options.seed, ...(options.vectors ? { given: options.vectors } : {}) }, reporter);
  if (!vectors) return undefined;
  const mismatch = await selfCheck(netlist, vectors);
  if (mismatch) return report(mismatch, reporter);

  const clockNs = "clock" in options.pipeline ? options.pipeline.clock : 5;
  const names = portNames(graph);
  const files = new Map<string, string | Uint8Array>([
    ...verilog.emit(netlist, {}),
    ...hls.emit({ graph, netlist }, { style: options.hlsStyle, names, clockNs }),
    ...emitSimulator(sim.module, netlist.name),
    ...vectorFiles(graph, netlist, vectors),
    ...project({ netlist, clockNs }),
  ]);
  const manifest = await makeManifest({ version, graph, netlist, vectors: vectors.count, sources: source.files, options: settings(options), files });
  files.set("manifest.json", `${JSON.stringify(manifest, null, 2)}\n`);
  return { graph, netlist, simulator: sim.module, vectors, manifest, files };
}

/** tb/vectors: .hex for Verilog, .dat for C++, .npy of exact values for everything else. */
function vectorFiles(graph: Graph, netlist: Netlist, vectors: Vectors): Files {
  const arrays = realVectors(graph, vectors);
  const npy = Array.from(arrays, ([name, array]) => [`tb/vectors/${name}.npy`, formatNpy(array)] as const);
  return new Map<string, string | Uint8Array>([...hexVectors(netlist, vectors), ...datVectors(vectors), ...npy]);
}

/** The options that shape the output, for the manifest. */
const settings = ({ vectors, ...rest }: BuildOptions): Readonly<Record<string, unknown>> => ({ ...rest, vectors: vectors ? "given" : "random" });
