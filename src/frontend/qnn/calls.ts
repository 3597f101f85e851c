// Calls: a block of the user, a layer with a row of its own, any op of the op table, a function over constants, or a quantizer.
import { didYouMean, printable } from "../../diagnostics.js";
import { isOpName, type OpName, ops } from "../../ir/ops/index.js";
import type { CallExpression, Expression } from "./ast.js";
import { callBlock } from "./blocks.js";
import { callLayer, callOp } from "./call-op.js";
import type { Checker, Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { callFunction, functions } from "./functions.js";
import { layerDef, layers } from "./layers.js";
import { callQuantizer, quantizerNamed, shortNames } from "./quantizers.js";
import type { Value } from "./values.js";

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
