// C++ spellings of fixed-point types, of exact integers and of text in comments.
import type { FixedType, Overflow, Rounding } from "../../ir/fixed.js";

/** C++ has no type of zero bits: the constant 0 is carried as one unsigned bit. */
const carried = (t: FixedType): FixedType => (t.width === 0 ? { signed: false, width: 1, int: 1 } : t);

/** Bits that C++ stores for a value of the type. */
export const storedWidth = (t: FixedType): number => carried(t).width;

/** `ap_fixed<W, I>` or `ap_ufixed<W, I>`; with modes, the type that converts by them. */
export function apFixed(t: FixedType, modes?: { readonly round: Rounding; readonly overflow: Overflow }): string {
  const { signed, width, int } = carried(t);
  return `${signed ? "ap_fixed" : "ap_ufixed"}<${width}, ${int}${modes ? `, AP_${modes.round}, AP_${modes.overflow}` : ""}>`;
}

/** The integer type that holds a value's mantissa. */
export const apInt = (t: Pick<FixedType, "signed" | "width">): string =>
  `${t.width > 0 && t.signed ? "ap_int" : "ap_uint"}<${Math.max(t.width, 1)}>`;

const LONG_MIN = -(1n << 63n);

/** An integer literal of at most 64 bits. */
export function integerLiteral(m: bigint): string {
  // C++ reads −2^63 as the negation of a number that has no signed type.
  if (m === LONG_MIN) return "(-9223372036854775807LL - 1)";
  if (m >= 1n << 63n) return `${m}ULL`;
  return m >= 1n << 31n || m < -(1n << 31n) ? `${m}LL` : `${m}`;
}

/** Text as it may stand in a `//` comment: no line breaks, no backslash or trigraph that would continue the line. */
export const commentText = (text: string): string => text.replace(/[^A-Za-z0-9_ .,:;()[\]+\-*=<>/|^]/g, "_");

const ascii: Readonly<Record<string, string>> = { "Σ": "sum", "·": "*", "…": "..", "−": "-" };

/** An op's equation in a comment. */
export const equationText = (doc: string): string => commentText(doc.replace(/[^ -~]/g, (c) => ascii[c] ?? c));

/** Items joined by commas in lines of at most 120 columns. */
export function wrapList(items: readonly string[], indent = "  "): string {
  const lines: string[] = [];
  let line = "";
  for (const item of items) {
    if (line !== "" && indent.length + line.length + item.length + 2 > 120) {
      lines.push(`${indent}${line},`);
      line = item;
    } else line = line === "" ? item : `${line}, ${item}`;
  }
  return [...lines, `${indent}${line}`].join("\n");
}
