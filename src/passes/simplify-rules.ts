// The rules of `simplify`: each is an equation between cells; which apply is read off the ranges of the operands.
import { type Cell, cellDef, attrsOf, type CellAttrs, type CellOf, type CellOp, dispatch, type PerCell } from "../ir/cells.js";
import { contains, type Range, rangeOf } from "../ir/fixed.js";
import type { NetBuilder } from "../ir/netlist.js";

/** Adds the cell, or something equal and simpler, and returns its id. */
export function simplified(b: NetBuilder, c: Cell): number {
  return constantOf(b, c) ?? dispatch(rules, c, b) ?? b.add(c.op, c.args, c.attrs as never);
}

/** Adds a cell through the rules. */
export const make = <K extends CellOp>(b: NetBuilder, op: K, args: readonly number[], attrs: CellAttrs<K>): number => simplified(b, { op, args, attrs } as unknown as Cell);

const isPoint = (r: Range): boolean => r.lo === r.hi;
/** The value of a `const`. */
export const constantValue = (b: NetBuilder, id: number): bigint | undefined => {
  const c = b.cell(id);
  return c.op === "const" ? c.attrs.value : undefined;
};

/** A cell whose range holds one value is that value. */
function constantOf(b: NetBuilder, c: Cell): number | undefined {
  if (c.op === "input" || c.op === "const") return undefined;
  const r = cellDef(c.op).range(c.args.map((a) => b.range(a)), attrsOf(c));
  return isPoint(r) ? b.constant(r.lo) : undefined;
}

/** log2 of a positive power of two, else undefined. */
function exponentOf(x: bigint): number | undefined {
  return x > 0n && (x & (x - 1n)) === 0n ? x.toString(2).length - 1 : undefined;
}

/** Each rule set returns the replacement, or undefined where none applies; `simplified` then adds the cell as it is. */
const rules: PerCell<number | undefined, NetBuilder> = {
  input: () => undefined,
  const: () => undefined,
  affine: simplifyAffine,
  shadd: simplifyShadd,
  mul(c, b) {
    const [x, y] = c.args as [number, number];
    const [p, q] = [constantValue(b, x), constantValue(b, y)];
    if (q !== undefined) return make(b, "affine", [x], { coefficients: [q], bias: 0n }); // x·q
    if (p !== undefined) return make(b, "affine", [y], { coefficients: [p], bias: 0n });
    return x > y ? b.add("mul", [y, x], {}) : undefined; // x·y = y·x
  },
  shl(c, b) {
    const x = c.args[0]!;
    const { shift } = c.attrs;
    if (shift === 0) return x; // x·2^0 = x
    const inner = b.cell(x);
    // (x·2^p)·2^q = x·2^(p+q), unless p drops low bits that q would bring back as zeros.
    if (inner.op === "shl" && (inner.attrs.shift > 0 || shift < 0)) return make(b, "shl", inner.args, { shift: inner.attrs.shift + shift });
    return undefined;
  },
  max: (c, b) => extremum("max", c.args, b),
  min: (c, b) => extremum("min", c.args, b),
  mux(c, b) {
    const [condition, x, y] = c.args as [number, number, number];
    const r = b.range(condition);
    if (x === y || r.lo > 0n || r.hi < 0n) return x;
    return r.lo === 0n && r.hi === 0n ? y : undefined;
  },
  wrap(c, b) {
    const x = c.args[0]!;
    const { width, signed } = c.attrs;
    const legal = rangeOf({ signed: signed === 1, width, int: width });
    if (contains(legal, b.range(x))) return x; // nothing to wrap
    const inner = b.cell(x);
    // The inner wrap keeps all bits that the outer one reads.
    if (inner.op === "wrap" && inner.attrs.width >= width) return make(b, "wrap", inner.args, c.attrs);
    return undefined;
  },
  lut(c, b) {
    const r = b.range(c.args[0]!);
    const table = c.attrs.table.slice(Number(r.lo - c.attrs.lo), Number(r.hi - c.attrs.lo) + 1);
    return table.length < c.attrs.table.length ? b.add("lut", c.args, { lo: r.lo, table }) : undefined; // entries never read
  },
};

function simplifyAffine(c: CellOf<"affine">, b: NetBuilder): number | undefined {
  let { bias } = c.attrs;
  const terms = new Map<number, bigint>();
  c.args.forEach((a, i) => {
    const r = b.range(a);
    if (isPoint(r)) bias += c.attrs.coefficients[i]! * r.lo;
    else terms.set(a, (terms.get(a) ?? 0n) + c.attrs.coefficients[i]!);
  });
  const kept = [...terms].filter(([, k]) => k !== 0n);
  if (kept.length === 1) {
    const [x, k] = kept[0]!;
    const [plus, minus] = [exponentOf(k), exponentOf(-k)];
    // 2^s·x + bias and bias − 2^s·x take one adder at most.
    if (plus !== undefined) return bias === 0n ? make(b, "shl", [x], { shift: plus }) : make(b, "shadd", [b.constant(bias), x], { shift: plus, sub: 0 });
    if (minus !== undefined) return b.add("shadd", [b.constant(bias), x], { shift: minus, sub: 1 });
  }
  if (kept.length === c.args.length) return undefined;
  return make(b, "affine", kept.map(([x]) => x), { ...c.attrs, coefficients: kept.map(([, k]) => k), bias });
}

function simplifyShadd(c: CellOf<"shadd">, b: NetBuilder): number | undefined {
  const [x, y] = c.args as [number, number];
  const { shift, sub } = c.attrs;
  const [p, q] = [constantValue(b, x), constantValue(b, y)];
  if (q !== undefined) {
    const k = (sub ? -q : q) << BigInt(shift);
    if (k === 0n) return x; // x + 0 = x
    const inner = b.cell(x);
    if (inner.op === "shadd") {
      const [i, j] = [constantValue(b, inner.args[0]!), constantValue(b, inner.args[1]!)];
      if (i !== undefined) return make(b, "shadd", [b.constant(i + k), inner.args[1]!], inner.attrs); // (i ± x·2^s) + k = (i + k) ± x·2^s
      if (j !== undefined) return make(b, "shadd", [inner.args[0]!, b.constant(j + k)], { shift: 0, sub: 0 }); // (x + j) + k = x + (j + k)
    }
    return sub === 0 && shift === 0 ? undefined : b.add("shadd", [x, b.constant(k)], { shift: 0, sub: 0 });
  }
  if (p === 0n && sub === 0) return make(b, "shl", [y], { shift }); // 0 + y·2^s
  if (p !== undefined && sub === 0 && shift === 0) return make(b, "shadd", [y, x], { shift: 0, sub: 0 });
  if (x === y && sub === 0 && shift === 0) return make(b, "shl", [x], { shift: 1 }); // x + x = 2x
  if (x === y && sub === 1 && shift === 0) return b.constant(0n); // x − x = 0
  if (x === y && sub === 1 && shift === 1) return b.add("shadd", [b.constant(0n), x], { shift: 0, sub: 1 }); // x − 2x = 0 − x
  return sub === 0 && shift === 0 && x > y ? b.add("shadd", [y, x], { shift: 0, sub: 0 }) : undefined; // x + y = y + x
}

function extremum(op: "max" | "min", args: readonly number[], b: NetBuilder): number | undefined {
  const [x, y] = args as [number, number];
  const [r, s] = [b.range(x), b.range(y)];
  const [high, low] = op === "max" ? [x, y] : [y, x];
  if (x === y || r.lo >= s.hi) return high; // x >= y always
  if (s.lo >= r.hi) return low;
  const k = constantValue(b, y);
  if (k === undefined) return constantValue(b, x) !== undefined || x > y ? make(b, op, [y, x], {}) : undefined; // max(x, y) = max(y, x), the constant last
  const inner = b.cell(x);
  const j = inner.op === op ? constantValue(b, inner.args[1]!) : undefined;
  if (j === undefined) return undefined;
  return make(b, op, [inner.args[0]!, b.constant((op === "max") === j > k ? j : k)], {}); // max(max(x, j), k) = max(x, max(j, k))
}
