// Functions that are not piecewise linear, as `lut` nodes. They stay real until assign-precision chooses the type of their result.
import type { Conversion } from "../../../ir/fixed.js";
import type { UnaryName } from "../../../ir/unary.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";

/** y = name(x; params): real until assign-precision, or in the type `to` where the model states one. */
export const applyFunction = (cx: LayerContext, name: UnaryName, x: number, params: readonly number[] = [], to?: Conversion): number =>
  cx.graph.add("lut", [x], { f: { name, params, ...(to ? { to } : {}) } });

/** A place where a wide exact value may be rounded to the working precision. */
export const roundToPrecision = (cx: LayerContext, x: number): number => applyFunction(cx, "linear", x);

type Activation = (cx: LayerContext, x: number) => number;
const named =
  (name: UnaryName, ...params: readonly number[]): Activation =>
  (cx, x) =>
    applyFunction(cx, name, x, params);
const negative = (cx: LayerContext, x: number): number => cx.scale(x, -1);

/** Keras' activation functions that need a table, by the names that models use. */
export const functionActivations: Readonly<Record<string, Activation>> = {
  sigmoid: named("sigmoid"),
  tanh: named("tanh"),
  exponential: named("exp"),
  exp: named("exp"),
  softplus: named("softplus"),
  softsign: named("softsign"),
  elu: named("elu", 1),
  selu: named("selu"),
  swish: named("swish"),
  silu: named("swish"),
  gelu: named("gelu"),
  mish: named("mish"),
  celu: named("elu", 1),
  log_sigmoid: (cx, x) => negative(cx, applyFunction(cx, "softplus", negative(cx, x))),
  tanh_shrink: (cx, x) => cx.graph.add("sub", [x, applyFunction(cx, "tanh", x)], {}),
};

/** ELU(alpha) */
export const eluLayer = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  const alpha = cx.number("alpha", 1);
  return x === undefined || alpha === undefined ? undefined : { value: applyFunction(cx, "elu", x, [Math.fround(alpha)]) };
};
