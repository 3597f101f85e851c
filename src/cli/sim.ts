// `qnnc sim`: runs a batch of samples through the network, bit-exact.
import { statSync } from "node:fs";
import { typeModel } from "../compile.js";
import { printable } from "../diagnostics.js";
import { type HostStep, hostSteps } from "../ir/graph.js";
import { type Shape, sizeOf } from "../ir/tensor.js";
import { formatNpy, formatNpz, type NpyArray } from "../npy.js";
import type { Arguments } from "./arguments.js";
import { type Batch, batchOf } from "./batch.js";
import type { Handler } from "./commands.js";
import { type Engine, engines, isEngine, type Numbers, type OutputPort } from "./engines.js";
import { firmwareEngine } from "./firmware-folder.js";
import { type GivenArrays, inOrder, readArrays } from "./read-arrays.js";
import type { Session } from "./session.js";
import { accuracyOf, accuracyText, compareLayers, type Labels, labelsOf, tracedGraph } from "./sim-analysis.js";
import { optionsOf, readSource } from "./source.js";
import { writeFile } from "./write-file.js";

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Flags that shape the network: with a firmware folder it has its shape already. */
const modelFlags = ["weights", "until", "input-type", "precision", "width"] as const;

/** An engine, and with `traced` a second one that gives every layer's value. */
async function enginesFor(args: Arguments, traced: boolean, session: Session): Promise<{ readonly engine: Engine; readonly tracer?: Engine } | undefined> {
  const { reporter } = session;
  const model = args.positional("model");
  const name = args.text("engine");
  if (isFolder(model)) {
    const given = [...[...modelFlags, "trace", "compare"].filter((f) => args.texts(f).length > 0), ...(name === "jit" ? [] : ["engine"])];
    if (given.length > 0)
      return reporter.error("QN401", `--${given[0]} needs the model, and ${model} is a folder`, {
        help: "name the model that the folder was built from",
      });
    const engine = reporter.failed ? undefined : await firmwareEngine(model, reporter);
    return engine && { engine };
  }
  const options = optionsOf(args, session);
  const source = await readSource(args, session);
  session.progress(`compiling ${model}`);
  const typed = source && (await typeModel(source, options, reporter));
  if (!typed || !isEngine(name)) return undefined;
  const engine = await engines[name](typed.graph, typed.options, reporter);
  const tracer = engine && traced ? await engines[name](tracedGraph(typed.graph), typed.options, reporter) : undefined;
  return engine && (!traced || tracer) ? { engine, ...(tracer ? { tracer } : {}) } : undefined;
}

/** exp(x − max) / Σ exp(x − max) along the last axis, in double precision. */
export function softmax(x: Float64Array, shape: Shape): Float64Array {
  const channels = shape.at(-1) ?? 1;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += channels) {
    const values = x.subarray(row, row + channels);
    const highest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const powers = values.map((v) => Math.exp(v - highest));
    const sum = powers.reduce((a, b) => a + b, 0);
    y.set(
      powers.map((p) => p / sum),
      row,
    );
  }
  return y;
}

const sigmoid = (x: Float64Array): Float64Array => x.map((v) => 1 / (1 + Math.exp(-v)));

/** The last steps that the host takes in double precision. */
const hostFunctions: Readonly<Record<HostStep, (x: Float64Array, shape: Shape) => Float64Array>> = { softmax, sigmoid };

const likeOf = (numbers: Numbers, length: number): Numbers =>
  numbers instanceof Float64Array
    ? new Float64Array(length)
    : numbers instanceof BigInt64Array
      ? new BigInt64Array(length)
      : new BigUint64Array(length);

/** Runs the batch in strides; undefined after reporting what failed. */
function runAll(
  engine: Engine,
  batch: Batch,
  raw: boolean,
  session: Session,
): { readonly outputs: readonly Numbers[]; readonly outside: number } | undefined {
  const sizes = engine.inputs.map((p) => sizeOf(p.shape));
  let outputs: readonly Numbers[] | undefined;
  let outside = 0;
  for (let at = 0; at < batch.samples; at += engine.stride) {
    const samples = Math.min(engine.stride, batch.samples - at);
    session.progress(`sample ${at} of ${batch.samples}`);
    const part = engine.run({ samples, inputs: batch.inputs.map((x, i) => x.subarray(at * sizes[i]!, (at + samples) * sizes[i]!)) }, raw);
    if (!part) return undefined;
    outputs ??= part.outputs.map((y, k) => likeOf(y, batch.samples * sizeOf(engine.outputs[k]!.shape)));
    outputs.forEach((y, k) => {
      (y as { set(from: Numbers, at: number): void }).set(part.outputs[k]!, at * sizeOf(engine.outputs[k]!.shape));
    });
    outside += part.outside;
  }
  return outputs && { outputs, outside };
}

/** A number outside an input's type is converted as the hardware's host would; whoever measures accuracy should know. */
function warnOutside(outside: number, batch: Batch, sources: readonly string[], session: Session): void {
  if (outside === 0) return;
  const total = batch.inputs.reduce((n, x) => n + x.length, 0);
  session.reporter.warn(
    "QN501",
    `${outside} of ${total} input values lie outside the input's type; they wrap around or saturate, as its overflow mode says`,
    {
      at: { source: sources[0] ?? "" },
      help: "scale or clip the data as in training, or choose a wider --input-type",
    },
  );
}

async function writeOutputs(name: string, outputs: ReadonlyMap<string, NpyArray>, session: Session): Promise<void> {
  const { reporter } = session;
  if (/\.npz$/i.test(name)) {
    await writeFile(name, formatNpz(outputs), reporter);
  } else if (outputs.size === 1) {
    await writeFile(name, formatNpy([...outputs.values()][0]!), reporter);
  } else {
    const names = [...outputs.keys()].map((n) => `\`${printable(n)}\``).join(", ");
    reporter.error("QN400", `--output: the network has ${outputs.size} outputs, ${names}, and a .npy holds one`, {
      help: "name an .npz file, or one output with --until",
    });
  }
}

/** Values by name, one array an output. */
const arraysOf = (ports: readonly OutputPort[], outputs: readonly Numbers[], samples: number): ReadonlyMap<string, NpyArray> =>
  new Map(ports.map((port, k) => [port.name, { shape: [samples, ...port.shape], data: outputs[k]! }]));

/** Accuracy on the only output, or on the one of several that is named last. */
async function tellAccuracy(labels: Labels, engine: Engine, outputs: readonly Numbers[], samples: number, session: Session): Promise<void> {
  const k = engine.outputs.length - 1;
  const port = engine.outputs[k]!;
  const given = labelsOf(labels, samples, sizeOf(port.shape), session.reporter);
  if (!given) return;
  // One unit answers by its sign, unless it is a probability.
  const threshold = port.host === "sigmoid" || !port.type.signed ? 0.5 : 0;
  const values = Float64Array.from(outputs[k] as ArrayLike<number | bigint>, Number);
  await writeFile("-", accuracyText(port.name, accuracyOf(given, values, port.shape, threshold)), session.reporter);
}

async function tellLayers(args: Arguments, tracer: Engine, batch: Batch, given: GivenArrays | undefined, session: Session): Promise<void> {
  const { reporter } = session;
  const result = runAll(tracer, batch, false, session);
  if (!result) return;
  const traced = arraysOf(tracer.outputs, result.outputs, batch.samples);
  const trace = args.text("trace");
  if (trace !== undefined) await writeFile(trace, formatNpz(traced), reporter);
  if (given?.kind !== "named") return;
  const tolerance = args.positive("tolerance") ?? 0;
  const lines = compareLayers(traced, given.arrays, { tolerance, source: given.source }, reporter);
  await writeFile("-", lines.map((line) => `${line}\n`).join(""), reporter);
}

export const sim: Handler = async (args, session) => {
  const { reporter } = session;
  const [inputs, output, raw] = [args.texts("input"), args.text("output"), args.flag("raw")];
  const [accuracy, trace, compare] = [args.text("accuracy"), args.text("trace"), args.text("compare")];
  const asks = [accuracy, trace, compare].some((x) => x !== undefined);
  if (inputs.length === 0) reporter.error("QN400", "say which samples to run", { help: "add --input X.npy, an array of shape (n, …)" });
  if (output === undefined && !asks)
    reporter.error("QN400", "say where the results go", { help: "add --output Y.npy, or --output - for standard output" });
  if (accuracy !== undefined && raw) reporter.error("QN401", "--accuracy needs values, and --raw gives mantissas");
  if (output === "-" && (accuracy !== undefined || compare !== undefined))
    reporter.error("QN401", "standard output cannot take both the results and what is told about them", { help: "name a file with --output" });
  if (trace !== undefined && !/\.npz$/i.test(trace)) reporter.error("QN400", "--trace: name an .npz file, which holds one array a layer");
  const reference = compare === undefined ? undefined : readArrays([compare], session);
  if (compare !== undefined && reference?.kind === "ordered") reporter.error("QN400", "--compare: name an .npz file whose arrays carry the layers' names");
  const labelFile = accuracy === undefined ? undefined : readArrays([accuracy], session);
  if (labelFile?.kind === "named") reporter.error("QN400", "--accuracy: name a .npy file of labels");
  if (reporter.failed) return;
  const found = await enginesFor(args, trace !== undefined || compare !== undefined, session);
  const engine = found?.engine;
  const given = engine && readArrays(inputs, session);
  const ordered =
    given &&
    inOrder(
      given,
      engine.inputs.map((p) => p.name),
      reporter,
    );
  const batch = ordered && batchOf(engine.inputs, ordered, reporter);
  const result = batch && runAll(engine, batch, raw, session);
  if (!result) return;
  warnOutside(
    result.outside,
    batch,
    ordered.map((g) => g.source),
    session,
  );
  const wantsHost = !raw && args.text("until") === undefined;
  const finished = (port: OutputPort, y: Numbers): Numbers => {
    const step = hostSteps.find((name) => name === port.host);
    return wantsHost && step && y instanceof Float64Array ? hostFunctions[step](y, port.shape) : y;
  };
  const values = result.outputs.map((y, k) => finished(engine.outputs[k]!, y));
  if (output !== undefined) await writeOutputs(output, arraysOf(engine.outputs, values, batch.samples), session);
  if (labelFile?.kind === "ordered") await tellAccuracy(labelFile.arrays[0]!, engine, values, batch.samples, session);
  if (found?.tracer) await tellLayers(args, found.tracer, batch, reference, session);
};
