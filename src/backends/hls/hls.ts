// The HLS C++ target: typed Graph → a function an op, weights in their own headers; or Netlist → straight-line C++; and a testbench.
import { assert } from "../../diagnostics.js";
import type { Graph, Node } from "../../ir/graph.js";
import type { Netlist, Port } from "../../ir/netlist.js";
import type { OpName } from "../../ir/ops/index.js";
import type { Target } from "../../ir/target.js";
import { CppNames } from "./cpp-names.js";
import { elemOf, HlsBuilder, lanesOf, type Schedule } from "./hls-builder.js";
import { netlistCode } from "./hls-cells.js";
import { inlinesConstants } from "./hls-elementwise.js";
import { hlsOps } from "./hls-ops.js";
import { datVectors, testbench } from "./hls-testbench.js";
import { type BarePort, declareTop, everyClock, header, source, type TopFunction, vitisScript, weightsHeader } from "./hls-top.js";

/** The typed graph, and the netlist that it was lowered to. */
export interface HlsInput {
  readonly graph: Graph;
  /** Needed by the style `unrolled` alone. */
  readonly netlist: Netlist | undefined;
}

/**
 * `loops`: a function an op, every loop unrolled by pragma, a sample each clock; with windows in the network, a position every few clocks.
 * `rolled`: the same loops kept, so that hardware is shared.
 * `unrolled`: the netlist's shifts and adders, one line a cell.
 */
export type HlsStyle = "loops" | "rolled" | "unrolled";
export const hlsStyles: readonly HlsStyle[] = ["loops", "rolled", "unrolled"];

export interface HlsOptions {
  readonly style: HlsStyle;
  /** The names of the ports, as `portNames` gives them. */
  readonly names: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
  /** Clock period for the synthesis script, in nanoseconds. */
  readonly clockNs: number;
  /** The device where the environment names none. */
  readonly part?: string;
}

/** What a style contributes. */
interface Code {
  readonly top: TopFunction;
  readonly typedefs: readonly string[];
  readonly source: string;
  readonly weights: readonly (readonly [path: string, text: string])[];
}

const bareNodePort = (node: Node, name: string): BarePort => ({ name, shape: node.type.shape, type: elemOf(node) });

/** Ops whose positions share hardware: side by side, they seldom fit a device. */
const windowed: ReadonlySet<OpName> = new Set(["conv", "maxpool", "sumpool"]);

const topPragmas: Readonly<Record<Schedule, (t: TopFunction, b: HlsBuilder) => readonly string[]>> = {
  parallel: everyClock,
  // Synthesis lets functions overlap only where each array has one reader.
  shared: (t, b) => [
    ...[...t.inputs, ...t.outputs].flatMap((p) => b.split(p.name, p.shape)),
    ...(b.isChain ? ["#pragma HLS DATAFLOW"] : []),
  ],
  rolled: () => [],
};

function loops({ graph }: HlsInput, { names: ports, style }: HlsOptions): Code {
  const unrolling: Schedule = graph.nodes.some((n) => windowed.has(n.op)) ? "shared" : "parallel";
  const schedule = style === "rolled" ? "rolled" : unrolling;
  const names = new CppNames();
  const t = declareTop(
    names,
    graph.name,
    graph.inputs.map((id, k) => bareNodePort(graph.nodes[id]!, ports.inputs[k]!)),
    graph.outputs.map((out, k) => bareNodePort(graph.nodes[out.value]!, ports.outputs[k]!)),
  );
  const arrayConstants = new Set([
    ...graph.nodes.flatMap((n) => (inlinesConstants(n.op) ? [] : n.operands)),
    ...graph.outputs.map((out) => out.value),
  ]);
  const b = new HlsBuilder(graph, names, schedule, arrayConstants);
  for (const [k, id] of graph.inputs.entries()) b.bind(id, { array: t.inputs[k]!.name, type: t.inputs[k]!.type });
  for (const [id, node] of graph.nodes.entries()) (hlsOps[node.op] as (n: Node, id: number, b: HlsBuilder) => void)(node, id, b);
  const index = names.unique("i");
  graph.outputs.forEach((out, k) => {
    const port = t.outputs[k]!;
    const copy = `${port.name}[${index}] = ${b.read(out.value).array}[${index}];`;
    b.body.push("", ...b.loops([[index, port.size]], [copy], { lanes: lanesOf(port.shape) }));
  });
  const weights = [...b.tables].map(
    ([name, { texts, title }]) => [`hls/weights/${name}.h`, weightsHeader(`${t.top}_${name}`, title, texts)] as const,
  );
  const text = source({
    top: t,
    pragmas: topPragmas[schedule](t, b),
    title: `${t.top}: one function for each operation of the network. Only the functions named quantize or lut round or saturate.`,
    includes: [...b.tables.keys()].map((name) => `weights/${name}.h`),
    wideTables: b.wideTables,
    definitions: b.functions,
    body: b.body,
  });
  return { top: t, typedefs: b.typedefs, source: text, weights };
}

function unrolled({ netlist }: HlsInput, { names: ports }: HlsOptions): Code {
  assert(netlist, "hls: the unrolled style needs the netlist");
  const names = new CppNames();
  const rename =
    (given: readonly string[]) =>
    (p: Port, k: number): BarePort => ({ ...p, name: given[k]! });
  const t = declareTop(names, netlist.name, netlist.inputs.map(rename(ports.inputs)), netlist.outputs.map(rename(ports.outputs)));
  const code = netlistCode(
    netlist,
    t.inputs.map((p) => p.name),
    t.outputs.map((p) => p.name),
  );
  const text = source({
    top: t,
    pragmas: everyClock(t),
    title: `${t.top}: the network as shifts and adders on mantissas, one line for each. The types of the ports say what a step is worth.`,
    includes: [],
    wideTables: code.wideTables,
    definitions: code.tables,
    body: code.body,
  });
  return { top: t, typedefs: [], source: text, weights: [] };
}

const styles: Readonly<Record<HlsStyle, (input: HlsInput, options: HlsOptions) => Code>> = {
  loops,
  rolled: loops,
  unrolled,
};

export const hls: Target<HlsInput, HlsOptions> = {
  name: "hls",
  doc: "C++ with ap_fixed types for Vitis HLS, and a testbench; compiles with g++ against the ap_fixed headers",
  emit: (input, options) => {
    const { top, typedefs, source, weights } = styles[options.style](input, options);
    return new Map([
      [`hls/${top.file}.h`, header(top, typedefs)],
      [`hls/${top.file}.cpp`, source],
      ...weights,
      [`hls/${top.file}_tb.cpp`, testbench(top.top, `${top.file}.h`, top.inputs, top.outputs)],
      ["hls/vitis_hls.tcl", vitisScript(top, options.clockNs, options.part)],
    ]);
  },
};

export { datVectors };
