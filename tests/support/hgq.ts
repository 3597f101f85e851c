// HGQ's layers, trained widths and quantizer formulas for tests: small models, their .h5 variables, and what they compute in doubles.
import * as assert from "uvu/assert";
import { convert, dyadic, exponent, toNumber } from "../../src/ir/fixed.js";
import type { Graph } from "../../src/ir/graph.js";
import { prng } from "../../src/sim/prng.js";
import { evaluate } from "../../src/sim/reference.js";
import { type J, layer, type Values } from "./keras-model.js";

export const { below } = prng(11);
export const real = (): number => (below(1 << 14) - (1 << 13)) / 1024;
export const reals = (n: number): number[] => Array.from({ length: n }, real);

export const hgq = (className: string, name: string, config: { readonly [key: string]: J } = {}): J => ({
  module: "hgq.layers",
  registered_name: `hgq>${className}`,
  ...(layer(className, name, config) as object),
});
export const conf = (type: "kif" | "kbi", round: string, overflow: string, more: { readonly [key: string]: J } = {}): J => ({
  class_name: "QuantizerConfig",
  config: { q_type: type, round_mode: round, overflow_mode: overflow, ...more },
});

/** Widths by element; `i` without the sign. */
export interface Kif {
  readonly k: readonly number[];
  readonly i: readonly number[];
  readonly f: readonly number[];
}
export const kifs = (n: number, least = -2): Kif => ({
  k: Array.from({ length: n }, () => below(2)),
  i: Array.from({ length: n }, () => below(4) + least),
  f: Array.from({ length: n }, () => below(6) + least),
});
export const same = (n: number, k: number, i: number, f: number): Kif => ({
  k: Array(n).fill(k),
  i: Array(n).fill(i),
  f: Array(n).fill(f),
});

/** The variables of a quantizer as Keras 3 names them in an .h5. */
export const widths = (path: string, shape: readonly number[], { k, i, f }: Kif, type: "kif" | "kbi" = "kif"): Values => ({
  [`${path}/fixed_point_quantizer_${type}_3/k`]: [shape, k],
  [`${path}/fixed_point_quantizer_${type}_3/i`]: [shape, i],
  [`${path}/fixed_point_quantizer_${type}_3/${type === "kif" ? "f" : "b"}`]: [shape, type === "kif" ? f : f.map((v, n) => v + i[n]!)],
});

export const rounds: Readonly<Record<string, (x: number) => number>> = {
  TRN: Math.floor,
  RND: (x) => Math.floor(x + 0.5),
  S_RND: (x) => Math.floor(x + 0.5),
  RND_CONV: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
  TRN_ZERO: Math.trunc,
  RND_ZERO: (x) => Math.sign(x) * Math.ceil(Math.abs(x) - 0.5),
  RND_INF: (x) => Math.sign(x) * Math.floor(Math.abs(x) + 0.5),
  RND_MIN_INF: (x) => Math.ceil(x - 0.5),
};
/** HGQ2's formulas: clip and round, or round and wrap; no bits give 0. */
export function quantized(x: number, k: number, i: number, f: number, round: string, overflow: string): number {
  if (k + i + f <= 0) return 0;
  const [high, step] = [2 ** i - 2 ** -f, 2 ** -f];
  const to = (v: number): number => rounds[round]!(v / step) * step;
  if (overflow === "WRAP") {
    const [bias, span] = [k * 2 ** i, 2 ** (i + k)];
    const shifted = (to(x) + bias) % span;
    return (shifted < 0 ? shifted + span : shifted) - bias;
  }
  return to(Math.min(Math.max(x, -k * (overflow === "SAT_SYM" ? high : 2 ** i)), high)) + 0;
}

/** One row of real numbers, converted as the inputs' types say; a real input takes 2^-10 steps. */
export function run(graph: Graph, ...inputs: readonly (readonly number[])[]): readonly number[] {
  const mantissas = graph.inputs.map((id, n) => {
    const node = graph.nodes[id]!;
    assert.ok(node.op === "input" && node.attrs.type && !("per" in node.attrs.type), "the quantizers give the input its type");
    const to = { type: node.attrs.type, round: node.attrs.round, overflow: node.attrs.overflow };
    return inputs[n]!.map((v) => convert(dyadic(v).m, dyadic(v).exp, to));
  });
  const { elem } = graph.nodes[graph.outputs[0]!.value]!.type;
  assert.ok(elem !== "real");
  return evaluate(graph, mantissas)[0]!.map((m) => toNumber(m, exponent(elem)));
}
