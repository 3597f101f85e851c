// Reads the blocks beside the network: `target` and `quantize`. Names and kinds are checked here; what they do, the compiler decides.
import { didYouMean, printable } from "../../diagnostics.js";
import type { Entry, Expression, SettingsItem } from "./ast.js";
import type { Checker, Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { wrongKind } from "./kinds.js";
import { resolvePath } from "./paths.js";
import { asInteger, rationalToNumber } from "./rational.js";
import {
  budgets,
  energyModels,
  goals,
  type Section,
  type Setting,
  type SettingDef,
  type SettingKind,
  type SettingKinds,
  settingsTable,
  styles,
  wrappers,
} from "./settings-table.js";
import { placeOf } from "./source.js";
import type { Value } from "./values.js";

type Read = { readonly [K in SettingKind]: (cx: Checker, scope: Scope, entry: Entry) => SettingKinds[K] | undefined };

const bad = (cx: Checker, scope: Scope, entry: Entry, value: Value, wanted: string): undefined =>
  wrongKind({ cx, scope, name: entry.name.name }, entry.value, value, wanted);

function text(cx: Checker, scope: Scope, entry: Entry, wanted = 'a string, such as "text"'): string | undefined {
  const value = evaluate(cx, scope, entry.value);
  return value.kind === "string" ? value.text : bad(cx, scope, entry, value, wanted);
}

/** A number above 0 with one of the units, each worth so much; "" stands for no unit. */
function quantity(
  cx: Checker,
  scope: Scope,
  entry: Entry,
  worth: Readonly<Record<string, (n: number) => number>>,
  wanted: string,
  takesZero = false,
): number | undefined {
  const value = evaluate(cx, scope, entry.value);
  if (value.kind !== "number" && value.kind !== "quantity") return bad(cx, scope, entry, value, wanted);
  const unit = value.kind === "quantity" ? value.unit : "";
  const convert = Object.hasOwn(worth, unit) ? worth[unit] : undefined;
  if (!convert)
    return cx.error(
      "QN812",
      scope,
      entry.value.span,
      `\`${entry.name.name}\` must be ${wanted}${unit === "" ? ": a unit is missing" : `, and \`${unit}\` is no unit of it`}`,
    );
  const n = rationalToNumber(value.number);
  return n > 0 || (takesZero && n === 0)
    ? convert(n)
    : cx.error("QN812", scope, entry.value.span, `\`${entry.name.name}\` must be ${wanted}, and ${takesZero ? "not below" : "above"} 0`);
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

/** "luts=2000, latency=10" */
function budget(cx: Checker, scope: Scope, entry: Entry): SettingKinds["budget"] | undefined {
  const list = text(cx, scope, entry, 'a list such as "luts=2000, latency=10"');
  if (list === undefined) return undefined;
  const found: { -readonly [K in keyof SettingKinds["budget"]]: SettingKinds["budget"][K] } = {};
  for (const part of list.split(",")) {
    const [, name, number] = /^\s*([\w-]+)\s*=\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*$/i.exec(part) ?? [];
    const cost = budgets.find((b) => b === name);
    if (cost && found[cost] === undefined) {
      found[cost] = Number(number);
      continue;
    }
    const guess = name === undefined ? undefined : didYouMean(name, budgets);
    const why =
      name === undefined
        ? `\`${printable(part.trim())}\` is no bound`
        : cost
          ? `\`${cost}\` is bounded twice`
          : `there is no cost \`${printable(name)}\``;
    return cx.error("QN812", scope, entry.value.span, why, {
      help: guess !== undefined && !cost ? `did you mean \`${guess}\`?` : `write "COST=NUMBER, …" with ${budgets.join(", ")}`,
    });
  }
  return found;
}

const readers: Read = {
  identifier: (cx, scope, entry) => {
    const word = wordOf(entry.value);
    if (word !== undefined && /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(word)) return word;
    return cx.error("QN812", scope, entry.value.span, `\`${entry.name.name}\` must be an identifier`, {
      help: "letters, digits and underscores, at most 64",
    });
  },
  part: (cx, scope, entry) =>
    wordOf(entry.value) ??
    cx.error("QN812", scope, entry.value.span, "`part` must be the name of a device", { help: 'in quotes, such as "xc7a35ticsg324-1L"' }),
  wrapper: (cx, scope, entry) => {
    const word = choice(wrappers)(cx, scope, entry);
    return word && (word === "axis" || word === "true");
  },
  count: (cx, scope, entry) => {
    const value = evaluate(cx, scope, entry.value);
    const n = value.kind === "number" ? asInteger(value.number) : undefined;
    return n !== undefined && n >= 0 && n <= 1e9 ? n : bad(cx, scope, entry, value, "a whole number, 0 or more");
  },
  clock: (cx, scope, entry) =>
    quantity(cx, scope, entry, { "": (n) => n, ns: (n) => n, MHz: (n) => 1000 / n }, "a period such as `5 ns`, or `200 MHz`"),
  duration: (cx, scope, entry) =>
    quantity(cx, scope, entry, { s: (n) => n, m: (n) => 60 * n, h: (n) => 3600 * n }, "a time such as `90 s`, `10 m` or `1 h`"),
  share: (cx, scope, entry) => {
    const share = quantity(cx, scope, entry, { "": (n) => n, "%": (n) => n / 100 }, "a share such as `0.5%`, or 0.005", true);
    if (share === undefined || share <= 1) return share;
    return cx.error("QN812", scope, entry.value.span, `\`${entry.name.name}\` is beyond 100%`, {
      help: "a share of 1, or of a hundred with `%`: 0.005 is 0.5%",
    });
  },
  file: (cx, scope, entry) => {
    const path = text(cx, scope, entry, 'a path, such as "x.npy"');
    const found = path === undefined ? undefined : resolvePath(cx.files.model, scope.source.name, path);
    return found && ("problem" in found ? cx.error("QN810", scope, entry.value.span, found.problem) : found.key);
  },
  style: choice(styles),
  goal: choice(goals),
  budget,
  energyModel: choice(energyModels),
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
  const given = new Set([...Object.keys(settings), ...item.entries.map((e) => e.name.name)]);
  const lacking = Object.entries(known).filter(([name, d]) => d.required && !given.has(name));
  for (const [name, { doc }] of lacking)
    cx.error("QN812", scope, { start: item.span.start, end: item.span.start + item.keyword.length }, `\`${section}\` lacks \`${name}\``, {
      help: `${name}: ${doc}`,
    });
}
