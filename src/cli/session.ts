// What a command talks through: diagnostics and messages on standard error, in the form and the colour that the user asked for.
import { Reporter, renderJson, renderSarif, renderText } from "../diagnostics.js";
import { version } from "../version.js";
import { exitCodeOf } from "./exit-codes.js";

export const forms = ["text", "json", "sarif"] as const;
export type Form = (typeof forms)[number];

export interface SessionOptions {
  readonly form: Form;
  /** Errors only. */
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
}

export interface Session extends SessionOptions {
  readonly reporter: Reporter;
  /** Every file read so far, by the name that the user gave. */
  readonly files: Map<string, Uint8Array>;
  /** A message for people: not with --quiet, and never amid JSON or SARIF. */
  say(message: string): void;
  /** A message for the curious, with --verbose. */
  detail(message: string): void;
  /** What is being done now, overwritten by the next; on a terminal only. */
  progress(message: string): void;
  /** Prints the diagnostics and gives the exit code. */
  finish(): number;
}

const MAX_SHOWN = 50;
const MAX_EXCERPT_BYTES = 2 ** 26;

/** NO_COLOR (no-color.org) and a terminal that cannot are honoured, unless --color says otherwise. */
export const wantsColor = (asked: boolean | undefined): boolean =>
  asked ?? (process.stderr.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb");

const counted = (n: number, word: string): string => `${n} ${word}${n === 1 ? "" : "s"}`;

export function makeSession(options: SessionOptions): Session {
  const reporter = new Reporter();
  const files = new Map<string, Uint8Array>();
  const texts = new Map<string, string>();
  const textOf = (source: string): string | undefined => {
    const bytes = files.get(source);
    if (bytes === undefined || bytes.length > MAX_EXCERPT_BYTES) return undefined;
    if (!texts.has(source)) texts.set(source, new TextDecoder().decode(bytes));
    return texts.get(source);
  };
  const lively = options.form === "text" && !options.quiet && process.stderr.isTTY === true;
  const clear = lively ? "\r\u001b[K" : "";
  const write = (message: string): void => {
    process.stderr.write(`${clear}${message}\n`);
  };
  const talk = options.form === "text" && !options.quiet;

  const finishText = (): void => {
    const shown = reporter.diagnostics.filter((d) => !options.quiet || d.level === "error");
    for (const d of shown.slice(0, MAX_SHOWN)) write(renderText(d, { text: textOf, color: options.color }));
    if (shown.length > MAX_SHOWN) write(`… and ${shown.length - MAX_SHOWN} more`);
    const errors = reporter.diagnostics.filter((d) => d.level === "error");
    const said = errors.find((d) => d.code !== "QN400" && d.code !== "QN401");
    if (said && talk) write(`${counted(errors.length, "error")}; \`qnnc explain ${said.code}\` says more`);
    else if (clear) process.stderr.write(clear);
  };
  const finishers: Readonly<Record<Form, () => void>> = {
    text: finishText,
    json: () => process.stderr.write(renderJson(reporter.diagnostics)),
    sarif: () => process.stderr.write(renderSarif(reporter.diagnostics, version)),
  };

  return {
    ...options,
    reporter,
    files,
    say: (message) => talk && write(message),
    detail: (message) => talk && options.verbose && write(message),
    progress: (message) => lively && process.stderr.write(`${clear}${message}…`),
    finish: () => {
      finishers[options.form]();
      return exitCodeOf(reporter.diagnostics);
    },
  };
}
