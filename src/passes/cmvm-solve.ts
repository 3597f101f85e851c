// One constant matrix-vector product as a network: digits, sharing, then a tree for each sum.
import type { Cell } from "../ir/cells.js";
import { fit, type Range, trailingZeros } from "../ir/fixed.js";
import { NetBuilder } from "../ir/netlist.js";
import { combine, type Leaf, type Shifted, sumTree } from "./cmvm-tree.js";
import { ones, signedDigits } from "./csd.js";
import { type Depths, depthsOf } from "./depth.js";
import { type Extent, MAX_POSITION, type SharedPair, shareTerms, type Term } from "./share.js";

/** Σ coefficient·cell + bias. */
export interface Product {
  readonly terms: readonly { readonly id: number; readonly coefficient: bigint }[];
  readonly bias: bigint;
}

/** Sharing looks for patterns among operands of one block only: time and memory grow with the square of the digits that a sum has in a block. */
const DIGITS_PER_BLOCK = 480;

/** One row of the matrix: an operand and its coefficients by column. */
interface Row {
  readonly id: number;
  /** 2^shift divides every coefficient of the row, after the columns' own powers of two are taken out. */
  readonly shift: number;
  readonly entries: readonly { readonly column: number; readonly plus: bigint; readonly minus: bigint }[];
}

/** A solved matrix: cells over operands 0, 1, …, and which of them are the sums. */
interface Solution {
  readonly cells: readonly Cell[];
  readonly sums: readonly number[];
}

/** Builds products; a matrix that comes again, as a convolution's does at every position, is solved once. */
export class ProductSolver {
  private readonly known = new Map<string, Solution>();
  constructor(
    private readonly b: NetBuilder,
    private readonly depths: Depths,
  ) {}

  /** The cells of all sums. */
  emit(products: readonly Product[]): readonly number[] {
    const { b, depths } = this;
    const operands = [...new Set(products.flatMap((p) => p.terms.map((t) => t.id)))].sort((x, y) => x - y);
    const place = new Map(operands.map((id, i) => [id, i]));
    const local = products.map((p): Product => ({ ...p, terms: p.terms.map((t) => ({ ...t, id: place.get(t.id)! })) }));
    const earliest = operands.reduce((d, id) => Math.min(d, depths.of(id)), Number.POSITIVE_INFINITY);
    const inputs = operands.map((id) => ({ range: b.range(id), depth: depths.of(id) - earliest }));
    const key = [
      ...inputs.map(({ range, depth }) => `${range.lo},${range.hi},${depth}`),
      ...local.map((p) => `${p.bias}=${p.terms.map((t) => `${t.id}*${t.coefficient}`).join()}`),
    ].join(";");
    const solution = this.known.get(key) ?? solve(inputs, local);
    this.known.set(key, solution);
    const now = [...operands];
    for (const c of solution.cells) now.push(b.add(c.op, c.args.map((a) => now[a]!), c.attrs as never));
    return solution.sums.map((y) => now[y]!);
  }
}

function solve(inputs: readonly { readonly range: Range; readonly depth: number }[], products: readonly Product[]): Solution {
  const b = new NetBuilder("", [""]);
  const ids = b.input({ name: "", shape: [inputs.length], type: fit({ lo: 0n, hi: 0n }) }, inputs.map((x) => x.range));
  const sums = emitProducts(b, depthsOf(b, inputs.map((x) => x.depth)), products);
  return { cells: b.done().cells.slice(ids.length), sums };
}

/** Builds all sums of products and returns their cells. */
function emitProducts(b: NetBuilder, depths: Depths, products: readonly Product[]): readonly number[] {
  const constants = products.map((p) => p.bias);
  const coefficients = mergeTerms(b, products, constants);
  const columnShifts = products.map(() => Number.POSITIVE_INFINITY);
  for (const row of coefficients.values()) {
    for (const [j, c] of row) columnShifts[j] = Math.min(columnShifts[j]!, trailingZeros(c));
  }
  const rows = [...coefficients].map(([id, row]) => rowOf(id, row, columnShifts));
  const leaves: Leaf[][] = products.map(() => []);
  for (const block of blocksOf(rows, products.length)) shareBlock(b, block, leaves);
  return products.map((_, j) => {
    const shift = leaves[j]!.length === 0 ? 0 : columnShifts[j]!;
    const bias = constantLeaf(b, constants[j]!, shift);
    const all = bias ? [...leaves[j]!, bias] : leaves[j]!;
    return all.length === 0 ? b.constant(0n) : unshifted(b, sumTree(b, depths, all), shift);
  });
}

/** Coefficients by operand and column, without zeros; constant operands go into `constants`. */
function mergeTerms(b: NetBuilder, products: readonly Product[], constants: bigint[]): Map<number, Map<number, bigint>> {
  const rows = new Map<number, Map<number, bigint>>();
  products.forEach((p, j) => {
    for (const { id, coefficient } of p.terms) {
      const r = b.range(id);
      if (r.lo === r.hi) {
        constants[j]! += coefficient * r.lo;
        continue;
      }
      let row = rows.get(id);
      if (!row) rows.set(id, (row = new Map()));
      const sum = (row.get(j) ?? 0n) + coefficient;
      if (sum === 0n) row.delete(j);
      else row.set(j, sum);
    }
  });
  return new Map([...rows].sort((x, y) => x[0] - y[0]));
}

function rowOf(id: number, row: ReadonlyMap<number, bigint>, columnShifts: readonly number[]): Row {
  let shift = Number.POSITIVE_INFINITY;
  for (const [j, c] of row) shift = Math.min(shift, trailingZeros(c) - columnShifts[j]!);
  const entries = [...row].map(([column, c]) => ({ column, ...signedDigits(c >> BigInt(shift + columnShifts[column]!)) }));
  return { id, shift: entries.length === 0 ? 0 : shift, entries };
}

/** Consecutive rows with about DIGITS_PER_BLOCK digits a column together. */
function blocksOf(rows: readonly Row[], columns: number): readonly (readonly Row[])[] {
  const blocks: Row[][] = [];
  let room = 0;
  const total = rows.reduce((n, r) => n + digitsOf(r), 0) / columns;
  const limit = total / Math.ceil(total / DIGITS_PER_BLOCK);
  for (const row of rows) {
    if (room <= 0) {
      blocks.push([]);
      room = limit;
    }
    blocks.at(-1)!.push(row);
    room -= digitsOf(row) / columns;
  }
  return blocks;
}

const digitsOf = (row: Row): number => row.entries.reduce((n, e) => n + ones(e.plus | e.minus), 0);

const LOW = (1n << BigInt(MAX_POSITION + 1)) - 1n;

/** Shares patterns within the block and adds what remains of each sum to its leaves. */
function shareBlock(b: NetBuilder, rows: readonly Row[], leaves: readonly Leaf[][]): void {
  const values: Shifted[] = rows.map((r) => ({ id: r.id, shift: r.shift }));
  const sums: Term[][] = leaves.map(() => []);
  rows.forEach((row, operand) => {
    for (const { column, plus, minus } of row.entries) {
      const term = { operand, plus: Number(plus & LOW), minus: Number(minus & LOW) };
      if ((term.plus | term.minus) !== 0) sums[column]!.push(term);
      // Digits beyond the masks, of coefficients wider than 31 bits, are not shared.
      addLeaves(leaves[column]!, { id: row.id, shift: row.shift }, plus & ~LOW, minus & ~LOW);
    }
  });
  const extent = (v: Shifted): Extent => ({ low: v.shift, high: v.shift + fit(b.range(v.id)).width });
  const shared = shareTerms(values.map(extent), sums, (pair: SharedPair) => {
    const [x, y] = [values[pair.first]!, values[pair.second]!];
    const value = combine(b, x, { id: y.id, shift: y.shift + pair.shift }, pair.minus === 1);
    values.push(value);
    return extent(value);
  });
  shared.sums.forEach((terms, column) => {
    for (const t of terms) addLeaves(leaves[column]!, values[t.operand]!, BigInt(t.plus), BigInt(t.minus));
  });
}

function addLeaves(leaves: Leaf[], value: Shifted, plus: bigint, minus: bigint): void {
  for (let bits = plus | minus, p = 0; bits !== 0n; bits >>= 1n, p++) {
    if (bits & 1n) leaves.push({ id: value.id, shift: value.shift + p, negative: ((minus >> BigInt(p)) & 1n) === 1n });
  }
}

/** A constant of a sum whose other terms are multiples of 2^columnShift, relative to that shift. */
function constantLeaf(b: NetBuilder, value: bigint, columnShift: number): Leaf | undefined {
  if (value === 0n) return undefined;
  const zeros = trailingZeros(value);
  return { id: b.constant(value >> BigInt(zeros)), shift: zeros - columnShift, negative: false };
}

function unshifted(b: NetBuilder, v: Shifted, shift: number): number {
  const total = v.shift + shift;
  return total === 0 ? v.id : b.add("shl", [v.id], { shift: total });
}
