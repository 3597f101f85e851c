// Reads JSON from untrusted files: limits before allocation, no prototype keys, no duplicates, and a place for every complaint.
import type { Place, Reporter } from "../../diagnostics.js";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** Has no prototype, so that a key can never reach `Object.prototype`. */
export interface JsonObject {
  readonly [key: string]: Json;
}

export interface JsonLimits {
  readonly depth: number;
  readonly characters: number;
  readonly stringLength: number;
  readonly values: number;
}

/** Generous for real models: a network of 10,000 layers has about 600,000 values and nests 12 deep. */
export const jsonLimits: JsonLimits = { depth: 100, characters: 64 << 20, stringLength: 4 << 20, values: 8_000_000 };

export const isObject = (v: Json | undefined): v is JsonObject => typeof v === "object" && v !== null && !Array.isArray(v);
export const isArray = (v: Json | undefined): v is readonly Json[] => Array.isArray(v);

/** The text and what it says. `place` finds a JSON pointer in the text again: slow, but only errors need it. */
export class JsonDocument {
  readonly source: string;
  readonly text: string;
  readonly root: Json;
  constructor(source: string, text: string, root: Json) {
    this.source = source;
    this.text = text;
    this.root = root;
  }
  place(pointer: string, layer?: string): Place {
    const offset = locate(this.text, pointer);
    return {
      source: this.source,
      ...(offset === undefined ? {} : lineColumn(this.text, offset)),
      pointer,
      ...(layer === undefined ? {} : { layer }),
    };
  }
}

export const escapePointer = (key: string): string => key.replace(/~/g, "~0").replace(/\//g, "~1");

const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them inside strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
/** Keras writes Python's float literals, which are not JSON. */
const WORDS: readonly (readonly [string, Json])[] = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
];
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

interface Trouble {
  readonly offset: number;
  readonly message: string;
  readonly help?: string;
}

/** Parses `text`; on trouble reports one QN102 and returns `undefined`. */
export function parseJson(text: string, source: string, reporter: Reporter, limits: JsonLimits = jsonLimits): JsonDocument | undefined {
  if (text.length > limits.characters) {
    return reporter.error("QN102", `the JSON text has ${text.length} characters; the limit is ${limits.characters}`, {
      at: { source },
      help: "a model description is far smaller; keep weights in an HDF5 file",
    });
  }
  const scan = new Scanner(text, limits);
  const root = scan.document();
  if (scan.trouble) {
    const { offset, message, help } = scan.trouble;
    return reporter.error("QN102", message, { at: { source, ...lineColumn(text, offset) }, ...(help === undefined ? {} : { help }) });
  }
  return new JsonDocument(source, text, root);
}

/** Decodes bytes as strict UTF-8 and parses them. A byte order mark at the start is skipped. */
export function parseJsonBytes(
  bytes: Uint8Array,
  source: string,
  reporter: Reporter,
  limits: JsonLimits = jsonLimits,
): JsonDocument | undefined {
  if (bytes.length > limits.characters) {
    return reporter.error("QN102", `the JSON file has ${bytes.length} bytes; the limit is ${limits.characters}`, { at: { source } });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return reporter.error("QN102", "the JSON file is not valid UTF-8", {
      at: { source },
      help: "write it with `open(path, 'w', encoding='utf-8')`",
    });
  }
  return parseJson(text, source, reporter, limits);
}

/** Recursive descent; `limits.depth` bounds the recursion. After the first trouble every method returns at once. */
class Scanner {
  readonly text: string;
  readonly limits: JsonLimits;
  pos = 0;
  values = 0;
  trouble: Trouble | undefined;
  constructor(text: string, limits: JsonLimits) {
    this.text = text;
    this.limits = limits;
  }

  fail(message: string, offset = this.pos, help?: string): null {
    this.trouble ??= { offset, message, ...(help === undefined ? {} : { help }) };
    return null;
  }

  document(): Json {
    const value = this.value(0);
    if (this.trouble) return null;
    this.space();
    return this.pos < this.text.length ? this.fail("unexpected text after the end of the JSON value") : value;
  }

  space(): void {
    SPACE.lastIndex = this.pos;
    SPACE.test(this.text);
    this.pos = SPACE.lastIndex;
  }

  /** Skips space, then `token` if it is next. */
  take(token: string): boolean {
    this.space();
    if (!this.text.startsWith(token, this.pos)) return false;
    this.pos += token.length;
    return true;
  }

  value(depth: number): Json {
    if (++this.values > this.limits.values) return this.fail(`the JSON text holds more than ${this.limits.values} values`);
    if (depth > this.limits.depth) return this.fail(`the JSON text nests deeper than ${this.limits.depth} levels`);
    this.space();
    const c = this.text[this.pos];
    if (c === "{") return this.object(depth);
    if (c === "[") return this.array(depth);
    if (c === '"') return this.string();
    const start = this.pos;
    for (const [word, meaning] of WORDS) if (c === word[0] && this.take(word)) return meaning;
    NUMBER.lastIndex = start;
    const digits = NUMBER.exec(this.text)?.[0];
    if (digits === undefined) return this.fail(c === undefined ? "the JSON text ends too early" : "expected a JSON value");
    this.pos = start + digits.length;
    const value = Number(digits);
    return Number.isFinite(value) ? value : this.fail("the number is beyond the range of a double", start);
  }

  array(depth: number): Json {
    this.pos++;
    const items: Json[] = [];
    if (this.take("]")) return items;
    for (;;) {
      items.push(this.value(depth + 1));
      if (this.trouble) return null;
      if (this.take("]")) return items;
      if (!this.take(",")) return this.fail(this.pos >= this.text.length ? "the JSON text ends inside an array" : "expected `,` or `]`");
    }
  }

  object(depth: number): Json {
    this.pos++;
    const members: Record<string, Json> = Object.create(null);
    if (this.take("}")) return members;
    for (;;) {
      this.space();
      const start = this.pos;
      if (this.text[start] !== '"')
        return this.fail(start >= this.text.length ? "the JSON text ends inside an object" : "expected a quoted key");
      const key = this.string();
      if (this.trouble || typeof key !== "string") return null;
      if (FORBIDDEN.has(key))
        return this.fail(`the key \`${key}\` is not allowed`, start, "no Keras model uses it; it is a known attack on JavaScript programs");
      if (key in members)
        return this.fail(`the key \`${key.slice(0, 80)}\` appears twice in one object`, start, "readers disagree on which one counts");
      if (!this.take(":")) return this.fail("expected `:`");
      members[key] = this.value(depth + 1);
      if (this.trouble) return null;
      if (this.take("}")) return members;
      if (!this.take(",")) return this.fail(this.pos >= this.text.length ? "the JSON text ends inside an object" : "expected `,` or `}`");
    }
  }

  string(): Json {
    const start = this.pos++;
    let out = "";
    for (;;) {
      PLAIN.lastIndex = this.pos;
      PLAIN.test(this.text);
      out += this.text.slice(this.pos, PLAIN.lastIndex);
      this.pos = PLAIN.lastIndex;
      if (out.length > this.limits.stringLength) return this.fail(`a string is longer than ${this.limits.stringLength} characters`, start);
      const c = this.text[this.pos];
      if (c === '"') break;
      if (c === undefined) return this.fail("the JSON text ends inside a string", start);
      if (c !== "\\") return this.fail("a control character inside a string must be escaped");
      const piece = this.escape();
      if (piece === undefined) return null;
      out += piece;
    }
    this.pos++;
    // In a `u` pattern only a surrogate without its other half matches.
    return /\p{Surrogate}/u.test(out) ? this.fail("the string holds half of a surrogate pair", start) : out;
  }

  escape(): string | undefined {
    const e = this.text[this.pos + 1] ?? "";
    if (e === "u") {
      const hex = this.text.slice(this.pos + 2, this.pos + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) return void this.fail("`\\u` takes four hexadecimal digits");
      this.pos += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const plain = ESCAPES[e];
    if (plain === undefined) return void this.fail("unknown escape in a string");
    this.pos += 2;
    return plain;
  }
}

function lineColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let i = text.indexOf("\n"); i !== -1 && i < offset; i = text.indexOf("\n", i + 1)) [line, start] = [line + 1, i + 1];
  return { line, column: offset - start + 1 };
}

/** The offset of the value that `pointer` names in a text that parsed. */
function locate(text: string, pointer: string): number | undefined {
  const scan = new Scanner(text, { depth: 1e9, characters: 1e12, stringLength: 1e12, values: 1e12 });
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replace(/~1/g, "/").replace(/~0/g, "~");
    const object = scan.take("{");
    if (!object && !scan.take("[")) return undefined;
    for (let index = 0; ; index++) {
      scan.space();
      const found = object ? scan.string() === key : String(index) === key;
      if (object && !scan.take(":")) return undefined;
      if (found) break;
      scan.value(0);
      if (!scan.take(",")) return undefined;
    }
  }
  scan.space();
  return scan.pos;
}
