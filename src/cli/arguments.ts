// Values of flags: each read once, checked, and refused with the reason (QN400) where it does not fit.

import { printable, type Reporter } from "../diagnostics.js";
import type { Conversion } from "../ir/fixed.js";
import { parseConversion } from "../ir/fixed.js";

/** clang writes -MFfile as well as -MF file; only the second form is a flag and its value. */
export const splitJoined = (argv: readonly string[]): readonly string[] => {
  const end = argv.indexOf("--");
  return argv.flatMap((word, i) => (/^-M[FT]./.test(word) && (end < 0 || i < end) ? [word.slice(0, 3), word.slice(3)] : [word]));
};

export interface Arguments {
  /** The positional arguments by name. */
  positional(name: string): string;
  text(flag: string): string | undefined;
  texts(flag: string): readonly string[];
  flag(name: string): boolean;
  /** A boolean flag that may be absent. */
  choice(name: string): boolean | undefined;
  /** A whole number in a range. */
  whole(flag: string, least: number, most: number): number | undefined;
  /** A number above zero. */
  positive(flag: string): number | undefined;
  conversion(flag: string): Conversion | undefined;
}

const shown = (flag: string): string => (flag.length === 1 || /^M/.test(flag) ? `-${flag}` : `--${flag}`);

export function makeArguments(raw: Readonly<Record<string, unknown>>, reporter: Reporter): Arguments {
  const bad = (flag: string, why: string, help?: string): undefined =>
    reporter.error("QN400", `${shown(flag)}: ${why}`, help === undefined ? {} : { help });
  const texts = (flag: string): readonly string[] => {
    const value = raw[flag];
    const all = value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)];
    if (all.includes("")) bad(flag, "the value is empty");
    return all.filter((v) => v !== "");
  };
  const text = (flag: string): string | undefined => {
    const all = texts(flag);
    if (all.length > 1) bad(flag, "it is given more than once", `give one value; here are ${all.map((v) => `\`${v}\``).join(" and ")}`);
    return all[0];
  };
  const number = (flag: string, fits: (n: number) => boolean, expected: string): number | undefined => {
    const value = text(flag);
    if (value === undefined) return undefined;
    const n = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : Number.NaN;
    return fits(n) ? n : bad(flag, `\`${printable(value)}\` is not ${expected}`);
  };
  const choice = (name: string): boolean | undefined => {
    const value = raw[name];
    return value === undefined ? undefined : Array.isArray(value) ? value.at(-1) === true : value === true;
  };
  return {
    positional: (name) => String(raw[name] ?? ""),
    text,
    texts,
    choice,
    flag: (name) => choice(name) ?? false,
    whole: (flag, least, most) =>
      number(flag, (n) => Number.isInteger(n) && n >= least && n <= most, `a whole number from ${least} to ${most}`),
    positive: (flag) => number(flag, (n) => n > 0 && Number.isFinite(n), "a number above 0"),
    conversion: (flag) => {
      const value = text(flag);
      if (value === undefined) return undefined;
      const parsed = parseConversion(value);
      return typeof parsed === "string"
        ? bad(flag, `\`${printable(value)}\` is not a type: ${parsed}`, `quote it for the shell: ${shown(flag)} 'fixed<16,6>'`)
        : parsed;
    },
  };
}
