// dense: tiles of outputs by SPAN samples, sums in registers, weights streamed from memory; the instruction follows from the proven ranges.
import { exponent, type Range, trailingZeros } from "../../ir/fixed.js";
import { type NodeWith, rangeOfNode } from "../../ir/graph.js";
import { sizeOf } from "../../ir/tensor.js";
import type { EmitContext, OpEmitter } from "./emitter.js";
import type { Cursor, Expression, FunctionBuilder, Local } from "./function-builder.js";
import { type Buffer, integerBytes, type MemoryPlan, rowBytes } from "./memory.js";
import { fitsLane, type Lane, laneFor, lanes, load, mapVectors, splat, toLane, type Value } from "./value.js";

/** The integers of the sum: y = Σ_i x_i·weights[i·units + j] + bias[j], in units of 2^exp. */
interface Sums {
  readonly features: number;
  readonly units: number;
  readonly weights: readonly bigint[];
  readonly bias: readonly bigint[];
  readonly exp: number;
  /** What the sums may be. Sums and products modulo 2^lane are exact where these fit, whatever the partial sums do. */
  readonly range: Range;
}

const zerosOf = (data: readonly bigint[]): number =>
  data.reduce((z, w) => (w === 0n ? z : Math.min(z, trailingZeros(w))), Number.POSITIVE_INFINITY);

function sumsOf(node: NodeWith<"dense">, x: Buffer): Sums {
  const { kernel, bias } = node.attrs;
  const [features, units] = [kernel.shape[0]!, kernel.shape[1]!];
  const exps = [x.exp + kernel.exp + zerosOf(kernel.data), bias ? bias.exp + zerosOf(bias.data) : Number.POSITIVE_INFINITY];
  const finest = Math.min(...exps);
  const exp = finest === Number.POSITIVE_INFINITY ? 0 : finest;
  const at = (m: bigint, from: number): bigint => (m === 0n ? 0n : from >= exp ? m << BigInt(from - exp) : m >> BigInt(exp - from));
  const type = node.type.elem;
  const r = rangeOfNode(node);
  const shift = type === "real" || (r.lo === 0n && r.hi === 0n) ? 0n : BigInt(exponent(type) - exp);
  return {
    features,
    units,
    weights: kernel.data.map((w) => at(w, x.exp + kernel.exp)),
    bias: Array.from({ length: units }, (_, j) => (bias ? at(bias.data[j]!, bias.exp) : 0n)),
    exp,
    range: { lo: r.lo << shift, hi: r.hi << shift },
  };
}

/** How a tile multiplies and sums. */
interface Method {
  /** Outputs in a tile. */
  readonly rows: number;
  /** Turns of the inner loop for n features. */
  turns(n: number): number;
  /** Bytes of the operand and of the weights of one output that a turn reads. */
  readonly operandBytes: number;
  readonly weightBytes: number;
  /** Weights of turn k of output j. */
  weights(s: Sums, k: number, j: number): Uint8Array;
  /** Vectors of sums an output, zero at first unless `bias` starts them. */
  readonly accumulators: number;
  /** Whether the accumulators start from the bias in lanes of this width; otherwise `total` adds it. */
  readonly biasLane: Lane;
  readonly startsAtBias: boolean;
  /** The loop sees x − offset; Σ_i offset·weights[i·units + j] joins the bias. */
  readonly offset: bigint;
  /** Puts the operand where the inner loop reads it: one row of features. */
  prepare(f: FunctionBuilder, x: Buffer, pointer: Local): void;
  loadOperand(f: FunctionBuilder, pointer: Local): readonly Local[];
  step(f: FunctionBuilder, x: readonly Local[], weights: Local, offset: number, sums: readonly Local[]): void;
  total(f: FunctionBuilder, sums: readonly Local[], bias: Expression): Pick<Value, "lane" | "vectors">;
}

const add = (f: FunctionBuilder, lane: Lane, to: Local, x: Expression): void => f.set(to, lanes(f, lane).add(f.get(to), x));

/** What is taken off the operand so that 16 bits hold it; undefined where its range is wider. */
function offsetTo16(x: Buffer): bigint | undefined {
  if (fitsLane(x, 16)) return 0n;
  return x.lane === 32 && x.hi - x.lo < 1n << 16n ? x.lo + (1n << 15n) : undefined;
}

function in16Bits(f: FunctionBuilder, v: Value, offset: bigint): Local {
  if (v.lane === 16) return v.vectors[0]!;
  const moved = mapVectors(f, v, { lo: v.lo - offset, hi: v.hi - offset }, (x) => f.m.i32x4.sub(x, splat(f, 32, offset)));
  return toLane(f, moved, 16).vectors[0]!;
}

/** Rows i and i + 1 of 16-bit samples as pairs (x_i, x_{i+1}), the form that the dot instruction takes, in a scratch buffer. */
function interleave(f: FunctionBuilder, x: Buffer, pointer: Local, scratch: number, features: number, offset: bigint): void {
  const { m } = f;
  const pair = (second: number): void => {
    const [a, b] = [0, second].map((at) => in16Bits(f, load(f, x, from, at), offset)) as [Local, Local];
    const low = [0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23];
    f.emit(m.v128.store(0, 16, f.get(to), m.i8x16.shuffle(f.get(a), f.get(b), low)));
    f.emit(
      m.v128.store(
        16,
        16,
        f.get(to),
        m.i8x16.shuffle(
          f.get(a),
          f.get(b),
          low.map((i) => i + 8),
        ),
      ),
    );
  };
  const row = rowBytes(x);
  const from = f.copy(pointer);
  const to = f.pointer(scratch);
  f.repeat(
    features >> 1,
    [
      { pointer: from, stride: 2 * row },
      { pointer: to, stride: 32 },
    ],
    () => pair(row),
  );
  // An odd last row is paired with itself; its partner's weight is 0.
  if (features % 2 === 1) f.scope(() => pair(0));
}

function interleaved(
  s: Sums,
  memory: MemoryPlan,
  offset: bigint,
): Pick<Method, "offset" | "turns" | "operandBytes" | "prepare" | "loadOperand"> {
  const scratch = memory.allocate(Math.ceil(s.features / 2) * 32);
  return {
    offset,
    turns: (n) => Math.ceil(n / 2),
    operandBytes: 32,
    prepare: (f, x, pointer) => {
      interleave(f, x, pointer, scratch, s.features, offset);
      f.set(pointer, f.m.i32.const(scratch));
    },
    loadOperand: (f, p) => [0, 16].map((half) => f.vector(f.m.v128.load(half, 16, f.get(p)))),
  };
}

const pairOf = (s: Sums, weights: readonly bigint[], k: number, j: number): readonly bigint[] =>
  [2 * k, 2 * k + 1].map((i) => (i < s.features && j < s.units ? weights[i * s.units + j]! : 0n));

/** 16-bit operand and weights, 32-bit sums: pairs of products by one instruction. */
function dot(s: Sums, memory: MemoryPlan, offset: bigint): Method {
  return {
    ...interleaved(s, memory, offset),
    rows: 4,
    weightBytes: 4,
    weights: (_, k, j) => integerBytes(pairOf(s, s.weights, k, j), 16),
    accumulators: 2,
    biasLane: 32,
    startsAtBias: true,
    step: (f, x, weights, offset, sums) => {
      const w = f.vector(f.m.v128.load32_splat(offset, 4, f.get(weights)));
      for (const c of [0, 1]) add(f, 32, sums[c]!, f.m.i32x4.dot_i16x8_s(f.get(x[c]!), f.get(w)));
    },
    total: (_, sums) => ({ lane: 32, vectors: sums }),
  };
}

/** 16-bit operand, 64-bit sums: each weight as high·2^split + low, both sums by the dot instruction. */
function splitDot(s: Sums, memory: MemoryPlan, offset: bigint, split: number): Method {
  const low = s.weights.map((w) => BigInt.asIntN(split, w));
  const high = s.weights.map((w, i) => (w - low[i]!) >> BigInt(split));
  return {
    ...interleaved(s, memory, offset),
    rows: 2,
    weightBytes: 8,
    weights: (_, k, j) => integerBytes([...pairOf(s, low, k, j), ...pairOf(s, high, k, j)], 16),
    accumulators: 4,
    biasLane: 64,
    startsAtBias: false,
    step: (f, x, weights, offset, sums) => {
      for (const part of [0, 1]) {
        const w = f.vector(f.m.v128.load32_splat(offset + 4 * part, 4, f.get(weights)));
        for (const c of [0, 1]) add(f, 32, sums[2 * part + c]!, f.m.i32x4.dot_i16x8_s(f.get(x[c]!), f.get(w)));
      }
    },
    total: (f, sums, bias) => {
      const wide = (vectors: readonly Local[]): Value => toLane(f, { lo: 0n, hi: 0n, exp: 0, lane: 32, vectors }, 64);
      const [below, above] = [wide(sums.slice(0, 2)), wide(sums.slice(2))];
      const start = f.vector(bias);
      const { m } = f;
      const whole = (c: number): Expression =>
        m.i64x2.add(m.i64x2.shl(f.get(above.vectors[c]!), m.i32.const(split)), f.get(below.vectors[c]!));
      return { lane: 64, vectors: below.vectors.map((_, c) => f.vector(m.i64x2.add(whole(c), f.get(start)))) };
    },
  };
}

/** One product an instruction in lanes of `lane` bits; `extended` takes 32-bit factors to 64-bit products. */
function plain(x: Buffer, lane: 32 | 64, extended: boolean): Method {
  const operandLane: Lane = extended ? 32 : lane;
  return {
    offset: 0n,
    rows: lane === 32 ? 4 : 2,
    turns: (n) => n,
    operandBytes: rowBytes(x),
    weightBytes: operandLane / 8,
    weights: (s, k, j) => integerBytes([j < s.units ? s.weights[k * s.units + j]! : 0n], operandLane),
    accumulators: lane / 16,
    biasLane: lane,
    startsAtBias: true,
    prepare: () => undefined,
    loadOperand: (f, p) => toLane(f, load(f, x, p), operandLane).vectors,
    step: (f, xs, weights, offset, sums) => {
      const { m } = f;
      const w = f.vector(
        operandLane === 32 ? m.v128.load32_splat(offset, 4, f.get(weights)) : m.v128.load64_splat(offset, 8, f.get(weights)),
      );
      sums.forEach((sum, c) => {
        const half = c % 2 === 0 ? m.i64x2.extmul_low_i32x4_s : m.i64x2.extmul_high_i32x4_s;
        const p = extended ? half(f.get(xs[c >> 1]!), f.get(w)) : lanes(f, lane).mul(f.get(xs[c]!), f.get(w));
        add(f, lane, sum, p);
      });
    },
    total: (_, sums) => ({ lane, vectors: sums }),
  };
}

const MAX_32 = (1n << 31n) - 1n;

/** Σ_i |w_ij|·2^15 stays within 32 bits for every output j. */
function bounded32(s: Sums, weights: readonly bigint[]): boolean {
  const sums = new Array<bigint>(s.units).fill(0n);
  for (const [i, w] of weights.entries()) sums[i % s.units]! += (w < 0n ? -w : w) << 15n;
  return sums.every((m) => m <= MAX_32);
}

/** The number of low bits to split off, so that both parts of every weight have 16 bits and both sums of products with 16 bits have 32. */
function splitOf(s: Sums): number | undefined {
  for (let split = 15; split >= 1; split--) {
    const low = s.weights.map((w) => BigInt.asIntN(split, w));
    const high = s.weights.map((w, i) => (w - low[i]!) >> BigInt(split));
    if (high.every((w) => fitsLane({ lo: w, hi: w }, 16)) && bounded32(s, low) && bounded32(s, high)) return split;
  }
  return undefined;
}

function methodFor(s: Sums, x: Buffer, memory: MemoryPlan): Method {
  const every = (lane: Lane): boolean => s.weights.every((w) => fitsLane({ lo: w, hi: w }, lane));
  const offset = offsetTo16(x);
  if (fitsLane(s.range, 32)) {
    if (offset !== undefined && every(16)) return dot(s, memory, offset);
    if (x.lane <= 32) return plain(x, 32, false);
  }
  const split = offset === undefined ? undefined : splitOf(s);
  if (offset !== undefined && split !== undefined) return splitDot(s, memory, offset, split);
  return plain(x, 64, x.lane <= 32 && every(32));
}

/** Weights in the order of the loops: tile, turn, output of the tile. */
function packed(method: Method, s: Sums): Uint8Array {
  const tiles = Math.ceil(s.units / method.rows);
  const turns = method.turns(s.features);
  const bytes = new Uint8Array(tiles * turns * method.rows * method.weightBytes);
  let at = 0;
  for (let t = 0; t < tiles; t++) {
    for (let k = 0; k < turns; k++) {
      for (let r = 0; r < method.rows; r++, at += method.weightBytes) bytes.set(method.weights(s, k, t * method.rows + r), at);
    }
  }
  return bytes;
}

function biases(method: Method, s: Sums, count: number): readonly bigint[] {
  const columns = new Array<bigint>(s.units).fill(0n);
  if (method.offset !== 0n) for (const [i, w] of s.weights.entries()) columns[i % s.units]! += w;
  return Array.from({ length: count }, (_, j) => (j < s.units ? s.bias[j]! + method.offset * columns[j]! : 0n));
}

function emit(node: NodeWith<"dense">, cx: EmitContext): void {
  const { f, memory, out } = cx;
  const x = cx.operands[0]!;
  const s = sumsOf(node, x);
  laneFor(f, s.range);
  const method = methodFor(s, x, memory);
  const tiles = Math.ceil(s.units / method.rows);
  const turns = method.turns(s.features);
  const weights = memory.data(packed(method, s));
  const bias = memory.integers(biases(method, s, tiles * method.rows), method.biasLane);
  const biasBytes = method.biasLane / 8;

  const tile = (operand: Local, w: Local, b: Local, o: Local): void => {
    const each = Array.from({ length: method.rows }, (_, r) => r);
    const biasAt = (r: number): Expression =>
      f.m.v128[biasBytes === 4 ? "load32_splat" : "load64_splat"](r * biasBytes, biasBytes, f.get(b));
    const sums = each.map((r) => {
      const start = f.vector(method.startsAtBias ? biasAt(r) : splat(f, 32, 0n));
      return [start, ...Array.from({ length: method.accumulators - 1 }, () => f.copy(start))];
    });
    const p = f.copy(operand);
    const moves: Cursor[] = [
      { pointer: p, stride: method.operandBytes },
      { pointer: w, stride: method.rows * method.weightBytes },
    ];
    f.repeat(turns, moves, () => {
      const xs = method.loadOperand(f, p);
      for (const r of each) f.scope(() => method.step(f, xs, w, r * method.weightBytes, sums[r]!));
    });
    for (const r of each)
      f.scope(() => cx.finish({ ...s.range, exp: s.exp, ...method.total(f, sums[r]!, biasAt(r)) }, o, r * rowBytes(out)));
  };

  const source = f.pointer(x.address);
  const target = f.pointer(out.address);
  const rows: Cursor[] = [
    { pointer: source, stride: s.features * rowBytes(x) },
    { pointer: target, stride: s.units * rowBytes(out) },
  ];
  f.repeat(sizeOf(node.type.shape) / s.units, rows, () => {
    const operand = f.copy(source);
    method.prepare(f, x, operand);
    const [w, b, o] = [f.pointer(weights), f.pointer(bias), f.copy(target)];
    const advance: Cursor[] = [
      { pointer: b, stride: method.rows * biasBytes },
      { pointer: o, stride: method.rows * rowBytes(out) },
    ];
    f.repeat(tiles, advance, () => tile(operand, w, b, o));
  });
}

/** Rows that a tile may write beyond the last output: buffers leave room for them. */
export const PADDING_ROWS = 3;

export const dense: OpEmitter<"dense"> = { kind: "kernel", emit };
