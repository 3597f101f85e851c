// Elementwise activations: comparisons are exact, and one conversion to the result's type follows (reference: numerics of hls4ml, §3.5).
import type { GraphBuilder } from "../../ir/graph.js";
import { convert, dyadic } from "../../ir/fixed.js";
import { type Tensor, tensor } from "../../ir/tensor.js";
import type { Emit, Emitting } from "./emit.js";
import { cast, constant, isAbove, isNonNegative, scalar, times } from "./emitting.js";
import type { Activation, Threshold } from "./nodes.js";
import { fixedPrecision, fractionBits, type Precision } from "./precision.js";
import { lookupFunction, type TableName } from "./tables.js";
import { weightTensor } from "./weights.js";

const zero = (b: GraphBuilder): number => scalar(b, 0);
const positive = (b: GraphBuilder, x: number): number => b.add("max", [x, zero(b)], {});
const negative = (b: GraphBuilder, x: number): number => b.add("min", [x, zero(b)], {});

/** A number written into the C++ as a literal, in its type. */
const literal = (b: GraphBuilder, x: number, p: Precision): number => {
  const { m, exp } = dyadic(x);
  return constant(b, tensor([], -fractionBits(p), [convert(m, exp, p)]));
};

/** Slope or threshold: a literal, or one number an element by way of decimal text. */
function parameter(b: GraphBuilder, node: Activation): number {
  const { parameter: w } = node;
  if (!w) return scalar(b, 1);
  const type = w.type as Precision;
  const value: Tensor | undefined = w.shape.length === 0 ? undefined : weightTensor(w, type);
  return value ? constant(b, value) : literal(b, w.values[0]!, type);
}

type Function = (cx: Emitting<Activation>, x: number) => number;

const byTable =
  (name: TableName): Function =>
  ({ b, node }, x) =>
    lookupFunction(b, name, x, node.tableSize, node.table);

/** x above 0, slope·x below. */
const leaky: Function = ({ b, node }, x) => b.add("add", [positive(b, x), b.add("mul", [negative(b, x), parameter(b, node)], {})], {});

function hardSigmoid({ b, node }: Emitting<Activation>, x: number): number {
  const slope = literal(b, node.slope ?? 0.2, node.slopeType ?? fixedPrecision(16, 0, false));
  const line = b.add("add", [b.add("mul", [x, slope], {}), scalar(b, 0.5)], {});
  return b.add("min", [positive(b, line), scalar(b, 1)], {});
}

/** One bit stands for −1 and +1. */
const isBit = ({ kind, type }: Precision): boolean => kind === "xnor" || (kind === "integer" && !type.signed && type.width === 1);

const binary: Function = ({ b, result }, x) => {
  const bit = isNonNegative(b, x);
  return isBit(result) ? bit : b.add("sub", [times(b, bit, 2), scalar(b, 1)], {});
};

/** 2x is held in the type of x, so it may wrap: large positive data become −1. */
const ternary: Function = ({ b, types }, x) => {
  const doubled = cast(b, times(b, x, 2), types[0]!);
  const above = isAbove(b, doubled, scalar(b, 1));
  const low = isAbove(b, doubled, scalar(b, -1));
  return b.add("sub", [b.add("add", [above, low], {}), scalar(b, 1)], {});
};

const functions: Readonly<Record<string, Function>> = {
  linear: (_, x) => x,
  relu: ({ b }, x) => positive(b, x),
  relu6: ({ b }, x) => b.add("min", [positive(b, x), scalar(b, 6)], {}),
  relu1: ({ b }, x) => b.add("min", [positive(b, x), scalar(b, 1)], {}),
  leaky_relu: leaky,
  prelu: leaky,
  thresholded_relu: ({ b, node }, x) => b.add("mul", [x, isAbove(b, x, parameter(b, node))], {}),
  sigmoid: byTable("sigmoid"),
  tanh: byTable("tanh"),
  softplus: byTable("softplus"),
  softsign: byTable("softsign"),
  elu: ({ b, node }, x) => {
    const below = lookupFunction(b, "elu", negative(b, x), node.tableSize, node.table);
    return b.add("add", [positive(b, x), b.add("mul", [below, parameter(b, node)], {})], {});
  },
  selu: ({ b, node }, x) => {
    const above = b.add("mul", [positive(b, x), literal(b, 1.0507009873554805, fixedPrecision(16, 1, false))], {});
    return b.add("add", [above, lookupFunction(b, "selu", negative(b, x), node.tableSize, node.table)], {});
  },
  hard_sigmoid: hardSigmoid,
  hard_tanh: (cx, x) => cx.b.add("sub", [times(cx.b, hardSigmoid(cx, x), 2), scalar(cx.b, 1)], {}),
  binary_tanh: binary,
  ternary_tanh: ternary,
};

export const isActivation = (name: string): boolean => Object.hasOwn(functions, name);

export const emitActivation: Emit<Activation> = (cx) => cast(cx.b, functions[cx.node.activation]!(cx, cx.inputs[0]!), cx.result);

/** Thresholds in place of a batch normalization: binary x >= high; ternary +1 above `high`, −1 up to `low`. */
export const emitThreshold: Emit<Threshold> = ({ b, node, inputs: [x], result }) => {
  const held = (w: typeof node.high): number => constant(b, weightTensor(w, w.type as Precision));
  const data = node.flip ? b.add("mul", [x!, constant(b, node.flip)], {}) : x!;
  if (!node.low) return cast(b, isNonNegative(b, b.add("sub", [data, held(node.high)], {})), result);
  const sum = b.add("add", [isAbove(b, data, held(node.high)), isAbove(b, data, held(node.low))], {});
  return cast(b, b.add("sub", [sum, scalar(b, 1)], {}), result);
};
