// Real inputs of one clamped type, all elements neighbours: vectors along a sample, transposed once they are integers.
import { type Conversion, exponent, rangeOf } from "../../ir/fixed.js";
import type { Format } from "./host.js";
import { type FloatShape, floats, roundFloats } from "./host-round.js";
import type { FunctionBuilder, Local } from "./function-builder.js";
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
 * x·2^n, rounded and clamped, is an integer below 2^bits in magnitude; adding `magic`, whose last bit is worth 1, leaves that integer
 * in the low bits of the sum. Products by 2^n, n from 0 to 100, are exact or infinite.
 */
const forms: Readonly<Record<"f64" | "f32", { readonly shape: FloatShape; readonly bits: number; readonly lanes: 2 | 4; readonly magic: number }>> = {
  f64: { shape: "f64x2", bits: 31, lanes: 2, magic: 1.5 * 2 ** 52 },
  f32: { shape: "f32x4", bits: 22, lanes: 4, magic: 1.5 * 2 ** 23 },
};

/** Emits the conversion of the first elements where it is of this kind, and returns how many. */
export function emitPlainInput(f: FunctionBuilder, input: PlainInput): number {
  const { to, elements, base, stride, buffer, format, count } = input;
  const scale = -exponent(to.type);
  const clamps = to.overflow === "SAT" || to.overflow === "SAT_SYM";
  if (format === "i64" || !clamps || scale < 0 || scale > 100) return 0;
  const { shape, bits, lanes, magic } = forms[format];
  const groups = Math.floor(elements.length / lanes);
  if (to.type.width > bits || groups === 0 || elements.some((e, i) => e !== elements[0]! + i)) return 0;
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
    const integers = Array.from({ length: SPAN }, (_, s) => {
      const x = f.vector(m.v128.load(s * stride, 16 / lanes, f.get(from)));
      const y = f.vector(scale === 0 ? f.get(x) : by.mul(f.get(x), floats(f, shape, 2 ** scale)));
      const r = f.vector(roundFloats[to.round](f, shape, y, x, false));
      const z = f.vector(by.pmin(by.pmax(f.get(r), floats(f, shape, Number(legal.lo))), floats(f, shape, Number(legal.hi))));
      // Not a number differs from itself, so it counts as outside too.
      const sub = shape === "f64x2" ? m.i64x2.sub : m.i32x4.sub;
      f.set(outside, sub(f.get(outside), by.ne(f.get(r), f.get(z))));
      return f.vector(by.add(f.get(z), floats(f, shape, magic)));
    });
    const rows = shape === "f64x2" ? pairsToRows(f, integers) : quadsToRows(f, integers, magic);
    rows.forEach((vectors, e) => {
      const value: Value = { ...rangeOf(to.type), exp: exponent(to.type), lane: 32, vectors };
      store(f, toLane(f, atExponent(f, value, buffer.exp), buffer.lane), into, e * row);
    });
  });
  const halves = shape === "f64x2" ? [f.get(outside)] : [m.i64x2.extend_low_i32x4_u(f.get(outside)), m.i64x2.extend_high_i32x4_u(f.get(outside))];
  for (const half of halves) f.set(count, m.i64x2.add(f.get(count), half));
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
    const [ab, cd, abHigh, cdHigh] = [pick(f, a, b, [0, 4, 1, 5]), pick(f, c, d, [0, 4, 1, 5]), pick(f, a, b, [2, 6, 3, 7]), pick(f, c, d, [2, 6, 3, 7])];
    rows[0]!.push(pick(f, ab, cd, [0, 1, 4, 5]));
    rows[1]!.push(pick(f, ab, cd, [2, 3, 6, 7]));
    rows[2]!.push(pick(f, abHigh, cdHigh, [0, 1, 4, 5]));
    rows[3]!.push(pick(f, abHigh, cdHigh, [2, 3, 6, 7]));
  }
  return rows;
}
