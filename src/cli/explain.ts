// `qnnc explain CODE`: the section of spec/diagnostics.md.
import { readFileSync } from "node:fs";
import { codes } from "../diagnostic-codes.js";
import { didYouMean, printable } from "../diagnostics.js";
import type { Handler } from "./commands.js";
import { writeOutput } from "./write-file.js";

export const explain: Handler = async (args, session) => {
  const code = args.positional("code").toUpperCase();
  if (!Object.hasOwn(codes, code)) {
    const near = didYouMean(code, Object.keys(codes));
    session.reporter.error("QN400", `there is no diagnostic code \`${printable(code)}\``, {
      help: near === undefined ? "codes look like QN201" : `did you mean ${near}?`,
    });
    return;
  }
  const text = readFileSync(new URL("../../spec/diagnostics.md", import.meta.url), "utf8");
  const section = text.split(/^## /m).find((s) => s.startsWith(`${code}:`));
  if (section === undefined) throw new Error(`spec/diagnostics.md lacks ${code}`);
  await writeOutput(`${section.trimEnd()}\n`, session.reporter);
};
