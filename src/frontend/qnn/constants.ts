// Constants of a network: literals, weights by the layer's name, and what `as` makes of them.
import { didYouMean, printable } from "../../diagnostics.js";
import { sizeOf, type Tensor, tensor, tensorFromNumbers } from "../../ir/tensor.js";
import type { Expression } from "./ast.js";
import type { Checker, Scope } from "./checker.js";
import type { Ask } from "./kinds.js";
import { quantizeTensor } from "./quantizers.js";
import { printRational } from "./rational.js";
import { placeOf, type Span } from "./source.js";
import { arrayAs, arrayOfList, exactTensor, type NumberArray, realTensorOf, tensorAs } from "./tensors.js";
import { describe, type TensorValue, type Value } from "./values.js";
import { type NumericArray, weightKeys } from "./weights.js";

const arrayOf = (value: Value): NumberArray | string | undefined =>
  value.kind === "number" ? { shape: [], numbers: [value.number] } : value.kind === "list" ? arrayOfList(value) : undefined;

/** A number, list or tensor as a constant: literals exactly, weights from files as trained numbers. Undefined for other kinds, and after an error. */
export function constantOf(cx: Checker, scope: Scope, value: Value, expression: Expression): Tensor | undefined {
  if (value.kind === "tensor") return value.tensor;
  const array = arrayOf(value);
  if (array === undefined) return undefined;
  if (typeof array === "string") return cx.error("QN806", scope, expression.span, array);
  const exact = exactTensor(array);
  if (!("bad" in exact)) return exact;
  const shown = printRational(exact.bad);
  return cx.error("QN811", scope, expression.span, `${shown} has no finite binary expansion, so the firmware cannot hold it exactly`, {
    help: `round it to a type: \`${shown} as fixed<12,2>\`; or leave that to qnnc: \`${shown} as auto\``,
  });
}

/** `constant as how`. */
export function castConstant(cx: Checker, scope: Scope, value: Value, how: Value, expression: Expression): Value | undefined {
  const array = arrayOf(value);
  if (typeof array === "string") return cx.error("QN806", scope, expression.span, array);
  const given = value.kind === "tensor" ? value : undefined;
  const result = (t: Tensor | undefined): TensorValue | undefined =>
    t && { kind: "tensor", tensor: t, ...(given?.origin === undefined ? {} : { origin: given.origin }) };
  const data = array ? () => realTensorOf(array) : () => given!.tensor;
  if (how.kind === "type")
    return result(
      fitted(cx, scope, expression.span, array ? arrayAs(array, how) : tensorAs(given!.tensor, how), given?.origin ?? "the constant"),
    );
  if (how.kind === "quantizer") return result(quantizeTensor(cx, scope, expression.span, how.quantizer, data()));
  if (how.kind === "word" && how.word === "auto") return result({ ...withoutType(data()), real: true });
  if (how.kind === "word" && how.word === "exact") {
    const t = array ? constantOf(cx, scope, value, expression) : given!.tensor;
    return result(t && withoutType(t));
  }
  return cx.error("QN806", scope, expression.span, `${describe(how)} is nothing that a constant can become`, {
    help: "write a type, a quantizer, `auto` or `exact`",
  });
}

const withoutType = (t: Tensor): Tensor => tensor(t.shape, t.exp, t.data);

function fitted(cx: Checker, scope: Scope, span: Span, t: ReturnType<typeof tensorAs>, what: string): Tensor | undefined {
  return "message" in t ? cx.error("QN304", scope, span, `${printable(what)}: ${t.message}`, { help: t.help }) : t;
}

/** Arrays converted before: an editor checks the same weights at every keystroke. */
const converted = new WeakMap<NumericArray, Tensor>();

/** An array of a file as trained numbers that wait for a precision. */
export function tensorOfArray(cx: Checker, scope: Scope, span: Span, array: NumericArray, origin: string): Tensor | undefined {
  const known = converted.get(array) ?? convertArray(cx, scope, span, array, origin);
  if (known) converted.set(array, known);
  return known;
}

function convertArray(cx: Checker, scope: Scope, span: Span, array: NumericArray, origin: string): Tensor | undefined {
  if (sizeOf(array.shape) > 1 << 24)
    return cx.error("QN213", scope, span, `${printable(origin)} has ${sizeOf(array.shape)} elements; the limit is ${1 << 24}`);
  const values = Array.from(array.values as ArrayLike<number | bigint>);
  const bad = values.findIndex((v) => typeof v === "number" && !Number.isFinite(v));
  if (bad >= 0)
    return cx.error("QN208", scope, span, `${printable(origin)} is ${values[bad]} at index ${bad}`, {
      help: "training diverged: retrain with a lower learning rate or gradient clipping",
    });
  if (typeof values[0] === "bigint")
    return {
      ...(exactTensor({ shape: array.shape, numbers: (values as bigint[]).map((num) => ({ num, den: 1n })) }) as Tensor),
      real: true,
    };
  return tensorFromNumbers(array.shape, values as number[], { real: true });
}

/** The array under a key in the network's weights files. */
export function findKey(cx: Checker, keys: Iterable<string>): { readonly array: NumericArray; readonly origin: string } | undefined {
  for (const key of keys) {
    for (const file of cx.weights) {
      const array = file.arrays.get(key);
      if (array) return { array, origin: `\`${key}\` of ${file.name.replace(/^.*\//, "")}` };
    }
  }
  return undefined;
}

export function missingKey(cx: Checker, wanted: string): string {
  if (cx.weights.length === 0) return 'name the file: weights "model.npz"';
  const all = cx.weights.flatMap((f) => [...f.arrays.keys()]);
  const guess = didYouMean(wanted, all);
  if (guess !== undefined) return `did you mean \`${printable(guess)}\`?`;
  return all.length === 0
    ? "the weights files are empty"
    : `the files hold ${all.slice(0, 12).map(printable).join(", ")}${all.length > 12 ? ` and ${all.length - 12} more` : ""}`;
}

/** The weight of the current layer that the parameter names, quantized as asked. */
export function namedWeight(ask: Ask, how: Value, expression: Expression | undefined): Tensor | undefined;
export function namedWeight(ask: Ask, how: Value, expression: undefined, ifPresent: "if present"): Tensor | "absent" | undefined;
export function namedWeight(
  ask: Ask,
  how: Value,
  expression: Expression | undefined,
  ifPresent?: "if present",
): Tensor | "absent" | undefined {
  const { cx, scope, name, index } = ask;
  const span = expression?.span ?? ask.span;
  const { layer } = scope;
  if (layer === undefined) {
    if (ifPresent) return "absent";
    return cx.error("QN206", scope, span, `\`${name}\` is taken from the weights by the layer's name, and this call is in no layer`, {
      help: `write \`layer NAME = …\`, or name the weight: ${name}: weight("key")`,
    });
  }
  const found = findKey(cx, weightKeys(layer, name, index));
  if (!found) {
    if (ifPresent) return "absent";
    return cx.error("QN206", scope, span, `there is no weight \`${printable(layer)}/${name}\``, {
      help: missingKey(cx, `${layer}/${name}`),
    });
  }
  const key = `${layer}/${name}`;
  const first = cx.named.get(key);
  if (first) {
    return cx.error("QN804", scope, span, `two calls of the layer \`${printable(layer)}\` take the weight \`${printable(key)}\``, {
      also: [{ at: placeOf(first.source, first.span), message: "the first is here" }],
      help: `make each a layer of its own, or name the weight: ${name}: weight("key")`,
    });
  }
  cx.named.set(key, { source: scope.source, span });
  const raw = tensorOfArray(cx, scope, span, found.array, found.origin);
  const value =
    raw && castConstant(cx, scope, { kind: "tensor", tensor: raw, origin: found.origin }, how, expression ?? { kind: "missing", span });
  return value?.kind === "tensor" ? value.tensor : undefined;
}
