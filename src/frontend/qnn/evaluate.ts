// Expressions: numbers and types are computed, values of the network become nodes of the Graph, left to right, operands first.
import { didYouMean, printable } from "../../diagnostics.js";
import { parseConversion } from "../../ir/fixed.js";
import type { CastExpression, ChainExpression, Expression, NumberLiteral, Operator, TypeExpression } from "./ast.js";
import { call, callables } from "./calls.js";
import type { Checker, Scope } from "./checker.js";
import { castConstant } from "./constants.js";
import { asNode, kinds } from "./kinds.js";
import { plainQuantizer, quantizeNode, quantizerNamed } from "./quantizers.js";
import { arithmetic, asDyadic, negate, parseNumber, rational } from "./rational.js";
import { type Binding, describe, poison, isUnit, type Value, type Word, units, words } from "./values.js";

type Evaluate = {
  readonly [K in Expression["kind"]]: (cx: Checker, scope: Scope, x: Extract<Expression, { kind: K }>) => Value | undefined;
};

export function lookUp(scope: Scope, name: string): Binding | undefined {
  for (let s: Scope | undefined = scope; s; s = s.parent) {
    const found = s.names.get(name);
    if (found) return found;
  }
  return undefined;
}

function namesIn(scope: Scope): readonly string[] {
  const names: string[] = [];
  for (let s: Scope | undefined = scope; s; s = s.parent) names.push(...s.names.keys());
  return names;
}

const evaluators: Evaluate = {
  number: (cx, scope, x) => {
    const number = parseNumber(x.text);
    if (typeof number === "string") return cx.error("QN811", scope, x.span, number);
    if (!x.unit) return { kind: "number", number };
    const { name, span } = x.unit;
    if (isUnit(name)) return { kind: "quantity", number, unit: name };
    const guess = units.find((u) => u.toLowerCase() === name.toLowerCase()) ?? didYouMean(name, units);
    return cx.error("QN806", scope, span, `\`${printable(name)}\` is no unit`, {
      help: guess === undefined ? `units: ${units.join(", ")}` : `did you mean \`${guess}\`?`,
    });
  },
  string: (_, __, x) => ({ kind: "string", text: x.value }),
  name: (cx, scope, x) => {
    if (!x.quoted && (words as readonly string[]).includes(x.name)) return { kind: "word", word: x.name as Word };
    const binding = lookUp(scope, x.name);
    if (binding) {
      binding.used = true;
      cx.occurrences.push({ at: { source: scope.source, span: x.span }, binding });
      return binding.value;
    }
    const quantizer = quantizerNamed(x.name);
    const made = quantizer && plainQuantizer(quantizer);
    if (made) return { kind: "quantizer", quantizer: made };
    if (cx.suspects.has(x.name)) return undefined;
    const guess = didYouMean(x.name, [...namesIn(scope), ...words]);
    const isCallable = callables(cx).includes(x.name);
    return cx.error("QN803", scope, x.span, `unknown name \`${printable(x.name)}\``, {
      help: isCallable
        ? `\`${x.name}\` is called with operands: ${x.name}(x)`
        : guess === undefined
          ? "define it with `let`, `layer` or `input` before this line"
          : `did you mean \`${printable(guess)}\`?`,
    });
  },
  call: (cx, scope, x) => call(cx, scope, x),
  type: typeValue,
  list: (cx, scope, x) => {
    const items = x.items.map((i) => evaluate(cx, scope, i));
    return items.some((v) => v.kind === "poison") ? undefined : { kind: "list", items };
  },
  group: (cx, scope, x) => evaluate(cx, scope, x.inner),
  negate: (cx, scope, x) => {
    const value = evaluate(cx, scope, x.inner);
    if (value.kind === "number") return x.count % 2 === 0 ? value : { kind: "number", number: negate(value.number) };
    if (value.kind === "poison") return undefined;
    if (value.kind !== "value") return cx.error("QN806", scope, x.span, `there is no negative of ${describe(value)}`);
    if (x.count % 2 === 0) return value;
    const minusOne = asNode({ cx, scope }, { kind: "number", number: rational(-1n) }, x);
    const node = asNode({ cx, scope }, value, x.inner);
    const id = minusOne && node && cx.add("mul", [node.ok.id, minusOne.ok.id], {}, scope, x.span);
    return id === undefined ? undefined : { kind: "value", id };
  },
  chain,
  cast,
  missing: () => undefined,
};

/** The value of an expression; `poison` after an error, which has then been reported. */
export const evaluate = (cx: Checker, scope: Scope, x: Expression): Value =>
  cx.exhausted ? poison : ((evaluators[x.kind] as (cx: Checker, scope: Scope, x: Expression) => Value | undefined)(cx, scope, x) ?? poison);

const conversions = new Map<string, ReturnType<typeof parseConversion>>();
function conversionOf(text: string): ReturnType<typeof parseConversion> {
  const found = conversions.get(text) ?? parseConversion(text);
  // Texts of types are few; those of a hostile file need not be kept.
  if (conversions.size < 1000) conversions.set(text, found);
  return found;
}

/** Most types are two short numbers, and most of a long file is types. */
const isPlain = (x: Expression): x is NumberLiteral =>
  x.kind === "number" && x.unit === undefined && x.text.length < 5 && /^\d+$/.test(x.text);

function typeValue(cx: Checker, scope: Scope, x: TypeExpression): Value | undefined {
  const [width, int, ...modes] = x.args;
  const prefix = x.signed ? "fixed" : "ufixed";
  if (!width || !int || modes.length > 2) {
    return cx.error("QN300", scope, x.span, `\`${prefix}\` takes a width and integer bits, then a rounding and an overflow mode`, {
      help: `such as ${prefix}<8,2> or ${prefix}<8,2,RND_CONV,SAT>`,
    });
  }
  const plain = modes.length === 0 && isPlain(width) && isPlain(int) ? conversionOf(`${prefix}<${width.text},${int.text}>`) : undefined;
  if (plain !== undefined && typeof plain !== "string") return { kind: "type", conversion: plain, hasRound: false, hasOverflow: false };
  const ask = { cx, scope, span: x.span, index: 0 };
  const [w, i] = [kinds.int.read({ ...ask, name: "width" }, width), kinds.int.read({ ...ask, name: "integer bits" }, int)];
  const [round, overflow] = modes;
  const q = round && kinds.rounding.read({ ...ask, name: "rounding" }, round);
  const o = overflow && kinds.overflow.read({ ...ask, name: "overflow" }, overflow);
  if (!w || !i || (round && !q) || (overflow && !o)) return undefined;
  if (w.ok < 0) return cx.error("QN300", scope, width.span, `a width of ${w.ok} bits`);
  const conversion = conversionOf(`${prefix}<${w.ok},${i.ok}>`);
  if (typeof conversion === "string") return cx.error("QN300", scope, x.span, conversion);
  return {
    kind: "type",
    conversion: { ...conversion, ...(q ? { round: q.ok } : {}), ...(o ? { overflow: o.ok } : {}) },
    hasRound: q !== undefined,
    hasOverflow: o !== undefined,
  };
}

const nodeOps: { readonly [O in Operator]?: "add" | "sub" | "mul" } = { "+": "add", "-": "sub", "*": "mul" };

function chain(cx: Checker, scope: Scope, x: ChainExpression): Value | undefined {
  let left: Value = evaluate(cx, scope, x.first);
  let leftExpression: Expression = x.first;
  for (const { operator, operand } of x.rest) {
    const right = evaluate(cx, scope, operand);
    const span = { start: x.span.start, end: operand.span.end };
    left = combine(cx, scope, operator, { value: left, at: leftExpression }, { value: right, at: operand }, span) ?? poison;
    leftExpression = { kind: "group", inner: x.first, span };
  }
  return left;
}

interface Side {
  readonly value: Value;
  readonly at: Expression;
}

function combine(cx: Checker, scope: Scope, operator: Operator, left: Side, right: Side, span: Expression["span"]): Value | undefined {
  const [a, b] = [left.value, right.value];
  if (a.kind === "poison" || b.kind === "poison") return undefined;
  if (a.kind === "number" && b.kind === "number") {
    const number = arithmetic[operator](a.number, b.number);
    return typeof number === "string" ? cx.error("QN811", scope, span, number) : { kind: "number", number };
  }
  const isNode = a.kind === "value" || b.kind === "value";
  if (operator === "/" && a.kind === "value" && b.kind === "number") {
    const inverse = arithmetic["/"](rational(1n), b.number);
    if (typeof inverse === "string") return cx.error("QN811", scope, right.at.span, inverse);
    if (!asDyadic(inverse))
      return cx.error("QN811", scope, right.at.span, "a value of the network is divided by powers of two only", {
        help: "multiply by a constant with a type instead: x * (1 / 3 as fixed<12,0>)",
      });
    return combine(cx, scope, "*", left, { value: { kind: "number", number: inverse }, at: right.at }, span);
  }
  const op = nodeOps[operator];
  if (!isNode || !op) {
    const odd = a.kind === "number" || a.kind === "value" ? right : left;
    return cx.error(
      "QN806",
      scope,
      span,
      `\`${operator}\` does not combine ${printable(describe(a))} and ${printable(describe(b))}`,
      odd.value.kind === "tensor"
        ? { help: "arithmetic on whole arrays belongs into the training script; with a value of the network it works" }
        : {},
    );
  }
  const ask = { cx, scope };
  const [x, y] = [asNode(ask, a, left.at), asNode(ask, b, right.at)];
  const id = x && y && cx.add(op, [x.ok.id, y.ok.id], {}, scope, span, operator);
  return id === undefined ? undefined : { kind: "value", id };
}

function cast(cx: Checker, scope: Scope, x: CastExpression): Value | undefined {
  let value = evaluate(cx, scope, x.value);
  for (const to of x.to) {
    const how = evaluate(cx, scope, to);
    if (value.kind === "poison" || how.kind === "poison") return undefined;
    const isConstant = value.kind === "number" || value.kind === "list" || value.kind === "tensor";
    const result = isConstant ? castConstant(cx, scope, value, how, x) : castNode(cx, scope, value, how, x, to);
    if (!result) return undefined;
    value = result;
  }
  return value;
}

function castNode(cx: Checker, scope: Scope, value: Value, how: Value, x: CastExpression, to: Expression): Value | undefined {
  const node = asNode({ cx, scope }, value, x.value);
  if (!node) return undefined;
  const { id } = node.ok;
  const result = (made: number | undefined): Value | undefined => (made === undefined ? undefined : { kind: "value", id: made });
  // A value's own precision is then left to the pass assign-precision.
  if (how.kind === "word" && how.word === "auto") return node.ok;
  if (how.kind === "quantizer") return result(quantizeNode(cx, scope, x.span, how.quantizer, id));
  if (how.kind === "type" || how.kind === "types") {
    const { round, overflow, type } = how.conversion;
    return result(
      cx.add(
        "quantize",
        [id],
        { to: how.kind === "type" ? type : { per: how.per, types: how.types }, round, overflow },
        scope,
        x.span,
        "as",
      ),
    );
  }
  return cx.error("QN806", scope, to.span, `${printable(describe(how))} is nothing that a value can become`, {
    help: "write a type, such as `as fixed<8,2>`",
  });
}
