// A small pretty printer after Wadler and Prettier: groups are printed on one line where they fit, else each of their lines breaks.

export type Doc =
  | string
  | readonly Doc[]
  | { readonly kind: "group"; readonly of: Doc }
  | { readonly kind: "indent"; readonly of: Doc }
  | { readonly kind: "fill"; readonly of: readonly Doc[] }
  | { readonly kind: "line"; readonly flat: string; readonly hard?: true }
  | { readonly kind: "broken"; readonly text: string };

export const group = (...of: readonly Doc[]): Doc => ({ kind: "group", of });
export const indent = (...of: readonly Doc[]): Doc => ({ kind: "indent", of });
/** Items separated by single lines, as many on each line as fit. */
export const fill = (items: readonly Doc[]): Doc => ({ kind: "fill", of: items });
/** A space, or a line break where the group breaks. */
export const line: Doc = { kind: "line", flat: " " };
export const softLine: Doc = { kind: "line", flat: "" };
/** Breaks every group around it. */
export const hardLine: Doc = { kind: "line", flat: "\n", hard: true };
/** Text that appears only where its group breaks. */
export const whenBroken = (text: string): Doc => ({ kind: "broken", text });
export const join = (items: readonly Doc[], separator: Doc): Doc => items.flatMap((d, i) => (i === 0 ? [d] : [separator, d]));

const hardBreaks = new WeakMap<object, boolean>();
function breaksHard(d: Doc): boolean {
  if (typeof d === "string") return false;
  const known = hardBreaks.get(d);
  if (known !== undefined) return known;
  const found = isList(d) ? d.some(breaksHard) : d.kind === "line" ? d.hard === true : d.kind !== "broken" && breaksHard(d.of);
  hardBreaks.set(d, found);
  return found;
}
const isList = (d: Doc): d is readonly Doc[] => Array.isArray(d);

interface Step {
  readonly indent: number;
  readonly flat: boolean;
  readonly doc: Doc;
}

/** Whether `doc` fits into `room` characters on one line. */
function fits(doc: Doc, room: number): boolean {
  const rest: Doc[] = [doc];
  while (room >= 0) {
    const d = rest.pop();
    if (d === undefined) return true;
    if (typeof d === "string") room -= d.length;
    else if (isList(d)) for (let i = d.length - 1; i >= 0; i--) rest.push(d[i]!);
    else if (d.kind === "line") room -= d.flat.length;
    else if (d.kind !== "broken") rest.push(d.of);
  }
  return false;
}

export function render(doc: Doc, width = 100): string {
  const out: string[] = [];
  let column = 0;
  const steps: Step[] = [{ indent: 0, flat: false, doc }];
  const text = (s: string): void => {
    out.push(s);
    column += s.length;
  };
  const newLine = (depth: number): void => {
    out.push("\n", " ".repeat(depth));
    column = depth;
  };
  for (let step = steps.pop(); step; step = steps.pop()) {
    const { indent: depth, flat, doc: d } = step;
    if (typeof d === "string") text(d);
    else if (isList(d)) for (let i = d.length - 1; i >= 0; i--) steps.push({ ...step, doc: d[i]! });
    else if (d.kind === "indent") steps.push({ indent: depth + 2, flat, doc: d.of });
    else if (d.kind === "group") steps.push({ indent: depth, flat: flat || (!breaksHard(d.of) && fits(d.of, width - column)), doc: d.of });
    else if (d.kind === "fill") {
      for (const [i, item] of d.of.entries()) {
        const flatItem = render(item, Number.POSITIVE_INFINITY);
        if (i > 0) {
          if (flat || column + 1 + flatItem.length <= width) text(" ");
          else newLine(depth);
        }
        text(flatItem);
      }
    } else if (d.kind === "broken") {
      if (!flat) text(d.text);
    } else if (flat && !d.hard) text(d.flat);
    else newLine(depth);
  }
  // Blank lines carry no spaces.
  return out.join("").replace(/[ \t]+$/gm, "");
}
