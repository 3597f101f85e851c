// A .qnn program: the main file and what it includes, parsed once each, and the files that all of them name.
import type { Reporter } from "../../diagnostics.js";
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

export async function loadProgram(set: FileSet, reporter: Reporter): Promise<Program | undefined> {
  const done = new Map<string, ProgramFile>();
  const open: string[] = [];
  const load = async (key: string, bytes: Uint8Array): Promise<ProgramFile | undefined> => {
    const source = decodeSource(key, bytes, reporter);
    const tree = source && (await parseQnn(source, reporter));
    if (!tree) return undefined;
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

function* inExpression(x: Expression): Generator<Reference> {
  if (x.kind === "call") {
    const [path] = x.args;
    if (x.callee.name === "load" && path?.value.kind === "string") yield { path: path.value, role: "array" };
    for (const a of x.args) yield* inExpression(a.value);
  } else if (x.kind === "chain") {
    yield* inExpression(x.first);
    for (const r of x.rest) yield* inExpression(r.operand);
  } else if (x.kind === "cast") yield* inExpression(x.value);
  else if (x.kind === "group" || x.kind === "negate") yield* inExpression(x.inner);
  else if (x.kind === "list") for (const i of x.items) yield* inExpression(i);
}

function* inStatements(statements: readonly Statement[]): Generator<Reference> {
  for (const s of statements) {
    if (s.kind === "weights") yield { path: s.path, role: "weights" };
    else if (s.kind === "output") for (const o of s.outputs) yield* inExpression(o.value);
    else if (s.kind === "layer" && s.value.kind === "body") yield* inStatements(s.value.statements);
    else if (s.kind === "let" || s.kind === "return" || s.kind === "layer") yield* inExpression(s.value as Expression);
  }
}

function* inItem(item: Item): Generator<Reference> {
  if (item.kind === "include") yield { path: item.path, role: "include" };
  else if (item.kind === "vectors") yield { path: item.path, role: "vectors" };
  else if (item.kind === "let") yield* inExpression(item.value);
  else if (item.kind === "block") {
    for (const p of item.parameters) if (p.default) yield* inExpression(p.default);
    yield* inStatements(item.body.statements);
  } else if (item.kind === "network") yield* inStatements(item.body.statements);
  else if (item.kind === "imported-network") {
    yield { path: item.model, role: "model" };
    if (item.weights) yield { path: item.weights, role: "weights" };
    for (const a of item.adjustments) for (const e of a.entries) yield* inExpression(e.value);
  } else if (item.kind === "settings") {
    for (const e of item.entries)
      if (e.value.kind === "string" && (e.name.name === "data" || e.name.name === "labels")) yield { path: e.value, role: "data" };
  }
}

/** Every file that the text of one source names, in order. */
export const referencesOf = (tree: SyntaxTree): readonly Reference[] => tree.items.flatMap((item) => [...inItem(item)]);

export const keyOf = (set: Pick<FileSet, "model">, source: SourceFile, path: StringLiteral): string | undefined => {
  const found = resolvePath(set.model, source.name, path.value);
  return "key" in found ? found.key : undefined;
};
