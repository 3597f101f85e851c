// Unary real functions with a rounded result: the meaning of the `lut` op, evaluated on one input code at a time.
import { type Conversion, convert, dyadic, printConversion, toNumber } from "./fixed.js";
import { InternalError } from "../diagnostics.js";

/** `name(x; params)` in double precision, then converted to `to`. */
export interface Unary {
  readonly name: UnaryName;
  readonly params: readonly number[];
  readonly to: Conversion;
}

interface UnaryDef {
  readonly params: readonly string[];
  readonly doc: string;
  f(x: number, p: readonly number[]): number;
}

const def = (doc: string, params: readonly string[], f: UnaryDef["f"]): UnaryDef => ({ doc, params, f });

/** V8 computes these with its own fdlibm port, so the doubles are the same on every machine. */
export const unaries = {
  tanh: def("hyperbolic tangent", [], (x) => Math.tanh(x)),
  sigmoid: def("1 / (1 + e^−x)", [], (x) => 1 / (1 + Math.exp(-x))),
  exp: def("e^x", [], (x) => Math.exp(x)),
  step: def("`below` for x < threshold, else `above`", ["threshold", "below", "above"], (x, p) => (x < p[0]! ? p[1]! : p[2]!)),
  ternary: def("scale·sign(x) for |x| >= threshold, else 0", ["threshold", "scale"], (x, p) => (Math.abs(x) >= p[0]! ? Math.sign(x) * p[1]! : 0)),
  po2: def(
    "sign(x)·2^e with e = round-half-even(log2 |x|) clipped to [min, max]; |x| below 1e-7 gives 2^min, |x| above limit (if > 0) counts as limit; unsigned (signed = 0): x <= 0 gives 2^min",
    ["min", "max", "signed", "limit"],
    (x, p) => po2(x, p[0]!, p[1]!, p[2]! !== 0, p[3]!),
  ),
} satisfies Record<string, UnaryDef>;

export type UnaryName = keyof typeof unaries;

const roundHalfEven = (x: number): number => {
  const f = Math.floor(x);
  const r = x - f;
  return r > 0.5 || (r === 0.5 && f % 2 !== 0) ? f + 1 : f;
};

function po2(x: number, min: number, max: number, signed: boolean, limit: number): number {
  if (!signed && x <= 0) return 2 ** min;
  const magnitude = limit > 0 ? Math.min(Math.abs(x), limit) : Math.abs(x);
  const e = magnitude < 1e-7 ? min : Math.min(Math.max(roundHalfEven(Math.log2(magnitude)), min), max);
  return signed && x < 0 ? -(2 ** e) : 2 ** e;
}

/** The mantissa of f(m·2^exp) in f.to.type. */
export function applyUnary(f: Unary, m: bigint, exp: number): bigint {
  const y = unaries[f.name].f(toNumber(m, exp), f.params);
  if (!Number.isFinite(y)) throw new InternalError(`${f.name}(${toNumber(m, exp)}) = ${y}`);
  const d = dyadic(y);
  return convert(d.m, d.exp, f.to);
}

export const printUnary = (f: Unary): string => `${f.name}(${[...f.params, printConversion(f.to)].join(", ")})`;
