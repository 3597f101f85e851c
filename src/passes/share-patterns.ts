// The frequency table of two-term patterns, and the queue that yields the one worth most. Used by share.ts.

/** A pattern a ± b·2^shift of operands a <= b, where shift may be negative, packed with its older operand: a·128 + (shift + 32)·2 + minus. */
export const packPattern = (a: number, shift: number, minus: number): number => (a << 7) | ((shift + 32) << 1) | minus;
export const olderOf = (code: number): number => code >> 7;
export const shiftOf = (code: number): number => ((code >> 1) & 63) - 32;
export const minusOf = (code: number): number => code & 1;

/** Operand ids above this do not fit a packed pattern. */
export const MAX_OPERANDS = 1 << 24;

/**
 * Patterns that occur at least twice, by the younger operand b and the packed code. All counts of b are found when b comes into being and only fall
 * afterwards, so a pattern seen once is never stored, and the queue may hold stale, too high scores: `take` puts them right.
 * Each younger operand has an open-addressed hash of its own; a pattern is known by its slot there.
 */
export class PatternTable {
  /** For each slot code + 1 (0: empty) and the count, side by side: a look-up touches one cache line. */
  private slots = new Int32Array(1 << 13);
  private slotsUsed = 0;
  /** For each slot its younger operand, and the next slot of the same score. */
  private youngers = new Int32Array(1 << 12);
  private next = new Int32Array(1 << 12);
  /** The slots of operand b: 2^rowBits[b] from rowStart[b]; none where rowBits[b] is 0. */
  private rowStart = new Int32Array(1 << 8);
  private rowBits = new Int8Array(1 << 8);
  /** First slot of each score, −1 for none. */
  private heads = new Int32Array(1 << 8).fill(-1);
  private top = -1;
  /** Counting buffer of the row being added, by code, and the codes touched. */
  private buffer = new Int32Array(1 << 14);
  private touched = new Int32Array(1 << 12);
  private touchedCount = 0;

  /** `value(b, code)`: what one saved occurrence is worth, at least 1. */
  constructor(private readonly value: (b: number, code: number) => number) {}

  /** Counts one more occurrence in the row being added. */
  tally(code: number): void {
    if (code >= this.buffer.length) this.buffer = grown(this.buffer, code + 1);
    if (this.buffer[code]!++ === 0) {
      if (this.touchedCount === this.touched.length) this.touched = grown(this.touched, this.touchedCount + 1);
      this.touched[this.touchedCount++] = code;
    }
  }

  /** Ends the row of operand b: what `tally` counted at least twice becomes its patterns. */
  endRow(b: number): void {
    let kept = 0;
    for (let i = 0; i < this.touchedCount; i++) if (this.buffer[this.touched[i]!]! > 1) kept++;
    this.reserve(b, kept);
    for (let i = 0; i < this.touchedCount; i++) {
      const code = this.touched[i]!;
      if (this.buffer[code]! > 1) this.insert(b, code, this.buffer[code]!);
      this.buffer[code] = 0;
    }
    this.touchedCount = 0;
  }

  /** One occurrence fewer of a pattern, if it is stored. */
  drop(b: number, code: number): void {
    if (this.rowBits[b] === 0) return;
    const slot = this.slotOf(b, code);
    if (this.slots[2 * slot] !== 0) this.slots[2 * slot + 1]!--;
  }

  /** The pattern whose sharing saves most, removed from the queue; `undefined` once none occurs twice. */
  take(): { readonly b: number; readonly code: number } | undefined {
    while (this.top >= 0) {
      const slot = this.heads[this.top]!;
      if (slot < 0) {
        this.top--;
        continue;
      }
      this.heads[this.top] = this.next[slot]!;
      if (this.slots[2 * slot + 1]! < 2) continue;
      const score = this.score(slot);
      if (score < this.top) this.enqueue(slot, score);
      else return { b: this.youngers[slot]!, code: this.slots[2 * slot]! - 1 };
    }
    return undefined;
  }

  private score(slot: number): number {
    return (this.slots[2 * slot + 1]! - 1) * this.value(this.youngers[slot]!, this.slots[2 * slot]! - 1);
  }

  private slotOf(b: number, code: number): number {
    const start = this.rowStart[b]!;
    const bits = this.rowBits[b]!;
    const mask = (1 << bits) - 1;
    for (let at = Math.imul(code, 0x9e3779b1) >>> (32 - bits); ; at = (at + 1) & mask) {
      const found = this.slots[2 * (start + at)]!;
      if (found === 0 || found === code + 1) return start + at;
    }
  }

  private insert(b: number, code: number, count: number): void {
    const slot = this.slotOf(b, code);
    this.slots[2 * slot] = code + 1;
    this.slots[2 * slot + 1] = count;
    this.youngers[slot] = b;
    this.enqueue(slot, this.score(slot));
  }

  private enqueue(slot: number, score: number): void {
    if (score >= this.heads.length) {
      const old = this.heads.length;
      this.heads = grown(this.heads, score + 1);
      this.heads.fill(-1, old);
    }
    this.next[slot] = this.heads[score]!;
    this.heads[score] = slot;
    if (score > this.top) this.top = score;
  }

  /** Makes room for the row of operand b, at most three quarters full. */
  private reserve(b: number, patterns: number): void {
    if (b >= this.rowStart.length) {
      this.rowStart = grown(this.rowStart, b + 1);
      this.rowBits = grown(this.rowBits, b + 1);
    }
    this.rowBits[b] = patterns === 0 ? 0 : 32 - Math.clz32(Math.ceil((patterns * 4) / 3));
    this.rowStart[b] = this.slotsUsed;
    if (patterns === 0) return;
    this.slotsUsed += 1 << this.rowBits[b]!;
    if (this.slotsUsed > this.next.length) {
      this.slots = grown(this.slots, 2 * this.slotsUsed);
      this.youngers = grown(this.youngers, this.slotsUsed);
      this.next = grown(this.next, this.slotsUsed);
    }
  }
}

/** A copy at least `size` long, and at least half as long again as before. */
function grown<A extends Int32Array | Int8Array>(a: A, size: number): A {
  const larger = new (a.constructor as new (n: number) => A)(Math.max(size, a.length + (a.length >> 1)));
  larger.set(a);
  return larger;
}
