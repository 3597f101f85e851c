// A model of any format: its files in, its IR and the options of its build out.
import type { Reporter } from "./diagnostics.js";
import { readKeras } from "./frontend/keras/read-keras.js";
import { identifier } from "./ir/names.js";
import { parseIr } from "./ir/text/parse.js";
import { type BuildOptions, defaultOptions, type Options, type Origins } from "./options.js";
import type { Ir } from "./passes/pass.js";
import { type Wishes, wishesOf } from "./qnn-settings.js";

/** The files that make up a model, by the names that diagnostics show. */
export interface Source {
  readonly model: string;
  readonly weights?: string;
  /** hls4ml's configuration of a Keras model, whose numbers are then hls4ml's. */
  readonly hls4mlConfig?: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface Model {
  /** As its framework defines it: batchnorm unfolded, floats real. */
  readonly ir: Ir;
  readonly options: BuildOptions;
  /** Where the file sets what was not asked for. */
  readonly origins: Origins;
}

export async function readModel(source: Source, asked: Options, reporter: Reporter): Promise<Model | undefined> {
  const read = /\.qnn$/i.test(source.model) ? readQnnModel : /\.qir$/i.test(source.model) ? readIrModel : readKerasModel;
  const model = await read(source, asked, reporter);
  return model && { ir: model.ir, options: { ...defaultOptions, ...model.wishes?.options, ...asked }, origins: model.wishes?.origins ?? {} };
}

/** A model, and what its file wishes where nothing is asked for. */
type Read = (source: Source, asked: Options, reporter: Reporter) => Promise<{ readonly ir: Ir; readonly wishes?: Wishes } | undefined>;

const readKerasModel: Read = async (source, { top, until, fix = false }, reporter) => {
  const name = top ?? identifier(source.model.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, ""), new Set());
  const options = { name, ...(until === undefined ? {} : { until }) };
  const config = source.hls4mlConfig;
  // Loaded only here: the YAML parser takes a moment.
  const ir =
    config === undefined
      ? await readKeras(source, options, reporter)
      : await (await import("./frontend/hls4ml/read-hls4ml.js")).readHls4ml(source, { ...options, config, fix }, reporter);
  return ir && { ir: { kind: "graph", ir } };
};

const readQnnModel: Read = async (source, asked, reporter) => {
  // Loaded only here: the parser's tables take a tenth of a second to build.
  const { readQnn } = await import("./frontend/qnn/read-qnn.js");
  const model = await readQnn(source, asked.until === undefined ? {} : { until: asked.until }, reporter);
  const wishes = model && wishesOf(model.settings, asked, reporter);
  if (!wishes) return undefined;
  const name = asked.top ?? wishes.options.top ?? identifier(model.graph.name, new Set());
  return { ir: { kind: "graph", ir: { ...model.graph, name } }, wishes };
};

const readIrModel: Read = async (source, asked, reporter) => {
  const parsed = parseIr(new TextDecoder().decode(source.files.get(source.model)), source.model, reporter);
  const ir = parsed && reshapeIr(parsed, asked, source.model, reporter);
  return ir && { ir };
};

/** The options that a frontend applies while it reads, applied to an IR that has been read. */
function reshapeIr(parsed: Ir, { top, until }: Options, source: string, reporter: Reporter): Ir | undefined {
  const name = top ?? parsed.ir.name;
  if (parsed.kind === "netlist") {
    return until === undefined
      ? { kind: "netlist", ir: { ...parsed.ir, name } }
      : reporter.error("QN401", "--until cuts a graph, and this file holds a netlist", { at: { source } });
  }
  if (until === undefined) return { kind: "graph", ir: { ...parsed.ir, name } };
  const value = parsed.ir.layers.find((l) => l.name === until)?.value ?? -1;
  if (value >= 0) return { kind: "graph", ir: { ...parsed.ir, name, outputs: [{ name: until, value }] } };
  return reporter.error("QN211", `the model has no layer \`${until}\` with a value of its own`, {
    at: { source },
    help: `its layers: ${parsed.ir.layers.map((l) => l.name).join(", ")}`,
  });
}
