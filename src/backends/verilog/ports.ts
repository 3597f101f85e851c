// The buses of a module: widths, places of elements, and how all ports of a side pack into one vector.
import { assert } from "../../diagnostics.js";
import { printFixed } from "../../ir/fixed.js";
import type { InputPort, Netlist, OutputPort } from "../../ir/netlist.js";
import { printShape } from "../../ir/tensor.js";

export type BusPort = InputPort | OutputPort;

/** A bus of a zero-width type still has one wire, which is 0. */
export const busWidth = (port: BusPort): number => Math.max(1, port.elements.length * port.type.width);

/** Ports side by side, port 0 in the low bits. */
export const sideWidth = (ports: readonly BusPort[]): number => ports.reduce((sum, p) => sum + busWidth(p), 0);

/** Each port with the place of its bit 0 in the packed side. */
export function placed<P extends BusPort>(ports: readonly P[]): readonly { readonly port: P; readonly offset: number }[] {
  let offset = 0;
  return ports.map((port) => {
    const at = { port, offset };
    offset += busWidth(port);
    return at;
  });
}

export const vectorRange = (width: number): string => (width === 1 ? "" : `[${width - 1}:0]`);

/** The select of `width` bits from a vector of `whole` bits; none where that is all of it. */
export const partSelect = (offset: number, width: number, whole: number): string =>
  width === whole ? "" : width === 1 ? `[${offset}]` : `[${offset + width - 1}:${offset}]`;

export const wire = (width: number, name: string): string => `  wire ${width === 1 ? "" : `${vectorRange(width)} `}${name};`;

/** out0, out1 …: one wire for each output port of the core. Connecting slices of one vector instead would make Icarus resolve drive strengths bit by bit. */
export const outputWires = (ports: readonly BusPort[]): string => ports.map((p, k) => wire(busWidth(p), `out${k}`)).join("\n");

const PREFIX = { input: "input  wire", output: "output wire", "output reg": "output reg " } as const;
type PortDirection = keyof typeof PREFIX;

/** `input wire [7:0] x`, with the ranges in one column. */
export function portLines(
  lines: readonly { readonly direction: PortDirection; readonly width: number; readonly name: string; readonly note?: string }[],
): string {
  const column = Math.max(...lines.map((l) => vectorRange(l.width).length));
  return lines
    .map(({ direction, width, name, note }, i) => {
      const text = `    ${PREFIX[direction]} ${vectorRange(width).padEnd(column)} ${name}${i < lines.length - 1 ? "," : ""}`;
      return note === undefined ? text : `${text}  // ${note}`;
    })
    .join("\n");
}

export const describePort = (port: BusPort): string => `${printShape(port.shape)} of ${printFixed(port.type)}`;

const IDENTIFIER = /^[A-Za-z][A-Za-z0-9_]*$/;

/** Names reach the text unescaped, so they must be identifiers; ir/names.ts makes them so. */
export function checkNames(netlist: Netlist): void {
  const names = [...netlist.inputs, ...netlist.outputs].map((p) => p.name);
  for (const name of [netlist.name, ...names]) assert(IDENTIFIER.test(name), `verilog: ${JSON.stringify(name)} is not an identifier`);
  assert(
    new Set([...names, "clk", "in_valid", "out_valid"]).size === names.length + 3,
    `verilog: port names ${names.join(", ")} are not distinct`,
  );
  assert(netlist.inputs.length > 0 && netlist.outputs.length > 0, "verilog: a module needs an input and an output");
}
