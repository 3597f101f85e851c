// Makes syntax trees for text that is printed, not parsed.
import type { Conversion, FixedType } from "../../ir/fixed.js";
import type { AttrKind, AttrKinds, Precision } from "../../ir/ops/op.js";
import type { Tensor } from "../../ir/tensor.js";
import type { Argument, Expression, Identifier, StringLiteral } from "./ast.js";
import type { Span } from "./source.js";
import { exactTensor } from "./tensors.js";

export const NOWHERE: Span = { start: 0, end: 0 };
const at = { span: NOWHERE };

export const id = (name: string): Identifier => ({ name, ...at });
export const string = (value: string): StringLiteral => ({ kind: "string", value, ...at });
export const name = (text: string, quoted = true): Expression => ({
  kind: "name",
  name: text,
  ...(quoted ? { quoted: true as const } : {}),
  ...at,
});
/** A word of the language, such as `auto`. */
export const word = (text: string): Expression => name(text, false);
export const argument = (value: Expression, key?: string): Argument => ({ ...(key === undefined ? {} : { name: id(key) }), value, ...at });
export const call = (callee: string, args: readonly Argument[]): Expression => ({ kind: "call", callee: id(callee), args, ...at });
export const list = (items: readonly Expression[]): Expression => ({ kind: "list", items, ...at });
const group = (inner: Expression): Expression => ({ kind: "group", inner, ...at });
export const cast = (value: Expression, to: Expression): Expression => {
  const inner = value.kind === "chain" ? group(value) : value;
  return inner.kind === "cast" ? { ...inner, to: [...inner.to, to] } : { kind: "cast", value: inner, to: [to], ...at };
};

export const integer = (n: number | bigint): Expression =>
  n < 0 ? { kind: "negate", count: 1, inner: integer(-n), ...at } : { kind: "number", text: String(n), ...at };

const operators = { add: "+", sub: "-", mul: "*" } as const;
/** `a op b`, with parentheses where the tree needs them. */
export function chain(op: keyof typeof operators, a: Expression, b: Expression): Expression {
  const isSum = (x: Expression): boolean => x.kind === "chain" && x.rest.some((r) => r.operator === "+" || r.operator === "-");
  const isProduct = (x: Expression): boolean => x.kind === "chain" && x.rest[0]?.operator === "*";
  const first = a.kind === "cast" || (op === "mul" && isSum(a)) ? group(a) : a;
  const second = b.kind === "cast" || isSum(b) || isProduct(b) ? group(b) : b;
  return { kind: "chain", first, rest: [{ operator: operators[op], operand: second }], ...at };
}

export const typeExpression = (t: FixedType): Expression => ({
  kind: "type",
  signed: t.signed,
  args: [integer(t.width), integer(t.int)],
  ...at,
});
export const conversionExpression = ({ type, round, overflow }: Conversion): Expression =>
  round === "TRN" && overflow === "WRAP"
    ? typeExpression(type)
    : { kind: "type", signed: type.signed, args: [integer(type.width), integer(type.int), word(round), word(overflow)], ...at };

/** The types of a value with their common modes. */
export const precisionExpression = (to: Precision, modes: Pick<Conversion, "round" | "overflow">): Expression =>
  "per" in to
    ? call(
        to.per === "channel" ? "channels" : "elements",
        to.types.map((type) => argument(conversionExpression({ type, ...modes }))),
      )
    : conversionExpression({ type: to, ...modes });

/** m·2^exp exactly: as a decimal where that is short, else as a product. */
export function dyadicExpression(m: bigint, exp: number): Expression {
  if (m < 0n) return { kind: "negate", count: 1, inner: dyadicExpression(-m, exp), ...at };
  if (exp >= 0) return exp <= 40 ? integer(m << BigInt(exp)) : power(m, exp);
  if (exp < -10) return power(m, exp);
  const digits = (m * 5n ** BigInt(-exp)).toString().padStart(1 - exp, "0");
  return { kind: "number", text: `${digits.slice(0, exp)}.${digits.slice(exp)}`, ...at };
}
function power(m: bigint, exp: number): Expression {
  const scale: Expression = { kind: "chain", first: integer(2), rest: [{ operator: "^", operand: integer(exp) }], ...at };
  return m === 1n ? scale : group({ kind: "chain", first: integer(m), rest: [{ operator: "*", operand: scale }], ...at });
}

/** A scalar constant as a literal, where reading that gives the same tensor. */
export function decimal(value: Tensor): Expression | undefined {
  const [m] = value.data;
  if (m === undefined || value.shape.length > 0) return undefined;
  const again = exactTensor({
    shape: [],
    numbers: [{ num: value.exp >= 0 ? m << BigInt(value.exp) : m, den: value.exp >= 0 ? 1n : 1n << BigInt(-value.exp) }],
  });
  return "bad" in again || again.exp !== value.exp || again.data[0] !== m ? undefined : dyadicExpression(m, value.exp);
}

const double = (x: number): Expression => {
  const t = Number.isInteger(x) && Math.abs(x) < 2 ** 53 ? integer(x) : undefined;
  if (t) return t;
  const text = String(Math.abs(x)).replace("e+", "e");
  const literal: Expression = { kind: "number", text, ...at };
  return x < 0 ? { kind: "negate", count: 1, inner: literal, ...at } : literal;
};

/** How each kind of attribute is written; tensors are the array file's. */
export const attributes: { readonly [K in Exclude<AttrKind, "tensor" | "tensor?">]: (value: AttrKinds[K]) => Expression } = {
  string,
  int: integer,
  ints: (values) => list(values.map(integer)),
  precision: (p) => precisionExpression(p, { round: "TRN", overflow: "WRAP" }),
  "precision?": (p) => (p ? precisionExpression(p, { round: "TRN", overflow: "WRAP" }) : word("auto")),
  rounding: word,
  overflow: word,
  unary: (f) => {
    const applied =
      f.params.length === 0
        ? word(f.name)
        : call(
            f.name,
            f.params.map((p) => argument(double(p))),
          );
    return f.to ? cast(applied, conversionExpression(f.to)) : applied;
  },
};
