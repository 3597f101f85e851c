// One row a cell: its value as a Verilog expression of exactly the cell's width.
// Sums and products are taken modulo 2^width, which is exact because the range, and so the width, holds the true result.
import type { PerCell } from "../../ir/cells.js";
import { fit, hull, type Range } from "../../ir/fixed.js";
import { bits, literal, type Operand, signedBits } from "./bits.js";
import type { LookupTable } from "./lookup-tables.js";

export interface CellContext {
  /** Width of the result. */
  readonly width: number;
  range(id: number): Range;
  /** An operand, delayed to the stage of the cell. */
  read(id: number): Operand;
  /** The slice of the input bus that holds an element. */
  input(index: number): string;
  /** Declares a signed helper of the result's width; gives its name. */
  helper(expression: string): string;
  /** The function that holds a table. */
  table(of: LookupTable): string;
}

/** Terms on one line; longer sums are cut into helper wires so that no expression grows deep. */
const TERMS = 8;

interface Term {
  readonly sign: "+" | "-";
  readonly text: string;
}

/** A term that starts with a minus sign, so that another sign can stand before it. */
const bracketed = (text: string): string => (text.startsWith("-") ? `(${text})` : text);

/** coefficient·x as a signed term; a power of two is a shift. */
function product(coefficient: bigint, x: Operand, width: number): Term {
  const c = BigInt.asIntN(width, coefficient);
  const magnitude = c < 0n ? -c : c;
  const shift = magnitude.toString(2).length - 1;
  const isPower = magnitude === 1n << BigInt(shift);
  return {
    sign: c < 0n ? "-" : "+",
    text: isPower ? signedBits(x, width, shift) : `${signedBits(x, width)} * ${literal(magnitude, width, true)}`,
  };
}

function sum(terms: readonly Term[], cx: CellContext): string {
  if (terms.length <= TERMS) {
    return terms
      .map(({ sign, text }, i) =>
        i > 0 ? ` ${sign} ${bracketed(text)}` : sign === "+" ? text : `-${text.includes(" * ") ? `(${text})` : bracketed(text)}`,
      )
      .join("");
  }
  const parts: Term[] = [];
  for (let i = 0; i < terms.length; i += TERMS) parts.push({ sign: "+", text: cx.helper(sum(terms.slice(i, i + TERMS), cx)) });
  return sum(parts, cx);
}

/** The larger operand for `>`, the smaller for `<`; where the ranges decide, no comparison is written. */
function choice(a: number, b: number, relation: ">" | "<", cx: CellContext): string {
  const [ra, rb] = [cx.range(a), cx.range(b)];
  const [never, always] = relation === ">" ? [a === b || ra.hi <= rb.lo, ra.lo >= rb.hi] : [a === b || ra.lo >= rb.hi, ra.hi <= rb.lo];
  if (never || always) return bits(cx.read(never ? b : a), cx.width);
  const common = fit(hull(ra, rb));
  const [x, y] = [cx.read(a), cx.read(b)];
  const compared = common.signed ? signedBits : bits;
  return `(${compared(x, common.width)} ${relation} ${compared(y, common.width)}) ? ${bits(x, cx.width)} : ${bits(y, cx.width)}`;
}

export const cellText: PerCell<string, CellContext> = {
  input: (c, cx) => cx.input(c.attrs.index),
  const: (c, cx) => literal(c.attrs.value, cx.width),
  affine: ({ args, attrs }, cx) => {
    const terms = args.flatMap((id, i): Term[] => {
      const x = cx.read(id);
      const vanishes = x === 0n || BigInt.asUintN(cx.width, attrs.coefficients[i]!) === 0n;
      return vanishes ? [] : [product(attrs.coefficients[i]!, x, cx.width)];
    });
    const bias = BigInt.asIntN(cx.width, attrs.bias);
    const magnitude = literal(bias < 0n ? -bias : bias, cx.width, true);
    return sum(bias === 0n && terms.length > 0 ? terms : [...terms, { sign: bias < 0n ? "-" : "+", text: magnitude }], cx);
  },
  shadd: ({ args: [a, b], attrs }, cx) =>
    `${bits(cx.read(a!), cx.width)} ${attrs.sub ? "-" : "+"} ${bracketed(bits(cx.read(b!), cx.width, attrs.shift))}`,
  mul: ({ args: [a, b] }, cx) => {
    const [x, y] = [cx.read(a!), cx.read(b!)];
    // Signed where an operand is, so that synthesis sees a small signed multiplier and not a wide unsigned one.
    const factor = cx.range(a!).lo < 0n || cx.range(b!).lo < 0n ? signedBits : bits;
    return `${factor(x, cx.width)} * ${bracketed(factor(y, cx.width))}`;
  },
  shl: ({ args: [a], attrs }, cx) => bits(cx.read(a!), cx.width, attrs.shift),
  max: ({ args: [a, b] }, cx) => choice(a!, b!, ">", cx),
  min: ({ args: [a, b] }, cx) => choice(a!, b!, "<", cx),
  mux: ({ args: [c, a, b] }, cx) => {
    const { lo, hi } = cx.range(c!);
    if (lo > 0n || hi < 0n) return bits(cx.read(a!), cx.width);
    const condition = cx.read(c!);
    if (typeof condition === "bigint") return bits(cx.read(b!), cx.width);
    const whole = bits(condition, condition.width);
    return `${condition.width === 1 ? whole : `(|${whole})`} ? ${bits(cx.read(a!), cx.width)} : ${bits(cx.read(b!), cx.width)}`;
  },
  // The range keeps to the low bits that the cell keeps; where it is wider than the operand, the operand's own sign extends it.
  wrap: ({ args: [a] }, cx) => bits(cx.read(a!), cx.width),
  lut: ({ args: [a], attrs }, cx) => {
    const { lo, hi } = cx.range(a!);
    const entries = attrs.table.slice(Number(lo - attrs.lo), Number(hi - attrs.lo) + 1);
    const x = cx.read(a!);
    if (typeof x === "bigint") return literal(entries[0]!, cx.width);
    return `${cx.table({ lo, entries, operandWidth: x.width, width: cx.width })}(${bits(x, x.width)})`;
  },
};
