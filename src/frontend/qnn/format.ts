// The one layout of a .qnn file: what `qnnc fmt` and `qnnc import` print. Comments and single blank lines stay where they are.
import type { Adjustment, Argument, Body, Comment, Entry, Expression, Item, Parameter, Statement, SyntaxTree } from "./ast.js";
import { type Doc, fill, group, hardLine, indent, join, line, render, softLine, whenBroken } from "./doc.js";
import type { Span } from "./source.js";
import { printQuantity, words } from "./values.js";

const reserved = new Set(["network", "block", "layer", "let", "return", "include", "as", "fixed", "ufixed", ...words]);

const escapeText = (text: string, quote: string): string =>
  text.replace(/[\\\p{Cc}\p{Cf}\u2028\u2029]|["`]/gu, (c) =>
    c === "\\" ? "\\\\" : c === quote ? `\\${c}` : c === '"' || c === "`" ? c : `\\u{${c.codePointAt(0)!.toString(16)}}`,
  );

/** A name as it is written: in backticks where it is no plain identifier. */
export const printName = (name: string): string =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `\`${escapeText(name, "`")}\``;
export const printString = (text: string): string => `"${escapeText(text, '"')}"`;

/** Names whose meaning is a word of the language; written without backticks. */
const printReference = (x: Extract<Expression, { kind: "name" }>): string =>
  x.quoted || !reserved.has(x.name) ? printName(x.name) : x.name;

type Print<T extends { readonly kind: string }> = { readonly [K in T["kind"]]: (x: Extract<T, { kind: K }>, p: Printer) => Doc };

const expressions: Print<Expression> = {
  number: (x) => (x.unit ? printQuantity(x.text, x.unit.name) : x.text),
  string: (x) => printString(x.value),
  name: printReference,
  call: (x, p) => [printName(x.callee.name), p.bracketed("(", x.args, ")", (a) => p.argument(a), x.span)],
  type: (x, p) => [
    x.signed ? "fixed<" : "ufixed<",
    join(
      x.args.map((a) => p.expression(a)),
      ",",
    ),
    ">",
  ],
  list: (x, p) => {
    const isNumbers = x.items.every((i) => i.kind === "number" || i.kind === "negate");
    if (!isNumbers || p.hasComment(x.span)) return p.bracketed("[", x.items, "]", (i) => p.expression(i), x.span);
    return group("[", indent(softLine, fill(x.items.map((i, n) => [p.expression(i), n < x.items.length - 1 ? "," : ""]))), softLine, "]");
  },
  group: (x, p) => ["(", p.expression(x.inner), ")"],
  negate: (x, p) => ["-".repeat(x.count), p.expression(x.inner)],
  chain: (x, p) => {
    const [first] = x.rest;
    if (first?.operator === "^") return [p.expression(x.first), "^", p.expression(first.operand)];
    return group(p.expression(x.first), indent(x.rest.map(({ operator, operand }) => [line, operator, " ", p.expression(operand)])));
  },
  cast: (x, p) => [p.expression(x.value), x.to.map((t) => [" as ", p.expression(t)])],
  missing: () => "",
};

const statements: Print<Statement> = {
  let: (s, p) => ["let ", printName(s.name.name), " = ", p.expression(s.value)],
  input: (s, p) => ["input ", printName(s.name.name), ": ", s.type ? p.expression(s.type) : "", p.expression(s.shape)],
  layer: (s, p) => [
    "layer ",
    printName(s.name.name),
    s.className ? [": ", printName(s.className.name)] : "",
    s.value.kind === "body" ? [" ", p.body(s.value)] : [" = ", p.expression(s.value)],
  ],
  output: (s, p) => [
    "output ",
    indent(
      join(
        s.outputs.map((o) => [o.name ? [printName(o.name.name), " = "] : "", p.expression(o.value)]),
        ", ",
      ),
    ),
  ],
  weights: (s) => ["weights ", printString(s.path.value)],
  return: (s, p) => ["return ", p.expression(s.value)],
};

const items: Print<Item> = {
  let: statements.let,
  include: (i) => ["include ", printString(i.path.value)],
  vectors: (i) => ["vectors ", printString(i.path.value)],
  block: (i, p) => [
    "block ",
    printName(i.name.name),
    p.bracketed("(", i.parameters, ")", (x) => p.parameter(x), { start: i.name.span.end, end: i.body.span.start }),
    " ",
    p.body(i.body),
  ],
  network: (i, p) => ["network ", printName(i.name.name), " ", p.body(i.body)],
  "imported-network": (i, p) => [
    ["network ", printName(i.name.name), " from ", printName(i.format.name), " ", printString(i.model.value)],
    i.weights ? [" weights ", printString(i.weights.value)] : "",
    i.braces ? [" ", p.braces(i.adjustments, (a) => p.adjustment(a), i.span.end)] : "",
  ],
  settings: (i, p) => [i.keyword, i.name ? [" ", printName(i.name.name)] : "", " ", p.entries(i.entries, i.span)],
};

/** Items that stand apart from their neighbours. */
const apart = new Set<Item["kind"]>(["block", "network", "imported-network", "settings"]);

class Printer {
  private next = 0;
  constructor(
    private readonly comments: readonly Comment[],
    /** Absent for a tree that was made, not parsed. */
    private readonly text: string | undefined,
  ) {}

  expression(x: Expression): Doc {
    return (expressions[x.kind] as (x: Expression, p: Printer) => Doc)(x, this);
  }
  argument(a: Argument): Doc {
    return a.name ? [printName(a.name.name), ": ", this.expression(a.value)] : this.expression(a.value);
  }
  parameter(x: Parameter): Doc {
    return [printName(x.name.name), x.type ? [": ", printName(x.type.name)] : "", x.default ? [" = ", this.expression(x.default)] : ""];
  }
  adjustment(a: Adjustment): Doc {
    return ["layer ", printName(a.layer.name), " ", this.entries(a.entries, a.span)];
  }
  body(b: Body): Doc {
    return this.braces(b.statements, (s) => (statements[s.kind] as (s: Statement, p: Printer) => Doc)(s, this), b.span.end);
  }
  file(tree: SyntaxTree): Doc {
    const end = this.text?.length ?? 0;
    const needsBlank = (a: Item, b: Item): boolean => apart.has(a.kind) || apart.has(b.kind);
    return [this.sequence(tree.items, (i) => (items[i.kind] as (i: Item, p: Printer) => Doc)(i, this), end, "", needsBlank), hardLine];
  }

  /** One line where the source has one and it fits, with commas; else a line for each, without. */
  entries(all: readonly Entry[], span: Span): Doc {
    const print = (e: Entry): Doc => [printName(e.name.name), ": ", this.expression(e.value)];
    const isOneLine = this.text !== undefined && !this.text.slice(span.start, span.end).includes("\n");
    if (!isOneLine || all.length === 0) return this.braces(all, print, span.end);
    return ["{ ", join(all.map(print), ", "), " }"];
  }

  braces<T extends { readonly span: Span }>(all: readonly T[], print: (x: T) => Doc, end: number): Doc {
    if (all.length === 0 && !this.pending(end)) return "{}";
    return [
      "{",
      indent(
        hardLine,
        this.sequence(all, print, end, "", () => false),
      ),
      hardLine,
      "}",
    ];
  }

  bracketed<T extends { readonly span: Span }>(open: string, all: readonly T[], close: string, print: (x: T) => Doc, span: Span): Doc {
    if (this.hasComment(span))
      return [
        open,
        indent(
          hardLine,
          this.sequence(all, print, span.end, ",", () => false),
        ),
        hardLine,
        close,
      ];
    if (all.length === 0) return open + close;
    return group(open, indent(softLine, join(all.map(print), [",", line])), whenBroken(","), softLine, close);
  }

  hasComment(span: Span): boolean {
    for (let i = this.next; i < this.comments.length && this.comments[i]!.span.start < span.end; i++)
      if (this.comments[i]!.span.start >= span.start) return true;
    return false;
  }
  private pending(end: number): boolean {
    return this.next < this.comments.length && this.comments[this.next]!.span.start < end;
  }
  private take(end: number): readonly Comment[] {
    const from = this.next;
    while (this.pending(end)) this.next++;
    return this.comments.slice(from, this.next);
  }
  private isBlank(from: number, to: number): boolean {
    return this.text !== undefined && /\n[ \t\r]*\n/.test(this.text.slice(from, to));
  }
  /** The comment that follows `end` on the same line. */
  private trailing(end: number): Comment | undefined {
    const comment = this.comments[this.next];
    if (!comment || this.text === undefined || !/^[ \t,]*$/.test(this.text.slice(end, comment.span.start))) return undefined;
    this.next++;
    return comment;
  }

  /** Elements on lines of their own, with the comments before, after and between them. */
  private sequence<T extends { readonly span: Span }>(
    all: readonly T[],
    print: (x: T) => Doc,
    end: number,
    separator: string,
    needsBlank: (a: T, b: T) => boolean,
  ): Doc {
    const lines: Doc[] = [];
    let last: number | undefined;
    const push = (doc: Doc, span: Span, blank: boolean): void => {
      if (lines.length > 0) lines.push(hardLine);
      if (lines.length > 0 && (blank || (last !== undefined && this.isBlank(last, span.start)))) lines.push(hardLine);
      lines.push(doc);
      last = span.end;
    };
    all.forEach((x, i) => {
      const before = i === 0 ? undefined : all[i - 1];
      let blank = before !== undefined && needsBlank(before, x);
      for (const c of this.take(x.span.start)) {
        push(c.text, c.span, blank);
        blank = false;
      }
      const doc = print(x);
      const inside = this.take(x.span.end);
      const after = inside.length === 0 ? this.trailing(x.span.end) : undefined;
      const [first, ...others] = inside;
      const beside = first ?? after;
      push(
        [doc, separator, beside ? ` ${beside.text}` : ""],
        { start: x.span.start, end: Math.max(x.span.end, after?.span.end ?? 0) },
        blank,
      );
      for (const c of others) push(c.text, { start: x.span.end, end: x.span.end }, false);
    });
    for (const c of this.take(end)) push(c.text, c.span, false);
    return lines;
  }
}

/** The file in its one layout; `text` is the source that the tree was parsed from. */
export const formatTree = (tree: SyntaxTree, text?: string): string => render(new Printer(tree.comments, text).file(tree));
