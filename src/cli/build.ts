// `qnnc MODEL -o DIR`: compiles and writes the folder, or prints one stage.

import { hlsStyles } from "../backends/hls/hls.js";
import { compile, isPart, type Options, partHelp, readModel, type Source } from "../compile.js";
import { Reporter } from "../diagnostics.js";
import type { NodeWith } from "../ir/graph.js";
import type { NpyArray } from "../npy.js";
import type { Ir, Observe } from "../passes/pass.js";
import type { Arguments } from "./arguments.js";
import { batchOf } from "./batch.js";
import type { Handler } from "./commands.js";
import { type IrDump, makeIrDump } from "./dump-ir.js";
import { emitterOf } from "./emit.js";
import { outputsOf, withoutSlash } from "./outputs.js";
import { inOrder, readArrays } from "./read-arrays.js";
import type { Session } from "./session.js";
import { optionsOf, readSource } from "./source.js";
import { workerEngine } from "./worker-engine.js";
import { writeAll } from "./write-all.js";
import { checkPlace, reporting } from "./write-folder.js";

export function buildOptions(args: Arguments, session: Session): Options {
  const count = args.whole("vector-count", 1, 1_000_000);
  const seed = args.whole("seed", 0, 2 ** 32 - 1);
  if (args.texts("vectors").length > 0 && (count !== undefined || seed !== undefined)) {
    session.reporter.error("QN401", "--vectors contradicts --vector-count and --seed", {
      help: "the latter shape random vectors, the former gives its own",
    });
  }
  const hlsStyle = hlsStyles.find((style) => style === args.text("hls-style"));
  const rtl = args.choice("rtl");
  const wrapper = args.choice("wrapper");
  const part = args.text("part");
  if (part !== undefined && !isPart(part))
    session.reporter.error("QN400", `--part: \`${part}\` is not the name of a device`, { help: partHelp });
  return {
    ...optionsOf(args, session),
    ...(count === undefined ? {} : { vectorCount: count }),
    ...(seed === undefined ? {} : { seed }),
    ...(hlsStyle === undefined ? {} : { hlsStyle }),
    ...(rtl === undefined ? {} : { rtl }),
    ...(wrapper === undefined ? {} : { wrapper }),
    ...(part === undefined ? {} : { part }),
  };
}

/** The arrays of --vectors in the order of the model's inputs; an archive has names, so the model's have to be known first. */
async function vectorsOf(args: Arguments, source: Source, base: Options, session: Session): Promise<readonly NpyArray[] | undefined> {
  const { reporter } = session;
  const given = readArrays(args.texts("vectors"), session);
  if (!given) return undefined;
  // What is wrong with the model is reported once, by the build itself.
  const model = await readModel(source, base, new Reporter());
  if (model?.ir.kind !== "graph") return undefined;
  const { ir: graph } = model.ir;
  const inputs = graph.inputs.map((id) => graph.nodes[id] as NodeWith<"input">);
  const ports = inputs.map((node) => ({ name: node.attrs.name, shape: node.type.shape }));
  const ordered = inOrder(
    given,
    ports.map((p) => p.name),
    reporter,
  );
  const batch = ordered && batchOf(ports, ordered, reporter);
  return batch && ordered.map((g) => g.array);
}

const sizeOf = (ir: Ir): string => (ir.kind === "graph" ? `${ir.ir.nodes.length} nodes` : `${ir.ir.cells.length} cells`);

/** What a build tells on the way. */
function watch(session: Session, dump: IrDump | undefined): Observe {
  const start = performance.now();
  return (pass, after, before) => {
    session.detail(
      `${((performance.now() - start) / 1000).toFixed(2).padStart(8)} s  ${pass}: ${after.ir === before.ir ? "no change" : sizeOf(after)}`,
    );
    session.progress(`after ${pass}`);
    dump?.observe(pass, after, before);
  };
}

export const build: Handler = async (args, session) => {
  const { reporter } = session;
  const outputs = outputsOf(args, session);
  const { output, emit, dump: dumpFolder, force } = outputs;
  const base = buildOptions(args, session);
  const emitter = emit === undefined ? undefined : emitterOf(emit, reporter);
  for (const folder of [emit === undefined ? output : undefined, dumpFolder]) {
    if (folder !== undefined && !reporter.failed) reporting(folder, reporter, () => checkPlace(folder, force));
  }
  if (reporter.failed) return;
  // Started before the model is read: loading binaryen takes most of a second, and the worker has a core of its own.
  const engine = emitter === undefined ? workerEngine() : undefined;
  const ownVectors = args.texts("vectors").length === 0 && base.vectorCount === undefined && base.seed === undefined;
  const source = await readSource(args, session, ownVectors);
  if (!source) return;
  const vectors = args.texts("vectors").length === 0 ? undefined : await vectorsOf(args, source, base, session);
  if (reporter.failed) return;
  const options: Options = vectors ? { ...base, vectors } : base;

  const dump = dumpFolder === undefined ? undefined : makeIrDump();
  const observe = watch(session, dump);
  session.progress(`compiling ${source.model}`);
  const text = emitter && (await emitter({ source, options, reporter, observe }));
  const artifacts = emitter ? undefined : await compile(source, options, reporter, { observe, ...(engine ? { engine } : {}) });
  // Dumps are for looking into failures, so they are written also after one.
  const dumped = dump?.files();
  if (dumped && dumpFolder !== undefined && dumped.size > 0)
    await writeAll({ folder: { name: dumpFolder, files: dumped, force } }, undefined, session);
  if (reporter.failed) return;
  if (text !== undefined) await writeAll({ file: { name: output ?? "-", content: text } }, outputs.dependencies, session);
  if (!artifacts || output === undefined) return;
  const changed = await writeAll({ folder: { name: output, files: artifacts.files, force } }, outputs.dependencies, session);
  if (changed === undefined) return;
  const { manifest, netlist } = artifacts;
  session.say(
    `${withoutSlash(output)}/: ${manifest.top}, ${netlist ? `latency ${manifest.latency}, ${netlist.cells.length} cells` : "no Verilog"}, ${manifest.vectors} vectors verified; ${changed} of ${artifacts.files.size} files changed`,
  );
};
