// Where a build's results go: the folder, the stage, the dumps, the dependency file.
import { basename, dirname, join, resolve } from "node:path";
import type { Arguments } from "./arguments.js";
import type { Session } from "./session.js";
import { MANIFEST } from "./write-folder.js";

/** Where results go. */
export interface Outputs {
  readonly output: string | undefined;
  readonly emit: string | undefined;
  readonly dump: string | undefined;
  readonly force: boolean;
  readonly dependencies: Dependencies | undefined;
}

/** The dependency file: its name, the target of its rule, and whether the inputs get empty rules. */
export interface Dependencies {
  readonly file: string;
  readonly target: string;
  readonly phony: boolean;
}

export const withoutSlash = (path: string): string => path.replace(/(.)[\\/]+$/, "$1");

export function outputsOf(args: Arguments, session: Session): Outputs {
  const { reporter } = session;
  const output = args.text("output");
  const emit = args.text("emit");
  const dump = args.text("dump-ir");
  if (output === undefined && emit === undefined && dump === undefined && !reporter.failed) {
    reporter.error("QN400", "say where the firmware goes", { help: "add -o DIR, or --emit verilog to look at one stage" });
  }
  if (output === "-" && emit === undefined)
    reporter.error("QN401", "a firmware folder does not fit on standard output", { help: "add --emit to print one stage" });
  if (output !== undefined && dump !== undefined && resolve(output) === resolve(dump)) {
    reporter.error("QN401", "-o and --dump-ir name the same folder", { help: "name two" });
  }
  return { output, emit, dump, force: args.flag("force"), dependencies: dependenciesOf(args, session, output, emit) };
}

function dependenciesOf(
  args: Arguments,
  { reporter }: Session,
  output: string | undefined,
  emit: string | undefined,
): Dependencies | undefined {
  const [file, target, phony] = [args.text("MF"), args.text("MT"), args.flag("MP")];
  if (!args.flag("MD")) {
    if (file !== undefined || target !== undefined || phony)
      reporter.error("QN401", "-MF, -MT and -MP shape a dependency file, and none is asked for", { help: "add -MD" });
    return undefined;
  }
  const named = output === undefined || output === "-" ? undefined : withoutSlash(output);
  const defaultTarget = named === undefined ? undefined : emit === undefined ? `${named}/${MANIFEST}` : named;
  const defaultFile =
    named === undefined || /^\.{0,2}$/.test(basename(named))
      ? undefined
      : join(dirname(named), `${emit === undefined ? basename(named) : basename(named).replace(/\.[^.]+$/, "")}.d`);
  const [f, t] = [file ?? defaultFile, target ?? defaultTarget];
  if (f === undefined || t === undefined)
    return reporter.error("QN401", "-MD does not know what the dependency file is called and what it describes", {
      help: "name both: -MF FILE -MT TARGET",
    });
  return { file: f, target: t, phony };
}
