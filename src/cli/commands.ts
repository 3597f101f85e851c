// The commands and their flags. A command's code is loaded only when it runs, so that --help answers at once.
import type { Options } from "yargs";
import type { Arguments } from "./arguments.js";
import { forms, type Session } from "./session.js";

export type Handler = (args: Arguments, session: Session) => Promise<void>;
export type Flags = Readonly<Record<string, Options>>;

export interface Command {
  readonly name: string;
  /** yargs's pattern of positional arguments. */
  readonly usage: string;
  readonly doc: string;
  readonly positional: Readonly<Record<string, string>>;
  readonly flags: Flags;
  readonly examples?: readonly (readonly [command: string, what: string])[];
  load(): Promise<Handler>;
}

const text = (describe: string, more: Options = {}): Options => ({ type: "string", requiresArg: true, describe, ...more });
const yes = (describe: string, more: Options = {}): Options => ({ type: "boolean", describe, ...more });

export const globalFlags: Flags = {
  diagnostics: text("form of the messages on standard error", { choices: forms, default: "text" }),
  quiet: yes("print errors only", { alias: "q" }),
  verbose: yes("print what each step does", { alias: "v" }),
  color: yes("colour messages, or not (--no-color); by default on a terminal unless NO_COLOR is set"),
};

const model = { model: "the network: .qnn; Keras .json (with --weights), .h5 or .keras; or .qir" };

const sourceFlags: Flags = {
  weights: text("weights of a .json model (.h5)", { alias: "w" }),
  until: text("the last layer to compute; the layers behind it are dropped"),
  "hls4ml-config": text("hls4ml's YAML: compute what hls4ml computes with it, bit for bit"),
  fix: yes("with --hls4ml-config: the right value where hls4ml's is known to be wrong"),
};

const typeFlags: Flags = {
  "input-type": text("type of inputs that the model leaves real [default: from --calibrate, else fixed<16,6>, fixed<N,6> for a --width N above 16]"),
  calibrate: text("samples (.npy an input, or one .npz by name): integer bits of float layers and inputs from the ranges that they take, saturating"),
  precision: text("type of weights and results that the model leaves real, such as fixed<16,6>"),
  width: text("without --precision: total width, with integer bits from the proven range [default: 16]"),
  "max-table": text("entries that a table of a function may have; larger ones become polynomials between segments [default: 4096]"),
  softmax: text("a softmax (or sigmoid) at an output: computed by the host, by tables, only its argmax (an index), or none: the logits [default: host]", {
    choices: ["host", "table", "argmax", "none"],
  }),
};

export const emitted = ["graph", "netlist", "wat", "verilog", "hls"] as const;

const buildFlags: Flags = {
  output: text("folder to write; with --emit a file, or - for standard output", { alias: "o" }),
  ...sourceFlags,
  top: text("name of the top module [default: the network's in .qnn, else from the file name]"),
  ...typeFlags,
  latency: text("pipeline of exactly N clock cycles (0: combinational)"),
  "stage-depth": text("pipeline with at most N adders between registers"),
  clock: text("pipeline for a clock period of NS nanoseconds [default: 5]"),
  rtl: yes("write Verilog; --no-rtl leaves it out, for networks too large to be fully parallel [default: true]"),
  "max-cells": text("cells that the fully parallel Verilog may have, about [default: 1000000]"),
  part: text("device that the synthesis scripts name [default: xcvu13p-flga2577-2-e]"),
  wrapper: yes("write the AXI4-Stream wrapper; --no-wrapper leaves it out [default: true]"),
  "hls-style": text("form of the HLS C++ [default: loops]", { choices: ["loops", "rolled", "unrolled"] }),
  vectors: text("test inputs: .npy, once for each input in the model's order, or one .npz by name [default: the .qnn file's]"),
  "vector-count": text("number of random and corner test inputs [default: 1000]"),
  seed: text("seed of the random test inputs [default: 1]"),
  emit: text(`print one stage instead of a folder: ${emitted.join(", ")}, or ir-after=PASS`),
  "dump-ir": text("write the IR after every pass into this folder"),
  MD: yes("write a dependency file for make (also -MD)"),
  MF: text("its name [default: the output's name with .d] (also -MF)"),
  MT: text("its target [default: manifest.json in the output folder] (also -MT)"),
  MP: yes("with empty rules for the inputs, so that make survives their removal (also -MP)"),
  force: yes("write into a folder that qnnc did not make"),
};

/** Those that decide what is built, not where it is written. */
const inspectFlags: Flags = Object.fromEntries(
  Object.entries(buildFlags).filter(([name]) => !["output", "vectors", "emit", "dump-ir", "MD", "MF", "MT", "MP", "force"].includes(name)),
);

export const buildCommand: Command = {
  name: "build",
  usage: "<model>",
  doc: "compile a network into a folder of Verilog, HLS C++, simulator and test bench",
  positional: model,
  flags: buildFlags,
  examples: [
    ["qnnc net.json -w net.h5 -o firmware/", "compile"],
    ["qnnc net.keras --until logits --latency 5 -o firmware/", "drop the softmax, five pipeline stages"],
    ["qnnc net.qnn --clock 4 -o firmware/", "flags win over what the file sets"],
    ["qnnc net.h5 --emit verilog | less", "look at one stage"],
  ],
  load: async () => (await import("./build.js")).build,
};

export const commands: readonly Command[] = [
  buildCommand,
  {
    name: "sim",
    usage: "<model>",
    doc: "run samples through the network, bit-exact",
    positional: { model: `${model.model}, or a folder written by qnnc` },
    flags: {
      input: text(".npy of shape (n, …), once for each input in the model's order, or one .npz by name; - for standard input", {
        alias: "i",
      }),
      output: text(".npy to write (.npz where there are several outputs); - for standard output", { alias: "o" }),
      ...sourceFlags,
      ...typeFlags,
      accuracy: text("labels (.npy: class numbers or one-hot rows): print accuracy and confusion matrix"),
      trace: text(".npz to write: the values of every layer"),
      compare: text(".npz with values of layers by name: print which differ; the first that does is an error (exit code 4)"),
      tolerance: text("with --compare: the largest distance that still counts as equal [default: 0]"),
      jobs: text("simulators at once [default: one a core, where the samples are worth it]", { alias: "j" }),
      raw: yes("write integer mantissas in place of values; a final softmax is left out"),
      engine: text("what computes: the compiled simulator, the netlist, or the exact reference", {
        choices: ["jit", "netlist", "reference"],
        default: "jit",
      }),
    },
    examples: [["qnnc sim net.keras --input x.npy --output y.npy", "float64 in, exact values out"]],
    load: async () => (await import("./sim.js")).sim,
  },
  {
    name: "check",
    usage: "<model>",
    doc: "read the network and prove its ranges; write nothing",
    positional: model,
    flags: { ...sourceFlags, ...typeFlags, watch: yes("again after every change of a file that was read, until interrupted") },
    load: async () => (await import("./check.js")).check,
  },
  {
    name: "inspect",
    usage: "<model>",
    doc: "print a table of the layers, with shapes, types, parameters and multiplications, and the settings of a build with where each comes from",
    positional: model,
    flags: { ...inspectFlags, json: yes("as JSON") },
    load: async () => (await import("./inspect.js")).inspect,
  },
  {
    name: "fmt",
    usage: "<file>",
    doc: "lay out a .qnn file",
    positional: { file: "a .qnn file, rewritten in place; - for standard input" },
    flags: {
      check: yes("write nothing; exit code 1 where the layout differs"),
      output: text("file to write instead; - for standard output", { alias: "o" }),
    },
    load: async () => (await import("./commands-qnn/fmt.js")).fmt,
  },
  {
    name: "import",
    usage: "<model>",
    doc: "write a trained model as .qnn, with its weights beside it",
    positional: model,
    flags: {
      output: text("the .qnn to write; its weights go to the .npz beside it; - for standard output", { alias: "o" }),
      ...sourceFlags,
    },
    examples: [["qnnc import net.json -w net.h5 -o net.qnn", "net.qnn and net.npz"]],
    load: async () => (await import("./commands-qnn/import.js")).importModel,
  },
  {
    name: "lsp",
    usage: "",
    doc: "the language server of .qnn, for editors, on standard input and output",
    positional: {},
    flags: { stdio: yes("the default; editors give it") },
    load: async () => (await import("./commands-qnn/lsp.js")).lsp,
  },
  {
    name: "passes",
    usage: "",
    doc: "list the passes and the pipelines",
    positional: {},
    flags: {},
    load: async () => (await import("./list-passes.js")).listPasses,
  },
  {
    name: "opt",
    usage: "<file>",
    doc: "run passes on a textual IR",
    positional: { file: "a .qir file; - for standard input" },
    flags: {
      passes: text("names, in order, separated by commas; none: parse, check and print"),
      output: text("file to write; - for standard output", { alias: "o", default: "-" }),
      ...typeFlags,
      latency: buildFlags["latency"]!,
      "stage-depth": buildFlags["stage-depth"]!,
      clock: buildFlags["clock"]!,
    },
    load: async () => (await import("./opt.js")).opt,
  },
  {
    name: "explain",
    usage: "<code>",
    doc: "say what a diagnostic code means and what to do",
    positional: { code: "such as QN201" },
    flags: {},
    load: async () => (await import("./explain.js")).explain,
  },
  {
    name: "completion",
    usage: "",
    doc: "print a script that completes commands and flags in bash or zsh",
    positional: {},
    flags: {},
    load: async () => (await import("./completion.js")).completion,
  },
];
