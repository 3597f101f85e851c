// `qnnc import MODEL -o model.qnn`: a trained model as readable .qnn, with its weights beside it.
import { basename, resolve } from "node:path";
import { readModel } from "../../compile.js";
import type { Handler } from "../commands.js";
import { readSource } from "../source.js";
import { stageFile, writeOutput } from "../write-file.js";
import { isQnn } from "./read-project.js";

export const importModel: Handler = async (args, session) => {
  const { reporter } = session;
  const output = args.text("output") ?? "-";
  if (output !== "-" && !/\.qnn$/i.test(output))
    reporter.error("QN400", `-o: \`${output}\` does not end in .qnn`, {
      help: "name the file that is written, such as model.qnn; its weights go to model.npz beside it",
    });
  const until = args.text("until");
  const source = await readSource(args, session);
  if (!source || reporter.failed) return;
  const model = (await readModel(source, until === undefined ? {} : { until }, reporter))?.ir;
  if (!model || reporter.failed) return;
  if (model.kind === "netlist")
    return void reporter.error("QN401", "this file holds a netlist, and .qnn describes networks", { at: { source: source.model } });
  const { printQnn } = await import("../../frontend/qnn/print-qnn.js");
  const { settingsItems } = await import("../../frontend/qnn/read-qnn.js");
  const weightsFile = `${basename(output === "-" ? source.model : output).replace(/\.[^.]*$/, "")}.npz`;
  const title = [`From ${basename(source.model)} by qnnc import.`];
  const printed = printQnn(model.ir, { weightsFile, title, beside: isQnn(source.model) ? await settingsItems(source) : [] });
  if (typeof printed === "string")
    return void reporter.error("QN401", `this network has no .qnn form: ${printed}`, {
      at: { source: source.model },
      help: "import the model itself, not a graph that passes have changed",
    });
  if (output === "-") {
    await writeOutput(printed.text, reporter);
    if (printed.weights) session.say(`the text reads its weights from ${weightsFile}, which is written only with -o`);
    return;
  }
  const weightsPath = output.replace(/[^\\/]*$/, weightsFile);
  const taken = [...session.files.keys()].find((read) => resolve(read) === resolve(output) || resolve(read) === resolve(weightsPath));
  if (taken !== undefined)
    return void reporter.error("QN401", `${taken} would be overwritten, and it is part of the model`, {
      help: "name another file with -o",
    });
  // The weights first: a text without them would not build.
  const staged = [
    ...(printed.weights ? [stageFile(weightsPath, printed.weights, reporter)] : []),
    stageFile(output, printed.text, reporter),
  ];
  if (staged.some((s) => s === undefined)) for (const s of staged) s?.discard();
  else if (staged.every((s) => s!.commit()))
    session.say(`${output}${printed.weights ? ` and ${weightsFile}` : ""}: ${model.ir.layers.length} layers`);
};
