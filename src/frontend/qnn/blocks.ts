// Blocks: statements with parameters, expanded where they are called.
import { didYouMean, printable } from "../../diagnostics.js";
import type { CallExpression, Parameter } from "./ast.js";
import { bindArguments } from "./bind.js";
import type { Block, Checker, Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { type Ask, type Kind, kinds } from "./kinds.js";
import { placeOf } from "./source.js";
import { runStatements } from "./statements.js";
import { type Binding, poison, type Value } from "./values.js";

/** What a parameter may be declared as; without a kind it is a value of the network. */
export const parameterKinds = ["value", "int", "number", "type", "tensor", "ints", "text"] as const satisfies readonly Kind[];
type ParameterKind = (typeof parameterKinds)[number];

const wrap: { readonly [K in ParameterKind]?: (v: never) => Value } = {
  int: (n: number): Value => ({ kind: "number", number: { num: BigInt(n), den: 1n } }),
  number: (number: Extract<Value, { kind: "number" }>["number"]): Value => ({ kind: "number", number }),
  tensor: (tensor: Extract<Value, { kind: "tensor" }>["tensor"]): Value => ({ kind: "tensor", tensor }),
  ints: (items: readonly number[]): Value => ({
    kind: "list",
    items: items.map((n) => ({ kind: "number", number: { num: BigInt(n), den: 1n } })),
  }),
  text: (text: string): Value => ({ kind: "string", text }),
};

function kindOf(cx: Checker, scope: Scope, p: Parameter): ParameterKind | undefined {
  if (!p.type) return "value";
  const found = parameterKinds.find((k) => k === p.type!.name);
  if (found) return found;
  const guess = didYouMean(p.type.name, parameterKinds);
  return cx.error("QN803", scope, p.type.span, `unknown kind of parameter \`${printable(p.type.name)}\``, {
    help: guess === undefined ? `one of ${parameterKinds.join(", ")}` : `did you mean \`${guess}\`?`,
  });
}

/** The argument as a value. A type may also be `auto` or a quantizer: it is then checked where it is used. */
function readParameter(
  cx: Checker,
  ask: Ask,
  kind: ParameterKind,
  at: Scope,
  expression: NonNullable<Parameter["default"]>,
): Value | undefined {
  if (kind === "type") {
    const value = evaluate(cx, at, expression);
    if (
      value.kind === "quantizer" ||
      value.kind === "types" ||
      (value.kind === "word" && (value.word === "auto" || value.word === "exact"))
    )
      return value;
    if (value.kind === "type" || value.kind === "poison") return value;
    return kinds.type.read({ ...ask, scope: at }, expression)?.ok;
  }
  const answer = kinds[kind].read({ ...ask, scope: at }, expression);
  if (!answer) return undefined;
  const make = wrap[kind] as ((v: unknown) => Value) | undefined;
  return make ? make(answer.ok) : (answer.ok as Value);
}

export function callBlock(cx: Checker, scope: Scope, x: CallExpression, block: Block): Value | undefined {
  const { item, scope: outer } = block;
  if (!cx.step(scope, x.span)) return undefined;
  const chain = scope.calls.findIndex((c) => c.block === item.name.name);
  if (chain >= 0) {
    return cx.error("QN809", scope, x.span, `the block \`${printable(item.name.name)}\` leads back to itself`, {
      also: scope.calls.slice(chain).map((c) => ({ at: placeOf(c.at.source, c.at.span), message: `\`${c.block}\` is called here` })),
      help: "blocks are expanded where they are called, so none may contain itself",
    });
  }
  const names = new Map<string, Binding>();
  const inner: Scope = {
    parent: outer,
    source: outer.source,
    names,
    prefix: scope.prefix,
    ...(scope.layer === undefined ? {} : { layer: scope.layer }),
    calls: [...scope.calls, { block: item.name.name, at: { source: scope.source, span: x.span } }],
  };
  const formals = item.parameters.map((p) => ({ name: p.name.name, positional: true, required: p.default === undefined }));
  const bound = bindArguments(cx, scope, x, formals);
  if (!bound) return undefined;
  for (const p of item.parameters) {
    const given = bound.get(p.name.name);
    const expression = given ?? p.default;
    const kind = kindOf(cx, outer, p);
    if (!expression || !kind) continue;
    const ask: Ask = { cx, scope, name: p.name.name, span: x.span, index: 0 };
    const value = readParameter(cx, ask, kind, given ? scope : inner, expression) ?? poison;
    cx.define(inner, { name: p.name.name, what: "parameter", value, defined: { source: outer.source, span: p.name.span }, used: false });
  }
  const result = runStatements(cx, inner, item.body, "block");
  cx.reportUnused(inner);
  return result;
}
