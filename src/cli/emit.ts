// `--emit STAGE`: one stage of a build as text.
import { compile, type Options, type Source, simulate, type Typed, typeModel } from "../compile.js";
import { didYouMean, printable, type Reporter } from "../diagnostics.js";
import type { Files } from "../ir/target.js";
import { type Ir, type Observe, runPasses } from "../passes/pass.js";
import { allPasses, graphPipeline, netlistPipeline } from "../passes/pipelines.js";
import { watOf } from "../sim/wat.js";
import { emitted } from "./commands.js";
import { printIr } from "./print-ir.js";

export interface Build {
  readonly source: Source;
  readonly options: Options;
  readonly reporter: Reporter;
  readonly observe: Observe;
}

/** Makes the stage's text; undefined after reporting why not. */
export type Emitter = (build: Build) => Promise<string | undefined>;

type Stage = (typeof emitted)[number];

const typed = ({ source, options, reporter, observe }: Build): Promise<Typed | undefined> => typeModel(source, options, reporter, observe);

const lowered = async (build: Build): Promise<Ir | undefined> => {
  const model = await typed(build);
  return (
    model &&
    runPasses({ kind: "graph", ir: model.graph }, netlistPipeline, { options: model.options, reporter: build.reporter }, build.observe)
  );
};

/** Several files follow one another, each behind a line that names it. */
function joined(files: Files, folder: string): string {
  const texts = [...files].flatMap(([path, content]) =>
    path.startsWith(`${folder}/`) && /\.(v|h|hpp|cpp)$/.test(path) && typeof content === "string" ? [{ path, content }] : [],
  );
  return texts.length === 1 ? texts[0]!.content : texts.map(({ path, content }) => `// ==== ${path}\n${content}`).join("\n");
}

const filesIn =
  (folder: string): Emitter =>
  async ({ source, options, reporter, observe }) => {
    const artifacts = await compile(source, options, reporter, { observe });
    return artifacts && joined(artifacts.files, folder);
  };

const stages: Readonly<Record<Stage, Emitter>> = {
  graph: async (build) => {
    const model = await typed(build);
    return model && printIr({ kind: "graph", ir: model.graph });
  },
  netlist: async (build) => {
    const ir = await lowered(build);
    return ir && printIr(ir);
  },
  wat: async (build) => {
    const model = await typed(build);
    const made = model && (await simulate(model.graph, build.reporter));
    return made && watOf(made.module.wasm);
  },
  verilog: filesIn("rtl"),
  hls: filesIn("hls"),
};

/** The IR after the last run of a pass, also where a later pass fails. */
const afterPass =
  (name: string): Emitter =>
  async (build) => {
    let after: Ir | undefined;
    const observe: Observe = (pass, now, before) => {
      if (pass === name) after = now;
      build.observe(pass, now, before);
    };
    const needsNetlist = !graphPipeline.some((p) => p.name === name);
    await (needsNetlist ? lowered : typed)({ ...build, observe });
    return after && printIr(after);
  };

const isStage = (name: string): name is Stage => emitted.some((s) => s === name);

export function emitterOf(stage: string, reporter: Reporter): Emitter | undefined {
  if (isStage(stage)) return stages[stage];
  const names = allPasses.map((p) => p.name);
  const pass = /^ir-after=(.*)$/.exec(stage)?.[1];
  if (pass !== undefined && names.includes(pass)) return afterPass(pass);
  const near = pass === undefined ? didYouMean(stage, emitted) : didYouMean(pass, names);
  const known = pass === undefined ? [...emitted, "ir-after=PASS"] : names;
  return reporter.error(
    "QN400",
    `--emit: ${pass === undefined ? "there is no stage" : "there is no pass"} \`${printable(pass ?? stage)}\``,
    {
      help: near === undefined ? `there are ${known.join(", ")}` : `did you mean \`${near}\`?`,
    },
  );
}
