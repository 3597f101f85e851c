// Exact-width Verilog text for pieces of a value: every extension, slice and shift is written out, so no implicit width or sign rule of Verilog ever applies.
import { shiftFloor } from "../../ir/fixed.js";

/** A declared signal. `read` notes which of its bits were used, so that the others can be named as unused. */
export interface Signal {
  readonly name: string;
  readonly width: number;
  readonly signed: boolean;
  read(mask: bigint): void;
}
/** A signal, or a constant's value. */
export type Operand = Signal | bigint;

/** `wire signed [6:0]`, `reg [3:0]`, `wire`: the declaration before the name. */
export const declared = (kind: "wire" | "reg", width: number, signed: boolean): string =>
  `${kind}${signed ? " signed" : ""}${width === 1 ? "" : ` [${width - 1}:0]`}`;

/** The low `width` bits of `value` as a sized literal: `4'd9`, `-8'sd3`; hexadecimal where decimal would not fit 32 bits. */
export function literal(value: bigint, width: number, signed = value < 0n): string {
  const s = signed ? "s" : "";
  const residue = BigInt.asUintN(width, value);
  const magnitude = signed ? -BigInt.asIntN(width, value) : 0n;
  // The most negative number has no positive literal of its width.
  if (width > 32 || magnitude === 1n << BigInt(width - 1)) return `${width}'${s}h${residue.toString(16)}`;
  return magnitude > 0n ? `-${width}'sd${magnitude}` : `${width}'${s}d${residue}`;
}

const ones = (count: number): bigint => (1n << BigInt(count)) - 1n;

/** Bits from … from + count − 1 of a signal. */
export function slice(x: Signal, from: number, count: number): string {
  x.read(ones(count) << BigInt(from));
  if (count === x.width) return x.name;
  return count === 1 ? `${x.name}[${from}]` : `${x.name}[${from + count - 1}:${from}]`;
}

const repeat = (count: number, bit: string): string => (count === 1 ? bit : `{${count}{${bit}}}`);

/** The low `width` bits of floor(x·2^shift) in two's complement. */
export function bits(x: Operand, width: number, shift = 0): string {
  if (typeof x === "bigint") return literal(shiftFloor(x, shift), width);
  const zeros = Math.min(Math.max(shift, 0), width);
  const from = Math.max(-shift, 0);
  const taken = Math.max(0, Math.min(x.width - from, width - zeros));
  const extension = width - zeros - taken;
  const parts: string[] = [];
  if (extension > 0) parts.push(x.signed ? repeat(extension, slice(x, x.width - 1, 1)) : `${extension}'d0`);
  if (taken > 0) parts.push(slice(x, from, taken));
  if (zeros > 0) parts.push(`${zeros}'d0`);
  return parts.length === 1 ? parts[0]! : `{${parts.join(", ")}}`;
}

/** The same bits as an operand that Verilog treats as signed. */
export function signedBits(x: Operand, width: number, shift = 0): string {
  if (typeof x === "bigint") return literal(shiftFloor(x, shift), width, true);
  const text = bits(x, width, shift);
  return text === x.name && x.signed ? text : `$signed(${text})`;
}

/** Items separated by commas, in lines of at most about 120 characters. */
export function commaLines(items: readonly string[], indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const item of items) {
    if (line !== "" && line.length + item.length > 110) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? item : `, ${item}`;
  }
  return [...lines, line].join(`,\n${indent}`);
}
