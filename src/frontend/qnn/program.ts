// A .qnn program: the main file and what it includes, parsed once each, and the files that all of them name.
import { type Diagnostic, Reporter } from "../../diagnostics.js";
import type { Expression, Item, Statement, StringLiteral, SyntaxTree } from "./ast.js";
import { parseQnn } from "./parse.js";
import { type FileSet, fileOf, resolvePath } from "./paths.js";
import { decodeSource, placeOf, type SourceFile } from "./source.js";

export interface ProgramFile {
  readonly source: SourceFile;
  readonly tree: SyntaxTree;
}

/** The main file last, each file after those that it includes. */
export interface Program {
  readonly files: readonly ProgramFile[];
  readonly main: ProgramFile;
}

interface Parsed {
  readonly name: string;
  readonly file: ProgramFile | undefined;
  readonly diagnostics: readonly Diagnostic[];
}
/** Files parsed before: a build looks at each several times, to find what it names and to check it. */
const known = new WeakMap<Uint8Array, Parsed>();

async function parseFile(name: string, bytes: Uint8Array, reporter: Reporter): Promise<ProgramFile | undefined> {
  const before = known.get(bytes);
  const parsed = before?.name === name ? before : await parseAnew(name, bytes);
  known.set(bytes, parsed);
  reporter.diagnostics.push(...parsed.diagnostics);
  return parsed.file;
}

async function parseAnew(name: string, bytes: Uint8Array): Promise<Parsed> {
  const reporter = new Reporter();
  const source = decodeSource(name, bytes, reporter);
  const tree = source && (await parseQnn(source, reporter));
  return { name, file: tree && { source, tree }, diagnostics: reporter.diagnostics };
}

export async function loadProgram(set: FileSet, reporter: Reporter): Promise<Program | undefined> {
  const done = new Map<string, ProgramFile>();
  const open: string[] = [];
  const load = async (key: string, bytes: Uint8Array): Promise<ProgramFile | undefined> => {
    const parsed = await parseFile(key, bytes, reporter);
    if (!parsed) return undefined;
    const { source, tree } = parsed;
    open.push(key);
    for (const item of tree.items) {
      if (item.kind !== "include") continue;
      const file = fileOf(set, source, item.path, reporter);
      if (!file || done.has(file.key)) continue;
      if (open.includes(file.key)) {
        reporter.error("QN809", `the file leads back to itself: ${[...open.slice(open.indexOf(file.key)), file.key].join(" → ")}`, {
          at: placeOf(source, item.path.span),
          help: "move what both need into a third file",
        });
        continue;
      }
      await load(file.key, file.bytes);
    }
    open.pop();
    const made = { source, tree };
    done.set(key, made);
    return made;
  };
  const bytes = set.files.get(set.model);
  if (!bytes) return reporter.error("QN100", "the file was not given", { at: { source: set.model } });
  const main = await load(set.model, bytes);
  return main && { files: [...done.values()], main };
}

/** What a file is needed for. */
export type Role = "include" | "array" | "weights" | "model" | "vectors" | "data";
export interface Reference {
  readonly path: StringLiteral;
  readonly role: Role;
}

type Found = (path: StringLiteral, role: Role) => void;

function inExpression(x: Expression, found: Found): void {
  if (x.kind === "call") {
    const [path] = x.args;
    if (x.callee.name === "load" && path?.value.kind === "string") found(path.value, "array");
    for (const a of x.args) inExpression(a.value, found);
  } else if (x.kind === "chain") {
    inExpression(x.first, found);
    for (const r of x.rest) inExpression(r.operand, found);
  } else if (x.kind === "cast") inExpression(x.value, found);
  else if (x.kind === "group" || x.kind === "negate") inExpression(x.inner, found);
  else if (x.kind === "list") for (const i of x.items) inExpression(i, found);
}

function inStatements(statements: readonly Statement[], found: Found): void {
  for (const s of statements) {
    if (s.kind === "weights") found(s.path, "weights");
    else if (s.kind === "output") for (const o of s.outputs) inExpression(o.value, found);
    else if (s.kind === "layer" && s.value.kind === "body") inStatements(s.value.statements, found);
    else if (s.kind === "let" || s.kind === "return" || s.kind === "layer") inExpression(s.value as Expression, found);
  }
}

function inItem(item: Item, found: Found): void {
  if (item.kind === "include") found(item.path, "include");
  else if (item.kind === "vectors") found(item.path, "vectors");
  else if (item.kind === "let") inExpression(item.value, found);
  else if (item.kind === "block") {
    for (const p of item.parameters) if (p.default) inExpression(p.default, found);
    inStatements(item.body.statements, found);
  } else if (item.kind === "network") inStatements(item.body.statements, found);
  else if (item.kind === "imported-network") {
    found(item.model, "model");
    if (item.weights) found(item.weights, "weights");
    for (const a of item.adjustments) for (const e of a.entries) inExpression(e.value, found);
  } else if (item.kind === "settings") {
    for (const e of item.entries)
      if (e.value.kind === "string" && (e.name.name === "data" || e.name.name === "labels")) found(e.value, "data");
  }
}

const references = new WeakMap<SyntaxTree, readonly Reference[]>();

/** Every file that the text of one source names, in order. */
export function referencesOf(tree: SyntaxTree): readonly Reference[] {
  const before = references.get(tree);
  if (before) return before;
  const all: Reference[] = [];
  for (const item of tree.items) inItem(item, (path, role) => all.push({ path, role }));
  references.set(tree, all);
  return all;
}

export const keyOf = (set: Pick<FileSet, "model">, source: SourceFile, path: StringLiteral): string | undefined => {
  const found = resolvePath(set.model, source.name, path.value);
  return "key" in found ? found.key : undefined;
};
