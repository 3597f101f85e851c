// add, sub, mul, max, min on two operands with broadcasting; max and min with one constant as a step.
import type { Exact } from "../../ir/arith.js";
import { exponent } from "../../ir/fixed.js";
import { type Graph, type NodeWith, rangeOfNode } from "../../ir/graph.js";
import { broadcastIndex, sizeOf } from "../../ir/tensor.js";
import { type EmitContext, type OpEmitter, operandNodes, type Step } from "./emitter.js";
import type { FunctionBuilder } from "./function-builder.js";
import { rowBytes } from "./memory.js";
import { clamp } from "./quantize-value.js";
import { atExponent, constantValue, extreme, isUnsigned64, isZero, type Lane, laneFor, lanes, load, toLane, type Value } from "./value.js";
import { walk } from "./walk.js";

type Binary = "add" | "sub" | "mul" | "max" | "min";

/** Both operands in the finer unit; a zero takes the other's. */
function aligned(f: FunctionBuilder, a: Value, b: Value): readonly [Value, Value] {
  const exp = isZero(a) ? b.exp : isZero(b) ? a.exp : Math.min(a.exp, b.exp);
  return [atExponent(f, a, exp), atExponent(f, b, exp)];
}

/** In lanes that hold both operands and the result, sums and products modulo 2^lane are the sums and products. */
function combine(f: FunctionBuilder, a: Value, b: Value, result: Value, g: (lane: Lane, i: number, a: Value, b: Value) => number): Value {
  const lane = laneFor(f, a, b, result);
  const [x, y] = [toLane(f, a, lane), toLane(f, b, lane)];
  return { ...result, lane, vectors: x.vectors.map((_, i) => f.vector(g(lane, i, x, y))) };
}

const sumOf = (f: FunctionBuilder, a: Value, b: Value, op: "add" | "sub"): Value => {
  const [x, y] = aligned(f, a, b);
  const result = op === "add" ? { ...x, lo: x.lo + y.lo, hi: x.hi + y.hi } : { ...x, lo: x.lo - y.hi, hi: x.hi - y.lo };
  return combine(f, x, y, result, (lane, i, p, q) => lanes(f, lane)[op](f.get(p.vectors[i]!), f.get(q.vectors[i]!)));
};

const extremeOf = (f: FunctionBuilder, a: Value, b: Value, op: "max" | "min"): Value => {
  const [x, y] = aligned(f, a, b);
  const pick = (p: bigint, q: bigint): bigint => (p > q === (op === "max") ? p : q);
  const result = { ...x, lo: pick(x.lo, y.lo), hi: pick(x.hi, y.hi) };
  // A signed and an unsigned 64-bit operand have no common lane.
  laneFor(f, { lo: x.lo < y.lo ? x.lo : y.lo, hi: x.hi > y.hi ? x.hi : y.hi });
  const unsigned = isUnsigned64(x) || isUnsigned64(y);
  return combine(f, x, y, result, (lane, i, p, q) => extreme(f, op, lane, () => f.get(p.vectors[i]!), () => f.get(q.vectors[i]!), unsigned));
};

const product = (f: FunctionBuilder, a: Value, b: Value): Value => {
  const corners = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
  const lo = corners.reduce((p, q) => (p < q ? p : q));
  const hi = corners.reduce((p, q) => (p > q ? p : q));
  return combine(f, a, b, { ...a, lo, hi, exp: a.exp + b.exp }, (lane, i, p, q) => lanes(f, lane).mul(f.get(p.vectors[i]!), f.get(q.vectors[i]!)));
};

const meaning: Readonly<Record<Binary, (f: FunctionBuilder, a: Value, b: Value) => Value>> = {
  add: (f, a, b) => sumOf(f, a, b, "add"),
  sub: (f, a, b) => sumOf(f, a, b, "sub"),
  mul: product,
  max: (f, a, b) => extremeOf(f, a, b, "max"),
  min: (f, a, b) => extremeOf(f, a, b, "min"),
};

function emit(node: NodeWith<Binary>, cx: EmitContext): void {
  const { f, out, operands, graph } = cx;
  const shape = node.type.shape;
  const columns = operandNodes(graph, node).map((x, k) => {
    const buffer = operands[k]!;
    return { at: Array.from(broadcastIndex(x.type.shape, shape), (i) => buffer.address + i * rowBytes(buffer)) };
  });
  const results = { at: Array.from({ length: sizeOf(shape) }, (_, i) => out.address + i * rowBytes(out)) };
  walk(f, cx.memory, [...columns, results], ([a, b, to]) => {
    const y = meaning[node.op](f, load(f, operands[0]!, a!), load(f, operands[1]!, b!));
    cx.finish(withKnownRange(y, node), to!);
  });
}

/** The range analysis may know more than the corners of the operands: common trailing zeros and ranges of single elements. */
function withKnownRange(v: Value, node: NodeWith<Binary>): Value {
  const type = node.type.elem;
  if (type === "real") return v;
  const r = rangeOfNode(node);
  const shift = BigInt(Math.max(0, exponent(type) - v.exp));
  const known = { lo: r.lo << shift, hi: r.hi << shift };
  return exponent(type) >= v.exp && known.lo >= v.lo && known.hi <= v.hi ? { ...v, ...known } : v;
}

/** The one number that a constant operand holds in every element. */
function uniformConstant(graph: Graph, id: number): Exact | undefined {
  const node = graph.nodes[id]!;
  if (node.op !== "constant") return undefined;
  const { data, exp } = node.attrs.value;
  return data.every((m) => m === data[0]) ? { m: data[0]!, exp } : undefined;
}

/** max(v, c) or min(v, c). */
function limited(f: FunctionBuilder, v: Value, op: "max" | "min", c: Exact): Value {
  const onGrid = c.m === 0n || c.exp >= v.exp || (c.m & ((1n << BigInt(v.exp - c.exp)) - 1n)) === 0n;
  if (!onGrid) return extremeOf(f, v, constantValue(f, c.m, c.exp), op);
  const m = c.exp >= v.exp ? c.m << BigInt(c.exp - v.exp) : c.m >> BigInt(v.exp - c.exp);
  if (op === "max" ? m >= v.hi : m <= v.lo) return constantValue(f, m, v.exp);
  return op === "max" ? clamp(f, v, { lo: m, hi: v.hi }) : clamp(f, v, { lo: v.lo, hi: m });
}

function limitStep(node: NodeWith<"max" | "min">, graph: Graph): Step | undefined {
  for (const [k, other] of [[0, 1], [1, 0]] as const) {
    const operand = node.operands[k]!;
    const c = uniformConstant(graph, node.operands[other]!);
    const sameSize = sizeOf(graph.nodes[operand]!.type.shape) === sizeOf(node.type.shape);
    if (c && sameSize) return { operand, apply: (f, v) => limited(f, v, node.op, c) };
  }
  return undefined;
}

export const elementwise: { readonly [K in Binary]: OpEmitter<K> } = {
  add: { kind: "kernel", emit },
  sub: { kind: "kernel", emit },
  mul: { kind: "kernel", emit },
  max: { kind: "kernel", step: limitStep, emit },
  min: { kind: "kernel", step: limitStep, emit },
};
