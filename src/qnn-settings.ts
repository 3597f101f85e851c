// What a .qnn file sets beside its network, as options of a build. Whatever is asked for on the command line wins.
import { type Place, printable, type Reporter } from "./diagnostics.js";
import type { QnnSettings } from "./frontend/qnn/read-qnn.js";
import type { Graph } from "./ir/graph.js";
import { type NpyArray, parseNpy, parseNpz } from "./npy.js";
import { type BuildOptions, isPart, type Options, type Origins, partHelp, type VectorsFile } from "./options.js";
import type { Pipelining } from "./passes/pass.js";
import type { Source } from "./read-model.js";

const isClocked = (p: Pipelining | undefined): boolean => p !== undefined && "clock" in p;

/** The options that the file sets, as far as nothing asked for decides them, and where it does. */
export interface Wishes {
  readonly options: Options;
  readonly origins: Origins;
}

interface Set<T> {
  readonly value: T;
  readonly at: Place;
}
const set = <T, U>(from: Set<T> | undefined, make: (value: T) => U): Set<U> | undefined => from && { value: make(from.value), at: from.at };

/** Undefined after reporting a contradiction, or a value that no script can hold. */
export function wishesOf(settings: QnnSettings, asked: Options, reporter: Reporter): Wishes | undefined {
  const { verilog = {}, hls = {}, quantize, vectors } = settings;
  if (asked.top === undefined && verilog.top && hls.top && verilog.top.value !== hls.top.value) {
    return reporter.error("QN812", "a build has one top module, and the two targets name it differently", {
      at: hls.top.at,
      also: [{ at: verilog.top.at, message: "the other name" }],
      help: "give both the same name, or only one of them a name",
    });
  }
  for (const part of [verilog.part, hls.part]) {
    if (part && !isPart(part.value))
      return reporter.error("QN812", `\`part\` must be the name of a device, and \`${printable(part.value)}\` is none`, {
        at: part.at,
        help: partHelp,
      });
  }
  if (quantize?.data) {
    reporter.warn(
      "QN814",
      "`quantize` is not carried out: the network is built with the precisions that this file writes, `auto` ones as --width says",
      {
        at: quantize.data.at,
        help: "write a type where a value should be narrower; remove the block, or leave it for a version of qnnc that quantizes",
      },
    );
  }
  const { clock } = verilog;
  const pipeline: Set<Pipelining> | undefined = set(verilog.latency, (stages) => ({ stages })) ?? set(clock, (ns) => ({ clock: ns }));
  const asksVectors = asked.vectors !== undefined || asked.vectorCount !== undefined || asked.seed !== undefined;
  const found: { readonly [K in keyof BuildOptions]?: Set<BuildOptions[K]> | undefined } = {
    top: verilog.top ?? hls.top,
    pipeline,
    // Stages by number leave the clock to the constraints alone.
    clockNs: isClocked(asked.pipeline ?? pipeline?.value) ? undefined : clock,
    hlsClockNs: isClocked(asked.pipeline) ? undefined : hls.clock,
    part: verilog.part,
    hlsPart: asked.part === undefined ? hls.part : undefined,
    wrapper: verilog.wrapper,
    hlsStyle: hls.style,
    vectorsFile: asksVectors ? undefined : set(vectors, (value) => ({ value, at: vectors!.at })),
  };
  const own = Object.entries(found).filter(
    ([key, s]) => s !== undefined && asked[key as keyof Options] === undefined,
  ) as readonly (readonly [string, Set<unknown>])[];
  return {
    options: Object.fromEntries(own.map(([key, s]) => [key, s.value])),
    origins: Object.fromEntries(own.map(([key, s]) => [key, s.at])),
  };
}

/** The samples of a `vectors` file in the order of the graph's inputs. */
export function vectorsIn(
  { value: name, at }: VectorsFile,
  { files }: Source,
  graph: Graph,
  reporter: Reporter,
): readonly NpyArray[] | undefined {
  const bytes = files.get(name);
  if (!bytes) return reporter.error("QN100", "there is no such file", { at, help: `it is looked for at ${name}` });
  const inputs = graph.inputs.flatMap((id) => {
    const node = graph.nodes[id];
    return node?.op === "input" ? [node.attrs.name] : [];
  });
  if (!/\.npz$/i.test(name)) {
    const array = parseNpy(bytes, name, reporter);
    if (!array || inputs.length === 1) return array && [array];
    return reporter.error("QN500", `the network has ${inputs.length} inputs, and a .npy holds one array`, {
      at,
      help: "name an .npz whose arrays carry the inputs' names",
    });
  }
  const arrays = parseNpz(bytes, name, reporter);
  const missing = arrays && inputs.filter((input) => !arrays.has(input));
  if (!arrays || !missing) return undefined;
  if (missing.length === 0) return inputs.map((input) => arrays.get(input)!);
  return reporter.error("QN500", `${name} has no array \`${missing[0]}\``, {
    at,
    help: `it has ${[...arrays.keys()].map((k) => `\`${k}\``).join(", ")}`,
  });
}
