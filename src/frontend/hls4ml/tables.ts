// The tables of hls4ml's activations, entry by entry as its C++ computes them: floats, whose exponential is a float too. Each is a `lut` over
// the argument that an index stands for (reference: numerics of hls4ml, §3.5 and §3.6).
import { type Conversion, fixed } from "../../ir/fixed.js";
import type { GraphBuilder } from "../../ir/graph.js";

const f = Math.fround;
/** Infinity saturates like the largest float. */
const MAX_FLOAT = (2 - 2 ** -23) * 2 ** 127;
/** expf, correctly rounded: equal to glibc's on the arguments that these tables have. */
export const expf = (x: number): number => Math.min(f(Math.exp(x)), MAX_FLOAT);
export const reciprocalf = (x: number): number => (x === 0 ? MAX_FLOAT : f(1 / x));

interface Table {
  /** The table covers −reach … reach, or −reach … 0. */
  readonly reach: number;
  readonly sided: "both" | "negative";
  entry(x: number): number;
}

export const tables = {
  sigmoid: { reach: 8, sided: "both", entry: (x) => f(1 / f(1 + expf(-x))) },
  tanh: { reach: 4, sided: "both", entry: (x) => Math.tanh(x) },
  softplus: { reach: 8, sided: "both", entry: (x) => f(Math.log(expf(x) + 1)) },
  softsign: { reach: 8, sided: "both", entry: (x) => f(x / (Math.abs(x) + 1)) },
  exp: { reach: 8, sided: "both", entry: expf },
  elu: { reach: 8, sided: "negative", entry: (x) => f(expf(x) - 1) },
  selu: {
    reach: 8,
    sided: "negative",
    entry: (x) => f(1.0507009873554804934193349852946 * (1.6732632423543772848170429916717 * (expf(x) - 1))),
  },
} as const satisfies Readonly<Record<string, Table>>;
export type TableName = keyof typeof tables;

/** A lookup in `size` entries whose arguments are first, first + step, …; an argument between two takes the lower's. */
export function lookup(
  b: GraphBuilder,
  x: number,
  first: number,
  step: number,
  size: number,
  entry: (x: number) => number,
  to: Conversion,
): number {
  const y = Array.from({ length: size }, (_, i) => entry(first + i * step));
  const { type, round, overflow } = to;
  return b.add("lut", [x], { f: { name: "table", params: [first, step, ...y], to: { type, round, overflow } } });
}

/**
 * f(x) by table: the index is x·size/reach toward zero, so that both sides of 0 share an entry, and stays within the table. Of a table of
 * negative arguments only x <= 0 may come in.
 */
export function lookupFunction(b: GraphBuilder, name: TableName, x: number, size: number, to: Conversion): number {
  const { reach, sided, entry }: Table = tables[name];
  const bits = Math.log2(size);
  if (sided === "both") {
    const at = b.add("quantize", [x], { to: fixed(bits, Math.log2(2 * reach)), round: "TRN_ZERO", overflow: "SAT" });
    return lookup(b, at, -reach, (2 * reach) / size, size, entry, to);
  }
  const at = b.add("quantize", [x], { to: fixed(bits + 1, Math.log2(2 * reach)), round: "TRN_ZERO", overflow: "SAT_SYM" });
  return lookup(b, at, -reach + reach / size, reach / size, size, entry, to);
}

/** e^−x and 1/x by the top bits of a type that hold an index: x is cut to them first. */
export function lookupTopBits(
  b: GraphBuilder,
  x: number,
  type: Conversion["type"],
  size: number,
  entry: (x: number) => number,
  to: Conversion,
): number {
  const bits = Math.log2(size);
  const at = b.add("quantize", [x], { to: fixed(bits, type.int, type.signed), round: "TRN", overflow: "WRAP" });
  const step = 2 ** (type.int - bits);
  return lookup(b, at, type.signed ? -(2 ** (type.int - 1)) : 0, step, size, entry, to);
}
