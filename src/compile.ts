// The whole compiler on one page: a model's bytes in, the files of a firmware folder out. Pure: no file system, process or clock.
import { datVectors, hls } from "./backends/hls/hls.js";
import { project } from "./backends/project/project.js";
import { hexVectors, verilog } from "./backends/verilog/verilog.js";
import type { Reporter } from "./diagnostics.js";
import type { Graph } from "./ir/graph.js";
import type { Netlist } from "./ir/netlist.js";
import type { Files } from "./ir/target.js";
import type { Vectors } from "./ir/vectors.js";
import { type Manifest, makeManifest } from "./manifest.js";
import { formatNpy } from "./npy.js";
import type { BuildOptions, Options, Origins } from "./options.js";
import { portNames, portsOf } from "./passes/lower.js";
import { type Observe, runPasses } from "./passes/pass.js";
import { graphPipeline, netlistPipeline } from "./passes/pipelines.js";
import { vectorsIn } from "./qnn-settings.js";
import { readModel, type Source } from "./read-model.js";
import { calibrate } from "./sim/calibrate.js";
import { emitSimulator } from "./sim/export/export.js";
import { compileSimulator, type SimulatorModule } from "./sim/jit/compile.js";
import { type Mismatch, referenceCheck, selfCheck } from "./sim/self-check.js";
import { instantiate, type Simulator } from "./sim/simulator.js";
import { makeVectors, realVectors } from "./sim/vectors.js";
import { version } from "./version.js";

export { type BuildOptions, defaultOptions, isPart, type Options, type Origins, partHelp } from "./options.js";
export { type Model, readModel, type Source } from "./read-model.js";

export interface Artifacts {
  readonly graph: Graph;
  /** Absent where no Verilog is built. */
  readonly netlist: Netlist | undefined;
  readonly simulator: SimulatorModule;
  readonly vectors: Vectors;
  readonly manifest: Manifest;
  /** Everything to write, manifest.json included. */
  readonly files: Files;
}

export interface Typed {
  readonly graph: Graph;
  /** As the framework defines it, with floats real. */
  readonly model: Graph;
  readonly options: BuildOptions;
  readonly origins: Origins;
}

/** Every value typed: what the simulator and the HLS backend take. */
export async function typeModel(source: Source, asked: Options, reporter: Reporter, observe?: Observe): Promise<Typed | undefined> {
  const model = await readModel(source, asked, reporter);
  if (!model) return undefined;
  const { ir, options, origins } = model;
  if (ir.kind === "netlist")
    return reporter.error("QN401", "this file holds a netlist, and the command needs a graph", { at: { source: source.model } });
  const { calibration } = options;
  const observed = calibration && ir.kind === "graph" ? calibrate(ir.ir, calibration, reporter) : undefined;
  if (calibration && !observed) return undefined;
  const typed = runPasses(ir, graphPipeline, { options: { ...options, ...(observed ? { observed } : {}) }, reporter }, observe);
  return typed?.kind === "graph" ? { graph: typed.ir, model: ir.ir, options, origins } : undefined;
}

export async function simulate(
  graph: Graph,
  reporter: Reporter,
): Promise<{ readonly module: SimulatorModule; readonly simulator: Simulator } | undefined> {
  const module = await compileSimulator(graph, reporter);
  return module && { module, simulator: await instantiate(module) };
}

/** Netlist, or where there is none the exact reference, and simulator must agree, or nothing is built (design law 11). */
function report(mismatch: Mismatch, against: string, reporter: Reporter): undefined {
  const { sample, output, element, expected, got } = mismatch;
  reporter.error("QN700", `sample ${sample}, output ${output}, element ${element}: the simulator says ${expected} and the ${against} ${got}`, {
    help: "this is a bug in qnnc: please report it with the model and the command line",
  });
}

/** The two steps that wait for binaryen; the command line runs them in a worker, beside the passes and emitters. */
export interface Engine {
  compileSimulator(graph: Graph, reporter: Reporter): Promise<SimulatorModule | undefined>;
  selfCheck(netlist: Netlist, vectors: Vectors): Promise<Mismatch | undefined>;
}

export interface CompileHooks {
  readonly observe?: Observe;
  readonly engine?: Engine;
}

export async function compile(source: Source, asked: Options, reporter: Reporter, hooks: CompileHooks = {}): Promise<Artifacts | undefined> {
  const { observe, engine = { compileSimulator, selfCheck } } = hooks;
  const typed = await typeModel(source, asked, reporter, observe);
  if (!typed) return undefined;
  const { graph, options } = typed;

  const compiling = engine.compileSimulator(graph, reporter);
  const lowered = options.rtl ? runPasses({ kind: "graph", ir: graph }, netlistPipeline, { options, reporter }, observe) : undefined;
  const netlist = lowered?.kind === "netlist" ? lowered.ir : undefined;
  const module = await compiling;
  if (!module || (options.rtl && !netlist)) return undefined;
  if (!netlist && options.hlsStyle === "unrolled") {
    return reporter.error("QN401", "HLS code in the style `unrolled` is written from the cells, which --no-rtl leaves out", {
      help: "use --hls-style loops or rolled",
    });
  }

  const given = options.vectors ?? (options.vectorsFile && vectorsIn(options.vectorsFile, source, graph, reporter));
  if (options.vectorsFile && !given) return undefined;
  const vectors = makeVectors(
    graph,
    await instantiate(module),
    { count: options.vectorCount, seed: options.seed, ...(given ? { given } : {}) },
    reporter,
  );
  if (!vectors) return undefined;
  const checking = netlist ? engine.selfCheck(netlist, vectors) : referenceCheck(graph, vectors);

  const clockNs = "clock" in options.pipeline ? options.pipeline.clock : (options.clockNs ?? 5);
  const names = portNames(graph);
  const ports = portsOf(graph);
  const files = new Map<string, string | Uint8Array>([
    ...(netlist ? [...verilog.emit(netlist, { wrapper: options.wrapper }), ...hexVectors(netlist, vectors)] : []),
    ...hls.emit({ graph, netlist }, { style: options.hlsStyle, names, clockNs: options.hlsClockNs ?? clockNs, part: options.hlsPart ?? options.part }),
    ...emitSimulator(module, graph.name),
    ...vectorFiles(graph, vectors),
    ...project({ top: graph.name, ports, netlist, clockNs, wrapper: options.wrapper, part: options.part }),
  ]);
  const mismatch = await checking;
  if (mismatch) return report(mismatch, netlist ? "netlist" : "reference", reporter);
  const manifest = await makeManifest({
    version,
    graph,
    ports,
    netlist,
    vectors: vectors.count,
    sources: source.files,
    options: settings(options),
    files,
  });
  files.set("manifest.json", `${JSON.stringify(manifest, null, 2)}\n`);
  return { graph, netlist, simulator: module, vectors, manifest, files };
}

/** tb/vectors: .dat for C++, .npy of exact values for everything else. */
function vectorFiles(graph: Graph, vectors: Vectors): Files {
  const arrays = realVectors(graph, vectors);
  const npy = Array.from(arrays, ([name, array]) => [`tb/vectors/${name}.npy`, formatNpy(array)] as const);
  return new Map<string, string | Uint8Array>([...datVectors(vectors), ...npy]);
}

/** The options that shape the output, for the manifest. */
const settings = ({ vectors, vectorsFile, calibration, ...rest }: BuildOptions): Readonly<Record<string, unknown>> => ({
  ...rest,
  ...(calibration ? { calibration: "given" } : {}),
  vectors: vectors || vectorsFile ? "given" : "random",
});
