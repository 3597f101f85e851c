// The HLS C++ target: typed Graph → header, one function an op, weights in their own headers, top function and testbench; or the Netlist as straight-line C++.
import { assert } from "../../diagnostics.js";
import type { Graph, Node } from "../../ir/graph.js";
import type { Netlist, Port } from "../../ir/netlist.js";
import type { Target } from "../../ir/target.js";
import { printShape, sizeOf } from "../../ir/tensor.js";
import { CppNames } from "./cpp-names.js";
import { tableReaders, wideTableReader } from "./cpp-tables.js";
import { apFixed, commentText } from "./cpp-types.js";
import { elemOf, HlsBuilder } from "./hls-builder.js";
import { netlistCode } from "./hls-cells.js";
import { hlsOps, inlinesConstants } from "./hls-ops.js";
import { datVectors, type PortDeclaration, testbench } from "./hls-testbench.js";

/** The typed graph, and the netlist that it was lowered to. */
export interface HlsInput {
  readonly graph: Graph;
  readonly netlist: Netlist;
}

/**
 * `loops`: a function an op, every loop unrolled by pragma, a sample each clock. `rolled`: the same loops kept, so that hardware is shared.
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
}

interface TopFunction {
  /** The function's name. */
  readonly top: string;
  /** The base name of the files: the network's own name, also where C++ needs another for the function. */
  readonly file: string;
  readonly inputs: readonly PortDeclaration[];
  readonly outputs: readonly PortDeclaration[];
  /** Typedefs of the ports, with comments. */
  readonly typedefs: readonly string[];
}

/** What a style contributes. */
interface Code {
  readonly top: TopFunction;
  readonly typedefs: readonly string[];
  readonly source: string;
  readonly weights: readonly (readonly [path: string, text: string])[];
}

type BarePort = Pick<Port, "name" | "shape" | "type">;

function declareTop(names: CppNames, top: string, inputs: readonly BarePort[], outputs: readonly BarePort[]): TopFunction {
  assert([...inputs, ...outputs].every((p) => p.name !== undefined), "hls: a name for each port");
  const typedefs: string[] = [];
  const declare = (ports: readonly BarePort[], single: string): readonly PortDeclaration[] =>
    ports.map((p) => {
      const name = names.port(p.name);
      const type = names.unique(ports.length === 1 ? single : `${name}_t`);
      typedefs.push(`typedef ${apFixed(p.type)} ${type};  // port ${name} ${printShape(p.shape)}`);
      return { name, type, fixed: p.type, size: sizeOf(p.shape) };
    });
  return { top: names.port(top), file: top, inputs: declare(inputs, "input_t"), outputs: declare(outputs, "output_t"), typedefs };
}

const prototype = (t: TopFunction): string =>
  `void ${t.top}(${[...t.inputs.map((p) => `const ${p.type} ${p.name}[${p.size}]`), ...t.outputs.map((p) => `${p.type} ${p.name}[${p.size}]`)].join(", ")})`;

function header(t: TopFunction, typedefs: readonly string[]): string {
  const guard = `${t.top.toUpperCase()}_H_`;
  return [
    `// Types and prototype of ${t.top}. Every type holds every value that its variables can take: nothing overflows but where a quantizer says so.`,
    `#ifndef ${guard}`,
    `#define ${guard}`,
    "",
    '#include "ap_fixed.h"',
    '#include "ap_int.h"',
    "",
    ...t.typedefs,
    ...typedefs,
    "",
    `${prototype(t)};`,
    "",
    "#endif",
    "",
  ].join("\n");
}

/** One sample each clock with all elements side by side, or ports as they are where loops share hardware. */
function pragmas(t: TopFunction, everyClock: boolean): readonly string[] {
  const ports = [...t.inputs, ...t.outputs];
  const reshape = everyClock ? ports.map((p) => `#pragma HLS ARRAY_RESHAPE variable=${p.name} complete dim=0`) : [];
  const handshake = everyClock ? [`#pragma HLS INTERFACE ap_vld port=${ports.map((p) => p.name).join(",")}`, "#pragma HLS PIPELINE II=1"] : [];
  return [...reshape, ...handshake];
}

interface Source {
  readonly top: TopFunction;
  /** A sample each clock. */
  readonly everyClock: boolean;
  readonly title: string;
  readonly includes: readonly string[];
  readonly wideTables: boolean;
  /** Tables and functions before the top function. */
  readonly definitions: readonly string[];
  readonly body: readonly string[];
}

const source = (s: Source): string =>
  [
    `// ${s.title}`,
    ...[`${s.top.file}.h`, ...s.includes].map((name) => `#include "${name}"`),
    "",
    tableReaders,
    ...(s.wideTables ? [wideTableReader] : []),
    ...s.definitions,
    `${prototype(s.top)} {`,
    ...pragmas(s.top, s.everyClock),
    ...s.body,
    "}",
    "",
  ].join("\n");

const bareNodePort = (node: Node, name: string): BarePort => ({ name, shape: node.type.shape, type: elemOf(node) });

function loops({ graph }: HlsInput, { names: ports }: HlsOptions, unroll: boolean): Code {
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
  const b = new HlsBuilder(graph, names, unroll, arrayConstants);
  graph.inputs.forEach((id, k) => b.bind(id, { array: t.inputs[k]!.name, type: t.inputs[k]!.type }));
  graph.nodes.forEach((node, id) => (hlsOps[node.op] as (n: Node, id: number, b: HlsBuilder) => void)(node, id, b));
  const index = names.unique("i");
  graph.outputs.forEach((out, k) => {
    const port = t.outputs[k]!;
    b.body.push("", ...b.loops([[index, port.size]], [`${port.name}[${index}] = ${b.value(out.value).array}[${index}];`]));
  });
  const weights = [...b.tables].map(([name, { texts, title }]) => [`hls/weights/${name}.h`, weightsHeader(`${t.top}_${name}`, title, texts)] as const);
  const text = source({
    top: t,
    everyClock: unroll,
    title: `${t.top}: one function for each operation of the network. Only the functions named quantize or lut round or saturate.`,
    includes: [...b.tables.keys()].map((name) => `weights/${name}.h`),
    wideTables: b.wideTables,
    definitions: b.functions,
    body: b.body,
  });
  return { top: t, typedefs: b.typedefs, source: text, weights };
}

function weightsHeader(name: string, title: string, texts: readonly string[]): string {
  const guard = `${name.toUpperCase()}_H_`;
  return `// Constants of layer ${commentText(title)}, as the integers that are stored.\n#ifndef ${guard}\n#define ${guard}\n\n${texts.join("\n")}\n#endif\n`;
}

function unrolled({ netlist }: HlsInput, { names: ports }: HlsOptions): Code {
  const names = new CppNames();
  const rename = (given: readonly string[]) => (p: Port, k: number): BarePort => ({ ...p, name: given[k]! });
  const t = declareTop(names, netlist.name, netlist.inputs.map(rename(ports.inputs)), netlist.outputs.map(rename(ports.outputs)));
  const code = netlistCode(netlist, t.inputs.map((p) => p.name), t.outputs.map((p) => p.name));
  const text = source({
    top: t,
    everyClock: true,
    title: `${t.top}: the network as shifts and adders, one line for each. Integers are mantissas; the types in ${t.file}.h say what a step is worth.`,
    includes: [],
    wideTables: code.wideTables,
    definitions: code.tables,
    body: code.body,
  });
  return { top: t, typedefs: [], source: text, weights: [] };
}

const styles: Readonly<Record<HlsStyle, (input: HlsInput, options: HlsOptions) => Code>> = {
  loops: (input, options) => loops(input, options, true),
  rolled: (input, options) => loops(input, options, false),
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
      ["hls/vitis_hls.tcl", vitisScript(top, options.clockNs)],
    ]);
  },
};

/** C simulation, synthesis and co-simulation with `vitis_hls -f vitis_hls.tcl` in the folder hls. */
const vitisScript = ({ top, file }: TopFunction, clockNs: number): string => `# vitis_hls -f vitis_hls.tcl, in this folder. The environment variable PART names the device.
set part [expr {[info exists ::env(PART)] ? $::env(PART) : "xcvu13p-flga2577-2-e"}]
open_project -reset vitis
set_top ${top}
add_files ${file}.cpp
add_files -tb ${file}_tb.cpp
open_solution -reset solution
set_part $part
create_clock -period ${clockNs}
set vectors [file normalize ../tb/vectors]
csim_design -argv $vectors
csynth_design
cosim_design -argv $vectors
exit
`;

export { datVectors };
