// The tokens of .qnn. Nouns such as `input` may also serve as names; verbs and brackets of the grammar may not.
import type { TokenType } from "chevrotain";
import { createToken, Lexer } from "./chevrotain.js";

export const Name = createToken({ name: "Name", pattern: Lexer.NA });
const PLAIN = /[A-Za-z_][A-Za-z0-9_]*/;
export const PlainName = createToken({ name: "PlainName", pattern: PLAIN, categories: Name });
const letters = Array.from({ length: 26 }, (_, i) => [String.fromCharCode(65 + i), String.fromCharCode(97 + i)]).flat();
const foreignStarts = ["_", ...letters, ...Array.from({ length: 0xd800 - 0xc0 }, (_, i) => 0xc0 + i)];
/** A word with letters beyond A to Z; reported, then taken for a name. */
const ForeignName = createToken({
  name: "ForeignName",
  pattern: /[A-Za-z_]*[\u00c0-\u1fff\u3040-\ud7ff][A-Za-z0-9_\u00c0-\u1fff\u3040-\ud7ff]*/,
  categories: Name,
  line_breaks: false,
  start_chars_hint: foreignStarts,
});
/** Any text as a name, as frameworks allow: `dense/1`. Escapes: \` \\ \u{hex}. */
const QuotedName = createToken({ name: "QuotedName", pattern: /`(?:[^`\\\n\r]|\\.)*`/, categories: Name, line_breaks: false });

const keyword = (word: string, isName: boolean): TokenType =>
  createToken({
    name: `${word[0]!.toUpperCase()}${word.slice(1)}`,
    pattern: new RegExp(word),
    longer_alt: PlainName,
    label: `\`${word}\``,
    ...(isName ? { categories: Name } : {}),
  });

export const Network = keyword("network", false);
export const Block = keyword("block", false);
export const Layer = keyword("layer", false);
export const Let = keyword("let", false);
export const Return = keyword("return", false);
export const Include = keyword("include", false);
export const As = keyword("as", false);
export const Input = keyword("input", true);
export const Output = keyword("output", true);
export const Weights = keyword("weights", true);
export const Target = keyword("target", true);
export const Vectors = keyword("vectors", true);
export const Quantize = keyword("quantize", true);
export const From = keyword("from", true);
export const TypeName = createToken({ name: "TypeName", pattern: /u?fixed/, longer_alt: PlainName, label: "a type" });

export const NumberToken = createToken({ name: "Number", pattern: /(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?/, label: "a number" });
export const StringToken = createToken({ name: "String", pattern: /"(?:[^"\\\n\r]|\\.)*"/, label: "a string", line_breaks: false });
/** A string or quoted name that its line does not close; reported, then taken for what it began to be. */
export const OpenString = createToken({ name: "OpenString", pattern: /"(?:[^"\\\n\r]|\\.)*/, categories: StringToken, line_breaks: false });
export const OpenName = createToken({ name: "OpenName", pattern: /`(?:[^`\\\n\r]|\\.)*/, categories: Name, line_breaks: false });

const symbol = (name: string, text: string, categories: TokenType[] = []): TokenType =>
  createToken({ name, pattern: text, label: `\`${text}\``, categories });
/** What stands between a name and its value: `:`, and by mistake `=`. */
export const Separator = createToken({ name: "Separator", pattern: Lexer.NA, label: "`:`" });
export const LeftParen = symbol("LeftParen", "(");
export const RightParen = symbol("RightParen", ")");
export const LeftBrace = symbol("LeftBrace", "{");
export const RightBrace = symbol("RightBrace", "}");
export const LeftBracket = symbol("LeftBracket", "[");
export const RightBracket = symbol("RightBracket", "]");
export const Less = symbol("Less", "<");
export const Greater = symbol("Greater", ">");
export const Comma = symbol("Comma", ",");
export const Colon = symbol("Colon", ":", [Separator]);
export const Equals = symbol("Equals", "=", [Separator]);
export const Operator = createToken({ name: "Operator", pattern: Lexer.NA, label: "an operator" });
const operator = (name: string, text: string): TokenType =>
  createToken({ name, pattern: text, label: `\`${text}\``, categories: Operator });
export const Minus = operator("Minus", "-");
const Plus = operator("Plus", "+");
const Star = operator("Star", "*");
const Slash = operator("Slash", "/");
export const Percent = operator("Percent", "%");
const Power = operator("Power", "^");

const Space = createToken({ name: "Space", pattern: /[ \t\r\n]+/, group: Lexer.SKIPPED, line_breaks: true });
const CommentToken = createToken({ name: "Comment", pattern: /\/\/[^\n\r]*/, group: "comments", line_breaks: false });

const keywords = [Network, Block, Layer, Let, Return, Include, As, Input, Output, Weights, Target, Vectors, Quantize, From, TypeName];
const symbols = [
  LeftParen,
  RightParen,
  LeftBrace,
  RightBrace,
  LeftBracket,
  RightBracket,
  Less,
  Greater,
  Comma,
  Colon,
  Equals,
  Minus,
  Plus,
  Star,
  Slash,
  Percent,
  Power,
];
export const vocabulary: readonly TokenType[] = [
  Space,
  CommentToken,
  ...keywords,
  ForeignName,
  PlainName,
  QuotedName,
  OpenName,
  NumberToken,
  StringToken,
  OpenString,
  ...symbols,
  Name,
  Operator,
  Separator,
];

/** As with the parser, a test validates the tokens. */
export const makeLexer = (skipValidations: boolean): InstanceType<typeof Lexer> =>
  new Lexer([...vocabulary], { positionTracking: "onlyOffset", ensureOptimizations: true, skipValidations });
export const lexer = makeLexer(true);
