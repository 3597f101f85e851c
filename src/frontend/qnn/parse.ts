// Text in, syntax tree out: lexing, parsing with recovery, and every mistake as a diagnostic. chevrotain is loaded on first use: it takes a while.
import { type Detail, didYouMean, printable, type Reporter } from "../../diagnostics.js";
import type { Comment, SyntaxTree } from "./ast.js";
import { placeOf, type SourceFile, type Span } from "./source.js";

/** Brackets nested deeper than this are a mistake, and would exhaust the stack. */
export const MAX_NESTING = 100;
/** After so many errors the rest would only repeat them. */
export const MAX_ERRORS = 50;

type Engine = { readonly lexer: typeof import("./tokens.js").lexer; readonly parser: typeof import("./parser.js").parser };
let engine: Promise<Engine> | undefined;

const load = (): Promise<Engine> => {
  engine ??= Promise.all([import("./tokens.js"), import("./parser.js")]).then(([{ lexer }, { parser }]) => ({ lexer, parser }));
  return engine;
};

/** A tree even where there are errors, so that checking can go on; `undefined` where nothing can be made of the text. */
export async function parseQnn(source: SourceFile, reporter: Reporter): Promise<SyntaxTree | undefined> {
  const { lexer, parser } = await load();
  const found: { readonly start: number; readonly report: () => void }[] = [];
  const error = (code: "QN801" | "QN802", span: Span, message: string, detail: Detail = {}): void => {
    found.push({ start: span.start, report: () => reporter.error(code, message, { at: placeOf(source, span), ...detail }) });
  };

  const { tokens, errors, groups } = lexer.tokenize(source.text);
  for (const e of errors)
    error(
      "QN801",
      { start: e.offset, end: e.offset + e.length },
      `unexpected ${characters(source.text.slice(e.offset, e.offset + e.length))}`,
      { help: helpFor(source.text[e.offset] ?? "") },
    );
  let depth = 0;
  for (const token of tokens) {
    const span = { start: token.startOffset, end: token.startOffset + token.image.length };
    if (token.tokenType.name === "OpenString")
      error("QN801", span, "the string is not closed", { help: 'end it with `"` on the same line' });
    if (token.tokenType.name === "ForeignName")
      error("QN801", span, `the name \`${token.image}\` holds letters other than A to Z`, {
        help: `write it in backticks: \`${token.image}\``,
      });
    if (token.tokenType.name === "OpenName")
      error("QN801", span, "the quoted name is not closed", { help: "end it with a backtick on the same line" });
    if ("([{".includes(token.image)) depth++;
    else if (")]}".includes(token.image)) depth--;
    if (depth > MAX_NESTING) {
      return reporter.error("QN800", `brackets are nested deeper than ${MAX_NESTING} levels`, {
        at: placeOf(source, span),
        help: "name inner parts with `let`",
      });
    }
  }

  parser.input = tokens;
  parser.complaints = [];
  const items = parser.file();
  for (const c of parser.complaints) error("QN802", c.span, c.message, { help: c.help });
  for (const e of parser.errors) {
    // At the end of the file the last token is the place to look at.
    const token = Number.isNaN(e.token.startOffset) || e.token.image === "" ? tokens.at(-1) : e.token;
    const start = token?.startOffset ?? 0;
    const guess =
      token && (token.tokenType.name === "PlainName" || token.tokenType.name === "ForeignName")
        ? didYouMean(token.image, statementWords)
        : undefined;
    error(
      "QN802",
      { start, end: start + (token?.image.length ?? 1) },
      e.message,
      guess === undefined ? {} : { help: `did you mean \`${guess}\`?` },
    );
  }
  parser.input = [];
  // In the order of the text, the cause before what follows from it.
  for (const f of found.sort((a, b) => a.start - b.start).slice(0, MAX_ERRORS)) f.report();
  const comments = (groups["comments"] ?? []).map((c): Comment => ({
    text: c.image.trimEnd(),
    span: { start: c.startOffset, end: c.startOffset + c.image.length },
  }));
  if (found.length >= MAX_ERRORS) return undefined;
  const tree = { items: items ?? [], comments };
  if (found.length === 0) return tree;
  const names = tokens.flatMap((t, i) => (defining.has(tokens[i - 1]?.image ?? "") ? [t.image.replace(/^`|`$/g, "")] : []));
  return { ...tree, suspects: new Set(names) };
}

const statementWords = [
  "network",
  "block",
  "layer",
  "let",
  "input",
  "output",
  "weights",
  "return",
  "include",
  "target",
  "vectors",
  "quantize",
];
const defining = new Set(["let", "layer", "input", "block", "network"]);

const characters = (text: string): string => {
  const shown = printable(text.slice(0, 20));
  return text.length === 1 ? `character \`${shown}\`` : `characters \`${shown}${text.length > 20 ? "…" : ""}\``;
};

function helpFor(character: string): string {
  if (character === "'") return 'strings are written with double quotes: "…"';
  if (character === "#") return "a comment starts with `//`";
  if (character === ";") return "statements need no `;`";
  return "remove it";
}
