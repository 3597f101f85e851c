// What an editor asks about a .qnn project: what stands here, where it was defined, what may be written. Pure; the language server is src/cli/commands-qnn/lsp.ts.
import { exponent, printFixed, toNumber } from "../../ir/fixed.js";
import { rangeOfNode } from "../../ir/graph.js";
import { printShape } from "../../ir/tensor.js";
import type { Occurrence } from "./checker.js";
import { printName } from "./format.js";
import type { Analysis } from "./read-qnn.js";
import { entryOf, functionEntries, layerEntries, quantizerEntries } from "./reference.js";
import { settingsTable } from "./settings-table.js";
import { type Binding, describe, type Location } from "./values.js";

function occurrenceAt(analysis: Analysis, source: string, offset: number): Occurrence | undefined {
  const here = analysis.occurrences.filter(({ at }) => at.source.name === source && at.span.start <= offset && offset <= at.span.end);
  // The innermost, and of equal ones the last: in a block that is the latest call.
  return here.reduce<Occurrence | undefined>(
    (best, o) => (best && best.at.span.end - best.at.span.start < o.at.span.end - o.at.span.start ? best : o),
    undefined,
  );
}

const shortNumber = (x: number): string => String(Number(x.toPrecision(8)));

/** Shape, derived type and proven range of a value of the network. */
function describeNode(analysis: Analysis, id: number): string {
  const node = analysis.checker?.graph.node(id);
  if (!node) return "";
  const { shape, elem } = node.type;
  if (elem === "real") return `${printShape(shape)}, its type is left to assign-precision`;
  const range = rangeOfNode(node);
  const exp = exponent(elem);
  return `${printFixed(elem)} ${printShape(shape)}, from ${shortNumber(toNumber(range.lo, exp))} to ${shortNumber(toNumber(range.hi, exp))}`;
}

function describeBinding(analysis: Analysis, b: Binding): string {
  const value =
    b.value.kind === "value"
      ? `${describeNode(analysis, b.value.id)}${b.value.host ? `; the host takes its ${b.value.host}` : ""}`
      : describe(b.value);
  return `**${b.what}** \`${printName(b.name)}\`: ${value}`;
}

export interface Hover {
  /** Markdown. */
  readonly text: string;
  readonly at: Location;
}

export function hoverAt(analysis: Analysis, source: string, offset: number): Hover | undefined {
  const found = occurrenceAt(analysis, source, offset);
  if (!found) return undefined;
  const entry = found.builtin === undefined ? undefined : entryOf(found.builtin);
  const parameters = found.block?.item.parameters.map((p) => `${p.name.name}${p.type ? `: ${p.type.name}` : ""}`).join(", ");
  const text = found.binding
    ? describeBinding(analysis, found.binding)
    : found.block
      ? `**block** \`${found.block.item.name.name}(${parameters})\``
      : entry
        ? [
            `\`${entry.signature}\``,
            entry.doc,
            ...entry.attributes.filter((a) => a.doc !== "").map((a) => `- \`${a.name}\`: ${a.doc}`),
          ].join("\n\n")
        : undefined;
  return text === undefined ? undefined : { text, at: found.at };
}

export function definitionAt(analysis: Analysis, source: string, offset: number): Location | undefined {
  const found = occurrenceAt(analysis, source, offset);
  if (found?.binding) return found.binding.defined;
  return found?.block && { source: found.block.scope.source, span: found.block.item.name.span };
}

export interface Completion {
  readonly label: string;
  readonly kind: "value" | "function" | "attribute" | "keyword";
  readonly detail: string;
}

const statements = ["input", "layer", "let", "output", "weights", "return"];
const items = ["network", "block", "let", "include", "target", "vectors", "quantize"];

/** The call or block whose brackets are open at the end of `before`, by a scan that skips strings, names in backticks and comments. */
function enclosing(before: string): { readonly bracket: "(" | "{" | undefined; readonly word: string } {
  const open: { bracket: string; word: string }[] = [];
  let word = "";
  for (const m of before.matchAll(/"(?:[^"\\\n]|\\.)*"?|`(?:[^`\\\n]|\\.)*`?|\/\/[^\n]*|[A-Za-z_]\w*|[()[\]{}]|\S/g)) {
    const token = m[0];
    if (/^[([{]$/.test(token)) open.push({ bracket: token, word });
    else if (/^[)\]}]$/.test(token)) open.pop();
    if (/^[A-Za-z_]/.test(token)) word = token === "verilog" || token === "hls" ? token : word === "target" ? word : token;
    else if (token !== "{") word = "";
  }
  const last = open.findLast((o) => o.bracket !== "[");
  return { bracket: last?.bracket === "(" || last?.bracket === "{" ? last.bracket : undefined, word: last?.word ?? "" };
}

export function completionsAt(analysis: Analysis, text: string, offset: number): readonly Completion[] {
  const { bracket, word } = enclosing(text.slice(0, offset));
  const keywords = (all: readonly string[]): Completion[] => all.map((label) => ({ label, kind: "keyword", detail: "" }));
  if (bracket === undefined) return keywords(items);
  const section = bracket === "{" && Object.hasOwn(settingsTable, word) ? settingsTable[word as keyof typeof settingsTable] : undefined;
  if (section) return Object.entries(section).map(([label, s]): Completion => ({ label: `${label}: `, kind: "attribute", detail: s.doc }));
  const bindings = new Map(
    analysis.occurrences.flatMap((o) => (o.binding && o.binding.defined === o.at ? [[o.binding.name, o.binding] as const] : [])),
  );
  const values = Array.from(bindings.values(), (b): Completion => ({
    label: printName(b.name),
    kind: "value",
    detail: b.value.kind === "value" ? describeNode(analysis, b.value.id) : describe(b.value),
  }));
  const block = analysis.checker?.blocks.get(word);
  const attributes =
    bracket === "("
      ? block
        ? block.item.parameters.map((p) => ({ name: p.name.name, doc: p.type?.name ?? "a value of the network" }))
        : (entryOf(word)?.attributes ?? [])
      : [];
  const calls = [...layerEntries, ...functionEntries, ...quantizerEntries].map((e): Completion => ({
    label: e.name,
    kind: "function",
    detail: e.signature,
  }));
  const blocks = Array.from(analysis.checker?.blocks.values() ?? [], (b): Completion => ({
    label: b.item.name.name,
    kind: "function",
    detail: "block",
  }));
  return [
    ...attributes.map((a): Completion => ({ label: `${a.name}: `, kind: "attribute", detail: a.doc })),
    ...(bracket === "{" ? keywords(statements) : []),
    ...values,
    ...blocks,
    ...calls,
    ...keywords(["fixed", "ufixed", "auto", "exact", "none"]),
  ];
}
