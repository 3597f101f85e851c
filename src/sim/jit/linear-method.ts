// How a tile of a matrix op multiplies and sums: the instruction follows from the proven ranges.
import { bitLength, type Range } from "../../ir/fixed.js";
import { rangeOfData } from "../../ir/tensor.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import type { Buffer } from "./memory.js";
import { fitsLane, type Lane, lanes, load, toLane, type Value } from "./value.js";

/** The integers of the sum: y = Σ_i x_i·weights[i·units + j] + bias[j], in units of 2^exp. */
export interface Sums {
  readonly features: number;
  /** Of all groups together. */
  readonly units: number;
  readonly weights: readonly bigint[];
  readonly bias: readonly bigint[];
  readonly exp: number;
  /** What the sums may be. Sums and products modulo 2^lane are exact where these fit, whatever the partial sums do. */
  readonly range: Range;
}

export interface Method {
  /** Outputs in a tile at most. */
  readonly rows: number;
  /** `pairs`: 16-bit samples of two features side by side, as the dot instruction takes them. `rows`: the buffer as it is. */
  readonly operand: "pairs" | "rows";
  /** What one turn of the inner loop multiplies by: for each part, as many features as a turn takes, each of this lane. */
  readonly parts: readonly (readonly bigint[])[];
  readonly weightLane: Lane;
  /** Vectors of sums an output, zero at first unless `startsAtBias`. */
  readonly accumulators: number;
  /** Whether the accumulators start from the bias in lanes of this width; otherwise it is added at the end. */
  readonly biasLane: Lane;
  readonly startsAtBias: boolean;
  /** The loop sees x − offset; Σ_i offset·weights[i·units + j] joins the bias. */
  readonly offset: bigint;
  /** With `pairs`, 16-bit digits of x − offset, each multiplied by itself; the lowest first. Where there are several, the offset makes them signed. */
  readonly limbs: number;
  loadOperand(f: FunctionBuilder, pointer: Local, at: number): readonly Local[];
  step(f: FunctionBuilder, x: readonly Local[], weights: Local, at: number, sums: readonly Local[]): void;
  /** The sum of one limb's products, or the sum with the bias where the accumulators started from it. */
  total(f: FunctionBuilder, sums: readonly Local[]): Pick<Value, "lane" | "vectors">;
}

/** Features of a turn. */
export const featuresOf = (m: Pick<Method, "operand">): 1 | 2 => (m.operand === "pairs" ? 2 : 1);
/** Bytes of the weights of one output that a turn reads. */
export const weightBytes = (m: Method): number => m.parts.length * featuresOf(m) * (m.weightLane / 8);

const add = (f: FunctionBuilder, lane: Lane, to: Local, x: Expression): void => f.set(to, lanes(f, lane).add(f.get(to), x));

/** What is taken off the operand so that one 16-bit number holds it; undefined where its range is wider. */
function offsetTo16(x: Buffer): bigint | undefined {
  if (fitsLane(x, 16)) return 0n;
  return x.lane === 32 && x.hi - x.lo < 1n << 16n ? x.lo + (1n << 15n) : undefined;
}

/** The operand as 16-bit digits: x = offset + Σ_l limb_l·2^(16l), each limb signed; all but a signed highest are moved by 2^15. */
function limbsFor(x: Buffer): Pick<Method, "limbs" | "offset"> {
  const single = offsetTo16(x);
  if (single !== undefined) return { limbs: 1, offset: single };
  const bits = Math.max(bitLength(x.lo), bitLength(x.hi)) + (x.lo < 0n ? 1 : 0);
  const limbs = Math.ceil(bits / 16);
  const moved = x.lo < 0n || bits < 16 * limbs ? limbs - 1 : limbs;
  return { limbs, offset: Array.from({ length: moved }, (_, l) => 1n << BigInt(16 * l + 15)).reduce((p, q) => p + q) };
}

const pairs: Pick<Method, "operand" | "weightLane" | "loadOperand"> = {
  operand: "pairs",
  weightLane: 16,
  loadOperand: (f, p, at) => [0, 16].map((half) => f.vector(f.m.v128.load(at + half, 16, f.get(p)))),
};

const dotStep = (f: FunctionBuilder, x: readonly Local[], weights: Local, at: number, sums: readonly Local[]): void => {
  const w = f.vector(f.m.v128.load32_splat(at, 4, f.get(weights)));
  for (const c of [0, 1]) add(f, 32, sums[c]!, f.m.i32x4.dot_i16x8_s(f.get(x[c]!), f.get(w)));
};

/** 16-bit operand and weights, 32-bit sums: pairs of products by one instruction. */
const dot = (s: Sums, offset: bigint): Method => ({
  ...pairs,
  rows: 4,
  parts: [s.weights],
  offset,
  limbs: 1,
  accumulators: 2,
  biasLane: 32,
  startsAtBias: true,
  step: dotStep,
  total: (_, sums) => ({ lane: 32, vectors: sums }),
});

/** Sums of 64 bits from 32-bit sums of products of 16-bit digits of the operand and of the weights. */
function digitDot(x: Pick<Method, "limbs" | "offset">, { parts, digit }: Split): Method {
  return {
    ...pairs,
    ...x,
    rows: Math.max(1, Math.floor(4 / parts.length)),
    parts,
    accumulators: 2 * parts.length,
    biasLane: 64,
    startsAtBias: false,
    step: (f, xs, weights, at, sums) => parts.forEach((_, p) => dotStep(f, xs, weights, at + 4 * p, sums.slice(2 * p, 2 * p + 2))),
    total: (f, sums) => {
      const { m } = f;
      const wide = (part: number): readonly Local[] => {
        const vectors = sums.slice(2 * part, 2 * part + 2);
        return toLane(f, { lo: 0n, hi: 0n, exp: 0, lane: 32, vectors }, 64).vectors;
      };
      let vectors = wide(parts.length - 1);
      for (let p = parts.length - 2; p >= 0; p--) {
        const below = wide(p);
        vectors = vectors.map((v, c) => f.vector(m.i64x2.add(m.i64x2.shl(f.get(v), m.i32.const(digit)), f.get(below[c]!))));
      }
      return { lane: 64, vectors };
    },
  };
}

/** One product an instruction in lanes of `lane` bits; `extended` takes 32-bit factors to 64-bit products. */
function plain(s: Sums, x: Buffer, lane: 32 | 64, extended: boolean): Method {
  const operandLane: 32 | 64 = extended ? 32 : lane;
  return {
    operand: "rows",
    parts: [s.weights],
    weightLane: operandLane,
    offset: 0n,
    limbs: 1,
    rows: lane === 32 ? 4 : 2,
    accumulators: lane / 16,
    biasLane: lane,
    startsAtBias: true,
    loadOperand: (f, p, at) => toLane(f, load(f, x, p, at), operandLane).vectors,
    step: (f, xs, weights, at, sums) => {
      const { m } = f;
      const w = f.vector(operandLane === 32 ? m.v128.load32_splat(at, 4, f.get(weights)) : m.v128.load64_splat(at, 8, f.get(weights)));
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

/** Weights as Σ_p parts[p]·2^(digit·p), each part of at most 16 bits. */
interface Split {
  readonly parts: readonly (readonly bigint[])[];
  readonly digit: number;
}

function splitWeights(weights: readonly bigint[], count: number, digit: number): Split {
  const parts: (readonly bigint[])[] = [];
  let rest = weights;
  while (parts.length < count - 1) {
    const low = rest.map((w) => BigInt.asIntN(digit, w));
    rest = rest.map((w, i) => (w - low[i]!) >> BigInt(digit));
    parts.push(low);
  }
  return { parts: [...parts, rest], digit };
}

/** Σ_i |w_ij|·2^15 stays within 32 bits for every output j. */
function bounded32(s: Sums, weights: readonly bigint[]): boolean {
  const sums = new Array<bigint>(s.units).fill(0n);
  for (const [i, w] of weights.entries()) sums[i % s.units]! += (w < 0n ? -w : w) << 15n;
  return sums.every((m) => m <= MAX_32);
}

/** The fewest parts, so that each has 16 bits and its sum of products with 16-bit numbers has 32. */
function splitOf(s: Sums, most: number): Split | undefined {
  for (let count = 1; count <= most; count++) {
    // No larger digit helps, and the first that does has the narrowest highest part.
    for (let digit = count === 1 ? 1 : 15; digit >= 1; digit--) {
      const split = splitWeights(s.weights, count, digit);
      if (split.parts.every((part) => fitsLane(rangeOfData(part), 16) && bounded32(s, part))) return split;
    }
  }
  return undefined;
}

/** Instructions for 16 products of 64-bit numbers, and of 32-bit numbers to 64 bits; those of one pair of digits. */
const COST = { wide: 96, extended: 36, digits: 6.25 };

/** The dot instruction on 16-bit operands, where sums of 32 bits allow it; weights beyond 16 bits are then for the caller to split. */
export function dotFor(s: Sums, x: Buffer): Method | undefined {
  const { limbs, offset } = limbsFor(x);
  return fitsLane(s.range, 32) && limbs === 1 ? dot(s, offset) : undefined;
}

export const has16BitWeights = (s: Sums): boolean => fitsLane(rangeOfData(s.weights), 16);

export function methodFor(s: Sums, x: Buffer): Method {
  const weights = rangeOfData(s.weights);
  const digits = limbsFor(x);
  if (fitsLane(s.range, 32)) {
    if (digits.limbs === 1 && fitsLane(weights, 16)) return dot(s, digits.offset);
    if (x.lane <= 32) return plain(s, x, 32, false);
  }
  const extended = x.lane <= 32 && fitsLane(weights, 32);
  const most = Math.floor((extended ? COST.extended : COST.wide) / COST.digits / digits.limbs);
  const split = splitOf(s, most);
  return split ? digitDot(digits, split) : plain(s, x, 64, extended);
}

/** What the accumulators start from. */
export function biasesOf(method: Method, s: Sums): readonly bigint[] {
  const columns = new Array<bigint>(s.units).fill(0n);
  if (method.offset !== 0n) for (const [i, w] of s.weights.entries()) columns[i % s.units]! += w;
  return s.bias.map((b, j) => b + method.offset * columns[j]!);
}

