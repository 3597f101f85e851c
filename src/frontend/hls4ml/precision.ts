// Precisions as hls4ml writes them (`ap_fixed<16,6,AP_RND,AP_SAT>`, `int<4>`, `auto`), and the arithmetic on types that its inference does.
import { type Conversion, exponent, fixed, type FixedType, MAX_WIDTH, parseConversion } from "../../ir/fixed.js";

/**
 * `fixed` and `integer` hold numbers. `xnor` is one bit: 0 is −1, 1 is +1. `exponent` holds ±2^e with `e` in a signed type.
 * hls4ml chooses products and decimal digits by this class, not by the value.
 */
export interface Precision extends Conversion {
  readonly kind: "fixed" | "integer" | "xnor" | "exponent";
}

/** `auto`: hls4ml infers it from the layer's other types. */
export type Slot = Precision | "auto";

const precision = (kind: Precision["kind"], type: FixedType, modes: Partial<Conversion> = {}): Precision => ({
  kind,
  type,
  round: modes.round ?? "TRN",
  overflow: modes.overflow ?? "WRAP",
});

export const fixedPrecision = (width: number, int: number, signed = true, modes: Partial<Conversion> = {}): Precision =>
  precision("fixed", fixed(width, int, signed), modes);
/** ap_int drops a fraction toward zero, unlike ap_fixed. */
export const integerPrecision = (width: number, signed = true): Precision =>
  precision("integer", fixed(width, width, signed), { round: "TRN_ZERO" });
export const xnorPrecision: Precision = precision("xnor", fixed(1, 1, false));
export const exponentPrecision = (bits: number): Precision => precision("exponent", fixed(bits, bits));

export const fractionBits = ({ type }: Precision): number => -exponent(type);

export const samePrecision = (a: Slot, b: Slot): boolean => JSON.stringify(a) === JSON.stringify(b);

const INTEGER = /^(?:ap_)?(u?)int<\s*(\d+)\s*>$/;

/** Reads a type; a string is the reason why not. The fifth argument of ap_fixed, the saturation bits, must be 0. */
export function parsePrecision(text: string): Slot | { readonly problem: string } {
  const trimmed = text.trim();
  if (trimmed.toLowerCase() === "auto") return "auto";
  const integer = INTEGER.exec(trimmed);
  if (integer) {
    const width = Number(integer[2]);
    return width >= 1 && width <= MAX_WIDTH
      ? integerPrecision(width, integer[1] !== "u")
      : { problem: `a width of ${width} is not in 1 … ${MAX_WIDTH}` };
  }
  if (/float|double|half/.test(trimmed)) return { problem: "floating-point types have no firmware here; give a fixed-point type" };
  const conversion = parseConversion(trimmed.replace(/,\s*0\s*>$/, (tail) => (trimmed.split(",").length === 5 ? ">" : tail)));
  return typeof conversion === "string" ? { problem: conversion } : precision("fixed", conversion.type, conversion);
}

/** hls4ml infers a type only from types that hold numbers. */
export const isNumeric = (...all: readonly Precision[]): boolean => all.every((p) => p.kind === "fixed" || p.kind === "integer");

/** The type of a product as ap_fixed gives it: widths and integer bits add. */
export const productType = (a: FixedType, b: FixedType): FixedType => fixed(a.width + b.width, a.int + b.int, a.signed || b.signed);

/** The type of a sum as ap_fixed gives it: the wider integer part plus one bit, the longer fraction. */
export function sumType(a: FixedType, b: FixedType): FixedType {
  const signed = a.signed || b.signed;
  const int = Math.max(a.int + Number(signed && !a.signed), b.int + Number(signed && !b.signed)) + 1;
  return fixed(int + Math.max(-exponent(a), -exponent(b)), int, signed);
}

/** The type that holds both, as hls4ml's merges take it. */
export function hullType(a: FixedType, b: FixedType): FixedType {
  const { width, int, signed } = sumType(a, b);
  return fixed(width - 1, int - 1, signed);
}
