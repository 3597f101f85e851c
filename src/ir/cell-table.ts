// Finds the cell that is equal to a new one: a hash table of cell numbers, so that no cell is ever written out as text.
import type { Cell, CellAttr, CellOp } from "./cells.js";

type Attrs = Readonly<Record<string, CellAttr>>;

const mix = (h: number, x: number): number => Math.imul(h ^ x, 0x9e3779b1) ^ (h >>> 15);
const bits = (x: bigint): number => Number(BigInt.asIntN(32, x)) ^ Number(BigInt.asIntN(32, x >> 32n));
const SMALL = 2n ** 31n;
/** One integer's share of a hash; equal integers give equal shares. */
const hashInteger = (x: bigint): number => (x < SMALL && x >= -SMALL ? Number(x) : bits(x));

function hashAttr(h: number, v: NonNullable<CellAttr>): number {
  if (typeof v === "number") return mix(h, v);
  if (typeof v === "bigint") return mix(h, hashInteger(v));
  let out = mix(h, v.length);
  for (const x of v) out = mix(out, hashInteger(x));
  return out;
}

function hashCell(op: CellOp, args: readonly number[], attrs: Attrs): number {
  let h = mix(op.charCodeAt(0), op.charCodeAt(op.length - 1) + args.length * 64);
  for (const a of args) h = mix(h, a);
  for (const name in attrs) if (attrs[name] !== undefined) h = hashAttr(h, attrs[name]);
  return h ^ (h >>> 16);
}

const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((x, i) => x === b[i]);
const sameAttr = (a: CellAttr, b: CellAttr): boolean => a === b || (typeof a === "object" && typeof b === "object" && sameList(a, b));

/** Attributes of one op; an absent one is equal to `undefined`. */
export function sameAttrs(a: Attrs, b: Attrs): boolean {
  for (const name in a) if (!sameAttr(a[name], b[name])) return false;
  for (const name in b) if (b[name] !== undefined && a[name] === undefined) return false;
  return true;
}

export class CellTable {
  /** Cell number + 1 in each used slot. */
  private slots = new Int32Array(1024);
  private hashes = new Int32Array(1024);
  private count = 0;

  constructor(private readonly cells: readonly Cell[]) {}

  /** The number of the equal cell, or −1. Absent attributes count as none: `{…, product: undefined}` is `{…}`. */
  find(op: CellOp, args: readonly number[], attrs: Attrs): { readonly id: number; readonly hash: number } {
    const hash = hashCell(op, args, attrs);
    const mask = this.slots.length - 1;
    for (let i = hash & mask; this.slots[i] !== 0; i = (i + 1) & mask) {
      if (this.hashes[i] !== hash) continue;
      const id = this.slots[i]! - 1;
      const c = this.cells[id]!;
      if (c.op === op && sameList(c.args, args) && sameAttrs(c.attrs as Attrs, attrs)) return { id, hash };
    }
    return { id: -1, hash };
  }

  /** Remembers a cell under the hash that `find` gave for it. */
  insert(id: number, hash: number): void {
    if (++this.count * 2 > this.slots.length) this.grow();
    this.place(id + 1, hash);
  }

  private place(entry: number, hash: number): void {
    const mask = this.slots.length - 1;
    let i = hash & mask;
    while (this.slots[i] !== 0) i = (i + 1) & mask;
    this.slots[i] = entry;
    this.hashes[i] = hash;
  }

  private grow(): void {
    const { slots, hashes } = this;
    this.slots = new Int32Array(slots.length * 2);
    this.hashes = new Int32Array(slots.length * 2);
    slots.forEach((entry, i) => {
      if (entry !== 0) this.place(entry, hashes[i]!);
    });
  }
}
