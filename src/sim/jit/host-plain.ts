// Real inputs of one type, all elements neighbours: vectors along a sample, transposed once they are integers.
import { type Conversion, exponent, rangeOf } from "../../ir/fixed.js";
import type { Format } from "./host.js";
import { type FloatShape, floats, roundFloats } from "./host-round.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import { type Buffer, rowBytes, SPAN } from "./memory.js";
import { legalRange } from "./quantize-value.js";
import { atExponent, splat, store, toLane, type Value } from "./value.js";

export interface PlainInput {
  readonly to: Conversion;
  readonly elements: readonly number[];
  /** The first sample's first element, and the bytes of a sample. */
  readonly base: Local;
  readonly stride: number;
  readonly buffer: Buffer;
  readonly format: Format;
  /** Two counts of 64 bits of the numbers outside their type. */
  readonly count: Local;
}

/**
 * x·2^n, rounded and brought into the type's range, is an integer below 2^bits in magnitude; adding `magic`, whose last bit is worth 1,
 * leaves that integer in the low bits of the sum. Products by 2^n, n from 0 to 100, are exact or infinite. Numbers from `huge` on are
 * multiples of 2^bits.
 */
interface Form {
  readonly shape: FloatShape;
  readonly bits: number;
  readonly lanes: 2 | 4;
  readonly magic: number;
  readonly huge: number;
}
const forms: Readonly<Record<"f64" | "f32", Form>> = {
  f64: { shape: "f64x2", bits: 31, lanes: 2, magic: 1.5 * 2 ** 52, huge: 2 ** 90 },
  f32: { shape: "f32x4", bits: 22, lanes: 4, magic: 1.5 * 2 ** 23, huge: 2 ** 64 },
};

const isClamped = ({ overflow }: Conversion): boolean => overflow === "SAT" || overflow === "SAT_SYM";

/** r modulo 2^bits, from 0 on: exact, and 0 for infinite products, which are multiples of 2^bits. */
function reduced(f: FunctionBuilder, { shape, bits, huge }: Form, r: Local): Expression {
  const by = f.m[shape];
  const low = by.sub(f.get(r), by.mul(by.floor(by.mul(f.get(r), floats(f, shape, 2 ** -bits))), floats(f, shape, 2 ** bits)));
  return f.m.v128.and(low, by.lt(by.abs(f.get(r)), floats(f, shape, huge)));
}

/** Integers modulo 2^32 wrapped to the type. */
function wrap(f: FunctionBuilder, { type }: Conversion, x: Local): Local {
  const { i32x4, i32, v128 } = f.m;
  if (!type.signed) return f.vector(v128.and(f.get(x), splat(f, 32, rangeOf(type).hi)));
  const unused = (): Expression => i32.const(32 - type.width);
  return f.vector(i32x4.shr_s(i32x4.shl(f.get(x), unused()), unused()));
}

/** Emits the conversion of the first elements where it is of this kind, and returns how many. */
export function emitPlainInput(f: FunctionBuilder, input: PlainInput): number {
  const { to, elements, base, stride, buffer, format, count } = input;
  const scale = -exponent(to.type);
  if (format === "i64" || scale < 0 || scale > 100) return 0;
  const form = forms[format];
  const { shape, bits, lanes, magic } = form;
  const groups = Math.floor(elements.length / lanes);
  if (to.type.width === 0 || to.type.width > bits || groups === 0 || elements.some((e, i) => e !== elements[0]! + i)) return 0;
  const { m } = f;
  const by = m[shape];
  const legal = legalRange(to);
  const row = rowBytes(buffer);
  const from = f.int(m.i32.add(f.get(base), m.i32.const(elements[0]! * (16 / lanes))), false);
  const into = f.pointer(buffer.address + elements[0]! * row);
  const outside = f.vector(splat(f, 64, 0n));
  const moves = [
    { pointer: from, stride: 16 },
    { pointer: into, stride: lanes * row },
  ];
  f.repeat(groups, moves, () => {
    const anyOutside = f.vector(splat(f, 64, 0n));
    const rounded = Array.from({ length: SPAN }, (_, s) => {
      const x = f.vector(m.v128.load(s * stride, 16 / lanes, f.get(from)));
      const y = f.vector(scale === 0 ? f.get(x) : by.mul(f.get(x), floats(f, shape, 2 ** scale)));
      const r = f.vector(roundFloats[to.round](f, shape, y, x, false));
      const z = f.vector(by.pmin(by.pmax(f.get(r), floats(f, shape, Number(legal.lo))), floats(f, shape, Number(legal.hi))));
      // Not a number differs from itself, so it counts as outside too.
      const mask = f.vector(by.ne(f.get(r), f.get(z)));
      const sub = shape === "f64x2" ? m.i64x2.sub : m.i32x4.sub;
      f.set(outside, sub(f.get(outside), f.get(mask)));
      if (isClamped(to)) return z;
      if (to.overflow === "SAT_ZERO") return f.vector(m.v128.andnot(f.get(r), f.get(mask)));
      f.set(anyOutside, m.v128.or(f.get(anyOutside), f.get(mask)));
      return r;
    });
    if (to.overflow === "WRAP") f.if(m.v128.any_true(f.get(anyOutside)), () => rounded.forEach((r) => f.set(r, reduced(f, form, r))));
    const integers = rounded.map((z) => f.vector(by.add(f.get(z), floats(f, shape, magic))));
    const rows = shape === "f64x2" ? pairsToRows(f, integers) : quadsToRows(f, integers, magic);
    rows.forEach((vectors, e) => {
      const own = to.overflow === "WRAP" ? vectors.map((v) => wrap(f, to, v)) : vectors;
      const value: Value = { ...rangeOf(to.type), exp: exponent(to.type), lane: 32, vectors: own };
      store(f, toLane(f, atExponent(f, value, buffer.exp), buffer.lane), into, e * row);
    });
  });
  const { add, extend_low_i32x4_u, extend_high_i32x4_u } = m.i64x2;
  const halves = shape === "f64x2" ? [f.get(outside)] : [extend_low_i32x4_u(f.get(outside)), extend_high_i32x4_u(f.get(outside))];
  for (const half of halves) f.set(count, add(f.get(count), half));
  return groups * lanes;
}

/** Lanes of 32 bits by their numbers, 0 to 3 of a and 4 to 7 of b. */
const pick = (f: FunctionBuilder, a: Local, b: Local, which: readonly number[]): Local =>
  f.vector(
    f.m.i8x16.shuffle(
      f.get(a),
      f.get(b),
      which.flatMap((w) => [0, 1, 2, 3].map((byte) => 4 * w + byte)),
    ),
  );

/** SPAN vectors of two elements, each in the low half of a double, as two rows of SPAN integers. */
function pairsToRows(f: FunctionBuilder, x: readonly Local[]): readonly (readonly Local[])[] {
  const rows: Local[][] = [[], []];
  for (let s = 0; s < SPAN; s += 4) {
    const [first, second] = [0, 2].map((k) => pick(f, x[s + k]!, x[s + k + 1]!, [0, 2, 4, 6])) as [Local, Local];
    rows[0]!.push(pick(f, first, second, [0, 2, 4, 6]));
    rows[1]!.push(pick(f, first, second, [1, 3, 5, 7]));
  }
  return rows;
}

/** SPAN vectors of four elements, each an integer plus `magic` as a float, as four rows of SPAN integers. */
function quadsToRows(f: FunctionBuilder, x: readonly Local[], magic: number): readonly (readonly Local[])[] {
  const rows: Local[][] = [[], [], [], []];
  for (let s = 0; s < SPAN; s += 4) {
    const integers = x.slice(s, s + 4).map((v) => f.vector(f.m.i32x4.sub(f.get(v), floats(f, "f32x4", magic))));
    const [a, b, c, d] = integers as [Local, Local, Local, Local];
    const [ab, cd] = [pick(f, a, b, [0, 4, 1, 5]), pick(f, c, d, [0, 4, 1, 5])];
    const [abHigh, cdHigh] = [pick(f, a, b, [2, 6, 3, 7]), pick(f, c, d, [2, 6, 3, 7])];
    rows[0]!.push(pick(f, ab, cd, [0, 1, 4, 5]));
    rows[1]!.push(pick(f, ab, cd, [2, 3, 6, 7]));
    rows[2]!.push(pick(f, abHigh, cdHigh, [0, 1, 4, 5]));
    rows[3]!.push(pick(f, abHigh, cdHigh, [2, 3, 6, 7]));
  }
  return rows;
}
