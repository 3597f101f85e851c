// Rounding of floating-point vectors to integers, still as floating-point numbers: every mode, without an inexact step.
import type { Rounding } from "../../ir/fixed.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";

/** Pairs of doubles or quadruples of floats. */
export type FloatShape = "f64x2" | "f32x4";

/** A vector constant with every lane equal to x. */
export function floats(f: FunctionBuilder, shape: FloatShape, x: number): Expression {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < 16; at += shape === "f64x2" ? 8 : 4) {
    if (shape === "f64x2") view.setFloat64(at, x, true);
    else view.setFloat32(at, x, true);
  }
  return f.m.v128.const(bytes);
}
export const doubles = (f: FunctionBuilder, x: number): Expression => floats(f, "f64x2", x);

/** x·2^n on pairs of doubles: in two factors where 2^n is not a double. */
export function scaled(f: FunctionBuilder, x: Expression, n: number): Expression {
  if (n === 0) return x;
  if (Math.abs(n) <= 1000) return f.m.f64x2.mul(x, doubles(f, 2 ** n));
  const half = Math.trunc(n / 2);
  return f.m.f64x2.mul(f.m.f64x2.mul(x, doubles(f, 2 ** half)), doubles(f, 2 ** (n - half)));
}

/** y rounded, y = x·2^n. Every step is exact: y − nearest(y) has no rounding error, and is ±1/2 exactly at ties. */
export const roundFloats: Readonly<Record<Rounding, (f: FunctionBuilder, shape: FloatShape, y: Local, x: Local, canUnderflow: boolean) => Expression>> = {
  TRN: (f, shape, y, x, canUnderflow) => {
    const floor = f.m[shape].floor(f.get(y));
    if (!canUnderflow) return floor;
    // A negative x whose scaled value vanished still rounds down to −1.
    const vanished = f.m.v128.and(f.m[shape].lt(f.get(x), floats(f, shape, 0)), f.m[shape].eq(f.get(y), floats(f, shape, 0)));
    return f.m[shape].sub(floor, f.m.v128.and(vanished, floats(f, shape, 1)));
  },
  TRN_ZERO: (f, shape, y) => f.m[shape].trunc(f.get(y)),
  RND_CONV: (f, shape, y) => f.m[shape].nearest(f.get(y)),
  RND: (f, shape, y) => ties(f, shape, y, { up: "all", down: "none" }),
  RND_MIN_INF: (f, shape, y) => ties(f, shape, y, { up: "none", down: "all" }),
  RND_INF: (f, shape, y) => ties(f, shape, y, { up: "positive", down: "negative" }),
  RND_ZERO: (f, shape, y) => ties(f, shape, y, { up: "negative", down: "positive" }),
};

type Signs = "all" | "none" | "positive" | "negative";

/** nearest(y), half to even, moved where the tie went the other way: up from below y, down from above y, for y of the given signs. */
function ties(f: FunctionBuilder, shape: FloatShape, y: Local, to: { readonly up: Signs; readonly down: Signs }): Expression {
  const { v128 } = f.m;
  const by = f.m[shape];
  const nearest = f.vector(by.nearest(f.get(y)));
  const rest = f.vector(by.sub(f.get(y), f.get(nearest)));
  const oneWhere = (tie: number, signs: Signs): Expression => {
    const mask = by.eq(f.get(rest), floats(f, shape, tie));
    const sign = signs === "positive" ? by.gt(f.get(y), floats(f, shape, 0)) : by.lt(f.get(y), floats(f, shape, 0));
    return v128.and(signs === "all" ? mask : v128.and(mask, sign), floats(f, shape, 1));
  };
  let sum = f.get(nearest);
  if (to.up !== "none") sum = by.add(sum, oneWhere(0.5, to.up));
  if (to.down !== "none") sum = by.sub(sum, oneWhere(-0.5, to.down));
  return sum;
}
