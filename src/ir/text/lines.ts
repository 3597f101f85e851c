// The parts of a line that both forms of .qir text share: `%name = op operands {attrs} : type @stage #layer`.
import { didYouMean } from "../../diagnostics.js";
import { readNatural, readString, readWord } from "./attrs.js";
import { FORMAT_VERSION } from "./print.js";
import type { Scanner } from "./scanner.js";

const NAME = /%\w+/y;

export const readName = (s: Scanner): string => s.read(NAME, "a name such as %3");

export function readOperands(s: Scanner): readonly string[] {
  const names: string[] = [];
  for (let name = s.take(NAME); name !== undefined; name = s.take(NAME)) names.push(name);
  return names;
}

/** The first line; returns the IR's name. */
export function readHeader(s: Scanner, kind: "graph" | "netlist"): string {
  s.expect("qir");
  const version = readNatural(s);
  if (!s.failed && version !== FORMAT_VERSION) s.fail(`version ${version} of the textual IR is not known; this is version ${FORMAT_VERSION}`);
  s.expect(kind);
  const name = readString(s);
  s.endLine();
  return name;
}

export function readOp(s: Scanner, known: readonly string[]): string {
  const op = readWord(s, "an operation");
  if (s.failed || known.includes(op)) return op;
  const near = didYouMean(op, known);
  s.fail(`unknown operation \`${op}\`${near === undefined ? "" : `; did you mean \`${near}\`?`}`);
  return op;
}

/** `{name = value, …}`; each attribute at most once, and only those in `kinds`. */
export function readAttrs<K, V>(s: Scanner, kinds: Readonly<Record<string, K>>, read: (kind: K) => V): Record<string, V> {
  const attrs: Record<string, V> = {};
  if (!s.accept("{")) return attrs;
  s.list("}", () => {
    const name = readWord(s, "an attribute");
    if (!s.failed && !Object.hasOwn(kinds, name)) s.fail(`unknown attribute \`${name}\`; known: ${Object.keys(kinds).join(", ") || "none"}`);
    if (!s.failed && Object.hasOwn(attrs, name)) s.fail(`\`${name}\` is given twice`);
    s.expect("=");
    if (!s.failed) attrs[name] = read(kinds[name]!);
  });
  return attrs;
}
