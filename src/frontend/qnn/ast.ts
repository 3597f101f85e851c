// The syntax tree of a .qnn file: what was written, where; it means nothing yet.
import type { Span } from "./source.js";

interface Spanned {
  readonly span: Span;
}

export interface Identifier extends Spanned {
  readonly name: string;
}

export interface NumberLiteral extends Spanned {
  readonly kind: "number";
  readonly text: string;
  /** `ns`, `%` and the like. */
  readonly unit?: Identifier;
}
export interface StringLiteral extends Spanned {
  readonly kind: "string";
  readonly value: string;
}
export interface NameExpression extends Spanned {
  readonly kind: "name";
  /** Whether it stands in backticks: `auto` in backticks is a name, not the word. */
  readonly quoted?: true;
  readonly name: string;
}
export interface Argument extends Spanned {
  readonly name?: Identifier;
  readonly value: Expression;
}
export interface CallExpression extends Spanned {
  readonly kind: "call";
  readonly callee: Identifier;
  readonly args: readonly Argument[];
}
/** `fixed<…>` or `ufixed<…>`. */
export interface TypeExpression extends Spanned {
  readonly kind: "type";
  readonly signed: boolean;
  readonly args: readonly Expression[];
}
export interface ListExpression extends Spanned {
  readonly kind: "list";
  readonly items: readonly Expression[];
}
/** Parentheses, kept for the formatter. */
export interface GroupExpression extends Spanned {
  readonly kind: "group";
  readonly inner: Expression;
}
export interface NegateExpression extends Spanned {
  readonly kind: "negate";
  /** Number of minus signs. */
  readonly count: number;
  readonly inner: Expression;
}
export type Operator = "+" | "-" | "*" | "/" | "%" | "^";
/** Operators of one precedence from left to right. Flat, so that a long sum is not a deep tree. */
export interface ChainExpression extends Spanned {
  readonly kind: "chain";
  readonly first: Expression;
  readonly rest: readonly { readonly operator: Operator; readonly operand: Expression }[];
}
/** `value as type as type …` */
export interface CastExpression extends Spanned {
  readonly kind: "cast";
  readonly value: Expression;
  readonly to: readonly Expression[];
}
/** Where the parser recovered: an error has been reported. */
export interface MissingExpression extends Spanned {
  readonly kind: "missing";
}
export type Expression =
  | NumberLiteral
  | StringLiteral
  | NameExpression
  | CallExpression
  | TypeExpression
  | ListExpression
  | GroupExpression
  | NegateExpression
  | ChainExpression
  | CastExpression
  | MissingExpression;

export interface Entry extends Spanned {
  readonly name: Identifier;
  readonly value: Expression;
}

export interface LetStatement extends Spanned {
  readonly kind: "let";
  readonly name: Identifier;
  readonly value: Expression;
}
export interface InputStatement extends Spanned {
  readonly kind: "input";
  readonly name: Identifier;
  readonly type?: Expression;
  readonly shape: Expression;
}
export interface LayerStatement extends Spanned {
  readonly kind: "layer";
  readonly name: Identifier;
  /** The class that the layer had in its framework; for reports only. */
  readonly className?: Identifier;
  readonly value: Expression | Body;
}
export interface OutputStatement extends Spanned {
  readonly kind: "output";
  readonly outputs: readonly (Spanned & { readonly name?: Identifier; readonly value: Expression })[];
}
export interface WeightsStatement extends Spanned {
  readonly kind: "weights";
  readonly path: StringLiteral;
}
export interface ReturnStatement extends Spanned {
  readonly kind: "return";
  readonly value: Expression;
}
export type Statement = LetStatement | InputStatement | LayerStatement | OutputStatement | WeightsStatement | ReturnStatement;

/** Statements in braces. */
export interface Body extends Spanned {
  readonly kind: "body";
  readonly statements: readonly Statement[];
}

export interface IncludeItem extends Spanned {
  readonly kind: "include";
  readonly path: StringLiteral;
}
export interface Parameter extends Spanned {
  readonly name: Identifier;
  /** Absent: a value of the network. */
  readonly type?: Identifier;
  readonly default?: Expression;
}
export interface BlockItem extends Spanned {
  readonly kind: "block";
  readonly name: Identifier;
  readonly parameters: readonly Parameter[];
  readonly body: Body;
}
export interface NetworkItem extends Spanned {
  readonly kind: "network";
  readonly name: Identifier;
  readonly body: Body;
}
/** `layer fc1 { kernel: fixed<4,1> }` in a network that comes from a model file. */
export interface Adjustment extends Spanned {
  readonly layer: Identifier;
  readonly entries: readonly Entry[];
}
export interface ImportedNetworkItem extends Spanned {
  readonly kind: "imported-network";
  readonly name: Identifier;
  readonly format: Identifier;
  readonly model: StringLiteral;
  readonly weights?: StringLiteral;
  readonly adjustments: readonly Adjustment[];
  /** Whether there are braces. */
  readonly braces: boolean;
}
/** `target verilog { … }` or `quantize { … }`. */
export interface SettingsItem extends Spanned {
  readonly kind: "settings";
  readonly keyword: "target" | "quantize";
  readonly name?: Identifier;
  readonly entries: readonly Entry[];
}
export interface VectorsItem extends Spanned {
  readonly kind: "vectors";
  readonly path: StringLiteral;
}
export type Item = IncludeItem | LetStatement | BlockItem | NetworkItem | ImportedNetworkItem | SettingsItem | VectorsItem;

/** A comment from `//` to the end of its line, both slashes included. */
export interface Comment extends Spanned {
  readonly text: string;
}

export interface SyntaxTree {
  readonly items: readonly Item[];
  readonly comments: readonly Comment[];
  /** Where there are syntax errors: the names that the text seems to define. */
  readonly suspects?: ReadonlySet<string>;
}
