// The model that a command works on: its files read, its options checked.
import type { Options, Source } from "../compile.js";
import { MAX_TABLE } from "../passes/lower.js";
import { type Pipelining, softmaxModes } from "../passes/pass.js";
import type { Arguments } from "./arguments.js";
import { isQnn, readProject } from "./commands-qnn/read-project.js";
import { readArrays } from "./read-arrays.js";
import { MAX_MODEL_BYTES, readFile } from "./read-file.js";
import type { Session } from "./session.js";
import { unknownCommand } from "./usage.js";

/** Reads the files that `args` name, and those that a .qnn names, its test vectors where `needsVectors`; undefined after reporting why not. */
export async function readSource(args: Arguments, session: Session, needsVectors = false): Promise<Source | undefined> {
  const { reporter, files } = session;
  const model = args.positional("model");
  const weights = args.text("weights");
  const unknown = unknownCommand(model);
  if (unknown) return reporter.error("QN400", unknown.message, unknown.help === undefined ? {} : { help: unknown.help });
  if (isQnn(model) && weights !== undefined) {
    reporter.error("QN401", "--weights goes with a .json model, and a .qnn names its weights itself", {
      help: 'write `weights "FILE"` in the network',
    });
  }
  const hls4mlConfig = args.text("hls4ml-config");
  if (hls4mlConfig !== undefined && /\.(?:qnn|qir)$/i.test(model))
    reporter.error("QN401", "--hls4ml-config goes with a Keras model", { help: "a .qnn and a .qir say themselves what they compute" });
  if (hls4mlConfig === undefined && args.flag("fix")) reporter.error("QN401", "--fix goes with --hls4ml-config");
  if (reporter.failed) return undefined;
  session.progress(`reading ${model}`);
  if (isQnn(model)) return readProject(model, needsVectors, session);
  const bytes = readFile(model, { limit: MAX_MODEL_BYTES }, reporter);
  if (bytes) files.set(model, bytes);
  if (weights !== undefined && bytes) {
    const content = readFile(
      weights,
      { limit: MAX_MODEL_BYTES, missing: "QN106", help: "name the .h5 file that Keras saved with --weights" },
      reporter,
    );
    if (content) files.set(weights, content);
  }
  if (hls4mlConfig !== undefined && bytes) {
    const content = readFile(hls4mlConfig, { limit: MAX_MODEL_BYTES }, reporter);
    if (content) files.set(hls4mlConfig, content);
  }
  if (reporter.failed) return undefined;
  const own = new Map([...files].filter(([name]) => [model, weights, hls4mlConfig].includes(name)));
  return { model, files: own, ...(weights === undefined ? {} : { weights }), ...(hls4mlConfig === undefined ? {} : { hls4mlConfig }) };
}

/** How to pipeline, from the one flag of three that is given. */
function pipeliningOf(args: Arguments, session: Session): Pipelining | undefined {
  const stages = args.whole("latency", 0, 10000);
  const depth = args.whole("stage-depth", 1, 10000);
  const clock = args.positive("clock");
  const given = ["latency", "stage-depth", "clock"].filter((flag) => args.texts(flag).length > 0);
  if (given.length > 1) {
    session.reporter.error("QN401", `${given.map((f) => `--${f}`).join(" and ")} contradict one another`, {
      help: "each says how to pipeline: give one of them",
    });
  }
  if (stages !== undefined) return { stages };
  if (depth !== undefined) return { depth };
  return clock === undefined ? undefined : { clock };
}

/** The options that shape the IR: those whose flags are given, and no others, since flags win over what a .qnn says. */
export function optionsOf(args: Arguments, session: Session): Options {
  const calibration = args.texts("calibrate").length === 0 ? undefined : readArrays(args.texts("calibrate"), session);
  const pipeline = pipeliningOf(args, session);
  const top = args.text("top");
  const until = args.text("until");
  const precision = args.conversion("precision");
  const inputType = args.conversion("input-type");
  const width = args.whole("width", 1, 64);
  const maxTable = args.whole("max-table", 16, MAX_TABLE);
  const softmax = softmaxModes.find((mode) => mode === args.text("softmax"));
  const maxCells = args.whole("max-cells", 1, 100_000_000);
  if (top !== undefined && !/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(top)) {
    session.reporter.error("QN400", `--top: \`${top}\` is not an identifier`, { help: "use letters, digits and underscores, at most 64" });
  }
  if (precision && width !== undefined) {
    session.reporter.error("QN401", "--precision and --width contradict one another", {
      help: "--width is the total width where no --precision is given",
    });
  }
  return {
    ...(pipeline === undefined ? {} : { pipeline }),
    ...(top === undefined ? {} : { top }),
    ...(until === undefined ? {} : { until }),
    ...(args.flag("fix") ? { fix: true } : {}),
    ...(precision === undefined ? {} : { precision }),
    ...(inputType === undefined ? {} : { inputType }),
    ...(calibration === undefined ? {} : { calibration: calibration.kind === "named" ? calibration.arrays : calibration.arrays.map((g) => g.array) }),
    ...(width === undefined ? {} : { width }),
    ...(maxTable === undefined ? {} : { maxTable }),
    ...(softmax === undefined ? {} : { softmax }),
    ...(maxCells === undefined ? {} : { maxCells }),
  };
}
