// Attributes in .qir text: one printer and one reader for each kind, so a new op or cell adds no syntax.
import type { CellAttr } from "../cells.js";
import { type FixedType, overflows, printFixed, roundings } from "../fixed.js";
import type { AttrKind, AttrKinds, Precision } from "../ops/op.js";
import { printShape, type Tensor, tensor } from "../tensor.js";
import { printUnary, unaries, type UnaryName } from "../unary.js";
import { type CellAttrKind, MAX_BITS } from "../verify-attrs.js";
import type { Scanner } from "./scanner.js";

/** No number has more digits than one of MAX_BITS bits. */
const INTEGER = /-?\d{1,1300}(?![\w.])/y;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const WORD = /[A-Za-z_]\w*/y;
const TYPE = /u?fixed<\d{1,6},-?\d{1,6}>/y;
const CONVERSION = /u?fixed<\d{1,6},-?\d{1,6},[A-Z_]+,[A-Z_]+>/y;

export const readInteger = (s: Scanner): bigint => BigInt(s.read(INTEGER, "an integer"));
export function readNatural(s: Scanner): number {
  const n = Number(s.read(/\d{1,15}(?!\w)/y, "a natural number"));
  return Number.isSafeInteger(n) ? n : 0;
}
const readNumber = (s: Scanner): number => Number(s.read(NUMBER, "a number"));
export const readWord = (s: Scanner, what: string): string => s.read(WORD, what);

export function readString(s: Scanner): string {
  const text = s.read(STRING, "a string in double quotes");
  if (s.failed) return "";
  try {
    return JSON.parse(text) as string;
  } catch {
    s.fail("a malformed escape in a string");
    return "";
  }
}

export function readShape(s: Scanner): readonly number[] {
  return s.list("]", () => readNatural(s), "[");
}

export function readFixed(s: Scanner): FixedType {
  return fixedFrom(s, s.read(TYPE, "a type such as fixed<16,6>"));
}

function fixedFrom(s: Scanner, text: string): FixedType {
  const [width = 0, int = 0] = (text.match(/-?\d+/g) ?? []).map(Number);
  const signed = !text.startsWith("u");
  if (width > MAX_BITS) s.fail(`a width of ${width} bits is beyond ${MAX_BITS}`);
  if (!s.failed && signed && width === 0) s.fail("a signed type has at least one bit");
  return { signed, width, int };
}

const oneOf = <const T extends string>(s: Scanner, known: readonly T[]): T => {
  const word = readWord(s, `one of ${known.join(", ")}`);
  if (!s.failed && !known.includes(word as T)) s.fail(`expected one of ${known.join(", ")}, found \`${word}\``);
  return word as T;
};

const printPrecision = (p: Precision): string => ("per" in p ? `${p.per}(${p.types.map(printFixed).join(", ")})` : printFixed(p));
function readPrecision(s: Scanner): Precision {
  const per = s.take(/(?:channel|element)(?=\()/y) as "channel" | "element" | undefined;
  if (per === undefined) return readFixed(s);
  s.expect("(");
  return { per, types: s.list(")", () => readFixed(s)) };
}

/** `[2, 3] 2^-5 fixed<6,1> real (1, -2, …)`; the type and `real` where the tensor has them. */
const printTensor = (t: Tensor): string => `${printShape(t.shape)} 2^${t.exp} ${t.type ? `${printFixed(t.type)} ` : ""}${t.real ? "real " : ""}(${t.data.join(", ")})`;
function readTensor(s: Scanner): Tensor {
  const shape = readShape(s);
  s.expect("2^");
  const exp = Number(s.read(/-?\d{1,6}(?!\w)/y, "an exponent"));
  const typed = /u?fixed</y;
  const type = s.take(new RegExp(`(?=${typed.source})`, "y")) === undefined ? undefined : readFixed(s);
  const real = s.take(/real\b/y) !== undefined;
  s.expect("(");
  return tensor(shape, exp, s.list(")", () => readInteger(s)), { ...(type ? { type } : {}), ...(real ? { real } : {}) });
}

interface AttrText<T> {
  print(v: T): string;
  read(s: Scanner): T;
}

const tensorText: AttrText<Tensor> = { print: printTensor, read: readTensor };
const precisionText: AttrText<Precision> = { print: printPrecision, read: readPrecision };

const texts: { readonly [K in AttrKind]: AttrText<NonNullable<AttrKinds[K]>> } = {
  string: { print: JSON.stringify, read: readString },
  int: { print: String, read: (s) => Number(readInteger(s)) },
  ints: { print: (v) => printShape(v), read: (s) => s.list("]", () => Number(readInteger(s)), "[") },
  tensor: tensorText,
  "tensor?": tensorText,
  precision: precisionText,
  "precision?": precisionText,
  rounding: { print: (v) => v, read: (s) => oneOf(s, roundings) },
  overflow: { print: (v) => v, read: (s) => oneOf(s, overflows) },
  unary: {
    print: printUnary,
    read: (s) => {
      const name = oneOf(s, Object.keys(unaries) as UnaryName[]);
      s.expect("(");
      const params: number[] = [];
      for (let more = !s.failed; more && s.take(/(?=-?\d)/y) !== undefined; more = !s.failed) {
        params.push(readNumber(s));
        s.expect(",");
      }
      if (s.take(/real\b/y) !== undefined) {
        s.expect(")");
        return { name, params };
      }
      const text = s.read(CONVERSION, "a type with rounding and overflow, such as fixed<8,1,RND,SAT>, or `real`");
      const type = fixedFrom(s, text);
      const [round, overflow] = text.slice(0, -1).split(",").slice(2);
      s.expect(")");
      if (!s.failed && !(roundings as readonly string[]).includes(round!)) s.fail(`unknown rounding mode \`${round}\``);
      if (!s.failed && !(overflows as readonly string[]).includes(overflow!)) s.fail(`unknown overflow mode \`${overflow}\``);
      return { name, params, to: { type, round: round as (typeof roundings)[number], overflow: overflow as (typeof overflows)[number] } };
    },
  },
};

export const printAttr = (kind: AttrKind, v: unknown): string => (texts[kind] as AttrText<unknown>).print(v);
export const readAttr = (kind: AttrKind, s: Scanner): unknown => texts[kind].read(s);

const readNumberAttr = (s: Scanner): number => {
  const v = readInteger(s);
  return v >= -(2n ** 53n) && v <= 2n ** 53n ? Number(v) : Number.NaN;
};

const cellTexts: { readonly [K in CellAttrKind]: (s: Scanner) => CellAttr } = {
  natural: readNumberAttr,
  bit: readNumberAttr,
  shift: readNumberAttr,
  index: readNumberAttr,
  "index?": readNumberAttr,
  integer: readInteger,
  integers: (s) => s.list("]", () => readInteger(s), "["),
};

export const printCellAttr = (kind: CellAttrKind, v: CellAttr): string => (kind === "integers" ? `[${(v as readonly bigint[]).join(", ")}]` : String(v));
export const readCellAttr = (kind: CellAttrKind, s: Scanner): CellAttr => cellTexts[kind](s);
