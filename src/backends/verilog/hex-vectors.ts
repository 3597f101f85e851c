// tb/vectors/*.hex: one line a sample, all ports of a side packed into one hexadecimal number, port 0 and element 0 in the low bits.
import type { Netlist } from "../../ir/netlist.js";
import type { Files } from "../../ir/target.js";
import type { Mantissas, Vectors } from "../../ir/vectors.js";
import { type BusPort, placed, sideWidth } from "./ports.js";

/** The ports of one sample as the digits of one number. */
function hexLine(ports: readonly BusPort[], values: readonly Mantissas[]): string {
  const digits = Math.ceil(sideWidth(ports) / 4);
  // Bits in a string, most significant first: linear in the width, where shifting one big number is quadratic.
  const binary = placed(ports)
    .map(({ port }, k) => {
      const { width } = port.type;
      return width === 0 ? "0" : [...values[k]!].reverse().map((m) => BigInt.asUintN(width, m).toString(2).padStart(width, "0")).join("");
    })
    .reverse()
    .join("")
    .padStart(digits * 4, "0");
  return binary.replace(/.{4}/g, (nibble) => Number.parseInt(nibble, 2).toString(16));
}

const side = (ports: readonly BusPort[], values: Vectors["inputs"], count: number): string =>
  Array.from({ length: count }, (_, s) => `${hexLine(ports, values.map((port) => port[s]!))}\n`).join("");

export function hexVectors(netlist: Netlist, vectors: Vectors): Files {
  return new Map([
    ["tb/vectors/inputs.hex", side(netlist.inputs, vectors.inputs, vectors.count)],
    ["tb/vectors/outputs.hex", side(netlist.outputs, vectors.outputs, vectors.count)],
  ]);
}
