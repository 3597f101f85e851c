// Reads a quantizer's two spellings, `name(args, k=v)` and `{class_name, config}`, without evaluating anything.
import { didYouMean, type Reporter } from "../../diagnostics.js";
import { isArray, isObject, type Json, type JsonDocument } from "./json.js";
import { type ArgValue, isQuantizerName, makeQuantizer, type Quantizer, quantizers } from "./quantizers.js";

/** `name` and its arguments as written; names that mean no quantizer are for the caller to judge. */
export interface Call {
  readonly name: string;
  readonly positional: readonly ArgValue[];
  readonly named: ReadonlyMap<string, ArgValue>;
}

const NAME = /[A-Za-z_]\w*/y;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/y;
const QUOTED = /'([^'\\]*)'|"([^"\\]*)"/y;
const CONSTANTS: Readonly<Record<string, ArgValue>> = { True: true, False: false, None: null };
const MAX_LENGTH = 4096;

class Text {
  readonly text: string;
  pos = 0;
  constructor(text: string) {
    this.text = text;
  }
  match(pattern: RegExp): RegExpExecArray | undefined {
    while (this.text[this.pos] === " " || this.text[this.pos] === "\t") this.pos++;
    pattern.lastIndex = this.pos;
    const m = pattern.exec(this.text);
    if (m) this.pos = pattern.lastIndex;
    return m ?? undefined;
  }
  take(token: string): boolean {
    return this.match(token === "" ? /$/y : new RegExp(`\\${token}`, "y")) !== undefined;
  }
}

/** Parses the string form; a string result says what is wrong. QKeras splits lists at spaces, so `[1 2]` is a list of two. */
export function parseCall(text: string): Call | string {
  if (text.length > MAX_LENGTH) return "the text is too long for a quantizer";
  const t = new Text(text);
  const name = t.match(NAME)?.[0];
  if (name === undefined) return "expected a name";
  const positional: ArgValue[] = [];
  const named = new Map<string, ArgValue>();
  if (t.take("(") && !t.take(")")) {
    do {
      const start = t.pos;
      const key = t.match(NAME)?.[0];
      const isNamed = key !== undefined && t.take("=");
      if (!isNamed) t.pos = start;
      const value = parseValue(t);
      if (value === undefined) return `cannot read the argument at \`${text.slice(t.pos, t.pos + 20)}\``;
      if (!isNamed && named.size > 0) return "an argument without a name follows one with a name";
      if (!isNamed) positional.push(value);
      else if (named.has(key)) return `the argument \`${key}\` is given twice`;
      else named.set(key, value);
    } while (t.take(","));
    if (!t.take(")")) return `expected \`,\` or \`)\` at \`${text.slice(t.pos, t.pos + 20)}\``;
  }
  return t.take("") ? { name, positional, named } : `unexpected \`${text.slice(t.pos, t.pos + 20)}\` after the quantizer`;
}

function parseValue(t: Text): ArgValue | undefined {
  const quoted = t.match(QUOTED);
  if (quoted) return quoted[1] ?? quoted[2] ?? "";
  const digits = t.match(NUMBER)?.[0];
  if (digits !== undefined) return Number.isFinite(Number(digits)) ? Number(digits) : undefined;
  if (t.take("[")) {
    const items: number[] = [];
    for (let n = t.match(NUMBER)?.[0]; n !== undefined; n = t.match(NUMBER)?.[0]) {
      items.push(Number(n));
      t.take(",");
    }
    return t.take("]") ? items : undefined;
  }
  const start = t.pos;
  const word = t.match(NAME)?.[0] ?? "";
  if (Object.hasOwn(CONSTANTS, word)) return CONSTANTS[word];
  t.pos = start;
  return undefined;
}

/** Where a quantizer stands, for messages. */
export interface QuantizerSite {
  readonly document: JsonDocument;
  readonly pointer: string;
  readonly layer: string;
}

/** Reads either form. Unknown classes are QN203, wrong arguments QN204; `null` in the model is `null` here. */
export function readQuantizer(json: Json | undefined, site: QuantizerSite, reporter: Reporter): Quantizer | null | undefined {
  if (json === null || json === undefined) return null;
  const at = () => site.document.place(site.pointer, site.layer);
  const call = typeof json === "string" ? parseCall(json) : callOfJson(json);
  if (typeof call === "string")
    return reporter.error("QN204", `malformed quantizer: ${call}`, {
      at: at(),
      help: "expected `name(arguments)` or {class_name, config}",
    });
  const { name } = call;
  if (!isQuantizerName(name)) {
    const guess = didYouMean(name, Object.keys(quantizers));
    return reporter.error("QN203", `unknown quantizer \`${name.slice(0, 80)}\``, {
      at: at(),
      help:
        guess === undefined
          ? "spec/keras.md lists the quantizers; use quantized_bits or quantized_relu where one of them will do"
          : `did you mean \`${guess}\`?`,
    });
  }
  const order = Object.keys(quantizers[name]);
  if (call.positional.length > order.length)
    return reporter.error("QN204", `${name}: ${call.positional.length} arguments, at most ${order.length} expected`, { at: at() });
  const given = new Map(call.positional.map((value, i) => [order[i]!, value]));
  for (const [key, value] of call.named) {
    if (given.has(key)) return reporter.error("QN204", `${name}: the argument \`${key}\` is given twice`, { at: at() });
    given.set(key, value);
  }
  const made = makeQuantizer(name, given);
  return typeof made === "string"
    ? reporter.error("QN204", `${name}: ${made}`, { at: at(), help: "spec/keras.md lists each quantizer's arguments and bounds" })
    : made;
}

/** `{class_name, config}`, with or without Keras' module and registered_name, which say nothing that the table does not. */
function callOfJson(json: Json): Call | string {
  if (!isObject(json)) return "expected a string or an object";
  const { class_name: name, config } = json;
  // Keras 3 writes plain functions as {class_name: "function", config: "hard_tanh"}.
  if (name === "function" && typeof config === "string") return { name: config, positional: [], named: new Map() };
  if (typeof name !== "string") return "there is no class_name";
  if (config !== undefined && config !== null && !isObject(config)) return "its config is not an object";
  const named = new Map<string, ArgValue>();
  for (const [key, value] of Object.entries(config ?? {})) {
    // Keras 3 layers of the qkeras fork add these two to every config.
    if (key === "name" || key === "dtype") continue;
    const plain = plainValue(value);
    if (plain === undefined) return `cannot read the argument \`${key}\``;
    named.set(key, plain);
  }
  return { name: name.replace(/^.*>/, ""), positional: [], named };
}

/** Scalars as they are; arrays, nested or wrapped by Keras' serialisation of numpy values, as one flat list. */
function plainValue(value: Json): ArgValue | undefined {
  if (isObject(value)) {
    const inner = isObject(value.config) ? value.config.value : undefined;
    const known = value.class_name === "__numpy__" || value.class_name === "__tensor__";
    return known && inner !== undefined && !isObject(inner) ? plainValue(inner) : undefined;
  }
  if (!isArray(value)) return value;
  const flat = (value as readonly Json[]).flat(8) as readonly Json[];
  return flat.length <= 1 << 20 && flat.every((x) => typeof x === "number") ? (flat as readonly number[]) : undefined;
}
