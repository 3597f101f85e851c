// A .qnn source text: decoded with its limits, and offsets as lines and columns for messages.
import type { Place, Reporter } from "../../diagnostics.js";

/** Offsets into the text, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface SourceFile {
  /** As the user gave it, for messages. */
  readonly name: string;
  readonly text: string;
}

/** A network is text that people read; anything larger is a mistaken file name. */
export const MAX_SOURCE_BYTES = 1 << 20;

/** UTF-8 bytes as text; a byte order mark at the start is dropped. */
export function decodeSource(name: string, bytes: Uint8Array, reporter: Reporter): SourceFile | undefined {
  const at = { source: name };
  if (bytes.length > MAX_SOURCE_BYTES) {
    return reporter.error("QN800", `the source has ${bytes.length} bytes; the limit is ${MAX_SOURCE_BYTES}`, {
      at,
      help: 'large weights belong into a file: weights "model.npz"',
    });
  }
  try {
    return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return reporter.error("QN800", "the source is not UTF-8 text", { at, help: "save the file as UTF-8" });
  }
}

const lineStarts = new WeakMap<SourceFile, readonly number[]>();

function linesOf(source: SourceFile): readonly number[] {
  const known = lineStarts.get(source);
  if (known) return known;
  const starts = [0];
  for (let i = source.text.indexOf("\n"); i >= 0; i = source.text.indexOf("\n", i + 1)) starts.push(i + 1);
  lineStarts.set(source, starts);
  return starts;
}

/** Zero-based line of an offset. */
export function lineAt(source: SourceFile, offset: number): number {
  const starts = linesOf(source);
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Offset of the first character of a zero-based line; the end of the text beyond the last. */
export const lineStart = (source: SourceFile, line: number): number => linesOf(source)[line] ?? source.text.length;

/** The span as a place; a span over several lines marks the rest of its first. */
export function placeOf(source: SourceFile, span: Span, layer?: string): Place {
  const line = lineAt(source, span.start);
  const start = linesOf(source)[line]!;
  const lineEnd = linesOf(source)[line + 1] ?? source.text.length + 1;
  const length = Math.max(1, Math.min(span.end, lineEnd - 1) - span.start);
  return { source: source.name, line: line + 1, column: span.start - start + 1, length, ...(layer === undefined ? {} : { layer }) };
}
