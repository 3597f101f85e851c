// The array file beside a printed network: each constant stored so that reading it gives the same tensor, and the expression that reads it.
import { numbersOf, type Tensor, tensorFromNumbers } from "../../ir/tensor.js";
import type { NpyArray } from "../../npy.js";
import type { Expression } from "./ast.js";
import { argument, call, cast, integer, list, string, typeExpression, word } from "./build-ast.js";

const INT64 = 1n << 63n;

/** The exact values as floats, where the reader derives the same mantissas and exponent from them. */
function asFloats(t: Tensor): NpyArray | undefined {
  const numbers = numbersOf(t);
  if (!numbers.every(Number.isFinite)) return undefined;
  const again = tensorFromNumbers(t.shape, numbers);
  if (again.exp !== t.exp || again.data.some((m, i) => m !== t.data[i])) return undefined;
  return { shape: t.shape, data: numbers.every((x) => Math.fround(x) === x) ? Float32Array.from(numbers) : Float64Array.from(numbers) };
}

export class WeightArrays {
  readonly arrays = new Map<string, NpyArray>();
  private readonly seen = new Set<string>();

  /** The attribute `key` of a layer, read by the layer's name: how it is quantized, or nothing for trained floats. `none` where the layer has none. */
  named(layer: string, key: string, value: Tensor | undefined): Expression | undefined {
    const path = `${layer}/${key}`;
    const isFirst = !this.seen.has(path) && layer !== "";
    this.seen.add(path);
    if (!value) return isFirst && !layer.includes("/") ? undefined : word("none");
    const floats = isFirst ? asFloats(value) : undefined;
    if (!floats) return this.explicit(layer, key, value);
    this.arrays.set(path, floats);
    return value.real ? undefined : value.type ? typeExpression(value.type) : word("exact");
  }

  /** A constant read by a key of its own. */
  explicit(layer: string, key: string, value: Tensor): Expression {
    const floats = asFloats(value);
    const stored = floats ?? this.integers(value);
    const path = this.freshKey(`${layer === "" ? "" : `${layer}/`}${key}`);
    this.seen.add(path);
    if (stored) this.arrays.set(path, stored);
    const read = stored ? call("weight", [argument(string(path))]) : nested(value);
    const exact = floats ? read : call("mantissas", [argument(read), argument(integer(value.exp), "exp")]);
    if (value.type) return cast(exact, typeExpression(value.type));
    if (value.real) return floats ? exact : cast(exact, word("auto"));
    return floats ? cast(exact, word("exact")) : exact;
  }

  private freshKey(key: string): string {
    if (!this.arrays.has(key) && !this.seen.has(key)) return key;
    for (let i = 2; ; i++) if (!this.arrays.has(`${key}_${i}`)) return `${key}_${i}`;
  }

  private integers(t: Tensor): NpyArray | undefined {
    if (t.data.some((m) => m >= INT64 || m < -INT64)) return undefined;
    return { shape: t.shape, data: BigInt64Array.from(t.data) };
  }
}

/** Mantissas too wide for an array, in the text. */
function nested(t: Tensor, axis = 0, from = 0): Expression {
  if (axis === t.shape.length) return integer(t.data[from]!);
  const stride = t.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  return list(Array.from({ length: t.shape[axis]! }, (_, i) => nested(t, axis + 1, from + i * stride)));
}
