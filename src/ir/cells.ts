// THE cell table: every operation of the netlist, its attributes and its meaning on exact integers.
// A new row makes tsc list the emitters that must learn it (PerCell).
import { InternalError } from "../diagnostics.js";
import { contains, hull, type Range, rangeOf, shiftFloor } from "./fixed.js";

/** Attribute values of cells. */
export type CellAttr = number | bigint | readonly bigint[] | undefined;

export interface CellDef<A> {
  /** The equation. */
  readonly doc: string;
  /** Number of operands; `n` where the attributes say. */
  readonly arity: number | "n";
  /** Attribute names in printing order. */
  readonly attrs: readonly (keyof A & string)[];
  /** What the result may be; the only source of its width. */
  range(x: readonly Range[], a: A): Range;
  /** The result; the definition that the emitters are tested against. */
  eval(x: readonly bigint[], a: A): bigint;
}

const cell = <const A>(definition: CellDef<A>): CellDef<A> => definition;

const given = (): never => {
  throw new InternalError("an input's range and value are given, not computed");
};
const point = (value: bigint): Range => ({ lo: value, hi: value });
const scaled = (r: Range, c: bigint): Range => (c >= 0n ? { lo: r.lo * c, hi: r.hi * c } : { lo: r.hi * c, hi: r.lo * c });
const sum = (a: Range, b: Range): Range => ({ lo: a.lo + b.lo, hi: a.hi + b.hi });
const shaddTerm = (b: bigint, a: ShaddAttrs): bigint => (a.sub ? -b : b) << BigInt(a.shift);
const wrapType = (a: WrapAttrs) => ({ signed: a.signed === 1, width: a.width, int: a.width });

interface AffineAttrs {
  readonly coefficients: readonly bigint[];
  readonly bias: bigint;
  /** Which matrix-vector product of the layer this is a row of, where it is one of several. */
  readonly product?: number | undefined;
}
interface ShaddAttrs {
  readonly shift: number;
  readonly sub: 0 | 1;
}
interface WrapAttrs {
  readonly width: number;
  readonly signed: 0 | 1;
}

export const cells = {
  input: cell<{ readonly index: number }>({ doc: "element `index` of the input bus", arity: 0, attrs: ["index"], range: given, eval: given }),
  const: cell<{ readonly value: bigint }>({ doc: "value", arity: 0, attrs: ["value"], range: (_, a) => point(a.value), eval: (_, a) => a.value }),
  affine: cell<AffineAttrs>({
    doc: "Σ_i coefficients[i]·x_i + bias; before `cmvm` the rows of constant matrix-vector products, those of one layer and `product` number together",
    arity: "n",
    attrs: ["coefficients", "bias", "product"],
    range: (x, a) => x.reduce((r, xi, i) => sum(r, scaled(xi, a.coefficients[i]!)), point(a.bias)),
    eval: (x, a) => x.reduce((s, xi, i) => s + a.coefficients[i]! * xi, a.bias),
  }),
  shadd: cell<ShaddAttrs>({
    doc: "a ± b·2^shift, shift >= 0",
    arity: 2,
    attrs: ["shift", "sub"],
    range: ([a, b], at) => sum(a!, scaled(b!, shaddTerm(1n, at))),
    eval: ([a, b], at) => a! + shaddTerm(b!, at),
  }),
  mul: cell<object>({
    doc: "a·b",
    arity: 2,
    attrs: [],
    range: ([a, b]) => hull(scaled(a!, b!.lo), scaled(a!, b!.hi)),
    eval: ([a, b]) => a! * b!,
  }),
  shl: cell<{ readonly shift: number }>({
    doc: "a·2^shift; for negative shifts floor(a / 2^−shift): the only cell that drops low bits",
    arity: 1,
    attrs: ["shift"],
    range: ([a], at) => ({ lo: shiftFloor(a!.lo, at.shift), hi: shiftFloor(a!.hi, at.shift) }),
    eval: ([a], at) => shiftFloor(a!, at.shift),
  }),
  max: cell<object>({
    doc: "max(a, b)",
    arity: 2,
    attrs: [],
    range: ([a, b]) => ({ lo: a!.lo > b!.lo ? a!.lo : b!.lo, hi: a!.hi > b!.hi ? a!.hi : b!.hi }),
    eval: ([a, b]) => (a! > b! ? a! : b!),
  }),
  min: cell<object>({
    doc: "min(a, b)",
    arity: 2,
    attrs: [],
    range: ([a, b]) => ({ lo: a!.lo < b!.lo ? a!.lo : b!.lo, hi: a!.hi < b!.hi ? a!.hi : b!.hi }),
    eval: ([a, b]) => (a! < b! ? a! : b!),
  }),
  mux: cell<object>({
    doc: "c ≠ 0 ? a : b",
    arity: 3,
    attrs: [],
    range: ([, a, b]) => hull(a!, b!),
    eval: ([c, a, b]) => (c !== 0n ? a! : b!),
  }),
  wrap: cell<WrapAttrs>({
    doc: "the low `width` bits read as signed (two's complement) or unsigned: the only cell that drops high bits",
    arity: 1,
    attrs: ["width", "signed"],
    range: ([a], at) => {
      const r = rangeOf(wrapType(at));
      return contains(r, a!) ? a! : r;
    },
    eval: ([a], at) => (at.signed ? BigInt.asIntN(at.width, a!) : BigInt.asUintN(at.width, a!)),
  }),
  lut: cell<{ readonly lo: bigint; readonly table: readonly bigint[] }>({
    doc: "table[a − lo]; the table covers a's whole range",
    arity: 1,
    attrs: ["lo", "table"],
    range: ([a], at) => at.table.slice(Number(a!.lo - at.lo), Number(a!.hi - at.lo) + 1).map(point).reduce(hull),
    eval: ([a], at) => at.table[Number(a! - at.lo)]!,
  }),
} as const;

export type CellOp = keyof typeof cells;
export type CellAttrs<K extends CellOp> = (typeof cells)[K] extends CellDef<infer A> ? A : never;
interface CellWith<K extends CellOp> {
  readonly op: K;
  readonly args: readonly number[];
  readonly attrs: CellAttrs<K>;
}
/** Any cell, as a union discriminated by `op`. */
export type Cell = { [K in CellOp]: CellWith<K> }[CellOp];
export type CellOf<K extends CellOp> = CellWith<K>;
/** One handler per cell: what an emitter must provide. */
export type PerCell<R, C> = { readonly [K in CellOp]: (cell: CellOf<K>, cx: C) => R };

/** The definition of a cell whose op is only known at run time. */
export const cellDef = (op: CellOp): CellDef<Readonly<Record<string, CellAttr>>> => cells[op] as unknown as CellDef<Readonly<Record<string, CellAttr>>>;
export const isCellOp = (name: string): name is CellOp => Object.hasOwn(cells, name);
/** A cell's attributes by name, for printing, hashing and evaluation. */
export const attrsOf = (c: Cell): Readonly<Record<string, CellAttr>> => c.attrs as Readonly<Record<string, CellAttr>>;

/** Calls the handler of `c` in a table of handlers. */
export const dispatch = <R, C>(table: PerCell<R, C>, c: Cell, cx: C): R => (table[c.op] as (cell: Cell, cx: C) => R)(c, cx);
