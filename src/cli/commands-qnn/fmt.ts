// `qnnc fmt FILE…`: lays out .qnn files; with --check only says which are not.
import { Reporter } from "../../diagnostics.js";
import type { Handler } from "../commands.js";
import { readFile } from "../read-file.js";
import { writeFile } from "../write-file.js";

const MAX_BYTES = 2 ** 24;

export const fmt: Handler = async (args, session) => {
  const [{ formatTree }, { parseQnn }, { decodeSource }] = await Promise.all([
    import("../../frontend/qnn/format.js"),
    import("../../frontend/qnn/parse.js"),
    import("../../frontend/qnn/source.js"),
  ]);
  const { reporter } = session;
  const name = args.positional("file");
  const bytes = readFile(name, { limit: MAX_BYTES }, reporter);
  if (!bytes) return;
  session.files.set(name, bytes);
  const source = decodeSource(name, bytes, reporter);
  const tree = source && (await parseQnn(source, reporter));
  if (!source || !tree || reporter.failed) return;
  const text = formatTree(tree, source.text);
  // What is printed must mean the same: the one promise that a formatter has to keep.
  const again = new Reporter();
  const second = await parseQnn({ name, text }, again);
  if (again.failed || !second || formatTree(second, text) !== text) throw new Error(`${name}: its layout does not read back`);
  const isSame = text === source.text;
  if (args.flag("check")) {
    if (!isSame)
      reporter.error("QN815", `${name} is not laid out as \`qnnc fmt\` does`, { at: { source: name }, help: `qnnc fmt ${name}` });
    return;
  }
  if (name === "-" || args.text("output") !== undefined) await writeFile(args.text("output") ?? "-", text, reporter);
  else if (!isSame && (await writeFile(name, text, reporter))) session.say(`${name}: laid out`);
};
