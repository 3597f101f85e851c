// What an op's attribute is where a call leaves it out, from the shapes at hand. The printer leaves out what reading gives back.
import type { OpAttrs, OpName } from "../../ir/ops/index.js";
import type { Shape } from "../../ir/tensor.js";

interface Default<A, T> {
  /** For the reference: `strides: ints = ones`. */
  readonly doc: string;
  /** From the operands' shapes and the attributes before this one. */
  value(x: readonly Shape[], a: A): T;
}
type Defaults = { readonly [K in OpName]?: { readonly [N in keyof OpAttrs<K>]?: Default<OpAttrs<K>, OpAttrs<K>[N]> } };

const ones = (count: number): readonly number[] => new Array<number>(count).fill(1);
const spatialOnes = { doc: "ones", value: (_: unknown, { kernel }: OpAttrs<"conv">) => ones(Math.max(0, kernel.shape.length - 2)) };
const likeWindow = { doc: "window", value: (_: unknown, { window }: OpAttrs<"maxpool">) => window };

const table: Defaults = {
  conv: { strides: spatialOnes, dilations: spatialOnes, groups: { doc: "1", value: () => 1 } },
  maxpool: { strides: likeWindow },
  sumpool: { strides: likeWindow },
  transpose: { order: { doc: "reversed", value: ([x]) => x!.map((_, d) => x!.length - 1 - d) } },
  slice: {
    start: { doc: "zeros", value: ([x]) => x!.map(() => 0) },
    stop: { doc: "the shape", value: ([x]) => x! },
    step: { doc: "ones", value: ([x]) => ones(x!.length) },
  },
  concat: { axis: { doc: "the last", value: ([x]) => x!.length - 1 } },
};

type AnyDefault = Default<Readonly<Record<string, unknown>>, unknown>;
export const defaultOf = (op: OpName, attribute: string): AnyDefault | undefined =>
  (table as Readonly<Record<string, Readonly<Record<string, AnyDefault>>>>)[op]?.[attribute];
