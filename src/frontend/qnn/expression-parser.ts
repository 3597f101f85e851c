// The grammar of expressions on chevrotain: recursive descent with error recovery that builds the tree as it goes.
import type { IToken } from "chevrotain";
import type { Argument, Expression, Identifier, Operator, StringLiteral } from "./ast.js";
import { EmbeddedActionsParser, EOF } from "./chevrotain.js";
import { chainOf, type Term } from "./operators.js";
import type { Span } from "./source.js";
import { syntaxMessages } from "./syntax-messages.js";
import * as t from "./tokens.js";
import { isUnit } from "./values.js";

/** A mistake that the grammar accepts in order to explain it. */
export interface Complaint {
  readonly span: Span;
  readonly message: string;
  readonly help: string;
}

const unescapeText = (text: string): string =>
  text.replace(/\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))/g, (_, hex: string | undefined, other: string | undefined) => {
    if (hex !== undefined) return Number.parseInt(hex, 16) <= 0x10ffff ? String.fromCodePoint(Number.parseInt(hex, 16)) : "\ufffd";
    return other === "n" ? "\n" : other === "t" ? "\t" : (other ?? "");
  });

/** Stands for an operand that is being read. */
const NOTHING: Expression = { kind: "missing", span: { start: 0, end: 0 } };

const spanOf = (token: IToken): Span => ({ start: token.startOffset, end: token.startOffset + token.image.length });

/** What both halves of the grammar need; `performSelfAnalysis` is the subclass's to call. */
export class ExpressionParser extends EmbeddedActionsParser {
  complaints: Complaint[] = [];

  /** Validating the grammar takes longer than parsing a file; a test does it once. */
  constructor(skipValidations: boolean) {
    super([...t.vocabulary], {
      skipValidations,
      recoveryEnabled: true,
      maxLookahead: 2,
      nodeLocationTracking: "none",
      errorMessageProvider: syntaxMessages,
    });
  }

  protected start(): number {
    const next = this.LA(1);
    return next.tokenType === EOF ? this.end() : next.startOffset;
  }
  protected end(): number {
    const last = this.LA(0);
    return last === undefined || Number.isNaN(last.startOffset) ? 0 : last.startOffset + last.image.length;
  }
  protected since(start: number): Span {
    return { start, end: Math.max(start, this.end()) };
  }

  protected identifierOf(token: IToken): Identifier {
    const { image } = token;
    const name = image.startsWith("`") ? unescapeText(image.slice(1, image.endsWith("`") && image.length > 1 ? -1 : undefined)) : image;
    return { name, span: token.isInsertedInRecovery ? { start: this.end(), end: this.end() } : spanOf(token) };
  }

  protected stringOf(token: IToken): StringLiteral {
    const { image } = token;
    const closed = image.length > 1 && image.endsWith('"');
    return {
      kind: "string",
      value: unescapeText(image.slice(1, closed ? -1 : undefined)),
      span: token.isInsertedInRecovery ? { start: this.end(), end: this.end() } : spanOf(token),
    };
  }

  /** `:`; for a `=`, says what to write instead and goes on. */
  protected colon(): void {
    const name = this.LA(0)?.image;
    const token = this.CONSUME(t.Separator);
    if (token.image === "=")
      this.complaints.push({ span: spanOf(token), message: "expected `:`, found `=`", help: `write \`${name}: …\`` });
  }

  /** Signs, operands and operators as they stand, then casts; `chainOf` knows what binds tighter. Few rules, since each costs more than its tokens. */
  protected expression = this.RULE(
    "expression",
    (): Expression => {
      const start = this.start();
      const terms: Term[] = [];
      const term = (operator: Operator | undefined): Term => {
        const made = { operator, start: this.start(), signs: 0, operand: NOTHING };
        terms.push(made);
        return made;
      };
      let last = term(undefined);
      this.MANY(() => {
        this.CONSUME(t.Minus);
        last.signs++;
      });
      last.operand = this.SUBRULE(this.primary);
      this.MANY1(() => {
        const token = this.CONSUME(t.Operator);
        if (token.image === "^" && last.operator === "^")
          this.complaints.push({
            span: spanOf(token),
            message: "`^` after `^` is read in two ways",
            help: "put one of them in parentheses",
          });
        last = term(token.image as Operator);
        this.MANY2(() => {
          this.CONSUME1(t.Minus);
          last.signs++;
        });
        last.operand = this.SUBRULE1(this.primary);
      });
      const to: Expression[] = [];
      this.MANY3(() => {
        this.CONSUME(t.As);
        to.push(this.SUBRULE(this.typePrimary));
      });
      return this.ACTION(() => {
        const value = chainOf(terms);
        return to.length === 0 ? value : { kind: "cast", value, to, span: this.since(start) };
      });
    },
    { recoveryValueFunc: () => this.missing() },
  );

  protected missing(): Expression {
    return { kind: "missing", span: { start: this.end(), end: this.end() } };
  }

  private number = (): Expression => {
    const token = this.CONSUME(t.NumberToken);
    const start = token.startOffset;
    const unit = this.OPTION({ GATE: this.startsUnit, DEF: this.unit });
    return { kind: "number", text: token.image, ...(unit ? { unit } : {}), span: this.since(start) };
  };
  private unit = (): Identifier =>
    this.OR1([{ ALT: () => this.identifierOf(this.CONSUME1(t.Name)) }, { ALT: () => this.identifierOf(this.CONSUME(t.Percent)) }]);
  private parenthesised = (): Expression => {
    const start = this.start();
    this.CONSUME(t.LeftParen);
    const inner = this.SUBRULE(this.expression);
    this.CONSUME(t.RightParen);
    return { kind: "group", inner, span: this.since(start) };
  };
  private type = (): Expression => {
    const start = this.start();
    const signed = this.CONSUME(t.TypeName).image === "fixed";
    const args: Expression[] = [];
    this.CONSUME(t.Less);
    this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => args.push(this.SUBRULE2(this.expression)) });
    this.CONSUME(t.Greater);
    return { kind: "type", signed, args, span: this.since(start) };
  };
  private nameOrCall = (): Expression => {
    const token = this.CONSUME(t.Name);
    const callee = this.identifierOf(token);
    const args = this.OPTION1(() => this.SUBRULE(this.args));
    if (!args)
      return { kind: "name", name: callee.name, ...(token.image.startsWith("`") ? { quoted: true as const } : {}), span: callee.span };
    return { kind: "call", callee, args, span: this.since(callee.span.start) };
  };
  /** What may follow `as`: a type, a name, a call. */
  private readonly types = [{ ALT: this.type }, { GATE: () => !this.startsStatement(), ALT: this.nameOrCall }];
  private readonly values = [
    { ALT: this.number },
    { ALT: (): Expression => this.stringOf(this.CONSUME(t.StringToken)) },
    { ALT: (): Expression => this.SUBRULE(this.list) },
    { ALT: this.parenthesised },
    ...this.types,
  ];

  protected primary = this.RULE("primary", (): Expression => this.OR(this.values), { recoveryValueFunc: () => this.missing() });
  protected typePrimary = this.RULE("typePrimary", (): Expression => this.OR(this.types), { recoveryValueFunc: () => this.missing() });

  /** Whether a noun at this place is the first word of a statement, not a name: what follows tells. */
  private startsStatement(at = 1): boolean {
    const word = this.LA(at).tokenType;
    if (word === t.PlainName) return false;
    const [next, third] = [this.LA(at + 1).tokenType, this.LA(at + 2).tokenType];
    const isName = (next.CATEGORIES ?? []).includes(t.Name);
    if (word === t.Input) return isName && third === t.Colon;
    if (word === t.Output) return isName && !this.startsStatement(at + 1);
    if (word === t.Weights || word === t.Vectors) return next === t.StringToken;
    if (word === t.Target) return isName && third === t.LeftBrace;
    return word === t.Quantize && next === t.LeftBrace;
  }

  /** Whether the word or sign after a number is its unit: not the name of the next entry, not the remainder of a division. */
  private startsUnit = (): boolean => {
    const [sign, next] = [this.LA(1), this.LA(2).tokenType];
    if (sign.tokenType !== t.Percent && isUnit(sign.image)) return next !== t.Colon;
    // A word that is no unit is taken for a mistaken one, where an entry or argument ends behind it.
    if (sign.tokenType !== t.Percent && sign.tokenType !== t.PlainName) return false;
    return next === t.Comma || next === t.RightBrace || ((next.CATEGORIES ?? []).includes(t.Name) && this.LA(3).tokenType === t.Colon);
  };

  protected args = this.RULE(
    "args",
    (): Argument[] => {
      const found: Argument[] = [];
      this.CONSUME(t.LeftParen);
      this.OPTION(() => {
        const first = this.SUBRULE(this.argument);
        if (first) found.push(first);
        this.MANY({
          GATE: () => this.LA(2).tokenType !== t.RightParen,
          DEF: () => {
            this.CONSUME(t.Comma);
            const argument = this.SUBRULE2(this.argument);
            if (argument) found.push(argument);
          },
        });
        this.OPTION2(() => this.CONSUME2(t.Comma));
      });
      this.CONSUME(t.RightParen);
      return found;
    },
    { recoveryValueFunc: () => [] },
  );

  protected argument = this.RULE("argument", (): Argument | undefined => {
    const start = this.start();
    const name = this.OPTION(() => {
      const found = this.identifierOf(this.CONSUME(t.Name));
      this.colon();
      return found;
    });
    const value = this.SUBRULE(this.expression);
    return { ...(name ? { name } : {}), value, span: this.since(start) };
  });

  protected list = this.RULE(
    "list",
    (): Expression => {
      const start = this.start();
      const items: Expression[] = [];
      this.CONSUME(t.LeftBracket);
      this.OPTION(() => {
        items.push(this.SUBRULE(this.expression));
        this.MANY({
          GATE: () => this.LA(2).tokenType !== t.RightBracket,
          DEF: () => {
            this.CONSUME(t.Comma);
            items.push(this.SUBRULE2(this.expression));
          },
        });
        this.OPTION2(() => this.CONSUME2(t.Comma));
      });
      this.CONSUME(t.RightBracket);
      return { kind: "list", items, span: this.since(start) };
    },
    { recoveryValueFunc: () => this.missing() },
  );
}
