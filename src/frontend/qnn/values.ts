// What an expression of .qnn may stand for while the file is checked, and how messages name it.
import type { HostStep } from "../../ir/graph.js";
import type { Conversion, FixedType } from "../../ir/fixed.js";
import { printConversion, printFixed } from "../../ir/fixed.js";
import { printShape, type Tensor } from "../../ir/tensor.js";
import type { Quantizer } from "../keras/quantizers.js";
import { printRational, type Rational } from "./rational.js";
import type { SourceFile, Span } from "./source.js";

/** A fixed-point type, and which of its modes were written out. */
export interface TypeValue {
  readonly kind: "type";
  readonly conversion: Conversion;
  readonly hasRound: boolean;
  readonly hasOverflow: boolean;
}
/** One type per channel or per element; modes are common. */
export interface TypesValue {
  readonly kind: "types";
  readonly per: "channel" | "element";
  readonly types: readonly FixedType[];
  readonly conversion: Conversion;
}
export interface NumberValue {
  readonly kind: "number";
  readonly number: Rational;
}
/** Of a clock, of a search, of accuracy. */
export const units = ["ns", "MHz", "s", "m", "h", "%"] as const;
export const isUnit = (word: string): boolean => (units as readonly string[]).includes(word);

/** A number with a unit: only settings take one. */
export interface QuantityValue {
  readonly kind: "quantity";
  readonly number: Rational;
  readonly unit: string;
}
export interface ListValue {
  readonly kind: "list";
  readonly items: readonly Value[];
}
/** A constant known while compiling; `origin` says where it was read. */
export interface TensorValue {
  readonly kind: "tensor";
  readonly tensor: Tensor;
  readonly origin?: string;
}
/** A value of the network: a node of the Graph. */
export interface NodeValue {
  readonly kind: "value";
  readonly id: number;
  /** A last step that the host computes from this value. */
  readonly host?: HostStep;
}
export interface QuantizerValue {
  readonly kind: "quantizer";
  readonly quantizer: Quantizer;
}
export const words = ["auto", "exact", "none", "true", "false"] as const;
export type Word = (typeof words)[number];
export interface WordValue {
  readonly kind: "word";
  readonly word: Word;
}
/** What a reported mistake leaves behind; its uses stay silent. */
export interface PoisonValue {
  readonly kind: "poison";
}

export type Value =
  | NumberValue
  | QuantityValue
  | { readonly kind: "string"; readonly text: string }
  | ListValue
  | TypeValue
  | TypesValue
  | QuantizerValue
  | WordValue
  | TensorValue
  | NodeValue
  | PoisonValue;

export const poison: PoisonValue = { kind: "poison" };

export function printTypeValue(v: TypeValue): string {
  return v.hasRound || v.hasOverflow ? printConversion(v.conversion) : printFixed(v.conversion.type);
}

export const printQuantity = (number: string, unit: string): string => (unit === "%" ? `${number}%` : `${number} ${unit}`);

type Describe = { readonly [K in Value["kind"]]: (v: Extract<Value, { kind: K }>) => string };
const describers: Describe = {
  number: (v) => `the number ${printRational(v.number)}`,
  quantity: (v) => `the quantity ${printQuantity(printRational(v.number), v.unit)}`,
  string: (v) => `the string "${v.text.slice(0, 40)}"`,
  list: (v) => `a list of ${v.items.length}`,
  type: (v) => `the type ${printTypeValue(v)}`,
  types: (v) => `${v.types.length} types, one per ${v.per}`,
  quantizer: (v) => `the quantizer ${v.quantizer.name}`,
  word: (v) => `\`${v.word}\``,
  tensor: (v) => `a constant of shape ${printShape(v.tensor.shape)}`,
  value: () => "a value of the network",
  poison: () => "an erroneous value",
};
export const describe = (v: Value): string => (describers[v.kind] as (v: Value) => string)(v);

export interface Location {
  readonly source: SourceFile;
  readonly span: Span;
}

export interface Binding {
  readonly name: string;
  readonly what: "let" | "layer" | "input" | "parameter";
  readonly value: Value;
  readonly defined: Location;
  used: boolean;
}
