// Which operators of an expression bind tighter: `^`, then signs, then `* / %`, then `+ -`; equal ones from left to right.
import type { Expression, Operator } from "./ast.js";

/** An operand with the operator before it and the minus signs between. */
export interface Term {
  readonly operator: Operator | undefined;
  /** Where the signs, or without them the operand, begin. */
  readonly start: number;
  signs: number;
  operand: Expression;
}

const signed = ({ start, signs }: Term, inner: Expression): Expression =>
  signs === 0 ? inner : { kind: "negate", count: signs, inner, span: { start, end: inner.span.end } };

/** A value and the operator before it. */
interface Part {
  readonly operator: Operator | undefined;
  readonly value: Expression;
}

/** The parts as one chain, flat, so that a long sum is no deep tree. */
function chain([first, ...others]: readonly Part[]): Expression {
  if (others.length === 0) return first!.value;
  const rest = others.map(({ operator, value }) => ({ operator: operator!, operand: value }));
  return { kind: "chain", first: first!.value, rest, span: { start: first!.value.span.start, end: others.at(-1)!.value.span.end } };
}

export function chainOf(terms: readonly Term[]): Expression {
  if (terms.length === 1) return signed(terms[0]!, terms[0]!.operand);
  const powers: Part[] = [];
  for (let i = 0; i < terms.length; i++) {
    const base = terms[i]!;
    let value = base.operand;
    for (let next = terms[i + 1]; next?.operator === "^"; next = terms[++i + 1])
      value = chain([
        { operator: undefined, value },
        { operator: "^", value: signed(next, next.operand) },
      ]);
    powers.push({ operator: base.operator, value: signed(base, value) });
  }
  const products: Part[] = [];
  for (let i = 0; i < powers.length;) {
    let end = i + 1;
    while (end < powers.length && "*/%".includes(powers[end]!.operator!)) end++;
    products.push({ operator: powers[i]!.operator, value: chain(powers.slice(i, end)) });
    i = end;
  }
  return chain(products);
}
