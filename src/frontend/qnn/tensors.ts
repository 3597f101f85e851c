// Constant tensors of .qnn: from numbers, and into a type without a silent loss.
import {
  type Conversion,
  convert,
  exponent,
  type FixedType,
  fit,
  hull,
  printConversion,
  printFixed,
  rangeOf,
  roundShift,
  toNumber,
  trailingZeros,
} from "../../ir/fixed.js";
import { rangeOfData, type Shape, type Tensor, tensor, tensorFromNumbers } from "../../ir/tensor.js";
import { asDyadic, convertRational, type Rational, rationalToNumber } from "./rational.js";
import type { ListValue, TypeValue } from "./values.js";

/** The same values at the coarsest exponent, as tensorFromNumbers gives them. */
export function normalized(t: Tensor): Tensor {
  const zeros = t.data.reduce((z, m) => (m === 0n ? z : Math.min(z, trailingZeros(m))), Number.POSITIVE_INFINITY);
  const extra = { ...(t.real ? { real: t.real } : {}), ...(t.type ? { type: t.type } : {}) };
  if (zeros === Number.POSITIVE_INFINITY) return tensor(t.shape, 0, t.data, extra);
  return zeros === 0
    ? t
    : tensor(
        t.shape,
        t.exp + zeros,
        t.data.map((m) => m >> BigInt(zeros)),
        extra,
      );
}

export interface NumberArray {
  readonly shape: Shape;
  readonly numbers: readonly Rational[];
}

/** A nested list of numbers as an array; a string is the reason why not. */
export function arrayOfList(list: ListValue): NumberArray | string {
  const numbers: Rational[] = [];
  const shape: number[] = [];
  const walk = (v: ListValue, depth: number): string | undefined => {
    if (v.items.length === 0) return "a constant has at least one number";
    if (shape[depth] === undefined) shape[depth] = v.items.length;
    if (shape[depth] !== v.items.length) return `the rows have different lengths: ${shape[depth]} and ${v.items.length}`;
    for (const item of v.items) {
      const isLeaf = item.kind === "number";
      if (!isLeaf && item.kind !== "list") return "expected numbers";
      if (isLeaf !== (depth === shape.length - 1) && (isLeaf || numbers.length > 0)) return "the rows are nested to different depths";
      if (isLeaf) numbers.push(item.number);
      else {
        const problem = walk(item, depth + 1);
        if (problem !== undefined) return problem;
      }
    }
    return undefined;
  };
  return walk(list, 0) ?? { shape, numbers };
}

/** The numbers exactly, or the first that has no finite binary expansion. */
export function exactTensor({ shape, numbers }: NumberArray): Tensor | { readonly bad: Rational } {
  const parts = [];
  for (const n of numbers) {
    const d = asDyadic(n);
    if (!d) return { bad: n };
    parts.push(d);
  }
  const exp = parts.reduce((e, p) => (p.m === 0n ? e : Math.min(e, p.exp)), Number.POSITIVE_INFINITY);
  if (exp === Number.POSITIVE_INFINITY)
    return tensor(
      shape,
      0,
      parts.map(() => 0n),
    );
  return tensor(
    shape,
    exp,
    parts.map((p) => (p.m === 0n ? 0n : p.m << BigInt(p.exp - exp))),
  );
}

/** The nearest doubles, marked as trained numbers that wait for a precision. */
export const realTensorOf = ({ shape, numbers }: NumberArray): Tensor =>
  tensorFromNumbers(shape, numbers.map(rationalToNumber), { real: true });

/** Weights round to the nearest value, ties to even, unless a mode is written. */
export const weightConversion = ({ conversion, hasRound, hasOverflow }: TypeValue): Conversion => ({
  type: conversion.type,
  round: hasRound ? conversion.round : "RND_CONV",
  overflow: hasOverflow ? conversion.overflow : "SAT",
});

export interface Misfit {
  readonly message: string;
  readonly help: string;
}

/** What does not fit the type, where no overflow mode says what shall become of it. `rounded` are mantissas at the type's exponent. */
function misfit(rounded: readonly bigint[], worstOf: (i: number) => number, type: FixedType, conversion: Conversion): Misfit | undefined {
  const { lo, hi } = rangeOf(type);
  if (rounded.every((m) => m >= lo && m <= hi)) return undefined;
  const outside = rounded.flatMap((m, i) => (m >= lo && m <= hi ? [] : [i]));
  const worst = outside.map(worstOf).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
  const needed = fit(hull(rangeOfData(rounded), type.signed ? { lo: -1n, hi: 0n } : { lo: 0n, hi: 0n }), exponent(type));
  return {
    message: `${outside.length} of ${rounded.length} values do not fit ${printFixed(type)}; the farthest is ${worst}`,
    help: `${printFixed(needed)} holds them all; to clamp what does not fit, write ${printConversion({ ...conversion, overflow: "SAT" })}`,
  };
}

/** Conversions made before, by the text of the type. */
const made = new WeakMap<Tensor, Map<string, Tensor | Misfit>>();

/** A tensor in a type. Values that are on its grid already keep their mantissas. */
export function tensorAs(t: Tensor, to: TypeValue): Tensor | Misfit {
  const known = made.get(t) ?? new Map<string, Tensor | Misfit>();
  made.set(t, known);
  const key = `${printConversion(to.conversion)} ${to.hasRound} ${to.hasOverflow}`;
  const result = known.get(key) ?? convertTensor(t, to);
  known.set(key, result);
  return result;
}

function convertTensor(t: Tensor, to: TypeValue): Tensor | Misfit {
  const conversion = weightConversion(to);
  const { type } = conversion;
  const drop = exponent(type) - t.exp;
  const rounded = t.data.map((m) => roundShift(m, drop, conversion.round));
  const problem = to.hasOverflow ? undefined : misfit(rounded, (i) => toNumber(t.data[i]!, t.exp), type, conversion);
  if (problem) return problem;
  const { lo, hi } = rangeOf(type);
  const isExact = t.data.every((m, i) => rounded[i]! >= lo && rounded[i]! <= hi && (drop <= 0 || rounded[i]! << BigInt(drop) === m));
  return isExact
    ? tensor(t.shape, t.exp, t.data, { type })
    : normalized(
        tensor(
          t.shape,
          exponent(type),
          t.data.map((m) => convert(m, t.exp, conversion)),
          { type },
        ),
      );
}

/** Literal numbers in a type: rounded once, from the exact decimal. */
export function arrayAs({ shape, numbers }: NumberArray, to: TypeValue): Tensor | Misfit {
  const conversion = weightConversion(to);
  const wide: Conversion = { ...conversion, type: { signed: true, width: 4096, int: 4096 + exponent(conversion.type) } };
  const rounded = numbers.map((n) => convertRational(n, wide));
  const problem = to.hasOverflow ? undefined : misfit(rounded, (i) => rationalToNumber(numbers[i]!), conversion.type, conversion);
  return (
    problem ??
    normalized(
      tensor(
        shape,
        exponent(conversion.type),
        numbers.map((n) => convertRational(n, conversion)),
        { type: conversion.type },
      ),
    )
  );
}
