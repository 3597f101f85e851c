// What may stand as an argument of each kind: how it is read, and what its absence means. Total over the op table's kinds of attribute.
import { didYouMean, printable } from "../../diagnostics.js";
import { type Overflow, overflows, type Rounding, roundings } from "../../ir/fixed.js";
import type { AttrKinds } from "../../ir/ops/op.js";
import { printShape, type Shape, type Tensor } from "../../ir/tensor.js";
import { paramsProblem, type UnaryName, unaries, unaryDef } from "../../ir/unary.js";
import type { Expression } from "./ast.js";
import { bindArguments, operandNames } from "./bind.js";
import type { Checker, Scope } from "./checker.js";
import { constantOf, namedWeight } from "./constants.js";
import { evaluate } from "./evaluate.js";
import { asInteger, type Rational, rationalToNumber } from "./rational.js";
import type { Span } from "./source.js";
import { describe, type NodeValue, type TypeValue, type Value } from "./values.js";

/** The op table's kinds, and those that layers, functions and blocks use besides. */
export interface Kinds extends AttrKinds {
  value: NodeValue;
  "int?": number | undefined;
  number: Rational;
  type: TypeValue;
  "type?": TypeValue | undefined;
  text: string;
  size: Size;
  "size?": Size | undefined;
  padding: Padding;
}
export type Kind = keyof Kinds;

/** One number for every spatial axis, or one each. */
export type Size = number | readonly number[];
export const paddings = ["valid", "same", "causal"] as const;
export type Padding = (typeof paddings)[number];

export interface Ask {
  readonly cx: Checker;
  readonly scope: Scope;
  /** The parameter's name. */
  readonly name: string;
  /** The call, for what has no expression of its own. */
  readonly span: Span;
  /** Number of the parameter among the weights of its layer. */
  readonly index: number;
}
export type Answer<T> = { readonly ok: T } | undefined;

interface KindDef<T> {
  readonly doc: string;
  read(ask: Ask, expression: Expression): Answer<T>;
  /** What a missing argument means; without it the argument is required. */
  absent?(ask: Ask): Answer<T>;
}

const ok = <T>(value: T): Answer<T> => ({ ok: value });

export function wrongKind(
  { cx, scope, name }: Pick<Ask, "cx" | "scope" | "name">,
  expression: Expression,
  value: Value,
  wanted: string,
): undefined {
  if (value.kind === "poison") return undefined;
  return cx.error("QN806", scope, expression.span, `\`${printable(name)}\` must be ${wanted}, not ${printable(describe(value))}`);
}

const MAX_INT = 2 ** 31;
function integer(ask: Ask, expression: Expression): Answer<number> {
  const value = evaluate(ask.cx, ask.scope, expression);
  const n = value.kind === "number" ? asInteger(value.number) : undefined;
  if (n === undefined) return wrongKind(ask, expression, value, "a whole number");
  return Math.abs(n) <= MAX_INT ? ok(n) : ask.cx.error("QN811", ask.scope, expression.span, `${n} is beyond ±${MAX_INT}`);
}

function integers(ask: Ask, expression: Expression): Answer<readonly number[]> {
  const value = evaluate(ask.cx, ask.scope, expression);
  if (value.kind !== "list") return wrongKind(ask, expression, value, "a list of whole numbers, such as [8, 8]");
  const found = value.items.map((v) => (v.kind === "number" ? asInteger(v.number) : undefined));
  const bad = found.findIndex((n) => n === undefined || Math.abs(n) > MAX_INT);
  return bad < 0 ? ok(found as number[]) : wrongKind(ask, expression, value.items[bad]!, "a list of whole numbers");
}

function size(ask: Ask, expression: Expression): Answer<Size> {
  const value = evaluate(ask.cx, ask.scope, expression);
  const items = value.kind === "list" ? value.items : [value];
  const found = items.map((v) => (v.kind === "number" ? asInteger(v.number) : undefined));
  const bad = found.findIndex((n) => n === undefined || n < 1 || n > MAX_INT);
  if (bad >= 0 || found.length === 0)
    return wrongKind(ask, expression, items[bad] ?? value, "a positive number, or one for each spatial axis such as [3, 3]");
  return ok(value.kind === "list" ? (found as number[]) : found[0]!);
}

/** A word from a fixed list, which is no name of the scope. */
const choice =
  <T extends string>(all: readonly T[]) =>
  (ask: Ask, expression: Expression): Answer<T> => {
    const word = expression.kind === "name" ? all.find((w) => w === expression.name) : undefined;
    if (word !== undefined) return ok(word);
    const guess = expression.kind === "name" ? didYouMean(expression.name, all) : undefined;
    return ask.cx.error(
      "QN806",
      ask.scope,
      expression.span,
      `\`${ask.name}\` must be one of ${all.join(", ")}`,
      guess === undefined ? {} : { help: `did you mean \`${guess}\`?` },
    );
  };

function tensorArgument(ask: Ask, expression: Expression): Answer<Tensor> {
  const value = evaluate(ask.cx, ask.scope, expression);
  const isHow =
    value.kind === "type" || value.kind === "quantizer" || (value.kind === "word" && (value.word === "auto" || value.word === "exact"));
  const tensor = isHow ? namedWeight(ask, value, expression) : constantOf(ask.cx, ask.scope, value, expression);
  if (tensor) return ok(tensor);
  return isHow || value.kind === "poison" || value.kind === "number" || value.kind === "list"
    ? undefined
    : wrongKind(ask, expression, value, "a constant, or the type of the weight of this name");
}

function precision(ask: Ask, expression: Expression): Answer<AttrKinds["precision"]> {
  const value = evaluate(ask.cx, ask.scope, expression);
  if (value.kind === "types") return ok({ per: value.per, types: value.types });
  if (value.kind !== "type") return wrongKind(ask, expression, value, "a type, such as fixed<8,2>");
  if (!value.hasRound && !value.hasOverflow) return ok(value.conversion.type);
  return ask.cx.error("QN806", ask.scope, expression.span, "the modes are attributes of their own here", {
    help: "write `x as fixed<…>`, or give `round: …, overflow: …`",
  });
}

/** `tanh as fixed<8,1>` or `step(0, -1, 1) as fixed<2,2>`; `tanh` alone gets its type with the rest of the network's. */
function unary(ask: Ask, expression: Expression): Answer<AttrKinds["unary"]> {
  const { cx, scope } = ask;
  const example = `\`${ask.name}\` must be a function, with the type of its result`;
  const help = "such as: tanh as fixed<8,1,RND,SAT>";
  if (expression.kind === "cast" && expression.to.length !== 1) return cx.error("QN806", scope, expression.span, example, { help });
  const [head, cast] = expression.kind === "cast" ? [expression.value, expression.to[0]!] : [expression, undefined];
  const to = cast && evaluate(cx, scope, cast);
  const called =
    head.kind === "name" ? { callee: { name: head.name, span: head.span }, args: [], kind: "call" as const, span: head.span } : head;
  if (called.kind !== "call") return cx.error("QN806", scope, head.span, example, { help });
  const found = Object.keys(unaries).find((n): n is UnaryName => n === called.callee.name);
  if (!found) {
    const guess = didYouMean(called.callee.name, Object.keys(unaries));
    return cx.error("QN803", scope, called.callee.span, `unknown function \`${printable(called.callee.name)}\``, {
      help: guess === undefined ? `known: ${Object.keys(unaries).join(", ")}` : `did you mean \`${guess}\`?`,
    });
  }
  if (cast && to?.kind !== "type") return wrongKind(ask, cast, to!, "a type after `as`");
  const formals = operandNames(unaryDef(found).params, called).map((name) => ({ name, positional: true, required: true }));
  const bound = bindArguments(cx, scope, called, formals);
  const params = bound && formals.map((f) => kinds.number.read({ ...ask, name: f.name }, bound.get(f.name)!));
  if (!params?.every((p) => p !== undefined)) return undefined;
  const numbers = params.map((p) => rationalToNumber(p.ok));
  const problem = paramsProblem(found, numbers);
  if (problem !== undefined) return cx.error("QN806", scope, called.span, problem);
  return ok({ name: found, params: numbers, ...(to?.kind === "type" ? { to: to.conversion } : {}) });
}

/** A value of the network; constants become nodes. */
function nodeArgument(ask: Ask, expression: Expression): Answer<NodeValue> {
  const value = evaluate(ask.cx, ask.scope, expression);
  return asNode(ask, value, expression);
}

export function asNode(ask: Pick<Ask, "cx" | "scope">, value: Value, expression: Expression): Answer<NodeValue> {
  const { cx, scope } = ask;
  if (value.kind === "value") {
    if (value.host === undefined) return ok(value);
    return cx.error(
      "QN806",
      scope,
      expression.span,
      `the ${value.host} is computed by the host, not by the firmware: only an output may take it`,
      { help: "read the value before it" },
    );
  }
  if (value.kind === "poison") return undefined;
  if (value.kind !== "number" && value.kind !== "list" && value.kind !== "tensor")
    return cx.error("QN806", scope, expression.span, `expected a value of the network or a constant, not ${printable(describe(value))}`);
  const tensor = constantOf(cx, scope, value, expression);
  const id = tensor && cx.add("constant", [], { value: tensor }, scope, expression.span, "constant");
  return id === undefined ? undefined : ok({ kind: "value", id });
}

/** The weight under the layer's name where the files have one, else none. */
function maybeWeight(ask: Ask): Answer<Tensor | undefined> {
  const found = namedWeight(ask, { kind: "word", word: "auto" }, undefined, "if present");
  return found === "absent" ? ok(undefined) : found && ok(found);
}

export const kinds: { readonly [K in Kind]: KindDef<Kinds[K]> } = {
  value: { doc: "a value of the network, or a constant", read: nodeArgument },
  int: { doc: "a whole number", read: integer },
  "int?": { doc: "a whole number", read: integer, absent: () => ok(undefined) },
  number: {
    doc: "a number",
    read: (ask, x) => {
      const value = evaluate(ask.cx, ask.scope, x);
      return value.kind === "number" ? ok(value.number) : wrongKind(ask, x, value, "a number");
    },
  },
  type: {
    doc: "a type, such as `fixed<8,2>`",
    read: (ask, x) => {
      const value = evaluate(ask.cx, ask.scope, x);
      return value.kind === "type" ? ok(value) : wrongKind(ask, x, value, "a type, such as fixed<8,2>");
    },
  },
  "type?": {
    doc: "as before, or `auto`",
    read: (ask, x) => (x.kind === "name" && x.name === "auto" && !x.quoted ? ok(undefined) : kinds.type.read(ask, x)),
    absent: () => ok(undefined),
  },
  text: {
    doc: "a string",
    read: (ask, x) => {
      const value = evaluate(ask.cx, ask.scope, x);
      return value.kind === "string" ? ok(value.text) : wrongKind(ask, x, value, 'a string, such as "text"');
    },
  },
  size: { doc: "a positive number, or a list with one for each spatial axis", read: size },
  "size?": { doc: "as before", read: size, absent: () => ok(undefined) },
  padding: {
    doc: "`valid`: windows inside x only; `same`: zeros around x, so that only strides shrink it; `causal`: zeros before x, in one dimension",
    read: choice(paddings),
  },
  string: { doc: "a string", read: (ask, x) => kinds.text.read(ask, x) },
  ints: { doc: "a list of whole numbers", read: integers },
  tensor: {
    doc: "a constant; or a type, a quantizer, `auto` or `exact`: the layer's weight of this name, so quantized",
    read: tensorArgument,
    absent: (ask) => {
      const found = namedWeight(ask, { kind: "word", word: "auto" }, undefined);
      return found && ok(found);
    },
  },
  "tensor?": {
    doc: "as before, or `none`; left out, the layer's weight of this name where the files have one",
    read: (ask, x) => (x.kind === "name" && x.name === "none" ? ok(undefined) : tensorArgument(ask, x)),
    absent: maybeWeight,
  },
  precision: { doc: "a type, or `channels(…)`, or `elements(…)`", read: precision },
  "precision?": {
    doc: "a type, or `auto`",
    read: (ask, x) => (x.kind === "name" && x.name === "auto" ? ok(undefined) : precision(ask, x)),
    absent: () => ok(undefined),
  },
  rounding: { doc: `one of ${roundings.join(" ")}`, read: choice<Rounding>(roundings), absent: () => ok("TRN") },
  overflow: { doc: `one of ${overflows.join(" ")}`, read: choice<Overflow>(overflows), absent: () => ok("WRAP") },
  unary: { doc: "a function and the type of its result: `tanh as fixed<8,1>`", read: unary },
};

/** The argument where there is one, else what its absence means. */
export const readArgument = <K extends Kind>(kind: K, ask: Ask, expression: Expression | undefined): Answer<Kinds[K]> => {
  const def = kinds[kind] as KindDef<Kinds[K]>;
  return expression ? def.read(ask, expression) : def.absent?.(ask);
};

export const isOptional = (kind: Kind): boolean => kinds[kind].absent !== undefined;
export const showShape = (shape: Shape): string => printShape(shape);
