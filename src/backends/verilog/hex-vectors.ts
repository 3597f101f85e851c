// tb/vectors/*.hex: one line a sample, all ports of a side packed into one hexadecimal number, port 0 and element 0 in the low bits.
// Numbers wider than WORD bits are cut into words of that width with spaces between, the most significant first.
import type { Netlist } from "../../ir/netlist.js";
import type { Files } from "../../ir/target.js";
import type { Mantissas, Vectors } from "../../ir/vectors.js";
import { type BusPort, placed, sideWidth } from "./ports.js";

/** Verilator scans at most 8192 bits at once. */
export const WORD = 4096;

/** Widths of the words of a line, the least significant first. */
export const hexWords = (bits: number): readonly number[] =>
  Array.from({ length: Math.ceil(bits / WORD) }, (_, k) => Math.min(WORD, bits - k * WORD));

/** The ports of one sample as the digits of one number, in words. */
function hexLine(ports: readonly BusPort[], values: readonly Mantissas[]): string {
  const bits = sideWidth(ports);
  // Bits in a string, most significant first: linear in the width, where shifting one big number is quadratic.
  const binary = placed(ports)
    .map(({ port }, k) => {
      const { width } = port.type;
      return width === 0
        ? "0"
        : values[k]!.toReversed()
            .map((m) => BigInt.asUintN(width, m).toString(2).padStart(width, "0"))
            .join("");
    })
    .reverse()
    .join("");
  const word = (k: number, width: number): string => {
    const end = bits - k * WORD;
    return binary
      .slice(end - width, end)
      .padStart(Math.ceil(width / 4) * 4, "0")
      .replace(/.{4}/g, (nibble) => Number.parseInt(nibble, 2).toString(16));
  };
  return hexWords(bits)
    .map((width, k) => word(k, width))
    .reverse()
    .join(" ");
}

const side = (ports: readonly BusPort[], values: Vectors["inputs"], count: number): string =>
  Array.from(
    { length: count },
    (_, s) =>
      `${hexLine(
        ports,
        values.map((port) => port[s]!),
      )}\n`,
  ).join("");

export function hexVectors(netlist: Netlist, vectors: Vectors): Files {
  return new Map([
    ["tb/vectors/inputs.hex", side(netlist.inputs, vectors.inputs, vectors.count)],
    ["tb/vectors/outputs.hex", side(netlist.outputs, vectors.outputs, vectors.count)],
  ]);
}
