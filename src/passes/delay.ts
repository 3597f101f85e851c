// The delay model behind `--clock`: nanoseconds through each cell. A generic carry-chain FPGA fabric; not calibrated against any device.
import type { Cell, CellOf, CellOp } from "../ir/cells.js";
import { fit } from "../ir/fixed.js";
import type { Netlist } from "../ir/netlist.js";
import { digitCount } from "./csd.js";

/** One look-up table with the routing to it, in ns. */
const LUT = 0.6;
/** One bit of a carry chain, in ns. */
const CARRY = 0.02;
/** Inputs of a look-up table. */
const LUT_INPUTS = 6;
/** Clock to output, set-up and routing of the registers at both ends of a stage, in ns. */
export const REGISTER_OVERHEAD = 0.6;

const adder = (width: number): number => LUT + CARRY * width;
const adderLevels = (terms: number): number => Math.ceil(Math.log2(Math.max(1, terms)));

interface Site {
  /** Width of the result and of each operand, in bits. */
  readonly width: number;
  readonly operands: readonly number[];
}

/** Partial products, then a tree of adders as wide as the result. */
export const mulDelay = (x: number, y: number): number => (1 + adderLevels(Math.min(x, y))) * adder(x + y);

const widest = (s: Site): number => Math.max(0, ...s.operands);

const delays: { readonly [K in CellOp]: (c: CellOf<K>, s: Site) => number } = {
  input: () => 0,
  const: () => 0,
  affine: (c, s) => adderLevels(c.attrs.coefficients.reduce((n, k) => n + digitCount(k), c.attrs.bias === 0n ? 0 : 1)) * adder(s.width),
  shadd: (_, s) => adder(s.width),
  mul: (_, s) => mulDelay(s.operands[0]!, s.operands[1]!),
  shl: () => 0,
  // A comparison along a carry chain, then a choice.
  max: (_, s) => adder(widest(s)) + LUT,
  min: (_, s) => adder(widest(s)) + LUT,
  mux: (_, s) => LUT * (1 + adderLevels(Math.ceil(s.operands[0]! / LUT_INPUTS))),
  wrap: () => 0,
  // Beyond the first six bits, four-to-one choices: two more bits a level.
  lut: (_, s) => LUT * (1 + Math.ceil(Math.max(0, s.operands[0]! - LUT_INPUTS) / 2)),
};

/** Nanoseconds from the operands of a cell to its result. Wiring takes none. */
export function delayOf(n: Netlist, id: number): number {
  const c = n.cells[id]!;
  const widthOf = (i: number): number => fit(n.ranges[i]!).width;
  return (delays[c.op] as (c: Cell, s: Site) => number)(c, { width: widthOf(id), operands: c.args.map(widthOf) });
}
