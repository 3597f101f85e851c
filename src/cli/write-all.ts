// Writes the results of a build and its dependency file: all of them or none.
import type { Files } from "../ir/target.js";
import { dependencyFile } from "./dependency-file.js";
import { withCleanUp } from "./interrupts.js";
import type { Dependencies } from "./outputs.js";
import type { Session } from "./session.js";
import { stageFile, writeOutput } from "./write-file.js";
import { stageFolder } from "./write-folder.js";

export type Result =
  | { readonly folder: { readonly name: string; readonly files: Files; readonly force: boolean } }
  | { readonly file: { readonly name: string; readonly content: string } };

interface Staged {
  readonly changed?: number;
  commit(): boolean;
  discard(): void;
}

/** Standard output takes its text at the end, when nothing else can fail any more. */
const nothing: Staged = { commit: () => true, discard: () => {} };

/** How many files changed; undefined after reporting why nothing was written. */
export async function writeAll(result: Result, dependencies: Dependencies | undefined, session: Session): Promise<number | undefined> {
  const { reporter } = session;
  const staged: { discard(): void }[] = [];
  const discard = (): void => {
    for (const s of staged) s.discard();
  };
  const rule = dependencies
    ? dependencyFile(
        [dependencies.target],
        [...session.files.keys()].filter((f) => f !== "-"),
        dependencies.phony,
      )
    : "";
  const changed = await withCleanUp(discard, async () => {
    const main: Staged | undefined =
      "folder" in result
        ? await stageFolder(
            result.folder.name,
            result.folder.files,
            { force: result.folder.force, onStart: (s) => staged.push(s) },
            reporter,
          )
        : result.file.name === "-"
          ? nothing
          : stageFile(result.file.name, result.file.content, reporter);
    if (main) staged.push(main);
    // Always written anew, so that it can serve as make's time stamp of the build.
    const rules: Staged | undefined =
      dependencies && dependencies.file !== "-" ? stageFile(dependencies.file, rule, reporter, true) : nothing;
    if (rules) staged.push(rules);
    if (main && rules && main.commit() && rules.commit()) return main.changed ?? 1;
    discard();
    return undefined;
  });
  if (changed === undefined) return undefined;
  if ("file" in result && result.file.name === "-" && !(await writeOutput(result.file.content, reporter))) return undefined;
  if (dependencies?.file === "-" && !(await writeOutput(rule, reporter))) return undefined;
  return changed;
}
