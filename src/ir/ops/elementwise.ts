// add, sub, mul, max, min: element by element with NumPy's broadcasting.
import type { Arith } from "../arith.js";
import { broadcastIndex, broadcastShape } from "../tensor.js";
import { op } from "./op.js";

type Binary = "add" | "sub" | "mul" | "max" | "min";

const elementwise = <const N extends Binary>(name: N, doc: string) =>
  op({
    name,
    doc,
    operands: ["a", "b"],
    attrs: {},
    shape: ([a, b]) => broadcastShape(a!, b!),
    expand: <V>(k: Arith<V>, [a, b]: readonly { shape: readonly number[]; at: readonly V[] }[]) => {
      const to = broadcastShape(a!.shape, b!.shape) as readonly number[];
      const [ia, ib] = [broadcastIndex(a!.shape, to), broadcastIndex(b!.shape, to)];
      return Array.from(ia, (i, n) => k[name](a!.at[i]!, b!.at[ib[n]!]!));
    },
  });

export const add = elementwise("add", "y = a + b");
export const sub = elementwise("sub", "y = a − b");
export const mul = elementwise("mul", "y = a·b");
export const max = elementwise("max", "y = max(a, b)");
export const min = elementwise("min", "y = min(a, b)");
