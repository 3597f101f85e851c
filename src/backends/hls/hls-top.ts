// What surrounds the ops: port typedefs, prototype, header files, the source file with its pragmas, the synthesis script.
import { assert } from "../../diagnostics.js";
import type { Port } from "../../ir/netlist.js";
import { printShape, sizeOf } from "../../ir/tensor.js";
import type { CppNames } from "./cpp-names.js";
import { tableReaders, wideTableReader } from "./cpp-tables.js";
import { apFixed, commentText } from "./cpp-types.js";
import type { PortDeclaration } from "./hls-testbench.js";

export interface TopFunction {
  /** The function's name. */
  readonly top: string;
  /** The base name of the files: the network's own name, also where C++ needs another for the function. */
  readonly file: string;
  readonly inputs: readonly PortDeclaration[];
  readonly outputs: readonly PortDeclaration[];
  /** Typedefs of the ports, with comments. */
  readonly typedefs: readonly string[];
}

export type BarePort = Pick<Port, "name" | "shape" | "type">;

export function declareTop(names: CppNames, top: string, inputs: readonly BarePort[], outputs: readonly BarePort[]): TopFunction {
  assert(
    [...inputs, ...outputs].every((p) => p.name !== undefined),
    "hls: a name for each port",
  );
  const typedefs: string[] = [];
  const declare = (ports: readonly BarePort[], single: string): readonly PortDeclaration[] =>
    ports.map((p) => {
      const name = names.port(p.name);
      const type = names.unique(ports.length === 1 ? single : `${name.replace(/_$/, "")}_t`);
      typedefs.push(`typedef ${apFixed(p.type)} ${type};  // port ${name} ${printShape(p.shape)}`);
      return { name, type, fixed: p.type, shape: p.shape, size: sizeOf(p.shape) };
    });
  return { top: names.port(top), file: top, inputs: declare(inputs, "input_t"), outputs: declare(outputs, "output_t"), typedefs };
}

function prototype(t: TopFunction): string {
  const array = (p: PortDeclaration): string => `${p.type} ${p.name}[${p.size}]`;
  return `void ${t.top}(${[...t.inputs.map((p) => `const ${array(p)}`), ...t.outputs.map(array)].join(", ")})`;
}

/** C++ reserves names with two underscores. */
const guardOf = (name: string): string => `${name.toUpperCase()}_H_`.replace(/_+/g, "_");

export function header(t: TopFunction, typedefs: readonly string[]): string {
  const guard = guardOf(t.top);
  return [
    `// Types and prototype of ${t.top}. Every type holds every value of its variables: nothing overflows but where a quantizer says so.`,
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

/** A sample each clock, all its elements side by side. */
export function everyClock(t: TopFunction): readonly string[] {
  const ports = [...t.inputs, ...t.outputs].map((p) => p.name);
  return [
    ...ports.map((name) => `#pragma HLS ARRAY_RESHAPE variable=${name} complete dim=0`),
    `#pragma HLS INTERFACE ap_vld port=${ports.join(",")}`,
    "#pragma HLS PIPELINE II=1",
  ];
}

interface Source {
  readonly top: TopFunction;
  /** At the head of the top function. */
  readonly pragmas: readonly string[];
  readonly title: string;
  readonly includes: readonly string[];
  readonly wideTables: boolean;
  /** Tables and functions before the top function. */
  readonly definitions: readonly string[];
  readonly body: readonly string[];
}

export const source = (s: Source): string =>
  [
    `// ${s.title}`,
    ...[`${s.top.file}.h`, ...s.includes].map((name) => `#include "${name}"`),
    "",
    tableReaders,
    ...(s.wideTables ? [wideTableReader] : []),
    ...s.definitions,
    `${prototype(s.top)} {`,
    ...s.pragmas,
    ...s.body,
    "}",
    "",
  ].join("\n");

export function weightsHeader(name: string, title: string, texts: readonly string[]): string {
  const guard = guardOf(name);
  const what = `// Constants of layer ${commentText(title)}, as the integers that are stored.`;
  return `${what}\n#ifndef ${guard}\n#define ${guard}\n\n${texts.join("\n")}\n#endif\n`;
}

/** C simulation, synthesis and co-simulation with `vitis_hls -f vitis_hls.tcl` in the folder hls. */
export const vitisScript = (
  { top, file }: TopFunction,
  clockNs: number,
  part = "xcvu13p-flga2577-2-e",
): string => `# vitis_hls -f vitis_hls.tcl, in this folder. The environment variable PART names the device.
set part [expr {[info exists ::env(PART)] ? $::env(PART) : "${part}"}]
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
