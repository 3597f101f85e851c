// What an op of the Graph is: its operands, its attributes, its shape rule and its one meaning.
import type { Arith } from "../arith.js";
import type { FixedType, Overflow, Rounding } from "../fixed.js";
import type { Shape, Tensor } from "../tensor.js";
import type { UnaryFunction } from "../unary.js";

/** One type for all elements, one per channel (last axis), or one per element. */
export type Precision = FixedType | { readonly per: "channel" | "element"; readonly types: readonly FixedType[] };

/** The type of element `i` of a tensor whose last axis has `channels` entries. */
export function typeAt(p: Precision, i: number, channels: number): FixedType {
  if (!("per" in p)) return p;
  return p.types[p.per === "channel" ? i % channels : i]!;
}

/** The kinds of attribute; text, printing and random generation work from these. */
export interface AttrKinds {
  string: string;
  int: number;
  ints: readonly number[];
  tensor: Tensor;
  "tensor?": Tensor | undefined;
  precision: Precision;
  "precision?": Precision | undefined;
  rounding: Rounding;
  overflow: Overflow;
  unary: UnaryFunction;
}
export type AttrKind = keyof AttrKinds;
export type AttrSpec = Readonly<Record<string, AttrKind>>;
export type AttrsOf<S extends AttrSpec> = { readonly [K in keyof S]: AttrKinds[S[K]] };

/** A tensor of scalars of some arithmetic, row-major. */
export interface Values<V> {
  readonly shape: Shape;
  readonly at: readonly V[];
}

export interface OpDef<S extends AttrSpec = AttrSpec> {
  readonly name: string;
  /** One line: the equation. */
  readonly doc: string;
  /** Their names; a last one that ends in "…" stands for one or more. */
  readonly operands: readonly string[];
  readonly attrs: S;
  /** Result shape, or why the operands do not fit. */
  shape(x: readonly Shape[], a: AttrsOf<S>): Shape | string;
  /** The meaning, element by element, in any arithmetic. */
  expand<V>(k: Arith<V>, x: readonly Values<V>[], a: AttrsOf<S>): readonly V[];
  /** Whether the result is real although the operands are typed: its type is still to be chosen. */
  isReal?(a: AttrsOf<S>): boolean;
  /** Ops that only move elements: for each element of the result its element in all operands one after the other; −1 is zero. */
  source?(x: readonly Shape[], a: AttrsOf<S>): Int32Array;
}

const isVariadic = (operands: readonly string[]): boolean => operands.at(-1)?.endsWith("…") ?? false;

/** Whether an op of these operand names can be given `count` operands. */
export const takesOperands = ({ operands }: Pick<OpDef, "operands">, count: number): boolean =>
  isVariadic(operands) ? count >= operands.length : count === operands.length;

/** The name of operand `i`. */
export const operandName = ({ operands }: Pick<OpDef, "operands">, i: number): string => (operands[i] ?? operands.at(-1) ?? "operand").replace("…", "");

export const op = <const S extends AttrSpec>(definition: OpDef<S>): OpDef<S> => definition;
