// `qnnc opt FILE.qir --passes a,b`: runs passes on a textual IR.
import { defaultOptions } from "../compile.js";
import { didYouMean, printable, type Reporter } from "../diagnostics.js";
import { parseIr } from "../ir/text/parse.js";
import { type AnyPass, runPasses } from "../passes/pass.js";
import { allPasses } from "../passes/pipelines.js";
import type { Handler } from "./commands.js";
import { printIr } from "./print-ir.js";
import { MAX_MODEL_BYTES, readFile } from "./read-file.js";
import { optionsOf } from "./source.js";
import { writeAll } from "./write-all.js";

function passesOf(list: string, reporter: Reporter): readonly AnyPass[] {
  const names = list
    .split(",")
    .map((n) => n.trim())
    .filter((n) => n !== "");
  return names.flatMap((name) => {
    const pass = allPasses.find((p) => p.name === name);
    if (pass) return [pass];
    const near = didYouMean(
      name,
      allPasses.map((p) => p.name),
    );
    reporter.error("QN400", `--passes: there is no pass \`${printable(name)}\``, {
      help: near === undefined ? "`qnnc passes` lists them" : `did you mean \`${near}\`?`,
    });
    return [];
  });
}

/** Every pass takes what the one before it gives. */
function fits(kind: string, passes: readonly AnyPass[], reporter: Reporter): boolean {
  let now = kind;
  for (const p of passes) {
    if (p.from !== now) {
      reporter.error("QN401", `${p.name} takes a ${p.from}, and at this point there is a ${now}`, {
        help: "`qnnc passes` says what each takes and gives",
      });
      return false;
    }
    now = p.to;
  }
  return true;
}

export const opt: Handler = async (args, session) => {
  const { reporter } = session;
  const options = { ...defaultOptions, ...optionsOf(args, session) };
  const passes = passesOf(args.text("passes") ?? "", reporter);
  const name = args.positional("file");
  if (reporter.failed) return;
  const bytes = readFile(name, { limit: MAX_MODEL_BYTES }, reporter);
  if (!bytes) return;
  session.files.set(name, bytes);
  const ir = parseIr(new TextDecoder().decode(bytes), name, reporter);
  const result = ir && fits(ir.kind, passes, reporter) ? runPasses(ir, passes, { options, reporter }) : undefined;
  if (result) await writeAll({ file: { name: args.text("output") ?? "-", content: printIr(result) } }, undefined, session);
};
