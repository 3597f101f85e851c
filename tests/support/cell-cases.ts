// Every netlist cell with every operand value: widths 0 to 4, both signs, shifts −5 to 5, one netlist an op; and corner values of wide operands.
// Each output element is one cell, so an emitter is tested by running the netlist on `inputs` and comparing with `cellVectors`.
import { type CellAttrs, type CellOp, cellDef } from "../../src/ir/cells.js";
import { bitLength, type FixedType, fit, hull, MAX_WIDTH, type Range, rangeOf } from "../../src/ir/fixed.js";
import { NetBuilder, type Netlist } from "../../src/ir/netlist.js";
import type { Mantissas, Vectors } from "../../src/ir/vectors.js";
import { interpret } from "../../src/sim/reference.js";

export interface CellCases {
  readonly name: string;
  /** One input port an operand slot (its elements are the operand kinds); output ports `unsigned` and `signed` with an element a cell, none wider than 64 bits. */
  readonly netlist: Netlist;
  /** inputs[port][sample][element], every combination of operand values. */
  readonly inputs: readonly (readonly Mantissas[])[];
  /** labels[port][element]: what each output element computes, such as `shadd(u3, s2) {shift 4, sub 1}`. */
  readonly labels: readonly (readonly string[])[];
}

const integer = (width: number, signed: boolean): FixedType => ({ signed, width, int: width });
const kindName = (t: FixedType): string => `${t.signed ? "s" : "u"}${t.width}`;

/** u0, u1 … u4, s1 … s4. */
const NARROW: readonly FixedType[] = [...[0, 1, 2, 3, 4].map((w) => integer(w, false)), ...[1, 2, 3, 4].map((w) => integer(w, true))];
/** The widths around the lanes of machines. */
const WIDE: Readonly<Record<string, readonly FixedType[]>> = {
  unsigned: [1, 7, 8, 15, 16, 31, 32, 33, 48, 63, 64].map((w) => integer(w, false)),
  signed: [2, 8, 9, 16, 17, 32, 33, 34, 48, 63, 64].map((w) => integer(w, true)),
  mixed: [...[8, 16, 31, 32, 33, 63].map((w) => integer(w, false)), ...[8, 32, 33, 64].map((w) => integer(w, true))],
};

const SHIFTS = [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5];

type Variant = { readonly [K in CellOp]: { readonly op: K; readonly attrs: CellAttrs<K> } }[CellOp];

/** All attribute values of an op for operands of the given kinds. */
type Variants = (kinds: readonly FixedType[]) => readonly Variant[];

interface Plan {
  readonly op: CellOp;
  readonly arity: number;
  readonly narrow: Variants;
  readonly wide: Variants;
}

const plan = (op: CellOp, arity: number, narrow: Variants, wide: Variants = narrow): Plan => ({ op, arity, narrow, wide });
const bare = <K extends "mul" | "max" | "min" | "mux">(op: K, arity: number): Plan => plan(op, arity, () => [{ op, attrs: {} } as Variant]);

const affine = (coefficients: readonly bigint[], biases: readonly bigint[]): readonly Variant[] =>
  biases.map((bias) => ({ op: "affine", attrs: { coefficients, bias } }));
const shadds = (shifts: readonly number[]): Variant[] =>
  shifts.flatMap((shift) => ([0, 1] as const).map((sub): Variant => ({ op: "shadd", attrs: { shift, sub } })));
const shifts = (all: readonly number[]): Variant[] => all.map((shift) => ({ op: "shl", attrs: { shift } }));
const wraps = (widths: readonly number[]): Variant[] =>
  widths.flatMap((width) =>
    (width === 0 ? ([0] as const) : ([0, 1] as const)).map((signed): Variant => ({ op: "wrap", attrs: { width, signed } })),
  );

/** Tables over the whole range of a kind: a bijection, signed values with repeats, one constant, one wide. */
function tables(kind: FixedType): readonly Variant[] {
  const { lo, hi } = rangeOf(kind);
  const of = (f: (i: bigint) => bigint): Variant => ({
    op: "lut",
    attrs: { lo, table: Array.from({ length: Number(hi - lo) + 1 }, (_, i) => f(BigInt(i))) },
  });
  return [of((i) => (i * 7n + 3n) % 16n), of((i) => ((i * i) % 7n) - 3n), of(() => 0n), of((i) => (i % 3n) * 1234567890123n - 5n)];
}

const PLANS: readonly Plan[] = [
  plan("const", 0, () =>
    [0n, 1n, -1n, 5n, -8n, 255n, -(2n ** 31n), 2n ** 32n - 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n].map(
      (value): Variant => ({ op: "const", attrs: { value } }),
    ),
  ),
  plan("affine", 0, () => affine([], [0n, 7n, -7n])),
  plan(
    "affine",
    1,
    () => [-9n, -4n, -3n, -1n, 0n, 1n, 2n, 5n, 7n, 8n].flatMap((c) => affine([c], [0n, 5n, -11n])),
    () => [-3n, -1n, 1n, 5n, 2n ** 20n + 1n].flatMap((c) => affine([c], [0n, -11n, 2n ** 40n])),
  ),
  plan("affine", 2, () =>
    [
      [1n, 1n],
      [1n, -1n],
      [-3n, 5n],
      [6n, 6n],
      [-7n, -2n],
    ].flatMap((c) => affine(c, [0n, -3n])),
  ),
  plan(
    "affine",
    3,
    () => affine([3n, 5n, -7n], [9n]),
    () => [],
  ),
  plan(
    "shadd",
    2,
    () => shadds(SHIFTS.filter((s) => s >= 0)),
    () => shadds([0, 1, 7, 15, 16, 30, 31, 32, 40]),
  ),
  bare("mul", 2),
  plan(
    "shl",
    1,
    () => shifts(SHIFTS),
    () => shifts([-70, -64, -63, -33, -32, -31, -17, -16, -1, 1, 15, 16, 31, 32, 40, 62]),
  ),
  bare("max", 2),
  bare("min", 2),
  bare("mux", 3),
  plan(
    "wrap",
    1,
    () => wraps([0, 1, 2, 3, 4, 5]),
    () => wraps([1, 7, 8, 15, 16, 17, 31, 32, 33, 62, 63, 64]),
  ),
  plan(
    "lut",
    1,
    ([kind]) => tables(kind!),
    ([kind]) => (kind!.width <= 9 ? tables(kind!) : []),
  ),
];

const SLOTS = ["a", "b", "c"];
const showAttr = (v: unknown): string => (Array.isArray(v) ? `[${v.length > 4 ? `${v.length} entries` : v.join(" ")}]` : String(v));
const describe = (v: Variant, kinds: readonly FixedType[]): string =>
  `${v.op}(${kinds.map(kindName).join(", ")}) {${Object.entries(v.attrs)
    .map(([k, x]) => `${k} ${showAttr(x)}`)
    .join(", ")}}`;

/** All ways to choose one item from each list. */
const product = <T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] =>
  lists.reduce<readonly (readonly T[])[]>((all, list) => all.flatMap((head) => list.map((x) => [...head, x])), [[]]);

const holds = (r: Range): boolean => fit(r).width <= MAX_WIDTH;

type ValueOf = (kind: FixedType, pattern: number) => bigint;

/** All cells of one plan over the given operand kinds; a sample chooses a pattern for each slot, and `read` reads it as each kind. */
function cases(p: Plan, variants: Variants, kinds: readonly FixedType[], patterns: number, read: ValueOf, suffix: string): CellCases {
  const name = `${p.op}${p.op === "affine" ? p.arity : ""}${suffix}`;
  const b = new NetBuilder(name, [""]);
  const port = { shape: [kinds.length], type: fit(kinds.map(rangeOf).reduce(hull)) };
  // A module has at least one input, even where its cells read none.
  const slots = SLOTS.slice(0, Math.max(1, p.arity)).map((slot) => b.input({ name: slot, ...port }, kinds.map(rangeOf)));
  const made: { readonly id: number; readonly label: string }[] = [];
  for (const choice of product(slots.slice(0, p.arity).map(() => kinds.map((_, i) => i)))) {
    const chosen = choice.map((i) => kinds[i]!);
    for (const v of variants(chosen)) {
      if (!holds(cellDef(v.op).range(chosen.map(rangeOf), v.attrs as never))) continue;
      made.push({
        id: b.add(
          v.op,
          choice.map((i, k) => slots[k]![i]!),
          v.attrs as never,
        ),
        label: describe(v, chosen),
      });
    }
  }
  const ports = [
    { name: "unsigned", members: made.filter(({ id }) => b.range(id).lo >= 0n) },
    { name: "signed", members: made.filter(({ id }) => b.range(id).lo < 0n) },
  ].filter((port) => port.members.length > 0);
  for (const { name: side, members } of ports) {
    const type = fit(members.map(({ id }) => b.range(id)).reduce(hull));
    b.output(
      { name: side, shape: [members.length], type },
      members.map(({ id }) => id),
    );
  }
  const labels = ports.map((port) => port.members.map((m) => m.label));
  const samples = product(slots.map(() => Array.from({ length: patterns }, (_, i) => i)));
  return { name, netlist: b.done(), labels, inputs: slots.map((_, k) => samples.map((s) => kinds.map((t) => read(t, s[k]!)))) };
}

/** Reads the low bits of `pattern` as a value of the type. */
const fromBits = (t: FixedType, pattern: bigint): bigint => (t.signed ? BigInt.asIntN(t.width, pattern) : BigInt.asUintN(t.width, pattern));

/** Every cell × operand widths 0 … 4 × signs × shifts, with every operand value. */
export function exhaustiveCellCases(): readonly CellCases[] {
  return PLANS.map((p) => cases(p, p.narrow, NARROW, 16, (t, pattern) => fromBits(t, BigInt(pattern)), ""));
}

/** lo, lo + 1, −1, 0, 1, hi/2, hi − 1, hi, and two bit patterns. */
function corner(t: FixedType, i: number): bigint {
  const { lo, hi } = rangeOf(t);
  const all = [0n, 1n, -1n, lo, lo + 1n, hi, hi - 1n, hi / 2n, 0x5a5a5a5a5a5a5a5an, 0xdeadbeefcafebaben];
  return fromBits(t, all[i]!);
}

/** Every cell on operands up to 64 bits wide whose result has at most 64 bits, with corner values. */
export function wideCellCases(): readonly CellCases[] {
  return PLANS.filter((p) => p.arity > 0 && p.arity < 3).flatMap((p) =>
    Object.entries(WIDE).map(([name, kinds]) => cases(p, p.wide, kinds, 10, corner, `_${name}`)),
  );
}

/** The samples together with the outputs that the cell table defines. */
export function cellVectors(c: CellCases): Vectors {
  const count = c.inputs[0]?.length ?? 1;
  const results = Array.from({ length: count }, (_, s) =>
    interpret(
      c.netlist,
      c.inputs.map((port) => port[s]!),
    ),
  );
  return { count, inputs: c.inputs, outputs: c.netlist.outputs.map((_, k) => results.map((r) => r[k]!)) };
}

/** The widest value of a netlist in bits. */
export const widestBits = (n: Netlist): number => n.ranges.reduce((w, r) => Math.max(w, bitLength(r.lo), bitLength(r.hi)), 0);
