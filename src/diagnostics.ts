// What qnnc says to its user: coded messages with a place, a cause and a help line; one renderer for each form.
import { type Code, codes } from "./diagnostic-codes.js";

/** Where a message points: a file position, a JSON pointer into a file, or a layer of the model. */
export interface Place {
  readonly source?: string;
  readonly line?: number;
  readonly column?: number;
  /** Length of the marked text in characters. */
  readonly length?: number;
  /** RFC 6901 pointer into a JSON source. */
  readonly pointer?: string;
  readonly layer?: string;
}

export type Level = "error" | "warning" | "note";

export interface Diagnostic {
  readonly code: Code;
  readonly level: Level;
  readonly message: string;
  readonly at?: Place;
  readonly also?: readonly { readonly at: Place; readonly message: string }[];
  readonly help?: string;
}

export type Detail = Pick<Diagnostic, "at" | "also" | "help">;

/** Collects diagnostics; what reads, checks or lowers takes one and returns `undefined` where it could not go on. */
export class Reporter {
  readonly diagnostics: Diagnostic[] = [];
  error(code: Code, message: string, detail: Detail = {}): undefined {
    this.diagnostics.push({ code, level: "error", message, ...detail });
  }
  warn(code: Code, message: string, detail: Detail = {}): undefined {
    this.diagnostics.push({ code, level: "warning", message, ...detail });
  }
  note(code: Code, message: string, detail: Detail = {}): undefined {
    this.diagnostics.push({ code, level: "note", message, ...detail });
  }
  get failed(): boolean {
    return this.diagnostics.some((d) => d.level === "error");
  }
}

/** A bug in qnnc, never the user's fault: the only thing the core throws. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InternalError(message);
}

/** Control characters, line breaks and bidirectional marks become \u escapes, so that a name can not steer a terminal or a log. */
export const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

const showPlace = (p: Place): string => {
  const file = p.source === undefined ? "" : p.line === undefined ? p.source : `${p.source}:${p.line}:${p.column ?? 1}`;
  return [file, p.pointer ?? "", p.layer === undefined ? "" : `layer \`${p.layer}\``].filter((s) => s !== "").join(", ");
};

/** A file's text by its name in `Place.source`, for carets; absent where the source is not text. */
export type SourceText = (source: string) => string | undefined;

const MAX_EXCERPT = 120;

function excerpt(at: Place, text: SourceText): string[] {
  if (at.source === undefined || at.line === undefined) return [];
  const line = text(at.source)?.split("\n")[at.line - 1]?.replace(/\r$/, "");
  if (line === undefined) return [];
  const column = (at.column ?? 1) - 1;
  const start = Math.max(0, Math.min(column - 40, line.length - MAX_EXCERPT));
  const shown = printable(line.slice(start, start + MAX_EXCERPT).replace(/\t/g, " "));
  const gutter = String(at.line).length;
  const carets = "^".repeat(Math.max(1, Math.min(at.length ?? 1, MAX_EXCERPT)));
  return [`${at.line} │ ${shown}`, `${" ".repeat(gutter)} │ ${" ".repeat(column - start)}${carets}`];
}

const paint = { error: "\u001b[31m", warning: "\u001b[33m", note: "\u001b[36m", off: "\u001b[0m" } as const;

/** The text form: `error[QN201]: message`, the place, the marked line, notes and help. */
export function renderText(d: Diagnostic, options: { readonly text?: SourceText; readonly color?: boolean } = {}): string {
  const title = `${d.level}[${d.code}]`;
  const lines = [`${options.color ? `${paint[d.level]}${title}${paint.off}` : title}: ${printable(d.message)}`];
  if (d.at) {
    lines.push(`  ┌─ ${printable(showPlace(d.at))}`, ...excerpt(d.at, options.text ?? (() => undefined)));
  }
  for (const note of d.also ?? []) lines.push(`  · ${printable(note.message)} (${printable(showPlace(note.at))})`);
  if (d.help !== undefined) lines.push(`  = help: ${printable(d.help)}`);
  return lines.join("\n");
}

/** The JSON form: one array of plain objects. */
export const renderJson = (all: readonly Diagnostic[]): string => `${JSON.stringify(all, null, 2)}\n`;

/** SARIF 2.1.0, for code scanning tools and editors. */
export function renderSarif(all: readonly Diagnostic[], version: string): string {
  const used = [...new Set(all.map((d) => d.code))].sort();
  const location = (p: Place) => ({
    ...(p.source === undefined
      ? {}
      : {
          physicalLocation: {
            artifactLocation: { uri: encodeURI(p.source) },
            ...(p.line === undefined ? {} : { region: { startLine: p.line, startColumn: p.column ?? 1 } }),
          },
        }),
    ...(p.layer === undefined && p.pointer === undefined
      ? {}
      : { logicalLocations: [{ fullyQualifiedName: printable(p.pointer ?? p.layer ?? ""), kind: p.pointer === undefined ? "member" : "object" }] }),
  });
  const run = {
    tool: { driver: { name: "qnnc", version, rules: used.map((id) => ({ id, shortDescription: { text: codes[id] } })) } },
    results: all.map((d) => ({
      ruleId: d.code,
      level: d.level,
      message: { text: printable(d.help === undefined ? d.message : `${d.message} Help: ${d.help}`) },
      ...(d.at ? { locations: [location(d.at)] } : {}),
      ...(d.also?.length ? { relatedLocations: d.also.map((n) => ({ ...location(n.at), message: { text: printable(n.message) } })) } : {}),
    })),
  };
  const log = { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
  return `${JSON.stringify(log, null, 2)}\n`;
}

/** The candidate nearest to `word` by edit distance, if near enough to be a likely slip. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.slice(0, 64).toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Insertions, deletions, replacements and exchanges of two neighbours that make `b` of `a` (Damerau and Levenshtein, each part edited once). */
function editDistance(a: string, b: string): number {
  let [before, row]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const edited = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(isSwap ? Math.min(edited, before[j - 2]! + 1) : edited);
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
