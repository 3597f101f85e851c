// add, sub, mul, max, min on two operands with broadcasting; max and min with one constant as a step.

import { assert } from "../../diagnostics.js";
import type { Exact } from "../../ir/arith.js";
import { exponent, hull, type Range } from "../../ir/fixed.js";
import { rangeOfNode } from "./node-range.js";
import type { Graph, NodeWith } from "../../ir/graph.js";
import { broadcastIndex, sizeOf } from "../../ir/tensor.js";
import { type EmitContext, type OpEmitter, operandNodes, type Step } from "./emitter.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import { rowBytes } from "./memory.js";
import { clamp } from "./quantize-value.js";
import { ENTRY_UNIT } from "./table-fields.js";
import {
  atExponent,
  constantValue,
  extreme,
  isUnsigned64,
  isZero,
  type Lane,
  laneFor,
  laneOf,
  lanes,
  load,
  maxLane,
  toLane,
  type Value,
} from "./value.js";
import { walkChannels } from "./walk.js";

type Binary = "add" | "sub" | "mul" | "max" | "min";

/** Both operands in the finer unit; a zero takes the other's. */
function aligned(f: FunctionBuilder, a: Value, b: Value): readonly [Value, Value] {
  const exp = isZero(a) ? b.exp : isZero(b) ? a.exp : Math.min(a.exp, b.exp);
  return [atExponent(f, a, exp), atExponent(f, b, exp)];
}

/** What the range analysis says of the result, in units of 2^exp. It sees single elements and common zeros, so it is narrower than the operands' corners. */
type Known = (exp: number) => Range;

const knownOf =
  (node: NodeWith<Binary>): Known =>
  (exp) => {
    const type = node.type.elem;
    assert(type !== "real", `${node.op}: a real value`);
    const r = rangeOfNode(node);
    const shift = BigInt(isZero(r) ? 0 : exponent(type) - exp);
    return { lo: r.lo << shift, hi: r.hi << shift };
  };

type Instruction = (f: FunctionBuilder, lane: Lane, a: Local, b: Local) => Expression;

/** In lanes that hold both operands and the result, sums and products modulo 2^lane are the sums and products; beyond 64 bits they stay modulo 2^64. */
function combine(f: FunctionBuilder, a: Value, b: Value, exp: number, range: Range, instruction: Instruction): Value {
  const lane = maxLane(laneFor(f, a, b), laneOf(range) ?? 64);
  const [x, y] = [toLane(f, a, lane), toLane(f, b, lane)];
  return { lo: range.lo, hi: range.hi, exp, lane, vectors: x.vectors.map((v, i) => f.vector(instruction(f, lane, v, y.vectors[i]!))) };
}

type Combination = (f: FunctionBuilder, a: Value, b: Value, known: Known) => Value;

const sumOf =
  (op: "add" | "sub"): Combination =>
  (f, a, b, known) => {
    const [x, y] = aligned(f, a, b);
    return combine(f, x, y, x.exp, known(x.exp), (_, lane, p, q) => lanes(f, lane)[op](f.get(p), f.get(q)));
  };

const extremeOf =
  (op: "max" | "min"): Combination =>
  (f, a, b, known) => {
    const [x, y] = aligned(f, a, b);
    // A signed and an unsigned 64-bit operand have no common lane.
    laneFor(f, hull(x, y));
    const unsigned = isUnsigned64(x) || isUnsigned64(y);
    const pick: Instruction = (_, lane, p, q) => extreme(f, op, lane, p, q, unsigned);
    return combine(f, x, y, x.exp, known(x.exp), pick);
  };

const product: Combination = (f, a, b, known) =>
  combine(f, a, b, a.exp + b.exp, known(a.exp + b.exp), (_, lane, p, q) => lanes(f, lane).mul(f.get(p), f.get(q)));

const meaning: Readonly<Record<Binary, Combination>> = {
  add: sumOf("add"),
  sub: sumOf("sub"),
  mul: product,
  max: extremeOf("max"),
  min: extremeOf("min"),
};

function emit(node: NodeWith<Binary>, cx: EmitContext): void {
  const { f, out, operands, graph } = cx;
  const shape = node.type.shape;
  const columns = operandNodes(graph, node).map((x, k) => {
    const buffer = operands[k]!;
    return { at: Array.from(broadcastIndex(x.type.shape, shape), (i) => buffer.address + i * rowBytes(buffer)) };
  });
  const known = knownOf(node);
  const results = { at: Array.from({ length: sizeOf(shape) }, (_, i) => out.address + i * rowBytes(out)) };
  walkChannels(f, cx.memory, [...columns, results], shape.at(-1) ?? 1, ENTRY_UNIT, ([a, b, to], channel) => {
    const y = meaning[node.op](f, load(f, operands[0]!, a!), load(f, operands[1]!, b!), known);
    cx.finish(y, to!, 0, { pointer: channel, offset: 0 });
  });
}

/** The one number that a constant operand holds in every element. */
function uniformConstant(graph: Graph, id: number): Exact | undefined {
  const node = graph.nodes[id]!;
  if (node.op !== "constant") return undefined;
  const { data, exp } = node.attrs.value;
  return data.every((m) => m === data[0]) ? { m: data[0]!, exp } : undefined;
}

/** max(v, c) or min(v, c). */
function limited(f: FunctionBuilder, value: Value, op: "max" | "min", c: Exact): Value {
  laneFor(f, value);
  // A zero has no unit of its own.
  const v = isZero(value) ? { ...value, exp: c.exp } : value;
  const onGrid = c.m === 0n || c.exp >= v.exp || (c.m & ((1n << BigInt(v.exp - c.exp)) - 1n)) === 0n;
  if (!onGrid) {
    const constant = constantValue(f, c.m, c.exp);
    // Both in the unit of the constant, which is the finer.
    const shift = BigInt(v.exp - c.exp);
    const pick = (p: bigint, q: bigint): bigint => (p > q === (op === "max") ? p : q);
    return extremeOf(op)(f, v, constant, () => ({ lo: pick(v.lo << shift, c.m), hi: pick(v.hi << shift, c.m) }));
  }
  const m = c.exp >= v.exp ? c.m << BigInt(c.exp - v.exp) : c.m >> BigInt(v.exp - c.exp);
  if (op === "max" ? m >= v.hi : m <= v.lo) return constantValue(f, c.m, c.exp);
  return op === "max" ? clamp(f, v, { lo: m, hi: v.hi }) : clamp(f, v, { lo: v.lo, hi: m });
}

function limitStep(node: NodeWith<"max" | "min">, graph: Graph): Step | undefined {
  for (const [k, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const operand = node.operands[k]!;
    const c = uniformConstant(graph, node.operands[other]!);
    const sameSize = sizeOf(graph.nodes[operand]!.type.shape) === sizeOf(node.type.shape);
    if (c && sameSize) return { operand, apply: (f, v) => limited(f, v, node.op, c) };
  }
  return undefined;
}

export const elementwise: { readonly [K in Binary]: OpEmitter<K> } = {
  add: { kind: "channels", emit },
  sub: { kind: "channels", emit },
  mul: { kind: "channels", emit },
  max: { kind: "channels", step: limitStep, emit },
  min: { kind: "channels", step: limitStep, emit },
};
