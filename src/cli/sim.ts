// `qnnc sim`: runs a batch of samples through the network, bit-exact.
import { statSync } from "node:fs";
import { typeModel } from "../compile.js";
import { printable } from "../diagnostics.js";
import { type Shape, sizeOf } from "../ir/tensor.js";
import { formatNpy, formatNpz, type NpyArray } from "../npy.js";
import type { Arguments } from "./arguments.js";
import { type Batch, batchOf } from "./batch.js";
import type { Handler } from "./commands.js";
import { type Engine, engines, isEngine, type Numbers, type OutputPort } from "./engines.js";
import { firmwareEngine } from "./firmware-folder.js";
import { inOrder, readArrays } from "./read-arrays.js";
import type { Session } from "./session.js";
import { optionsOf, readSource } from "./source.js";
import { writeFile } from "./write-file.js";

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Flags that shape the network: with a firmware folder it has its shape already. */
const modelFlags = ["weights", "until", "input-type", "precision", "width"] as const;

async function engineFor(args: Arguments, session: Session): Promise<Engine | undefined> {
  const { reporter } = session;
  const model = args.positional("model");
  const name = args.text("engine");
  if (isFolder(model)) {
    const given = [...modelFlags.filter((f) => args.texts(f).length > 0), ...(name === "jit" ? [] : ["engine"])];
    if (given.length > 0)
      return reporter.error("QN401", `--${given[0]} needs the model, and ${model} is a folder`, {
        help: "name the model that the folder was built from",
      });
    return reporter.failed ? undefined : firmwareEngine(model, reporter);
  }
  const options = optionsOf(args, session);
  const source = await readSource(args, session);
  session.progress(`compiling ${model}`);
  const typed = source && (await typeModel(source, options, reporter));
  return typed && isEngine(name) ? engines[name](typed.graph, typed.options, reporter) : undefined;
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

export const sim: Handler = async (args, session) => {
  const { reporter } = session;
  const [inputs, output, raw] = [args.texts("input"), args.text("output"), args.flag("raw")];
  if (inputs.length === 0) reporter.error("QN400", "say which samples to run", { help: "add --input X.npy, an array of shape (n, …)" });
  if (output === undefined)
    reporter.error("QN400", "say where the results go", { help: "add --output Y.npy, or --output - for standard output" });
  if (reporter.failed || output === undefined) return;
  const engine = await engineFor(args, session);
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
  const finished = (port: OutputPort, y: Numbers): Numbers =>
    wantsHost && port.host === "softmax" && y instanceof Float64Array ? softmax(y, port.shape) : y;
  const arrays = new Map(
    engine.outputs.map((port, k): [string, NpyArray] => [
      port.name,
      { shape: [batch.samples, ...port.shape], data: finished(port, result.outputs[k]!) },
    ]),
  );
  await writeOutputs(output, arrays, session);
};
