// What a syntax error says: what was expected, what stands there.
import type { IParserErrorMessageProvider, IToken, TokenType } from "chevrotain";
import { printable } from "../../diagnostics.js";
import { EOF, tokenLabel } from "./chevrotain.js";

const labels: Readonly<Record<string, string>> = {
  Name: "a name",
  PlainName: "a name",
  QuotedName: "a name",
  OpenName: "a name",
  OpenString: "a string",
};

const label = (type: TokenType): string => labels[type.name] ?? tokenLabel(type);
const found = (token: IToken | undefined): string =>
  token === undefined || token.tokenType === EOF ? "the end of the file" : `\`${printable(token.image.slice(0, 40))}\``;

/** What may stand where each rule begins, in the reader's words. */
const beginnings: Readonly<Record<string, string>> = {
  file: "`network`, `block`, `let`, `include`, `target`, `vectors` or `quantize`",
  item: "`network`, `block`, `let`, `include`, `target`, `vectors` or `quantize`",
  statement: "`input`, `layer`, `let`, `weights`, `output` or `return`",
  primary: "a value",
  typePrimary: "a type, such as `fixed<8,2>`, or a name",
  layer: "`=` or `{`",
  network: "`{` or `from`",
};

/** What else may stand where a closing bracket is missing, by rule. */
const closings: Readonly<Record<string, string>> = {
  body: "a statement (`input`, `layer`, `let`, `weights`, `output`, `return`) or `}`",
  entries: "`name: value` or `}`",
  adjustments: "`layer NAME { … }` or `}`",
  args: "`,` or `)`",
  list: "`,` or `]`",
};

export const syntaxMessages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, actual, ruleName }) => {
    const isClosing = ["RightBrace", "RightParen", "RightBracket"].includes(expected.name);
    const wanted = expected === EOF ? beginnings["file"] : isClosing ? closings[ruleName] : undefined;
    return `expected ${wanted ?? label(expected)}, found ${found(actual)}`;
  },
  buildNotAllInputParsedMessage: ({ firstRedundant }) => `expected ${beginnings["file"]}, found ${found(firstRedundant)}`,
  buildNoViableAltMessage: ({ actual, ruleName, expectedPathsPerAlt }) => {
    const types = [...new Set(expectedPathsPerAlt.flatMap((alternative) => alternative.flatMap((path) => path.slice(0, 1).map(label))))];
    return `expected ${beginnings[ruleName] ?? types.slice(0, 8).join(", ")}, found ${found(actual[0])}`;
  },
  buildEarlyExitMessage: ({ actual, ruleName }) => `expected ${beginnings[ruleName] ?? "a value"}, found ${found(actual[0])}`,
};
