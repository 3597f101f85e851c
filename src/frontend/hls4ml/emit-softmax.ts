// hls4ml's softmax: exponentials and a reciprocal from tables (reference: numerics of hls4ml, §3.6).
import { fixed } from "../../ir/fixed.js";
import type { GraphBuilder } from "../../ir/graph.js";
import { tensor } from "../../ir/tensor.js";
import type { Emit, Emitting } from "./emit.js";
import { cast, isNonNegative, reshape, scalar, shapeOf, sumLast } from "./emitting.js";
import type { Softmax } from "./nodes.js";
import { fixedPrecision, type Precision } from "./precision.js";
import { expf, lookup, lookupFunction, lookupTopBits, reciprocalf } from "./tables.js";

type Form = (cx: Emitting<Softmax>, x: number) => number;

/** The largest of the last axis, which stays as an axis of one. */
function maximum(b: GraphBuilder, x: number): number {
  const shape = shapeOf(b, x);
  const n = shape.at(-1)!;
  const most = b.add("maxpool", [reshape(b, x, [...shape, 1])], { window: [n], strides: [n] });
  return reshape(b, most, [...shape.slice(0, -1), 1]);
}

/** e_i over Σ e: the sum in the accumulator's type, its reciprocal from the top bits of inv_inp. */
function normalized({ b, node }: Emitting<Softmax>, exponentials: number): number {
  const accum = node.accum as Precision;
  const terms = cast(b, exponentials, accum);
  const shape = shapeOf(b, terms);
  const sum = cast(b, reshape(b, sumLast(b, terms, accum), [...shape.slice(0, -1), 1]), node.invInput);
  const inverse = lookupTopBits(b, sum, node.invInput.type, node.tableSize, reciprocalf, node.invTable);
  return b.add("mul", [terms, inverse], {});
}

const stable: Form = (cx, x) => {
  const { b, node, types } = cx;
  const { signed, width, int } = types[0]!.type;
  const type = fixed(width - Number(signed), int - Number(signed), false);
  const size = Math.min(node.tableSize, 2 ** type.width);
  const difference = cast(b, b.add("sub", [maximum(b, x), x], {}), fixedPrecision(type.width, type.int, false));
  return normalized(
    cx,
    lookupTopBits(b, difference, type, size, (d) => expf(-d), node.expTable),
  );
};

const latency: Form = (cx, x) => normalized(cx, lookupTopBits(cx.b, x, cx.types[0]!.type, cx.node.tableSize, expf, cx.node.expTable));

/** 1/Σ_j e^(x_j − x_i), both from tables of table_t; the second covers 0 to 64. */
const legacy: Form = ({ b, node }, x) => {
  const shape = shapeOf(b, x);
  const [lead, n] = [shape.slice(0, -1), shape.at(-1)!];
  const differences = b.add("sub", [reshape(b, x, [...lead, 1, n]), reshape(b, x, [...lead, n, 1])], {});
  const sums = sumLast(b, lookupFunction(b, "exp", differences, node.tableSize, node.table), node.table);
  const at = b.add("quantize", [sums], { to: fixed(Math.log2(node.tableSize), 6, false), round: "TRN_ZERO", overflow: "SAT" });
  const step = 64 / node.tableSize;
  return lookup(b, at, 0, step, node.tableSize, (s) => (s > 0 ? 1 / s : 0), node.table);
};

/** 1 at the first maximum: one where x reaches it, less the number of earlier ones. */
const argmax: Form = ({ b }, x) => {
  const n = shapeOf(b, x).at(-1)!;
  const tops = isNonNegative(b, b.add("sub", [x, maximum(b, x)], {}));
  const earlier = tensor(
    [n, n],
    0,
    Array.from({ length: n * n }, (_, i) => (Math.floor(i / n) < i % n ? 1n : 0n)),
  );
  return b.add("max", [b.add("sub", [tops, b.add("dense", [tops], { kernel: earlier, bias: undefined })], {}), scalar(b, 0)], {});
};

const forms: { readonly [I in Softmax["implementation"]]: Form } = { stable, latency, legacy, argmax };

/** The coarsest relative error that passes without a word. */
const FINE = 2 ** -6;

/** A reciprocal of the sum's top bits is too large by up to a step of them; an exponential by that of its own. */
function warnOfTables({ node, types, fixes }: Emitting<Softmax>): void {
  const { int, width, signed } = types[0]!.type;
  const bits = Math.log2(node.tableSize);
  const steps = {
    exponentials: 2 ** (int - Number(signed) - Math.min(bits, width - Number(signed))),
    reciprocals: 2 ** (node.invInput.type.int - bits),
  };
  const [name, step] = Object.entries(steps).reduce((a, b) => (b[1] > a[1] ? b : a));
  if ((node.implementation !== "stable" && node.implementation !== "latency") || step <= FINE) return;
  const error = step < 1 ? `off by up to ${Math.round(step * 100)} %` : "far from the real ones";
  fixes.wrong(
    node,
    `the softmax's table of ${name} has a step of ${step}: hls4ml's probabilities are ${error}`,
    "use `--until` the layer before, `Implementation: argmax`, or --fix, which leaves the softmax to the host",
  );
}

export const emitSoftmax: Emit<Softmax> = (cx) => {
  warnOfTables(cx);
  return cast(cx.b, forms[cx.node.implementation](cx, cx.inputs[0]!), cx.result);
};
