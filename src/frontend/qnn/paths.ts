// Which file a path in a .qnn means: relative to the file that names it, never outside the folder of the main file.
import type { Reporter } from "../../diagnostics.js";
import type { StringLiteral } from "./ast.js";
import { placeOf, type SourceFile } from "./source.js";

const folderOf = (name: string): string => /^(.*[\\/])?[^\\/]*$/.exec(name)?.[1] ?? "";

/** The key of `path`, named in the file `from`, or why it may not be read. */
export function resolvePath(model: string, from: string, path: string): { readonly key: string } | { readonly problem: string } {
  if (path === "") return { problem: "the path is empty" };
  if (/\p{Cc}/u.test(path)) return { problem: "a path holds no control characters" };
  if (path.includes("\\")) return { problem: "paths are written with `/`" };
  if (path.startsWith("/") || /^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) return { problem: "paths are relative to the file that names them" };
  const root = folderOf(model);
  const parts: string[] = folderOf(from)
    .slice(root.length)
    .split(/[\\/]/)
    .filter((p) => p !== "");
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined)
      return { problem: `\`${path.slice(0, 80)}\` leads out of the project folder, which is that of ${model.slice(root.length)}` };
  }
  return parts.length === 0 ? { problem: "the path names a folder" } : { key: root + parts.join("/") };
}

/** The files of a project: the main file, and what it names, by key. */
export interface FileSet {
  readonly model: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** The bytes that a path literal names, or undefined after reporting why there are none. */
export function fileOf(
  set: FileSet,
  source: SourceFile,
  path: StringLiteral,
  reporter: Reporter,
): { readonly key: string; readonly bytes: Uint8Array } | undefined {
  const found = resolvePath(set.model, source.name, path.value);
  const at = placeOf(source, path.span);
  if ("problem" in found)
    return reporter.error("QN810", found.problem, {
      at,
      help: "copy the file into the project folder, or make a folder above it the place of the main file",
    });
  const bytes = set.files.get(found.key);
  if (bytes) return { key: found.key, bytes };
  return reporter.error("QN100", `cannot read \`${path.value.slice(0, 200)}\`: there is no such file`, {
    at,
    help: `it is looked for at ${found.key}`,
  });
}
