// `qnnc sim`: runs a batch of samples through the network, bit-exact.
import { statSync } from "node:fs";
import { typeModel } from "../compile.js";
import { printable } from "../diagnostics.js";
import type { Graph } from "../ir/graph.js";
import { sizeOf } from "../ir/tensor.js";
import { formatNpy, formatNpz, type NpyArray } from "../npy.js";
import { answersOf, classify } from "../sim/analysis.js";
import type { Arguments } from "./arguments.js";
import type { Handler } from "./commands.js";
import { type Engine, engines, isEngine, type Numbers, type OutputPort } from "./engines.js";
import { firmwareEngine } from "./firmware-folder.js";
import { withHostStep } from "./host-steps.js";
import { withCleanUp } from "./interrupts.js";
import { npyWriter } from "./npy-writer.js";
import { type GivenArrays, readArrays } from "./read-arrays.js";
import { openSamples, type Samples, STREAMED_BYTES } from "./samples.js";
import type { Session } from "./session.js";
import { accuracyText, agreementText, compareLayers, isFloat, type Labels, labelsOf, tracedGraph } from "./sim-analysis.js";
import { runAll, type Take } from "./sim-run.js";
import { optionsOf, readSource } from "./source.js";
import { writeFile } from "./write-file.js";

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Flags that shape the network: with a firmware folder it has its shape already. */
const modelFlags = ["weights", "until", "input-type", "precision", "width", "calibrate"] as const;

interface Found {
  readonly engine: Engine;
  /** Gives every layer's value. */
  readonly tracer?: Engine;
  /** As the framework defines it. */
  readonly model?: Graph;
}

/** An engine, and with `traced` a second one that gives every layer's value. */
async function enginesFor(args: Arguments, traced: boolean, session: Session): Promise<Found | undefined> {
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
  return engine && (!traced || tracer) ? { engine, model: typed.model, ...(tracer ? { tracer } : {}) } : undefined;
}

/** A number outside an input's type is converted as the hardware's host would; whoever measures accuracy should know. */
function warnOutside(outside: number, engine: Engine, samples: Samples, session: Session): void {
  if (outside === 0) return;
  const total = engine.inputs.reduce((n, p) => n + samples.count * sizeOf(p.shape), 0);
  session.reporter.warn("QN501", `${outside} of ${total} input values lie outside the input's type; they wrap around or saturate, as its overflow mode says`, {
    at: { source: samples.sources[0] ?? "" },
    help: "scale or clip the data as in training, or choose a wider --input-type",
  });
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

/** What is done with the results, stretch by stretch; `finish` comes after the last. */
interface Taker {
  readonly take: Take;
  finish(): Promise<void>;
  discard?(): void;
}

/** Keeps everything until the end. */
function collector(ports: readonly OutputPort[], count: number, finish: (outputs: ReadonlyMap<string, NpyArray>) => Promise<void>): Taker {
  let all: Numbers[] | undefined;
  const like = { Float64Array, BigInt64Array, BigUint64Array } as const;
  return {
    take: (outputs, from) => {
      all ??= outputs.map((y, k) => new like[y.constructor.name as keyof typeof like](count * sizeOf(ports[k]!.shape)));
      outputs.forEach((y, k) => (all![k] as { set(from: Numbers, at: number): void }).set(y, from * sizeOf(ports[k]!.shape)));
      return true;
    },
    finish: () => (all ? finish(arraysOf(ports, all, count)) : Promise.resolve()),
  };
}

/** The outputs to a file or standard output: a large .npy as it comes. */
function outputTaker(name: string, ports: readonly OutputPort[], count: number, session: Session): Taker {
  const [port] = ports;
  const isLarge = port !== undefined && ports.length === 1 && /\.npy$/i.test(name) && count * sizeOf(port.shape) * 8 >= STREAMED_BYTES;
  if (!isLarge) return collector(ports, count, (outputs) => writeOutputs(name, outputs, session));
  const writer = npyWriter(name, count, port.shape, session.reporter);
  return {
    take: ([y]) => writer.write(y!),
    finish: async () => {
      writer.commit();
    },
    discard: writer.discard,
  };
}

/** Accuracy on the only output, or on the last of several. */
function accuracyTaker(labels: Labels, { engine, model }: Found, samples: Samples, session: Session): Taker | undefined {
  const k = engine.outputs.length - 1;
  const port = engine.outputs[k]!;
  const classes = sizeOf(port.shape);
  const given = labelsOf(labels, samples.count, classes, session.reporter);
  if (!given) return undefined;
  // One unit answers by its sign, unless it is a probability.
  const threshold = port.host === "sigmoid" || !port.type.signed ? 0.5 : 0;
  const answers = new Int32Array(samples.count);
  return {
    take: (outputs, from) => {
      answers.set(answersOf(Float64Array.from(outputs[k] as ArrayLike<number | bigint>, Number), classes, threshold), from);
      return true;
    },
    finish: async () => {
      // The float model ends before the host's last step, where 0 is the middle.
      const middle = port.host === "sigmoid" ? 0 : threshold;
      const agreement = model && isFloat(model) ? agreementText(model, (s) => samples.read(s, s + 1)?.inputs, answers, middle) : "";
      await writeFile("-", accuracyText(port.name, classify(answers, given)) + agreement, session.reporter);
    },
  };
}

/** Every layer's values, written and compared. */
const layersTaker = (args: Arguments, tracer: Engine, count: number, given: GivenArrays | undefined, session: Session): Taker =>
  collector(tracer.outputs, count, async (traced) => {
    const trace = args.text("trace");
    if (trace !== undefined) await writeFile(trace, formatNpz(traced), session.reporter);
    if (given?.kind !== "named") return;
    const lines = compareLayers(traced, given.arrays, { tolerance: args.positive("tolerance") ?? 0, source: given.source }, session.reporter);
    await writeFile("-", lines.map((line) => `${line}\n`).join(""), session.reporter);
  });

/** Checks the flags that belong to the command itself. */
function checkFlags(args: Arguments, { reporter }: Session): void {
  const [output, accuracy, trace, compare] = ["output", "accuracy", "trace", "compare"].map((f) => args.text(f));
  if (args.texts("input").length === 0)
    reporter.error("QN400", "say which samples to run", { help: "add --input X.npy, an array of shape (n, …)" });
  if ([output, accuracy, trace, compare].every((x) => x === undefined))
    reporter.error("QN400", "say where the results go", { help: "add --output Y.npy, or --output - for standard output" });
  if (accuracy !== undefined && args.flag("raw")) reporter.error("QN401", "--accuracy needs values, and --raw gives mantissas");
  if (output === "-" && (accuracy !== undefined || compare !== undefined))
    reporter.error("QN401", "standard output cannot take both the results and what is told about them", { help: "name a file with --output" });
  if (trace !== undefined && !/\.npz$/i.test(trace)) reporter.error("QN400", "--trace: name an .npz file, which holds one array a layer");
}

export const sim: Handler = async (args, session) => {
  const { reporter } = session;
  checkFlags(args, session);
  const [output, raw, jobs] = [args.text("output"), args.flag("raw"), args.whole("jobs", 1, 256)];
  const asked = (flag: "accuracy" | "compare"): GivenArrays | undefined => {
    const path = args.text(flag);
    return path === undefined ? undefined : readArrays([path], session);
  };
  const [labels, reference] = [asked("accuracy"), asked("compare")];
  if (reference?.kind === "ordered") reporter.error("QN400", "--compare: name an .npz file whose arrays carry the layers' names");
  if (labels?.kind === "named") reporter.error("QN400", "--accuracy: name a .npy file of labels");
  if (reporter.failed) return;
  const found = await enginesFor(args, ["trace", "compare"].some((f) => args.text(f) !== undefined), session);
  const samples = found && openSamples(args.texts("input"), found.engine.inputs, session);
  if (!samples) return;
  const { engine, tracer } = found;
  const takers = [
    output === undefined ? undefined : outputTaker(output, engine.outputs, samples.count, session),
    labels?.kind === "ordered" ? accuracyTaker(labels.arrays[0]!, found, samples, session) : undefined,
  ].filter((t) => t !== undefined);
  const wantsHost = !raw && args.text("until") === undefined;
  const take: Take = (outputs, from, to) => {
    const values = outputs.map((y, k) => (wantsHost ? withHostStep(engine.outputs[k]!, y) : y));
    return takers.every((t) => t.take(values, from, to));
  };
  const discard = (): void => takers.forEach((t) => t.discard?.());
  await withCleanUp(discard, async () => {
    const outside = reporter.failed ? undefined : await runAll(engine, samples, { raw, jobs }, session, take);
    if (outside === undefined) return discard();
    warnOutside(outside, engine, samples, session);
    for (const t of takers) await t.finish();
    const layers = tracer && layersTaker(args, tracer, samples.count, reference, session);
    if (layers && (await runAll(tracer, samples, { raw: false, jobs }, session, layers.take)) !== undefined) await layers.finish();
  });
  samples.close();
};
