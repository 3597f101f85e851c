// The reference of everything that may be called or set in .qnn, made from the tables that check it: for spec/language.md and for editors.
import { opDef } from "../../ir/ops/index.js";
import { quantizers } from "../keras/quantizers.js";
import { defaultOf } from "./attribute-defaults.js";
import { callableOps, isBuiltin } from "./calls.js";
import { functions } from "./functions.js";
import { isOptional, type Kind, kinds } from "./kinds.js";
import { layerDef, layers, sizesOf } from "./layers.js";
import { quantizerNamed, shortNames } from "./quantizers.js";
import { printRational, type Rational } from "./rational.js";
import { settingsTable } from "./settings-table.js";

export interface Entry {
  readonly name: string;
  /** How it is called. */
  readonly signature: string;
  readonly doc: string;
  /** Names of its attributes, for completion. */
  readonly attributes: readonly { readonly name: string; readonly doc: string }[];
}

const showDefault = (value: unknown): string =>
  typeof value === "object" && value !== null && "num" in value ? printRational(value as Rational) : String(value);

function layerEntry(name: string): Entry {
  const def = layerDef(name)!;
  const own = Object.entries(def.attrs).map(([key, p]) => {
    const kind: Kind = typeof p === "string" ? p : p.kind;
    return {
      name: key,
      doc: kinds[kind].doc,
      shown: typeof p === "string" ? `${key}: ${kind}` : `${key}: ${kind} = ${showDefault(p.default)}`,
    };
  });
  const attributes = [...own, ...sizeAttributes(name)];
  return { name, signature: `${name}(${[...def.operands, ...attributes.map((a) => a.shown)].join(", ")})`, doc: def.doc, attributes };
}

const sizeAttributes = (name: string) =>
  Object.entries(sizesOf(name)).map(([key, s]) => ({ name: key, doc: `${s.doc}, checked`, shown: `${key}: ${s.kind}?` }));

function opEntry(name: (typeof callableOps)[number]): Entry {
  const def = opDef(name);
  const own = Object.entries(def.attrs).map(([key, kind]) => {
    const implied = defaultOf(name, key);
    const isOpen = isOptional(kind) && !kind.endsWith("?") && !kind.startsWith("tensor");
    return { name: key, doc: kinds[kind].doc, shown: `${key}: ${kind}${implied ? ` = ${implied.doc}` : isOpen ? "?" : ""}` };
  });
  const attributes = [...own, ...sizeAttributes(name)];
  return { name, signature: `${name}(${[...def.operands, ...attributes.map((a) => a.shown)].join(", ")})`, doc: def.doc, attributes };
}

function quantizerEntry(name: string): Entry {
  const full = quantizerNamed(name)!;
  const args = Object.keys(quantizers[full]);
  return {
    name,
    signature: args.length === 0 ? name : `${name}(${args.slice(0, 4).join(", ")}${args.length > 4 ? ", …" : ""})`,
    doc: `QKeras' ${full}`,
    attributes: args.map((a) => ({ name: a, doc: "" })),
  };
}

/** Layers with a row of their own, then the ops. */
export const layerEntries: readonly Entry[] = [...Object.keys(layers).map(layerEntry), ...callableOps.map(opEntry)];
export const functionEntries: readonly Entry[] = Object.entries(functions).map(([name, f]) => ({
  name,
  signature: f.doc.slice(1, f.doc.indexOf("`", 1)),
  doc: f.doc,
  attributes: [],
}));
export const quantizerEntries: readonly Entry[] = [...new Set([...Object.keys(shortNames), ...Object.keys(quantizers)])].map(
  quantizerEntry,
);

const entries = new Map([...quantizerEntries, ...functionEntries, ...layerEntries].map((e) => [e.name, e] as const));
/** What a built-in name is; layers win over quantizers of the same name, as in calls. */
export const entryOf = (name: string): Entry | undefined => (isBuiltin(name) ? entries.get(name) : undefined);

const cell = (text: string): string => text.replaceAll("|", "\\|");
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [`| ${head.join(" | ")} |`, `|${head.map(() => "---").join("|")}|`, ...rows.map((r) => `| ${r.map(cell).join(" | ")} |`)].join("\n");

/** The generated parts of spec/language.md, by name. */
export const sections: Readonly<Record<string, () => string>> = {
  layers: () =>
    table(
      ["layer", "equation"],
      layerEntries.map((e) => [`\`${e.signature}\``, e.doc]),
    ),
  kinds: () =>
    table(
      ["kind", "written"],
      Object.entries(kinds).map(([name, k]) => [`\`${name}\``, k.doc]),
    ),
  functions: () =>
    Object.values(functions)
      .map((f) => `- ${f.doc}`)
      .join("\n"),
  quantizers: () =>
    table(
      ["quantizer", "in QKeras"],
      quantizerEntries.map((e) => [`\`${e.signature}\``, e.doc.replace("QKeras' ", "")]),
    ),
  settings: () =>
    table(
      ["block", "setting", "what"],
      Object.entries(settingsTable).flatMap(([section, all]) =>
        Object.entries(all).map(([name, s]) => [`\`${section === "quantize" ? section : `target ${section}`}\``, `\`${name}\``, s.doc]),
      ),
    ),
};
