// The network in double precision: every op by its one meaning on floating-point numbers. The unquantized reference.
import { assert } from "../diagnostics.js";
import type { Arith } from "../ir/arith.js";
import { type Conversion, dyadic, exponent, type Overflow, rangeOf, type Rounding, toNumber } from "../ir/fixed.js";
import type { Graph } from "../ir/graph.js";
import { opDef } from "../ir/ops/index.js";
import { typeAt } from "../ir/ops/op.js";
import { numbersOf, type Tensor } from "../ir/tensor.js";
import { isExact } from "../ir/enclosures.js";
import { isTyped, type UnaryFunction, unaryDef } from "../ir/unary.js";

/** Integers up to here have all their neighbours. */
const EXACT = 2 ** 52;
const half = (y: number, tie: (floor: number) => number): number => {
  const floor = Math.floor(y);
  const rest = y - floor;
  return rest === 0.5 ? tie(floor) : rest > 0.5 ? floor + 1 : floor;
};
const rounders: Readonly<Record<Rounding, (y: number) => number>> = {
  TRN: Math.floor,
  TRN_ZERO: Math.trunc,
  RND: (y) => half(y, (f) => f + 1),
  RND_CONV: (y) => half(y, (f) => (f % 2 === 0 ? f : f + 1)),
  RND_ZERO: (y) => half(y, (f) => (f < 0 ? f + 1 : f)),
  RND_INF: (y) => half(y, (f) => (f < 0 ? f : f + 1)),
  RND_MIN_INF: (y) => half(y, (f) => f),
};
const overflowers: Readonly<Record<Overflow, (y: number, lo: number, hi: number) => number>> = {
  WRAP: (y, lo, hi) => (y >= lo && y <= hi ? y : y - Math.floor((y - lo) / (hi - lo + 1)) * (hi - lo + 1)),
  SAT: (y, lo, hi) => Math.min(hi, Math.max(lo, y)),
  SAT_ZERO: (y, lo, hi) => (y >= lo && y <= hi ? y : 0),
  SAT_SYM: (y, lo, hi) => Math.min(hi, Math.max(lo < 0 && hi > 0 ? -hi : lo, y)),
};

/** A conversion on doubles: exact as long as mantissas have at most 52 bits. */
export function convertNumber(x: number, { type, round, overflow }: Conversion): number {
  if (type.width === 0) return 0;
  const step = 2 ** exponent(type);
  const y = x / step;
  const { lo, hi } = rangeOf(type);
  return overflowers[overflow](Math.abs(y) < EXACT ? rounders[round](y) : y, Number(lo), Number(hi)) * step;
}

/** f(x) in double precision, converted where f has a type. */
function unaryNumber(f: UnaryFunction, x: number): number {
  const { near, enclose } = unaryDef(f.name);
  let y = near ? near(x, f.params) : Number.NaN;
  if (Number.isNaN(y)) {
    const exact = enclose(dyadic(x), PRECISION, f.params);
    y = isExact(exact) ? toNumber(exact.m, exact.exp) : toNumber(exact.lo + exact.hi, -PRECISION - 1);
  }
  return isTyped(f) ? convertNumber(y, f.to) : y;
}
const PRECISION = 96;

const tables = new WeakMap<Tensor, Float64Array>();
function doubles(t: Tensor): Float64Array {
  let known = tables.get(t);
  if (!known) tables.set(t, (known = Float64Array.from(numbersOf(t))));
  return known;
}

const float: Arith<number> = {
  constant: toNumber,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
  matvec: (kernel, x, bias) => {
    const m = kernel.shape[1]!;
    const w = doubles(kernel);
    const sums = bias ? Array.from(doubles(bias)) : new Array<number>(m).fill(0);
    for (let i = 0; i < x.length; i++) {
      const xi = x[i]!;
      if (xi !== 0) for (let j = 0; j < m; j++) sums[j]! += xi * w[i * m + j]!;
    }
    return sums;
  },
  quantize: convertNumber,
  lut: (x, f) => unaryNumber(f, x),
};

/** Every node's value for one sample; `inputs` follow graph.inputs. Real inputs are taken as they are, typed ones are converted. */
export function evaluateFloat(graph: Graph, inputs: readonly ArrayLike<number>[]): readonly (readonly number[])[] {
  const values: (readonly number[])[] = [];
  graph.nodes.forEach((node, id) => {
    const input = graph.inputs.indexOf(id);
    if (node.op === "input") {
      assert(input >= 0, "evaluateFloat: an input that is none of the graph's");
      const { type, round, overflow, shape } = node.attrs;
      values.push(Array.from(inputs[input]!, (x, i) => (type ? convertNumber(x, { type: typeAt(type, i, shape.at(-1) ?? 1), round, overflow }) : x)));
      return;
    }
    const x = node.operands.map((v) => ({ shape: graph.nodes[v]!.type.shape, at: values[v]! }));
    // A function that has no type yet expands in no arithmetic but this.
    values.push(node.op === "lut" ? x[0]!.at.map((v) => unaryNumber(node.attrs.f, v)) : opDef(node.op).expand(float, x, node.attrs as never));
  });
  return values;
}
