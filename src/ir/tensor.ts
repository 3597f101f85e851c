// Shapes and exact constant tensors: mantissas at one shared exponent.
import { dyadic, fit, type FixedType, type Range, toNumber, trailingZeros } from "./fixed.js";

/** Dimensions without the batch axis; the last is the channel axis. */
export type Shape = readonly number[];

export const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);
export const printShape = (shape: Shape): string => `[${shape.join(", ")}]`;

/** A constant: element i is data[i]·2^exp exactly, row-major. `real` marks trained floats that still wait for a precision. */
export interface Tensor {
  readonly shape: Shape;
  readonly exp: number;
  readonly data: readonly bigint[];
  readonly real?: true;
  /** The type that the model declares for these values; where absent, the narrowest that holds them. */
  readonly type?: FixedType;
}

export function tensor(shape: Shape, exp: number, data: readonly bigint[], extra: Pick<Tensor, "real" | "type"> = {}): Tensor {
  return { shape, exp, data, ...extra };
}

/** Doubles as an exact tensor; the exponent is the coarsest that holds them all. Every element must be finite. */
export function tensorFromNumbers(shape: Shape, values: ArrayLike<number>, extra: Pick<Tensor, "real" | "type"> = {}): Tensor {
  const parts = Array.from(values, dyadic);
  const exp = parts.reduce((e, p) => (p.m === 0n ? e : Math.min(e, p.exp)), Number.POSITIVE_INFINITY);
  if (exp === Number.POSITIVE_INFINITY) return tensor(shape, 0, parts.map(() => 0n), extra);
  return tensor(shape, exp, parts.map((p) => (p.m === 0n ? 0n : p.m << BigInt(p.exp - exp))), extra);
}

export const numbersOf = (t: Tensor): number[] => t.data.map((m) => toNumber(m, t.exp));

export function rangeOfData(data: readonly bigint[]): Range {
  let [lo, hi] = [data[0] ?? 0n, data[0] ?? 0n];
  for (const m of data) {
    if (m < lo) lo = m;
    else if (m > hi) hi = m;
  }
  return { lo, hi };
}

/** The declared type of a constant, else the narrowest fixed-point type that holds it. */
export function typeOfTensor(t: Tensor): FixedType {
  if (t.type) return t.type;
  const zeros = t.data.reduce((z, m) => (m === 0n ? z : Math.min(z, trailingZeros(m))), Number.POSITIVE_INFINITY);
  if (zeros === Number.POSITIVE_INFINITY) return { signed: false, width: 0, int: 0 };
  const range = rangeOfData(t.data);
  return fit({ lo: range.lo >> BigInt(zeros), hi: range.hi >> BigInt(zeros) }, t.exp + zeros);
}

/** NumPy's broadcasting rule; a string says why the shapes do not combine. */
export function broadcastShape(a: Shape, b: Shape): Shape | string {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return `shapes ${printShape(a)} and ${printShape(b)} do not broadcast`;
    out.push(Math.max(x, y));
  }
  return out;
}

/** For each element of `to`, the index of the element of `from` that broadcasting reads. */
export function broadcastIndex(from: Shape, to: Shape): Int32Array {
  const strides = new Array<number>(to.length).fill(0);
  let stride = 1;
  for (let i = from.length - 1, j = to.length - 1; i >= 0; i--, j--) {
    if (from[i] !== 1) strides[j] = stride;
    stride *= from[i]!;
  }
  const out = new Int32Array(sizeOf(to));
  const position = new Array<number>(to.length).fill(0);
  for (let n = 0, at = 0; n < out.length; n++) {
    out[n] = at;
    for (let j = to.length - 1; j >= 0; j--) {
      at += strides[j]!;
      if (++position[j]! < to[j]!) break;
      at -= strides[j]! * to[j]!;
      position[j] = 0;
    }
  }
  return out;
}
