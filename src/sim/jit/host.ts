// The host's side of the memory: real numbers or mantissas, sample after sample, into rows of SPAN samples and back.
import { type Conversion, exponent, type FixedType, rangeOf } from "../../ir/fixed.js";
import type { NodeWith } from "../../ir/graph.js";
import { typeAt } from "../../ir/ops/op.js";
import { sizeOf } from "../../ir/tensor.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import { emitPlainInput } from "./host-plain.js";
import { doubles, roundFloats, scaled } from "./host-round.js";
import { type Buffer, type MemoryPlan, rowBytes } from "./memory.js";
import { byType } from "./quantize.js";
import { legalRange } from "./quantize-value.js";
import { atExponent, greater, isUnsigned64, load, splat, store, toLane, type Value } from "./value.js";
import { walk } from "./walk.js";

/** Element formats on the host's side, by their number in the binary interface. */
export const formats = { f64: 0, f32: 1, i64: 2 } as const;
export type Format = keyof typeof formats;
export const formatBytes: Readonly<Record<Format, 4 | 8>> = { f64: 8, f32: 4, i64: 8 };

/** Samples s and s + 1 of an element, as two lanes of 64 bits. */
function loadPair(f: FunctionBuilder, pointer: Local, s: number, stride: number, format: Format): Expression {
  const { v128, f64x2 } = f.m;
  const at = (): Expression => f.get(pointer);
  if (format !== "f32")
    return v128.load64_lane((s + 1) * stride, formatBytes[format], 1, at(), v128.load64_zero(s * stride, formatBytes[format], at()));
  return f64x2.promote_low_f32x4(v128.load32_lane((s + 1) * stride, 4, 1, at(), v128.load32_zero(s * stride, 4, at())));
}

/** r − floor(r / 2^w)·2^w for an integer r: exact on doubles up to w = 52, as the result is an integer below 2^w. */
const floorModulo = (f: FunctionBuilder, r: Local, w: number): Expression =>
  f.m.f64x2.sub(f.get(r), scaled(f, f.m.f64x2.floor(scaled(f, f.get(r), -w)), w));
/** r − trunc(r / 2^64)·2^64: exact, as the result is a multiple of r's last bit and no larger than r. */
const truncModulo64 = (f: FunctionBuilder, r: Local): Expression =>
  f.m.f64x2.sub(f.get(r), scaled(f, f.m.f64x2.trunc(scaled(f, f.get(r), -64)), 64));

/** Rounded doubles brought into the range of a type of at most 31 bits; still doubles. */
function overflowPair(f: FunctionBuilder, r: Local, to: Conversion): Expression {
  const { f64x2, v128 } = f.m;
  const legal = legalRange(to);
  const [lo, hi] = [Number(legal.lo), Number(legal.hi)];
  if (to.overflow === "SAT_ZERO")
    return v128.and(f.get(r), v128.and(f64x2.ge(f.get(r), doubles(f, lo)), f64x2.le(f.get(r), doubles(f, hi))));
  if (to.overflow !== "WRAP") return f64x2.pmin(f64x2.pmax(f.get(r), doubles(f, lo)), doubles(f, hi));
  const low = f.vector(floorModulo(f, r, to.type.width));
  if (!to.type.signed) return f.get(low);
  const upper = f64x2.ge(f.get(low), doubles(f, 2 ** (to.type.width - 1)));
  return f64x2.sub(f.get(low), v128.and(upper, doubles(f, 2 ** to.type.width)));
}

/** Adds 1 to the lanes of `count` where the mask is set. */
const tally = (f: FunctionBuilder, count: Local, mask: Expression): void => f.set(count, f.m.i64x2.sub(f.get(count), mask));

function narrowInput(f: FunctionBuilder, rounded: readonly Local[], to: Conversion, count: Local): Value {
  const { m } = f;
  const pairs = rounded.map((r) => {
    const y = f.vector(overflowPair(f, r, to));
    // Not a number differs from itself, so it counts as outside too.
    tally(f, count, m.f64x2.ne(f.get(r), f.get(y)));
    return f.vector(m.i32x4.trunc_sat_f64x2_s_zero(f.get(y)));
  });
  const lowHalves = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
  const vectors = [0, 2].map((i) => f.vector(m.i8x16.shuffle(f.get(pairs[i]!), f.get(pairs[i + 1]!), lowHalves)));
  return { ...rangeOf(to.type), exp: exponent(to.type), lane: 32, vectors };
}

/** Types of 32 to 64 bits, one sample after the other: saturating conversion to 64 bits, then the overflow mode on integers. */
function wideInput(f: FunctionBuilder, rounded: readonly Local[], to: Conversion, count: Local): Value {
  const { m } = f;
  const { signed, width } = to.type;
  const above = signed ? 2 ** (width - 1) : 2 ** width;
  const lowest = -(2 ** (width - 1));
  /** r >= the least legal integer, without that integer where it is not a double. */
  const notBelow = (r: Local): Expression => {
    if (!signed) return m.f64x2.gt(f.get(r), doubles(f, -1));
    return m.f64x2[to.overflow === "SAT_SYM" ? "gt" : "ge"](f.get(r), doubles(f, lowest));
  };
  const legal = legalRange(to);
  const c64 = (x: bigint): Expression => m.i64.const(BigInt.asIntN(64, x));
  const vectors = rounded.map((r) => {
    const inside = f.vector(m.v128.and(notBelow(r), m.f64x2.lt(f.get(r), doubles(f, above))));
    tally(f, count, m.v128.not(f.get(inside)));
    const source = to.overflow === "WRAP" ? f.vector(truncModulo64(f, r)) : r;
    const y = f.local(f.b.i64);
    const lane = (i: number): Expression => {
      const x = (): Expression => m.f64x2.extract_lane(f.get(source), i);
      if (to.overflow === "WRAP") {
        f.set(y, m.i64.trunc_u_sat.f64(m.f64.abs(x())));
        f.set(y, m.select(m.f64.lt(x(), m.f64.const(0)), m.i64.sub(m.i64.const(0n), f.get(y)), f.get(y)));
        const unused = (): Expression => m.i64.const(BigInt(64 - width));
        f.set(y, (signed ? m.i64.shr_s : m.i64.shr_u)(m.i64.shl(f.get(y), unused()), unused()));
      } else {
        f.set(y, signed ? m.i64.trunc_s_sat.f64(x()) : m.i64.trunc_u_sat.f64(x()));
        const [less, more] = signed ? [m.i64.lt_s, m.i64.gt_s] : [m.i64.lt_u, m.i64.gt_u];
        f.set(y, m.select(more(f.get(y), c64(legal.hi)), c64(legal.hi), f.get(y)));
        if (signed) f.set(y, m.select(less(f.get(y), c64(legal.lo)), c64(legal.lo), f.get(y)));
      }
      return f.get(y);
    };
    const pair = f.vector(m.i64x2.splat(lane(0)));
    f.set(pair, m.i64x2.replace_lane(f.get(pair), 1, lane(1)));
    return to.overflow === "SAT_ZERO" ? f.vector(m.v128.and(f.get(pair), f.get(inside))) : pair;
  });
  return { ...rangeOf(to.type), exp: exponent(to.type), lane: 64, vectors };
}

/** Mantissas of the node's type; a number outside the element's own type counts, and becomes 0. */
function integerInput(f: FunctionBuilder, pairs: readonly Local[], type: FixedType, buffer: Buffer, count: Local): Value {
  const { m } = f;
  const shift = type.width === 0 ? 0 : exponent(type) - buffer.exp;
  const own = rangeOf(type);
  const range = { lo: own.lo << BigInt(shift), hi: own.hi << BigInt(shift) };
  const vectors = pairs.map((x) => {
    const passes = (a: Expression, b: Expression): Expression => greater(f, 64, a, b, isUnsigned64(range));
    const above = passes(f.get(x), splat(f, 64, range.hi));
    const below = passes(splat(f, 64, range.lo), f.get(x));
    const offGrid = m.i64x2.ne(m.v128.and(f.get(x), splat(f, 64, (1n << BigInt(shift)) - 1n)), splat(f, 64, 0n));
    const outside = f.vector(m.v128.or(m.v128.or(above, below), offGrid));
    tally(f, count, f.get(outside));
    return f.vector(m.v128.andnot(f.get(x), f.get(outside)));
  });
  return { ...range, exp: buffer.exp, lane: 64, vectors };
}

/** Adds the function (address) → number of values outside their types: SPAN samples of one input into its buffer. */
export function emitInput(
  f: FunctionBuilder,
  name: string,
  node: NodeWith<"input">,
  buffer: Buffer,
  memory: MemoryPlan,
  format: Format,
): void {
  const { m, b } = f;
  const { type, shape, round, overflow } = node.attrs;
  const stride = sizeOf(shape) * formatBytes[format];
  const count = f.vector(splat(f, 64, 0n));
  const base = f.parameter(0);
  if (type !== undefined) {
    for (const group of byType(sizeOf(shape), (i) => typeAt(type, i, shape.at(-1) ?? 1))) {
      const to: Conversion = { type: group.type, round, overflow };
      const done = emitPlainInput(f, { to, elements: group.elements, base, stride, buffer, format, count });
      const elements = group.elements.slice(done);
      const columns = [
        { at: elements.map((i) => i * formatBytes[format]), base },
        { at: elements.map((i) => buffer.address + i * rowBytes(buffer)) },
      ];
      if (elements.length === 0) continue;
      walk(f, memory, columns, ([from, into]) => {
        const pairs = [0, 2, 4, 6].map((s) => f.vector(loadPair(f, from!, s, stride, format)));
        const scale = -exponent(to.type);
        const rounded = (): Local[] =>
          pairs.map((x) => {
            const y = f.vector(scaled(f, f.get(x), scale));
            return f.vector(roundFloats[round](f, "f64x2", y, x, scale < 0));
          });
        const value =
          format === "i64"
            ? integerInput(f, pairs, group.type, buffer, count)
            : (group.type.width < 32 ? narrowInput : wideInput)(f, rounded(), to, count);
        store(f, toLane(f, atExponent(f, value, buffer.exp), buffer.lane), into!);
      });
    }
  }
  const total = m.i64.add(m.i64x2.extract_lane(f.get(count), 0), m.i64x2.extract_lane(f.get(count), 1));
  f.finish(name, b.i32, m.i32.wrap(total));
}

/** Adds the function (address): SPAN samples of one output from its buffer. */
export function emitOutput(
  f: FunctionBuilder,
  name: string,
  elements: number,
  buffer: Buffer,
  memory: MemoryPlan,
  format: "f64" | "i64",
): void {
  const { m } = f;
  const stride = elements * 8;
  const base = f.parameter(0);
  const columns = [
    { at: Array.from({ length: elements }, (_, i) => buffer.address + i * rowBytes(buffer)) },
    { at: Array.from({ length: elements }, (_, i) => i * 8), base },
  ];
  walk(f, memory, columns, ([from, into]) => {
    const v = load(f, buffer, from!);
    const pairs = format === "i64" ? toLane(f, v, 64).vectors : realPairs(f, v);
    pairs.forEach((pair, k) => {
      for (const i of [0, 1]) f.emit(m.v128.store64_lane((2 * k + i) * stride, 8, i, f.get(into!), f.get(pair)));
    });
  });
  f.finish(name);
}

/** Mantissas as doubles: exact to 53 bits, beyond that rounded to nearest even. */
function realPairs(f: FunctionBuilder, v: Value): readonly Local[] {
  const { m } = f;
  const real = (x: Expression): Local => f.vector(scaled(f, x, v.exp));
  if (v.lane < 64) {
    const high = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
    return toLane(f, v, 32).vectors.flatMap((x) => [
      real(m.f64x2.convert_low_i32x4_s(f.get(x))),
      real(m.f64x2.convert_low_i32x4_s(m.i8x16.shuffle(f.get(x), f.get(x), high))),
    ]);
  }
  const convert = isUnsigned64(v) ? m.f64.convert_u.i64 : m.f64.convert_s.i64;
  return v.vectors.map((x) => {
    const lane = (i: number): Expression => convert(m.i64x2.extract_lane(f.get(x), i));
    return real(m.f64x2.replace_lane(m.f64x2.splat(lane(0)), 1, lane(1)));
  });
}
