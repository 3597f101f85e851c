// Parses the command line, runs the command, and turns whatever happens into an exit code.
import yargs, { type Argv } from "yargs";
import { version } from "../version.js";
import { makeArguments, splitJoined } from "./arguments.js";
import { reportBug } from "./bug-report.js";
import { buildCommand, type Command, commands, globalFlags } from "./commands.js";
import { type Form, forms, makeSession, type Session, wantsColor } from "./session.js";
import { reportUsage, UsageError } from "./usage.js";

/** Runs one command line; gives the exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  const words = splitJoined(argv);
  // Before yargs has read the flags, a wrong one must still be reported in the form that the user asked for.
  let session = makeSession(sketch(words));
  try {
    await parserFor(words, (made) => {
      session = made;
    }).parseAsync();
  } catch (e) {
    if (!(e instanceof UsageError)) return reportBug(e, argv);
    reportUsage(e.message, words, session.reporter);
  }
  return session.finish();
}

function sketch(words: readonly string[]) {
  const at = words.findIndex((w) => w === "--diagnostics" || w.startsWith("--diagnostics="));
  const asked = at < 0 ? "text" : (words[at]!.split("=")[1] ?? words[at + 1]);
  const form: Form = forms.find((f) => f === asked) ?? "text";
  return {
    form,
    quiet: false,
    verbose: false,
    color: wantsColor(words.includes("--no-color") ? false : words.includes("--color") ? true : undefined),
  };
}

function parserFor(words: readonly string[], onSession: (session: Session) => void): Argv {
  const parser: Argv = yargs([...words])
    .scriptName("qnnc")
    .detectLocale(false)
    .parserConfiguration({
      "short-option-groups": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "duplicate-arguments-array": true,
      "greedy-arrays": false,
      "boolean-negation": true,
    })
    .usage("qnnc MODEL -o DIR\n\nCompiles trained, quantized neural networks into bit-exact FPGA firmware.")
    .options(globalFlags)
    .strict()
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | null, error: Error | undefined) => {
      // YError is how yargs raises a wrong command line outside its own checks.
      if (error && error.name !== "YError") throw error;
      throw new UsageError(message ?? error?.message ?? "wrong usage");
    })
    .version(version)
    .alias("help", "h")
    .updateStrings({ string: "value", boolean: "flag", "Show help": "print this help", "Show version number": "print the version" })
    .epilogue(
      "Exit codes: 0 done, 1 the input has errors, 2 wrong usage, 3 a file failed, 4 a verification mismatch, 70 a bug in qnnc, 130 interrupted.",
    )
    .wrap(process.stdout.isTTY ? Math.min(120, process.stdout.columns) : 100);
  for (const command of commands) addCommand(parser, command, onSession);
  return parser;
}

function addCommand(parser: Argv, command: Command, onSession: (session: Session) => void): void {
  const names = command === buildCommand ? [`$0 ${command.usage}`, command.name] : `${command.name} ${command.usage}`.trimEnd();
  parser.command(
    names,
    command.doc,
    (y) => {
      for (const [name, describe] of Object.entries(command.positional)) y.positional(name, { type: "string", describe }).nargs(name, 1); // nargs: else `-` is no value
      for (const [line, what] of command.examples ?? []) y.example(line, what);
      return y
        .options(command.flags)
        .group(Object.keys(command.flags), "Options:")
        .group([...Object.keys(globalFlags), "help", "version"], "Everywhere:");
    },
    async (raw) => {
      const early = makeArguments(raw, makeSession(sketch([])).reporter);
      const form = forms.find((f) => f === early.text("diagnostics")) ?? "text";
      const session = makeSession({
        form,
        quiet: early.flag("quiet"),
        verbose: early.flag("verbose"),
        color: wantsColor(early.choice("color")),
      });
      onSession(session);
      const handler = await command.load();
      await handler(makeArguments(raw, session.reporter), session);
    },
  );
}
