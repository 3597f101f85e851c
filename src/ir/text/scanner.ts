// A cursor over .qir text. After the first mistake it reads nothing more: every reader then returns a dummy, so that callers need no checks of their own.
import type { Code } from "../../diagnostic-codes.js";
import type { Reporter } from "../../diagnostics.js";

/** Ends of lines, with blank lines and comments. */
const lineEnds = /(?:[ \t]*(?:\/\/[^\n]*)?\r?\n)+[ \t]*|[ \t]*(?:\/\/[^\n]*)?$/y;

export class Scanner {
  private at = 0;
  /** Start of the token read last. */
  private start = 0;
  failed = false;

  constructor(
    private readonly text: string,
    private readonly source: string,
    private readonly reporter: Reporter,
  ) {
    this.match(/(?:[ \t]*(?:\/\/[^\n]*)?\r?\n)*/y);
  }

  get done(): boolean {
    return this.failed || this.at >= this.text.length;
  }
  get position(): number {
    return this.start;
  }

  /** Reports at the token read last, or at an earlier position. */
  fail(message: string, code: Code = "QN600", position = this.start): undefined {
    if (this.failed) return;
    this.failed = true;
    const before = this.text.slice(0, position);
    const line = before.split("\n").length;
    const column = position - before.lastIndexOf("\n");
    this.reporter.error(code, message, { at: { source: this.source, line, column } });
  }

  /** The text that a sticky expression matches here, with the white space before it; undefined where it does not. */
  private match(expression: RegExp): string | undefined {
    if (this.failed) return undefined;
    this.skipSpace();
    expression.lastIndex = this.start;
    if (!expression.test(this.text)) return undefined;
    this.at = expression.lastIndex;
    return this.text.slice(this.start, this.at);
  }

  private skipSpace(): void {
    let at = this.at;
    for (let c = this.text.charCodeAt(at); c === 0x20 || c === 0x09; c = this.text.charCodeAt(at)) at++;
    this.start = at;
  }

  /** Reads `expression` or reports that `what` was expected. */
  read(expression: RegExp, what: string): string {
    const found = this.match(expression);
    if (found === undefined) this.fail(`expected ${what}, found ${this.found()}`);
    return found ?? "";
  }
  take(expression: RegExp): string | undefined {
    return this.match(expression);
  }

  /** Reads `token` if it comes next. */
  accept(token: string): boolean {
    if (this.failed) return false;
    this.skipSpace();
    if (!this.text.startsWith(token, this.start)) return false;
    this.at = this.start + token.length;
    return true;
  }
  expect(token: string): void {
    if (!this.accept(token)) this.fail(`expected \`${token}\`, found ${this.found()}`);
  }
  endLine(): void {
    const found = this.match(lineEnds);
    if (found === undefined) this.fail(`expected the end of the line, found ${this.found()}`);
  }

  /** Items separated by commas, up to `close`, which is read as well, like `open` where it is given. */
  list<T>(close: string, item: () => T, open = ""): T[] {
    const items: T[] = [];
    if (open !== "") this.expect(open);
    if (this.accept(close)) return items;
    do items.push(item());
    while (this.accept(","));
    this.expect(close);
    return items;
  }

  private found(): string {
    const rest = /[^\s,(){}[\]]+|\S/y;
    rest.lastIndex = this.start;
    const token = rest.exec(this.text)?.[0];
    return token === undefined || this.text[this.start] === "\n" ? "the end of the line" : `\`${token.slice(0, 40)}\``;
  }
}
