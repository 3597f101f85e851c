// The model that a command works on: its files read, its options checked.
import type { Options, Source } from "../compile.js";
import type { Pipelining } from "../passes/pass.js";
import type { Arguments } from "./arguments.js";
import { isQnn, readProject } from "./commands-qnn/read-project.js";
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
  if (reporter.failed) return undefined;
  const own = new Map([...files].filter(([name]) => name === model || name === weights));
  return { model, files: own, ...(weights === undefined ? {} : { weights }) };
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
  const pipeline = pipeliningOf(args, session);
  const top = args.text("top");
  const until = args.text("until");
  const precision = args.conversion("precision");
  const inputType = args.conversion("input-type");
  const width = args.whole("width", 1, 64);
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
    ...(precision === undefined ? {} : { precision }),
    ...(inputType === undefined ? {} : { inputType }),
    ...(width === undefined ? {} : { width }),
    ...(maxCells === undefined ? {} : { maxCells }),
  };
}
