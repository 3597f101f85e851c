// Calls: a block of the user, a layer with a row of its own, any op of the op table, a function over constants, or a quantizer.
import { didYouMean, printable } from "../../diagnostics.js";
import { isOpName, type OpName, opDef, ops } from "../../ir/ops/index.js";
import type { CallExpression, Expression } from "./ast.js";
import { bindArguments, type Formal } from "./bind.js";
import { callBlock } from "./blocks.js";
import type { Checker, Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { callFunction, functions } from "./functions.js";
import { type Ask, isOptional, type Kind, kinds, readArgument } from "./kinds.js";
import { type LayerDef, layerDef, layers, makeBuild, type Parameter, sizes } from "./layers.js";
import { callQuantizer, quantizerNamed, shortNames } from "./quantizers.js";
import type { NodeValue, Value } from "./values.js";

/** Ops that a network is written with; inputs have a statement of their own. */
export const callableOps = (Object.keys(ops) as OpName[]).filter((n) => n !== "input");

/** Everything that may be called by name. */
export const callables = (cx: Checker): readonly string[] => [
  ...new Set([...cx.blocks.keys(), ...Object.keys(layers), ...callableOps, ...Object.keys(functions), ...Object.keys(shortNames)]),
];

export const isBuiltin = (name: string): boolean =>
  layerDef(name) !== undefined || isOpName(name) || Object.hasOwn(functions, name) || quantizerNamed(name) !== undefined;

export function call(cx: Checker, scope: Scope, x: CallExpression): Value | undefined {
  const { name, span } = x.callee;
  const at = { source: scope.source, span };
  const block = cx.blocks.get(name);
  if (block) {
    cx.occurrences.push({ at, block });
    return callBlock(cx, scope, x, block);
  }
  cx.occurrences.push({ at, builtin: name });
  const layer = layerDef(name);
  if (layer) return callLayer(cx, scope, x, layer);
  if (isOpName(name) && name !== "input") return callOp(cx, scope, x, name);
  const f = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (f) return callFunction(cx, scope, x, f);
  const quantizer = quantizerNamed(name);
  if (quantizer) {
    const made = callQuantizer(cx, scope, x, quantizer);
    return made && { kind: "quantizer", quantizer: made };
  }
  // What stands inside is checked all the same, and counts as used.
  for (const a of x.args) if (a.value.kind !== "name") evaluate(cx, scope, a.value);
  for (const a of x.args) markUsed(cx, scope, a.value);
  const guess = didYouMean(name, callables(cx));
  return cx.error("QN803", scope, span, `unknown layer, block or function \`${printable(name)}\``, {
    help:
      name === "input"
        ? "an input is declared by the statement `input NAME: TYPE[SHAPE]`"
        : guess === undefined
          ? `layers: ${[...Object.keys(layers), ...callableOps].join(", ")}`
          : `did you mean \`${printable(guess)}\`?`,
  });
}

function markUsed(cx: Checker, scope: Scope, x: Expression): void {
  for (let s: Scope | undefined = x.kind === "name" ? scope : undefined; s; s = s.parent) {
    const binding = x.kind === "name" ? s.names.get(x.name) : undefined;
    if (binding) {
      binding.used = true;
      cx.occurrences.push({ at: { source: scope.source, span: x.span }, binding });
      return;
    }
  }
}

const operandFormals = (names: readonly string[]): readonly Formal[] => names.map((name) => ({ name, positional: true, required: true }));

/** Evaluates operands from left to right; undefined where one failed, after all have been looked at. */
function operandsOf(
  cx: Checker,
  scope: Scope,
  x: CallExpression,
  names: readonly string[],
  bound: ReadonlyMap<string, Expression>,
): readonly number[] | undefined {
  const ids = names.map((name) => kinds.value.read({ cx, scope, name, span: x.callee.span, index: 0 }, bound.get(name)!)?.ok);
  return ids.every((v): v is NodeValue => v !== undefined) ? ids.map((v) => v.id) : undefined;
}

function callOp(cx: Checker, scope: Scope, x: CallExpression, op: OpName): Value | undefined {
  const def = opDef(op);
  const extra = sizes[op] ?? {};
  const attrs = Object.entries(def.attrs);
  const formals: readonly Formal[] = [
    ...operandFormals(def.operands),
    ...attrs.map(([name, kind]) => ({ name, positional: false, required: !isOptional(kind) })),
    ...Object.keys(extra).map((name) => ({ name, positional: false, required: false })),
  ];
  const bound = bindArguments(cx, scope, x, formals);
  const operands = bound && operandsOf(cx, scope, x, def.operands, bound);
  if (!bound) return undefined;
  let index = 0;
  const values: Record<string, unknown> = {};
  let failed = operands === undefined;
  for (const [name, kind] of attrs) {
    const isWeight = kind.startsWith("tensor");
    const answer = readArgument(kind, askFor(cx, scope, x, name, isWeight ? index++ : 0), bound.get(name));
    if (answer) values[name] = answer.ok;
    else failed = true;
  }
  for (const [name, size] of Object.entries(extra)) {
    const expression = bound.get(name);
    const wanted = expression && kinds.int.read(askFor(cx, scope, x, name), expression);
    const weight = values[size.of] as { readonly shape: readonly number[] } | undefined;
    const has = weight && size.get(weight.shape);
    if (expression && wanted && weight && has !== wanted.ok) {
      failed = true;
      cx.error(
        "QN807",
        scope,
        expression.span,
        `\`${name}\` is ${wanted.ok}, and the ${size.of} of shape [${weight.shape.join(", ")}] has ${has}`,
        { help: `leave \`${name}\` out, or train the layer with this size` },
      );
    }
  }
  if (failed || !operands) return undefined;
  const id = cx.add(op, operands, values as never, scope, x.span, op);
  return id === undefined ? undefined : { kind: "value", id };
}

const askFor = (cx: Checker, scope: Scope, x: CallExpression, name: string, index = 0): Ask => ({
  cx,
  scope,
  name,
  span: x.callee.span,
  index,
});

const kindOf = (p: Parameter): Kind => (typeof p === "string" ? p : p.kind);

function callLayer(cx: Checker, scope: Scope, x: CallExpression, def: LayerDef): Value | undefined {
  const name = x.callee.name;
  const attrs = Object.entries(def.attrs);
  const formals = [
    ...operandFormals(def.operands),
    ...attrs.map(([n, p]) => ({ name: n, positional: false, required: typeof p === "string" && !isOptional(p) })),
  ];
  const bound = bindArguments(cx, scope, x, formals);
  const operands = bound && operandsOf(cx, scope, x, def.operands, bound);
  if (!bound) return undefined;
  const values: Record<string, unknown> = {};
  let index = 0;
  let failed = operands === undefined;
  for (const [n, p] of attrs) {
    const expression = bound.get(n);
    const isWeight = kindOf(p).startsWith("tensor");
    const answer =
      !expression && typeof p !== "string"
        ? { ok: p.default }
        : readArgument(kindOf(p), askFor(cx, scope, x, n, isWeight ? index++ : 0), expression);
    if (answer) values[n] = answer.ok;
    else failed = true;
  }
  if (failed || !operands) return undefined;
  const result = def.build(makeBuild(cx, scope, x.span, name), operands, values as never);
  return typeof result === "number" ? { kind: "value", id: result } : result;
}
