// maxpool, sumpool: one value a channel from each window of a channels-last image. An average is a sum times a constant.
import type { Arith } from "../arith.js";
import type { Shape } from "../tensor.js";
import { op } from "./op.js";
import { windowIndex, windowShape } from "./window.js";

const pool = <const N extends "maxpool" | "sumpool">(name: N, doc: string, by: "max" | "add") =>
  op({
    name,
    doc,
    operands: ["x"],
    attrs: { window: "ints", strides: "ints" },
    shape: ([x], { window, strides }) => {
      const at = windowShape(x!, window, strides, window.map(() => 1));
      return typeof at === "string" ? at : [...at, x!.at(-1)!];
    },
    expand: <V>(k: Arith<V>, [x]: readonly { shape: Shape; at: readonly V[] }[], { window, strides }: { window: readonly number[]; strides: readonly number[] }) => {
      const channels = x!.shape.at(-1)!;
      const pixels = windowIndex(x!.shape, window, strides, window.map(() => 1));
      return pixels.flatMap((taps) =>
        Array.from({ length: channels }, (_, c) => balanced<V>(taps.map((pixel) => x!.at[pixel * channels + c]!), (a, b) => k[by](a, b))),
      );
    },
  });

/** Pairs, then pairs of pairs: the depth is logarithmic. */
function balanced<V>(values: readonly V[], by: (a: V, b: V) => V): V {
  let row = values;
  while (row.length > 1) row = row.flatMap((v, i) => (i % 2 === 1 ? [] : [i + 1 < row.length ? by(v, row[i + 1] as V) : v]));
  return row[0] as V;
}

export const maxpool = pool("maxpool", "y[…, p, c] = max_k x[…, p·stride + k, c]", "max");
export const sumpool = pool("sumpool", "y[…, p, c] = Σ_k x[…, p·stride + k, c]", "add");
