// Seeded random netlists over all cells, and random inputs for them, biased to corners.
import { type CellAttrs, type CellOp, cellDef, cells } from "../../src/ir/cells.js";
import { fit, hull, type Range } from "../../src/ir/fixed.js";
import { NetBuilder, type Netlist } from "../../src/ir/netlist.js";
import type { Mantissas } from "../../src/ir/vectors.js";
import { type Prng, prng } from "../../src/sim/prng.js";

/** lo … hi, the ends and the neighbourhood of 0 more often. */
export function within(r: Prng, { lo, hi }: Range): bigint {
  const corner = [lo, hi, lo + 1n, hi - 1n, 0n, 1n, -1n][r.below(14)] ?? r.between(lo, hi);
  return corner >= lo && corner <= hi ? corner : r.between(lo, hi);
}

export interface NetlistShape {
  readonly inputs: number;
  readonly cells: number;
  readonly outputs: number;
  /** No cell is wider. */
  readonly maxWidth: number;
  readonly ops: readonly CellOp[];
}

const DEFAULT: NetlistShape = { inputs: 6, cells: 40, outputs: 4, maxWidth: 40, ops: Object.keys(cells).filter((op) => op !== "input") as CellOp[] };

type Attrs = { readonly [K in CellOp]: (r: Prng, x: readonly Range[]) => CellAttrs<K> | undefined };

const small = (r: Prng): bigint => within(r, { lo: -9n, hi: 9n });
/** Random attributes for given operand ranges; undefined where the op does not suit them. */
const attrs: Attrs = {
  input: () => undefined,
  const: (r) => ({ value: within(r, { lo: -40n, hi: 40n }) }),
  affine: (r, x) => ({ coefficients: x.map(() => within(r, { lo: -33n, hi: 33n })), bias: small(r) }),
  shadd: (r) => ({ shift: r.below(4) * r.below(3), sub: r.below(2) as 0 | 1 }),
  mul: () => ({}),
  shl: (r) => ({ shift: r.below(11) - 6 }),
  max: () => ({}),
  min: () => ({}),
  mux: () => ({}),
  wrap: (r, [x]) => {
    const width = Math.max(0, fit(x!).width - r.below(4));
    return { width, signed: width > 0 ? (r.below(2) as 0 | 1) : 0 };
  },
  lut: (r, [x]) => (x!.hi - x!.lo < 64n ? { lo: x!.lo, table: Array.from({ length: Number(x!.hi - x!.lo) + 1 }, () => small(r)) } : undefined),
};

function randomRange(r: Prng): Range {
  const width = r.below(7);
  const type = fit({ lo: r.chance(0.5) ? 0n : -(1n << BigInt(width)) / 2n, hi: (1n << BigInt(width)) - 1n });
  const ends = [within(r, { lo: -(1n << BigInt(type.width)), hi: 1n << BigInt(type.width) }), within(r, { lo: -(1n << BigInt(width)), hi: 1n << BigInt(width) })];
  return ends[0]! < ends[1]! ? { lo: ends[0]!, hi: ends[1]! } : { lo: ends[1]!, hi: ends[0]! };
}

/** The same seed gives the same netlist. Recent cells are read more often, so that it grows deep. */
export function randomNetlist(seed: number, shape: Partial<NetlistShape> = {}): Netlist {
  const { inputs, cells: count, outputs, maxWidth, ops } = { ...DEFAULT, ...shape };
  const r = prng(seed);
  const b = new NetBuilder(`random${seed}`, ["", "first", "second"]);
  const ids: number[] = [];
  const split = 1 + r.below(inputs);
  for (const [name, size] of [["x", split], ["y", inputs - split]] as const) {
    const ranges = Array.from({ length: size }, () => randomRange(r));
    if (size > 0) ids.push(...b.input({ name, shape: [size], type: fit(ranges.reduce(hull)) }, ranges));
  }
  while (ids.length < inputs + count) {
    b.layer = ids.length < count / 2 ? 1 : 2;
    const op = r.pick(ops);
    const arity = cellDef(op).arity;
    const args = Array.from({ length: arity === "n" ? r.below(6) : arity }, () => (r.chance(0.5) ? ids[Math.max(0, ids.length - 1 - r.below(5))]! : r.pick(ids)));
    const ranges = args.map((a) => b.range(a));
    const a = attrs[op](r, ranges);
    if (a === undefined || fit(cellDef(op).range(ranges, a as never)).width > maxWidth) {
      ids.push(b.constant(small(r)));
      continue;
    }
    ids.push(b.add(op, args, a as never));
  }
  const elements = Array.from({ length: outputs }, (_, i) => (i === 0 ? ids.at(-1)! : r.pick(ids.slice(inputs))));
  for (const sign of [false, true]) {
    const own = elements.filter((e) => b.range(e).lo < 0n === sign);
    if (own.length > 0) b.output({ name: sign ? "s" : "u", shape: [own.length], type: fit(own.map((e) => b.range(e)).reduce(hull)) }, own);
  }
  return b.done();
}

/** One sample: for each input port its elements' values, within their ranges. */
export const randomInputs = (n: Netlist, r: Prng): readonly Mantissas[] => n.inputs.map((p) => p.elements.map((e) => within(r, n.ranges[e]!)));
