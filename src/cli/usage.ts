// Wrong usage, in the project's own words: yargs's messages become diagnostics with a suggestion.
import { existsSync } from "node:fs";
import { didYouMean, printable, type Reporter } from "../diagnostics.js";
import { buildCommand, type Command, commands, globalFlags } from "./commands.js";

/** yargs found the command line wrong. */
export class UsageError extends Error {}

const flagsOf = (command: Command): readonly string[] =>
  [...Object.entries({ ...command.flags, ...globalFlags })]
    .flatMap(([name, f]) => [name, ...[f.alias ?? []].flat()])
    .concat("help", "version");

const dashed = (flag: string): string => (flag.length === 1 || /^M[DFTP]$/.test(flag) ? `-${flag}` : `--${flag}`);

/** The command that the words ask for. */
export const commandOf = (argv: readonly string[]): Command =>
  commands.find((c) => c.name === argv.find((word) => !word.startsWith("-"))) ?? buildCommand;

interface Wrong {
  readonly message: string;
  readonly help?: string | undefined;
}

function unknownWord(word: string, argv: readonly string[], command: Command): Wrong {
  const isFlag = argv.some(
    (a) =>
      a === `--${word}` ||
      a === `-${word}` ||
      a.startsWith(`--${word}=`) ||
      a.startsWith(`-${word}=`) ||
      (word.length === 1 && /^-[^-]/.test(a)),
  );
  if (!isFlag)
    return (
      unknownCommand(argv.find((a) => !a.startsWith("-")) ?? "") ?? {
        message: `unexpected argument \`${word}\``,
        help: `quote names that hold blanks; ${seeHelp(command)}`,
      }
    );
  const near = didYouMean(word, flagsOf(command));
  return { message: `unknown flag \`${dashed(word)}\``, help: near === undefined ? seeHelp(command) : `did you mean \`${dashed(near)}\`?` };
}

const seeHelp = (command: Command): string => `\`qnnc ${command === buildCommand ? "" : `${command.name} `}--help\` lists what there is`;

/** A first word that names neither a command nor a file, where it looks like a command; undefined where it is a model. */
export function unknownCommand(word: string): Wrong | undefined {
  if (word === "" || commands.some((c) => c.name === word) || /[./\\]/.test(word) || existsSync(word)) return undefined;
  const near = didYouMean(
    word,
    commands.map((c) => c.name),
  );
  return {
    message: `\`${word}\` is neither a command nor a file`,
    help: near === undefined ? "`qnnc --help` lists the commands" : `did you mean \`qnnc ${near}\`?`,
  };
}

/** yargs's messages, in English, and what to say instead. The first that matches counts. */
const rewordings: readonly [RegExp, (m: RegExpExecArray, argv: readonly string[], command: Command) => readonly Wrong[]][] = [
  [/^Unknown (?:arguments?|commands?): (.+)$/s, (m, argv, command) => m[1]!.split(", ").map((word) => unknownWord(word, argv, command))],
  [/^Not enough arguments following: (.+)$/, (m) => [{ message: `\`${dashed(m[1]!)}\` needs a value` }]],
  [
    /^Not enough non-option arguments/,
    (_, argv, command) => [
      {
        message: `qnnc ${command.name === "build" ? "" : `${command.name} `}needs ${command.usage.replace(/[<>]/g, "`")}`,
        help: argv.length === 0 ? "`qnnc MODEL -o DIR` compiles a network; `qnnc --help` lists the commands" : seeHelp(command),
      },
    ],
  ],
  [
    /^Invalid values:\s+Argument: ([^,]+), Given: (.*?), Choices: (.*)$/s,
    (m) => {
      const choices = [...m[3]!.matchAll(/"([^"]*)"/g)].map((c) => c[1]!);
      const given = m[2]!.replace(/^"|"$/g, "");
      const near = didYouMean(given, choices);
      return [
        {
          message: `${dashed(m[1]!)}: \`${given}\` is not one of ${choices.join(", ")}`,
          help: near === undefined ? undefined : `did you mean \`${near}\`?`,
        },
      ];
    },
  ],
];

/** Reports a message of yargs as QN400. */
export function reportUsage(message: string, argv: readonly string[], reporter: Reporter): void {
  const command = commandOf(argv);
  const found = rewordings.map(([pattern, say]) => ({ match: pattern.exec(message), say })).find(({ match }) => match !== null);
  const wrongs: readonly Wrong[] = found?.match ? found.say(found.match, argv, command) : [{ message, help: seeHelp(command) }];
  for (const { message: text, help } of wrongs) reporter.error("QN400", printable(text), help === undefined ? {} : { help });
}
