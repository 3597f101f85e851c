// QKeras' quantizers in .qnn: `bits(6,0)`, `po2(4)`, `ternary`, `binary` and the rest by their full names; one meaning, frontend/keras's.
import { didYouMean, printable, Reporter } from "../../diagnostics.js";
import type { GraphBuilder } from "../../ir/graph.js";
import { numbersOf, type Tensor, tensorFromNumbers } from "../../ir/tensor.js";
import { JsonDocument } from "../keras/json.js";
import { LayerContext } from "../keras/layers/context.js";
import { lowerQuantizer } from "../keras/layers/lower-quantizer.js";
import type { KerasModel } from "../keras/model.js";
import { quantizerForward } from "../keras/quantizer-forward.js";
import { type ArgValue, isQuantizerName, makeQuantizer, type Quantizer, type QuantizerName, quantizers } from "../keras/quantizers.js";
import type { CallExpression } from "./ast.js";
import { bindArguments } from "./bind.js";
import type { Checker, Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { rationalToNumber } from "./rational.js";
import type { Span } from "./source.js";
import { describe, type Value } from "./values.js";

/** Short names of the common ones. */
export const shortNames: Readonly<Record<string, QuantizerName>> = {
  bits: "quantized_bits",
  po2: "quantized_po2",
  relu_po2: "quantized_relu_po2",
};

export const quantizerNamed = (name: string): QuantizerName | undefined =>
  Object.hasOwn(shortNames, name) ? shortNames[name] : isQuantizerName(name) ? name : undefined;

/** Undefined where the value is nothing that a quantizer takes. */
function argumentOf(value: Value): { readonly ok: ArgValue } | undefined {
  if (value.kind === "number") return { ok: rationalToNumber(value.number) };
  if (value.kind === "string") return { ok: value.text };
  if (value.kind === "word")
    return { ok: value.word === "none" ? null : value.word === "true" ? true : value.word === "false" ? false : value.word };
  if (value.kind === "list" && value.items.every((v) => v.kind === "number"))
    return { ok: value.items.map((v) => rationalToNumber(v.number)) };
  return undefined;
}

export function callQuantizer(cx: Checker, scope: Scope, call: CallExpression, name: QuantizerName): Quantizer | undefined {
  const formals = Object.keys(quantizers[name]).map((n) => ({ name: n, positional: true, required: false }));
  const bound = bindArguments(cx, scope, call, formals);
  if (!bound) return undefined;
  const given = new Map<string, ArgValue>();
  for (const [key, expression] of bound) {
    const value = evaluate(cx, scope, expression);
    if (value.kind === "poison") return undefined;
    const argument = argumentOf(value);
    if (!argument)
      return cx.error(
        "QN806",
        scope,
        expression.span,
        `\`${key}\` must be a number, a word or a string, not ${printable(describe(value))}`,
      );
    given.set(key, argument.ok);
  }
  const made = makeQuantizer(name, given);
  return typeof made === "string" ? cx.error("QN204", scope, call.span, `${name}: ${made}`) : made;
}

export function plainQuantizer(name: QuantizerName): Quantizer | undefined {
  const made = makeQuantizer(name, new Map());
  return typeof made === "string" ? undefined : made;
}

/** A weight after its quantizer. */
export function quantizeTensor(cx: Checker, scope: Scope, span: Span, q: Quantizer, t: Tensor): Tensor | undefined {
  if (q.name === "bernoulli")
    return cx.error("QN203", scope, span, "bernoulli draws new random weights for every inference", { help: "use stochastic_binary" });
  const { values, scale } = quantizerForward(q, numbersOf(t), t.shape);
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) return cx.error("QN208", scope, span, `${q.name} turns weight number ${bad} into ${values[bad]}`);
  if (scale?.values.some((s) => s !== 0 && !Number.isInteger(Math.log2(Math.abs(s))))) {
    return cx.error(
      "QN204",
      scope,
      span,
      `${q.name} scales by ${scale.values.find((s) => !Number.isInteger(Math.log2(Math.abs(s))))}, which is no power of two`,
      { help: "give alpha: auto_po2, or a power of two" },
    );
  }
  return tensorFromNumbers(t.shape, values);
}

/** A value of the network after a quantizer, as new nodes. */
export function quantizeNode(
  cx: Checker,
  scope: Scope,
  span: Span,
  q: Quantizer,
  x: number,
  graph: GraphBuilder = cx.graph,
): number | undefined {
  const local = new Reporter();
  const layer = { name: scope.layer ?? "", className: q.name, module: undefined, config: {}, pointer: "", builtShape: undefined };
  const document = new JsonDocument(scope.source.name, "", {});
  const model: KerasModel = {
    name: "",
    document,
    generation: 2,
    layers: [],
    calls: [],
    inputs: [],
    outputs: [],
    weightsSource: undefined,
    weightsOf: () => new Map(),
    pathsOf: () => new Map(),
  };
  const value = lowerQuantizer(new LayerContext(model, layer, [x], graph, local), q, x, "");
  for (const d of local.diagnostics) cx.error(d.code, scope, span, d.message, d.help === undefined ? {} : { help: d.help });
  return value;
}

export const guessQuantizer = (name: string): string | undefined =>
  didYouMean(name, [...Object.keys(shortNames), ...Object.keys(quantizers)]);
