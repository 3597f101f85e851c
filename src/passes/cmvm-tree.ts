// Sums of shifted, signed values as trees of `shadd` cells that finish as early as they can.
import { bitLength, type Range } from "../ir/fixed.js";
import type { NetBuilder } from "../ir/netlist.js";
import type { Depths } from "./depth.js";

/** The value of a cell times 2^shift. */
export interface Shifted {
  readonly id: number;
  readonly shift: number;
}

/** One term of a sum. */
export interface Leaf extends Shifted {
  readonly negative: boolean;
}

const widthOfRange = (r: Range): number => Math.max(bitLength(r.lo), bitLength(r.hi)) + (r.lo < 0n ? 1 : 0);

/** x + y or x − y with one `shadd`; shifts cost nothing. */
export function combine(b: NetBuilder, x: Shifted, y: Shifted, minus: boolean): Shifted {
  const shift = y.shift - x.shift;
  if (minus) {
    if (shift >= 0) return { id: b.add("shadd", [x.id, y.id], { shift, sub: 1 }), shift: x.shift };
    return { id: b.add("shadd", [b.add("shl", [x.id], { shift: -shift }), y.id], { shift: 0, sub: 1 }), shift: y.shift };
  }
  const [low, high] = shift > 0 || (shift === 0 && x.id <= y.id) ? [x, y] : [y, x];
  return { id: b.add("shadd", [low.id, high.id], { shift: Math.abs(shift), sub: 0 }), shift: low.shift };
}

/** Σ of the leaves, of which there is at least one: the two that are ready first are added first, among those the two that end lowest, whose sum is narrowest. */
export function sumTree(b: NetBuilder, depths: Depths, leaves: readonly Leaf[]): Shifted {
  const heap = new LeafHeap();
  const push = (leaf: Leaf): void => heap.push(leaf, depths.of(leaf.id), leaf.shift + widthOfRange(b.range(leaf.id)));
  for (const leaf of leaves) push(leaf);
  for (;;) {
    const x = heap.pop()!;
    const y = heap.pop();
    if (!y) return x.negative ? combine(b, { id: b.constant(0n), shift: x.shift }, x, true) : x;
    // A difference is written with its positive term first, so the sum is negative only where every term is.
    if (x.negative === y.negative) push({ ...combine(b, x, y, false), negative: x.negative });
    else push({ ...(x.negative ? combine(b, y, x, true) : combine(b, x, y, true)), negative: false });
  }
}

/** Bit positions lie within ± half of this. */
const SPAN = 2 ** 13;

/** A binary min-heap by (depth, end, age), where `end` is the position above the highest bit. */
class LeafHeap {
  private readonly leaves: Leaf[] = [];
  /** The order as one number. */
  private readonly keys: number[] = [];
  private age = 0;

  push(leaf: Leaf, depth: number, end: number): void {
    let i = this.keys.length;
    this.keys.push((depth * SPAN + Math.min(Math.max(end + SPAN / 2, 0), SPAN - 1)) * 2 ** 24 + this.age++);
    this.leaves.push(leaf);
    for (let parent = (i - 1) >> 1; i > 0 && this.keys[parent]! > this.keys[i]!; i = parent, parent = (i - 1) >> 1) this.swap(i, parent);
  }

  pop(): Leaf | undefined {
    const size = this.keys.length - 1;
    if (size < 0) return undefined;
    this.swap(0, size);
    this.keys.pop();
    const top = this.leaves.pop()!;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < size && this.keys[child]! < this.keys[least]!) least = child;
      if (least === i) return top;
      this.swap(i, least);
      i = least;
    }
  }

  private swap(i: number, j: number): void {
    [this.keys[i], this.keys[j]] = [this.keys[j]!, this.keys[i]!];
    [this.leaves[i], this.leaves[j]] = [this.leaves[j]!, this.leaves[i]!];
  }
}
