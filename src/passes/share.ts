// Greedy sharing of two-term subexpressions in a constant matrix-vector product: the pattern that saves most adder bits becomes an operand, again and again.
import { ones32 } from "./csd.js";
import { MAX_OPERANDS, minusOf, olderOf, packPattern, PatternTable, shiftOf } from "./share-patterns.js";

/** Digit positions 0 … MAX_POSITION fit the masks of a term. */
export const MAX_POSITION = 30;

/** The digits with which one operand enters one sum: Σ_{p ∈ plus} x·2^p − Σ_{p ∈ minus} x·2^p. */
export interface Term {
  readonly operand: number;
  readonly plus: number;
  readonly minus: number;
}

/** A new operand: first ± second·2^shift, shift >= 0. */
export interface SharedPair {
  readonly first: number;
  readonly second: number;
  readonly shift: number;
  readonly minus: 0 | 1;
}

/** The bit positions that an operand occupies: from `low` (inclusive) to `high`. */
export interface Extent {
  readonly low: number;
  readonly high: number;
}

export interface Shared {
  /** pairs[k] is operand number `inputs.length + k`. */
  readonly pairs: readonly SharedPair[];
  /** What remains of each sum. */
  readonly sums: readonly (readonly Term[])[];
}

/** One sum, by operand in ascending order; entries whose masks are both 0 are dead. */
interface Column {
  operands: Int32Array;
  plus: Int32Array;
  minus: Int32Array;
  length: number;
  dead: number;
}

const bitLengthOfExtent = (a: Extent, b: Extent, shift: number): number => Math.max(1, Math.min(a.high, b.high + shift) - Math.max(a.low, b.low + shift));

/** `extentOf` gives the bits of a new pair from those of its operands' values. */
export function shareTerms(inputs: readonly Extent[], sums: readonly (readonly Term[])[], extentOf: (pair: SharedPair, id: number) => Extent): Shared {
  const extents: Extent[] = [...inputs];
  const columns = sums.map(columnOf);
  /** The columns that each operand entered, ascending. */
  const columnsOf: number[][] = inputs.map(() => []);
  sums.forEach((terms, c) => {
    for (const t of terms) columnsOf[t.operand]!.push(c);
  });
  const table = new PatternTable((b, code) => bitLengthOfExtent(extents[olderOf(code)]!, extents[b]!, shiftOf(code)));
  const pairs: SharedPair[] = [];
  for (let b = 0; b < inputs.length; b++) countRow(table, columns, columnsOf[b]!, b);
  for (let found = table.take(); found; found = table.take()) {
    const { b, code } = found;
    const a = olderOf(code);
    const matches = findMatches(columns, columnsOf, a, b, shiftOf(code), minusOf(code));
    if (matches.reduce((n, m) => n + ones32(m.at), 0) < 2) continue; // overlapping occurrences of one operand with itself
    const id = extents.length;
    if (id >= MAX_OPERANDS) break;
    const pair = pairOf(a, b, code);
    for (const m of matches) replaceMatch(table, columns[m.column]!, m, a, b, shiftOf(code), id);
    pairs.push(pair);
    extents.push(extentOf(pair, id));
    columnsOf.push(matches.map((m) => m.column));
    countRow(table, columns, columnsOf[id]!, id);
  }
  return { pairs, sums: columns.map(termsOf) };
}

function pairOf(a: number, b: number, code: number): SharedPair {
  const shift = shiftOf(code);
  const minus = minusOf(code) as 0 | 1;
  return shift >= 0 ? { first: a, second: b, shift, minus } : { first: b, second: a, shift: -shift, minus };
}

function columnOf(terms: readonly Term[]): Column {
  const operands = Int32Array.from(terms, (t) => t.operand);
  return { operands, plus: Int32Array.from(terms, (t) => t.plus), minus: Int32Array.from(terms, (t) => t.minus), length: terms.length, dead: 0 };
}

function termsOf(c: Column): readonly Term[] {
  const terms: Term[] = [];
  for (let i = 0; i < c.length; i++) if ((c.plus[i]! | c.minus[i]!) !== 0) terms.push({ operand: c.operands[i]!, plus: c.plus[i]!, minus: c.minus[i]! });
  return terms;
}

/** Where `operand` stands in the column, or −1. */
function slotOf(c: Column, operand: number): number {
  let [low, high] = [0, c.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = c.operands[middle]!;
    if (found === operand) return middle;
    if (found < operand) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function append(c: Column, operand: number, plus: number, minus: number): void {
  if (c.length === c.operands.length) compact(c);
  c.operands[c.length] = operand;
  c.plus[c.length] = plus;
  c.minus[c.length++] = minus;
}

function compact(c: Column): void {
  const size = c.dead * 4 > c.length ? c.operands.length : 2 * c.operands.length + 4;
  const [operands, plus, minus] = [new Int32Array(size), new Int32Array(size), new Int32Array(size)];
  let n = 0;
  for (let i = 0; i < c.length; i++) {
    if ((c.plus[i]! | c.minus[i]!) === 0) continue;
    operands[n] = c.operands[i]!;
    plus[n] = c.plus[i]!;
    minus[n++] = c.minus[i]!;
  }
  Object.assign(c, { operands, plus, minus, length: n, dead: 0 });
}

/** Counts every pattern of operand b with itself and with all older operands. */
function countRow(table: PatternTable, columns: readonly Column[], of: readonly number[], b: number): void {
  for (const index of of) {
    const c = columns[index]!;
    const slot = slotOf(c, b);
    const [plus, minus] = [c.plus[slot]!, c.minus[slot]!];
    for (let i = 0; i <= slot; i++) {
      const a = c.operands[i]!;
      for (let bits = plus | minus; bits !== 0; bits &= bits - 1) {
        const p = 31 - Math.clz32(bits & -bits);
        const sign = (minus >>> p) & 1;
        let others = c.plus[i]! | c.minus[i]!;
        if (i === slot) others &= (1 << p) - 1; // of a pair of its own digits the higher one counts as b's
        for (; others !== 0; others &= others - 1) {
          const q = 31 - Math.clz32(others & -others);
          table.tally(packPattern(a, p - q, ((c.minus[i]! >>> q) & 1) ^ sign));
        }
      }
    }
  }
  table.endRow(b);
}

/** The positions of a's digits, in one column, that take part. */
interface Match {
  readonly column: number;
  readonly at: number;
}

const moved = (mask: number, by: number): number => (by >= 0 ? mask << by : mask >>> -by);

function findMatches(columns: readonly Column[], columnsOf: readonly (readonly number[])[], a: number, b: number, shift: number, minus: number): readonly Match[] {
  const matches: Match[] = [];
  const scan = columnsOf[a]!.length < columnsOf[b]!.length ? columnsOf[a]! : columnsOf[b]!;
  for (const column of scan) {
    const c = columns[column]!;
    const [i, j] = [slotOf(c, a), slotOf(c, b)];
    if (i < 0 || j < 0) continue;
    const [same, other] = minus ? [c.minus[j]!, c.plus[j]!] : [c.plus[j]!, c.minus[j]!];
    let at = (c.plus[i]! & moved(same, -shift)) | (c.minus[i]! & moved(other, -shift));
    // Digits p, p + shift, p + 2·shift of one operand make two occurrences, of which only one can be taken.
    if (i === j) for (let bits = at; bits !== 0; bits &= bits - 1) if (at & bits & -bits) at &= ~moved(bits & -bits, shift);
    if (at !== 0) matches.push({ column, at });
  }
  return matches;
}

/** Takes the matched digits of a and b out of the column and puts those of the new operand in. */
function replaceMatch(table: PatternTable, c: Column, match: Match, a: number, b: number, shift: number, id: number): void {
  const [i, j] = [slotOf(c, a), slotOf(c, b)];
  // The new operand stands where its lower digit stood, with that digit's sign.
  const from = shift >= 0 ? i : j;
  const at = shift >= 0 ? match.at : moved(match.at, shift);
  const [plus, minus] = [at & c.plus[from]!, at & c.minus[from]!];
  removeDigits(table, c, i, match.at);
  removeDigits(table, c, j, moved(match.at, shift));
  append(c, id, plus, minus);
}

function removeDigits(table: PatternTable, c: Column, slot: number, mask: number): void {
  const own = c.operands[slot]!;
  for (let bits = mask; bits !== 0; bits &= bits - 1) {
    const bit = bits & -bits;
    const p = 31 - Math.clz32(bit);
    const sign = (c.minus[slot]! >>> p) & 1;
    c.plus[slot]! &= ~bit;
    c.minus[slot]! &= ~bit;
    for (let k = 0; k < c.length; k++) {
      const x = c.operands[k]!;
      for (let others = c.plus[k]! | c.minus[k]!; others !== 0; others &= others - 1) {
        const q = 31 - Math.clz32(others & -others);
        const differ = ((c.minus[k]! >>> q) & 1) ^ sign;
        if (x < own || (x === own && q < p)) table.drop(own, packPattern(x, p - q, differ));
        else table.drop(x, packPattern(own, q - p, differ));
      }
    }
  }
  if ((c.plus[slot]! | c.minus[slot]!) === 0) c.dead++;
}
