// The blocks beside the network: `target`, `quantize` and `vectors`. Names and kinds are checked here; what they do, the compiler decides.
import { didYouMean, type Place, printable } from "../../diagnostics.js";
import type { Conversion } from "../../ir/fixed.js";
import type { Entry, Expression, SettingsItem } from "./ast.js";
import type { Checker, Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { wrongKind } from "./kinds.js";
import { resolvePath } from "./paths.js";
import { asInteger, rationalToNumber } from "./rational.js";
import { placeOf } from "./source.js";
import type { Value } from "./values.js";

const styles = ["loops", "rolled", "unrolled"] as const;
const goals = ["energy", "bits", "ebops", "luts"] as const;

/** What a setting's value may be. */
interface SettingKinds {
  text: string;
  /** An identifier: of a module, a part. */
  identifier: string;
  flag: boolean;
  count: number;
  /** Nanoseconds; `200 MHz` is 5. */
  time: number;
  number: number;
  type: Conversion;
  /** A file of the project, by its key. */
  file: string;
  style: (typeof styles)[number];
  goal: (typeof goals)[number];
}
type SettingKind = keyof SettingKinds;
interface SettingDef<K extends SettingKind = SettingKind> {
  readonly kind: K;
  readonly doc: string;
}
const def = <K extends SettingKind>(kind: K, doc: string): SettingDef<K> => ({ kind, doc });

const common = {
  part: def("text", "the device, as the vendor's tool names it"),
  clock: def("time", "the clock period: `5 ns`, or `200 MHz`"),
  top: def("identifier", "the name of the top module or function"),
};

/** Every setting there is. */
export const settingsTable = {
  verilog: {
    ...common,
    latency: def("count", "register stages: exactly so many clock cycles"),
    wrapper: def("flag", "whether the AXI4-Stream wrapper is written"),
  },
  hls: { ...common, style: def("style", "`loops`, `rolled` or `unrolled`") },
  quantize: {
    data: def("file", "samples to calibrate and train with, .npy or .npz"),
    labels: def("file", "their labels or targets"),
    goal: def("goal", "what to make small: `energy`, `bits`, `ebops` or `luts`"),
    max_loss: def("number", "the accuracy that may be lost, in points"),
    min_accuracy: def("number", "the accuracy to keep, between 0 and 1"),
    budget: def("text", 'bounds on costs: "luts=2000, latency=10"'),
    time: def("text", 'how long to search: "10m"'),
    seed: def("count", "the seed of the search"),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, SettingDef>>>>;

export type Section = keyof typeof settingsTable;

/** A value, and where the file says so. */
export interface Setting<T> {
  readonly value: T;
  readonly at: Place;
}
type SectionSettings<S extends Section> = {
  readonly [N in keyof (typeof settingsTable)[S]]?: Setting<
    (typeof settingsTable)[S][N] extends SettingDef<infer K> ? SettingKinds[K] : never
  >;
};
export type QnnSettings = { readonly [S in Section]?: SectionSettings<S> } & { readonly vectors?: Setting<string> };

type Read = { readonly [K in SettingKind]: (cx: Checker, scope: Scope, entry: Entry) => SettingKinds[K] | undefined };

const bad = (cx: Checker, scope: Scope, entry: Entry, value: Value, wanted: string): undefined =>
  wrongKind({ cx, scope, name: entry.name.name }, entry.value, value, wanted);

function text(cx: Checker, scope: Scope, entry: Entry, wanted = 'a string, such as "text"'): string | undefined {
  const value = evaluate(cx, scope, entry.value);
  return value.kind === "string" ? value.text : bad(cx, scope, entry, value, wanted);
}

function positive(cx: Checker, scope: Scope, entry: Entry, wanted: string): { readonly n: number; readonly unit?: string } | undefined {
  const value = evaluate(cx, scope, entry.value);
  if (value.kind !== "number") return bad(cx, scope, entry, value, wanted);
  const n = rationalToNumber(value.number);
  if (!(n > 0)) return cx.error("QN812", scope, entry.value.span, `\`${entry.name.name}\` must be ${wanted}, and above 0`);
  return { n, ...(value.unit === undefined ? {} : { unit: value.unit }) };
}

/** A word of a fixed list, with or without quotes. */
function wordOf(x: Expression): string | undefined {
  return x.kind === "name" ? x.name : x.kind === "string" ? x.value : undefined;
}

const choice =
  <T extends string>(all: readonly T[]) =>
  (cx: Checker, scope: Scope, entry: Entry): T | undefined => {
    const word = wordOf(entry.value);
    const guess = word === undefined ? undefined : didYouMean(word, all);
    return (
      all.find((s) => s === word) ??
      cx.error(
        "QN812",
        scope,
        entry.value.span,
        `\`${entry.name.name}\` must be one of ${all.join(", ")}`,
        guess === undefined ? {} : { help: `did you mean \`${guess}\`?` },
      )
    );
  };

const readers: Read = {
  text: (cx, scope, entry) => text(cx, scope, entry),
  identifier: (cx, scope, entry) => {
    const word = wordOf(entry.value);
    if (word !== undefined && /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(word)) return word;
    return cx.error("QN812", scope, entry.value.span, `\`${entry.name.name}\` must be an identifier`, {
      help: "letters, digits and underscores, at most 64",
    });
  },
  flag: (cx, scope, entry) => {
    const value = evaluate(cx, scope, entry.value);
    return value.kind === "word" && (value.word === "true" || value.word === "false")
      ? value.word === "true"
      : bad(cx, scope, entry, value, "true or false");
  },
  count: (cx, scope, entry) => {
    const value = evaluate(cx, scope, entry.value);
    const n = value.kind === "number" ? asInteger(value.number) : undefined;
    return n !== undefined && n >= 0 && n <= 1e9 ? n : bad(cx, scope, entry, value, "a whole number, 0 or more");
  },
  time: (cx, scope, entry) => {
    const found = positive(cx, scope, entry, "a time, such as `5 ns`");
    return found && (found.unit === "MHz" ? 1000 / found.n : found.n);
  },
  number: (cx, scope, entry) => positive(cx, scope, entry, "a number")?.n,
  type: (cx, scope, entry) => {
    const value = evaluate(cx, scope, entry.value);
    return value.kind === "type" ? value.conversion : bad(cx, scope, entry, value, "a type, such as fixed<16,6>");
  },
  file: (cx, scope, entry) => {
    const path = text(cx, scope, entry, 'a path, such as "x.npy"');
    const found = path === undefined ? undefined : resolvePath(cx.files.model, scope.source.name, path);
    return found && ("problem" in found ? cx.error("QN810", scope, entry.value.span, found.problem) : found.key);
  },
  style: choice(styles),
  goal: choice(goals),
};

/** The section that a block is about, or undefined after saying which there are. */
function sectionOf(cx: Checker, scope: Scope, item: SettingsItem): Section | undefined {
  if (item.keyword === "quantize") return "quantize";
  const targets = ["verilog", "hls"] as const;
  const name = item.name?.name ?? "";
  const found = targets.find((t) => t === name);
  if (found) return found;
  const guess = didYouMean(name, targets);
  return cx.error("QN812", scope, item.name?.span ?? item.span, `unknown target \`${printable(name)}\``, {
    help: guess === undefined ? `targets: ${targets.join(", ")}` : `did you mean \`${guess}\`?`,
  });
}

/** Adds one block's settings to those at hand. */
export function readSettings(cx: Checker, scope: Scope, item: SettingsItem, into: Record<string, Record<string, Setting<unknown>>>): void {
  const section = sectionOf(cx, scope, item);
  if (!section) return;
  const known: Readonly<Record<string, SettingDef>> = settingsTable[section];
  const settings = (into[section] ??= {});
  for (const entry of item.entries) {
    const name = entry.name.name;
    const found = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!found) {
      const guess = didYouMean(name, Object.keys(known));
      cx.error("QN812", scope, entry.name.span, `\`${section}\` has no setting \`${printable(name)}\``, {
        help: guess === undefined ? `settings: ${Object.keys(known).join(", ")}` : `did you mean \`${guess}\`?`,
      });
      continue;
    }
    const first = Object.hasOwn(settings, name) ? settings[name] : undefined;
    if (first) {
      cx.error("QN804", scope, entry.span, `\`${name}\` is set twice`, {
        also: [{ at: first.at, message: "first set here" }],
        help: "remove one of them",
      });
      continue;
    }
    const value = readers[found.kind](cx, scope, entry);
    if (value !== undefined) settings[name] = { value, at: placeOf(scope.source, entry.span) };
  }
}
