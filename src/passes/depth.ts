// Logic depth and adder counts: the figures by which networks of adders are compared.
import type { Cell, CellOf, CellOp } from "../ir/cells.js";
import { liveCells, type NetBuilder, type Netlist, typeOfCell } from "../ir/netlist.js";
import { digitCount } from "./csd.js";

const levelsOfAffine = (c: CellOf<"affine">): number => {
  const terms = c.attrs.coefficients.reduce((n, k) => n + digitCount(k), c.attrs.bias === 0n ? 0 : 1);
  return terms < 2 ? 0 : Math.ceil(Math.log2(terms));
};

const levels: { readonly [K in CellOp]: number | ((c: CellOf<K>) => number) } = {
  input: 0,
  const: 0,
  affine: levelsOfAffine,
  shadd: 1,
  mul: 1,
  shl: 0,
  max: 1,
  min: 1,
  mux: 1,
  wrap: 0,
  lut: 1,
};

/** Levels of logic that a cell adds: one, but none for wiring and constants. */
export function levelsOf(c: Cell): number {
  const own = levels[c.op] as number | ((c: Cell) => number);
  return typeof own === "number" ? own : own(c);
}

/** Depths of the cells of a netlist under construction. */
export interface Depths {
  of(id: number): number;
}

/** `start` gives the depths of the first cells, where they are not those of inputs. */
export function depthsOf(b: NetBuilder, start: readonly number[] = []): Depths {
  const known = [...start];
  return {
    of: (id) => {
      for (let i = known.length; i <= id; i++) known.push(depthAfter(b.cell(i), known));
      return known[id]!;
    },
  };
}

const depthAfter = (c: Cell, known: ArrayLike<number>): number => c.args.reduce((d, a) => Math.max(d, known[a]!), 0) + levelsOf(c);

/** Levels of logic on the longest path from an input to an output. */
export function depthOf(n: Netlist): number {
  const known = new Int32Array(n.cells.length);
  n.cells.forEach((c, id) => {
    known[id] = depthAfter(c, known);
  });
  return n.outputs.reduce((d, port) => port.elements.reduce((e, id) => Math.max(e, known[id]!), d), 0);
}

/** Two-operand adders and subtractors that some output needs. */
export const adderCount = (n: Netlist): number => liveAdders(n).length;

/** Their bits: the width of each result less the low bits that pass the adder by. */
export const adderBits = (n: Netlist): number =>
  liveAdders(n).reduce((bits, id) => bits + Math.max(0, typeOfCell(n, id).width - (n.cells[id] as CellOf<"shadd">).attrs.shift), 0);

function liveAdders(n: Netlist): readonly number[] {
  const live = liveCells(n);
  return n.cells.flatMap((c, id) => (c.op === "shadd" && live[id] ? [id] : []));
}
