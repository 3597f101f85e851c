// Loops through pairs of elements that no single loop meets in order: affine nests where there are any, else tables of indices.
import { fit } from "../../ir/fixed.js";
import { rangeOfData } from "../../ir/tensor.js";
import { affineAxes, at, indicesOf } from "./hls-axes.js";
import type { HlsBuilder } from "./hls-builder.js";

interface Pairs {
  /** Indices of the result. */
  readonly to: readonly number[];
  /** Indices of the operand, as many. */
  readonly from: readonly number[];
  /** The operand's parameter. */
  readonly operand: string;
  /** Elements that one clock may handle where hardware is shared. */
  readonly lanes: number;
  /** Ends the names of the tables. */
  readonly suffix: string;
  /** The statement for one element of each. */
  readonly line: (y: string, x: string) => string;
}

/** The statements for all pairs; `id` is the node that tables are named after. */
export function pairLoops(b: HlsBuilder, id: number, { to, from, operand, lanes, suffix, line }: Pairs): readonly string[] {
  const axes = affineAxes(to, from);
  if (axes) {
    const named = axes.map((a) => ({ ...a, step: { y: a.step.y!, [operand]: a.step.x! } }));
    const last = axes.at(-1)?.step;
    return b.loops(indicesOf(named), [line(at("y", named, to[0]), at(operand, named, from[0]))], {
      lanes: last?.y === 1 && last.x === 1 ? lanes : 1,
    });
  }
  if (to.length <= FEW) return to.map((k, i) => `  ${line(`y[${k}]`, `${operand}[${from[i]}]`)}`);
  const lookUp = (name: string, list: readonly number[], doc: string): string => {
    if (list.every((k, i) => k === i)) return "i";
    const entries = list.map(BigInt);
    const table = b.table(id, `${name}${suffix}`, fit(rangeOfData(entries)), entries, 16, doc);
    return `${table.name}[i]`;
  };
  const y = lookUp("to", to, "Indices of the result's elements.");
  const x = same(to, from) ? y : lookUp("from", from, "Indices of the operand's elements, in the order of the result's.");
  return b.loops([["i", to.length]], [line(`y[${y}]`, `${operand}[${x}]`)]);
}

/** So many pairs are written out. */
const FEW = 16;

const same = (a: readonly number[], b: readonly number[]): boolean => a.every((k, i) => k === b[i]);
