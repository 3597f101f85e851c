// The kinds of attribute of cells and ops, and what a value of each must satisfy. Used by the verifier and by the reader of textual IR.
import type { Cell, CellAttr, CellAttrs, CellOp } from "./cells.js";
import { cellDef } from "./cells.js";
import { type FixedType, overflows, type Range, roundings } from "./fixed.js";
import type { AttrKind, AttrKinds, Precision } from "./ops/op.js";
import { sizeOf } from "./tensor.js";
import { paramsProblem, unaries } from "./unary.js";

/** No range in a netlist needs more bits than this. */
export const MAX_BITS = 4096;

/** `natural` 0 … MAX_BITS, `bit` 0 or 1, `shift` within ±MAX_BITS, `index` any integer >= 0, `index?` one or none, `integer` a bigint, `integers` a list of those. */
export type CellAttrKind = "natural" | "bit" | "shift" | "index" | "index?" | "integer" | "integers";

type KindsOf<A> = { readonly [N in keyof A]-?: undefined extends A[N] ? "index?" : A[N] extends number ? "natural" | "bit" | "shift" | "index" : A[N] extends bigint ? "integer" : "integers" };

const kinds: { readonly [K in CellOp]: KindsOf<CellAttrs<K>> } = {
  input: { index: "index" },
  const: { value: "integer" },
  affine: { coefficients: "integers", bias: "integer", product: "index?" },
  shadd: { shift: "natural", sub: "bit" },
  mul: {},
  shl: { shift: "shift" },
  max: {},
  min: {},
  mux: {},
  wrap: { width: "natural", signed: "bit" },
  lut: { lo: "integer", table: "integers" },
};

/** The attributes of a cell in printing order. */
export const cellAttrKinds = (op: CellOp): Readonly<Record<string, CellAttrKind>> => kinds[op] as Readonly<Record<string, CellAttrKind>>;

const integerIn = (lo: number, hi: number) => (v: unknown): string | undefined =>
  typeof v === "number" && Number.isInteger(v) && v >= lo && v <= hi ? undefined : `must be an integer in ${lo} … ${hi}`;
const fitsBits = (v: bigint): boolean => BigInt.asIntN(MAX_BITS, v) === v;
const tooWide = `has more than ${MAX_BITS} bits`;

const cellChecks: { readonly [K in CellAttrKind]: (v: unknown) => string | undefined } = {
  natural: integerIn(0, MAX_BITS),
  bit: integerIn(0, 1),
  shift: integerIn(-MAX_BITS, MAX_BITS),
  index: integerIn(0, 2 ** 31 - 1),
  "index?": (v) => (v === undefined ? v : cellChecks.index(v)),
  integer: (v) => (typeof v !== "bigint" ? "must be an integer" : fitsBits(v) ? undefined : tooWide),
  integers: (v) => (!Array.isArray(v) || v.some((x) => typeof x !== "bigint") ? "must be a list of integers" : v.every(fitsBits) ? undefined : tooWide),
};

/** Why the value is not of the kind. */
export const attrProblem = (kind: CellAttrKind, v: CellAttr | undefined): string | undefined => cellChecks[kind](v);

/** Why a cell with well-formed attributes does not suit operands of these ranges. */
export function cellProblem(c: Cell, x: readonly Range[]): string | undefined {
  const { arity } = cellDef(c.op);
  if (arity !== "n" && c.args.length !== arity) return `takes ${arity} operands, and ${c.args.length} are given`;
  if (c.op === "affine" && c.attrs.coefficients.length !== c.args.length) return `${c.attrs.coefficients.length} coefficients for ${c.args.length} operands`;
  if (c.op === "wrap" && c.attrs.width === 0 && c.attrs.signed === 1) return "a signed value has at least one bit";
  if (c.op === "lut") {
    const last = c.attrs.lo + BigInt(c.attrs.table.length) - 1n;
    if (x[0]!.lo < c.attrs.lo || x[0]!.hi > last) return `the table covers ${c.attrs.lo}..${last}, and the operand is ${x[0]!.lo}..${x[0]!.hi}`;
  }
  if (c.op === "input") return undefined;
  const growth = c.op === "shadd" || c.op === "shl" ? Math.max(0, c.attrs.shift) : 0;
  const bits = x.reduce((n, r) => n + bitsOf(r), growth);
  // Only then is the range computed: a chain of products would double without end.
  return bits <= MAX_BITS || c.op === "affine" ? undefined : `its operands have ${bits} bits together, more than ${MAX_BITS}`;
}

/** An upper bound, cheap for ranges of everyday widths. */
const bitsOf = (r: Range): number => (r.lo >= -WORD && r.hi <= WORD ? 65 : longBits(r));
const WORD = 1n << 64n;
const longBits = (r: Range): number => Math.max(r.lo.toString(16).length, r.hi.toString(16).length) * 4;

const isType = (t: unknown): t is FixedType => {
  const { signed, width, int } = (t ?? {}) as Partial<FixedType>;
  return typeof signed === "boolean" && Number.isInteger(width) && width! >= 0 && !(signed && width === 0) && Number.isInteger(int);
};
const isPrecision = (p: Precision): boolean => ("per" in p ? p.types.length > 0 && p.types.every(isType) : isType(p));

type GraphChecks = { readonly [K in AttrKind]: (v: AttrKinds[K]) => string | undefined };

const tensorProblem = (t: AttrKinds["tensor"]): string | undefined => {
  if (typeof t !== "object" || !Number.isInteger(t.exp)) return "must be a tensor";
  if (t.shape.some((d) => !Number.isInteger(d) || d < 0)) return `has the shape [${t.shape.join(", ")}]`;
  if (t.data.length !== sizeOf(t.shape)) return `has ${t.data.length} values for shape [${t.shape.join(", ")}]`;
  return t.type === undefined || isType(t.type) ? undefined : "declares a malformed type";
};

const graphChecks: GraphChecks = {
  string: (v) => (typeof v === "string" ? undefined : "must be a string"),
  int: (v) => (Number.isInteger(v) ? undefined : "must be a whole number"),
  ints: (v) => (Array.isArray(v) && v.every(Number.isInteger) ? undefined : "must be a list of integers"),
  tensor: tensorProblem,
  "tensor?": (v) => (v === undefined ? undefined : tensorProblem(v)),
  precision: (v) => (v !== undefined && isPrecision(v) ? undefined : "must be a type, or types by channel or element"),
  "precision?": (v) => (v === undefined || isPrecision(v) ? undefined : "must be a type, or types by channel or element"),
  rounding: (v) => (roundings.includes(v) ? undefined : `must be one of ${roundings.join(", ")}`),
  overflow: (v) => (overflows.includes(v) ? undefined : `must be one of ${overflows.join(", ")}`),
  unary: (v) => {
    if (!Object.hasOwn(unaries, v.name)) return "must be a known function";
    return paramsProblem(v.name, v.params) ?? (v.to === undefined || isType(v.to.type) ? undefined : "has a malformed type");
  },
};

/** Why the value is not of the kind. */
export const graphAttrProblem = (kind: AttrKind, v: unknown): string | undefined => (graphChecks[kind] as (v: unknown) => string | undefined)(v);
