// The grammar of expressions on chevrotain: recursive descent with error recovery that builds the tree as it goes.
import { EmbeddedActionsParser, EOF, type IToken } from "chevrotain";
import type { Argument, ChainExpression, Expression, Identifier, Operator, StringLiteral } from "./ast.js";
import type { Span } from "./source.js";
import { syntaxMessages } from "./syntax-messages.js";
import * as t from "./tokens.js";

export const units = ["ns", "MHz"] as const;

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

const spanOf = (token: IToken): Span => ({ start: token.startOffset, end: token.startOffset + token.image.length });

/** What both halves of the grammar need; `performSelfAnalysis` is the subclass's to call. */
export class ExpressionParser extends EmbeddedActionsParser {
  complaints: Complaint[] = [];

  constructor() {
    super([...t.vocabulary], {
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
  protected colon = this.RULE("colon", (): void => {
    this.OR([
      { ALT: () => this.CONSUME(t.Colon) },
      {
        ALT: () => {
          const name = this.LA(0).image;
          const token = this.CONSUME(t.Equals);
          this.ACTION(() =>
            this.complaints.push({ span: spanOf(token), message: "expected `:`, found `=`", help: `write \`${name}: …\`` }),
          );
        },
      },
    ]);
  });

  protected expression = this.RULE(
    "expression",
    (): Expression => {
      const start = this.start();
      const value = this.SUBRULE(this.sum);
      const to: Expression[] = [];
      this.MANY(() => {
        this.CONSUME(t.As);
        to.push(this.SUBRULE(this.typePrimary));
      });
      return to.length === 0 ? value : { kind: "cast", value, to, span: this.since(start) };
    },
    { recoveryValueFunc: () => this.missing() },
  );

  protected missing(): Expression {
    return { kind: "missing", span: { start: this.end(), end: this.end() } };
  }

  protected chain(start: number, first: Expression, rest: ChainExpression["rest"]): Expression {
    return rest.length === 0 ? first : { kind: "chain", first, rest, span: this.since(start) };
  }

  protected sum = this.RULE(
    "sum",
    (): Expression => {
      const start = this.start();
      const first = this.SUBRULE(this.product);
      const rest: { operator: Operator; operand: Expression }[] = [];
      this.MANY(() => {
        const operator = this.CONSUME(t.Sum).image as Operator;
        rest.push({ operator, operand: this.SUBRULE2(this.product) });
      });
      return this.chain(start, first, rest);
    },
    { recoveryValueFunc: () => this.missing() },
  );

  protected product = this.RULE(
    "product",
    (): Expression => {
      const start = this.start();
      const first = this.SUBRULE(this.signed);
      const rest: { operator: Operator; operand: Expression }[] = [];
      this.MANY(() => {
        const operator = this.CONSUME(t.Product).image as Operator;
        rest.push({ operator, operand: this.SUBRULE2(this.signed) });
      });
      return this.chain(start, first, rest);
    },
    { recoveryValueFunc: () => this.missing() },
  );

  protected signed = this.RULE(
    "signed",
    (): Expression => {
      const start = this.start();
      let count = 0;
      this.MANY(() => {
        this.CONSUME(t.Minus);
        count++;
      });
      const inner = this.SUBRULE(this.power);
      return count === 0 ? inner : { kind: "negate", count, inner, span: this.since(start) };
    },
    { recoveryValueFunc: () => this.missing() },
  );

  protected power = this.RULE(
    "power",
    (): Expression => {
      const start = this.start();
      const first = this.SUBRULE(this.primary);
      const rest: { operator: Operator; operand: Expression }[] = [];
      this.OPTION(() => {
        this.CONSUME(t.Power);
        const from = this.start();
        let count = 0;
        this.MANY(() => {
          this.CONSUME(t.Minus);
          count++;
        });
        const inner = this.SUBRULE2(this.primary);
        rest.push({ operator: "^", operand: count === 0 ? inner : { kind: "negate", count, inner, span: this.since(from) } });
      });
      return this.chain(start, first, rest);
    },
    { recoveryValueFunc: () => this.missing() },
  );

  protected primary = this.RULE(
    "primary",
    (): Expression =>
      this.OR([
        {
          ALT: (): Expression => {
            const token = this.CONSUME(t.NumberToken);
            const start = token.startOffset;
            const unit = this.OPTION({
              GATE: () => (units as readonly string[]).includes(this.LA(1).image),
              DEF: () => this.identifierOf(this.CONSUME(t.Name)),
            });
            return { kind: "number", text: token.image, ...(unit ? { unit } : {}), span: this.since(start) };
          },
        },
        { ALT: (): Expression => this.stringOf(this.CONSUME(t.StringToken)) },
        { ALT: () => this.SUBRULE(this.list) },
        {
          ALT: (): Expression => {
            const start = this.start();
            this.CONSUME(t.LeftParen);
            const inner = this.SUBRULE(this.expression);
            this.CONSUME(t.RightParen);
            return { kind: "group", inner, span: this.since(start) };
          },
        },
        { ALT: () => this.SUBRULE(this.typePrimary) },
      ]),
    { recoveryValueFunc: () => this.missing() },
  );

  /** What may follow `as`: a type, a name, a call. */
  protected typePrimary = this.RULE(
    "typePrimary",
    (): Expression =>
      this.OR([
        {
          ALT: (): Expression => {
            const start = this.start();
            const signed = this.OR2([
              {
                ALT: () => {
                  this.CONSUME(t.Fixed);
                  return true;
                },
              },
              {
                ALT: () => {
                  this.CONSUME(t.Ufixed);
                  return false;
                },
              },
            ]);
            const args: Expression[] = [];
            this.CONSUME(t.Less);
            this.AT_LEAST_ONE_SEP({ SEP: t.Comma, DEF: () => args.push(this.SUBRULE(this.sum)) });
            this.CONSUME(t.Greater);
            return { kind: "type", signed, args, span: this.since(start) };
          },
        },
        { GATE: () => !this.startsStatement(), ALT: () => this.SUBRULE(this.nameOrCall) },
      ]),
    { recoveryValueFunc: () => this.missing() },
  );

  /** Whether a noun at this place is the first word of a statement, not a name: what follows tells. */
  private startsStatement(at = 1): boolean {
    const [word, next, third] = [this.LA(at).tokenType, this.LA(at + 1).tokenType, this.LA(at + 2).tokenType];
    const isName = (next.CATEGORIES ?? []).includes(t.Name);
    if (word === t.Input) return isName && third === t.Colon;
    if (word === t.Output) return isName && !this.startsStatement(at + 1);
    if (word === t.Weights || word === t.Vectors) return next === t.StringToken;
    if (word === t.Target) return isName && third === t.LeftBrace;
    return word === t.Quantize && next === t.LeftBrace;
  }

  protected nameOrCall = this.RULE(
    "nameOrCall",
    (): Expression => {
      const token = this.CONSUME(t.Name);
      const callee = this.identifierOf(token);
      const args = this.OPTION(() => this.SUBRULE(this.args));
      if (!args)
        return { kind: "name", name: callee.name, ...(token.image.startsWith("`") ? { quoted: true as const } : {}), span: callee.span };
      return { kind: "call", callee, args, span: this.since(callee.span.start) };
    },
    { recoveryValueFunc: () => this.missing() },
  );

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
      this.SUBRULE(this.colon);
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
