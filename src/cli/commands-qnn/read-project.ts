// The files of a .qnn project: the main file and all that it names, read until nothing new is needed; links do not lead out of its folder.
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import type { FileSet } from "../../frontend/qnn/read-qnn.js";
import { MAX_MODEL_BYTES, MAX_VECTOR_BYTES, readFile } from "../read-file.js";
import type { Session } from "../session.js";

export const isQnn = (model: string): boolean => /\.qnn$/i.test(model);

/** Whether a file lies in the folder once every link is followed. */
function isInside(folder: string, file: string): boolean {
  const path = relative(realpathSync(folder), realpathSync(file));
  return path !== "" && path !== ".." && !path.startsWith(`..${sep}`) && resolve(realpathSync(folder), path) === realpathSync(file);
}

/** The project of `model`; undefined where the main file cannot be read. Of other files, those that are not there are left to the frontend, which knows where they are named. */
export async function readProject(model: string, needsVectors: boolean, session: Session): Promise<FileSet | undefined> {
  const { reporter, files } = session;
  const { filesNeeded } = await import("../../frontend/qnn/read-qnn.js");
  const bytes = readFile(model, { limit: MAX_MODEL_BYTES }, reporter);
  if (!bytes) return undefined;
  const own = new Map([[model, bytes]]);
  files.set(model, bytes);
  const folder = dirname(model);
  const tried = new Set<string>();
  for (;;) {
    // A set that names every file tried, so that one which is not there is asked for once.
    const needed = [...(await filesNeeded({ model, files: own }))].filter(([key]) => !tried.has(key));
    if (needed.length === 0) return reporter.failed ? undefined : { model, files: own };
    for (const [key, role] of needed) {
      tried.add(key);
      // Samples may be large, and only some commands need them.
      if (role === "data" || (role === "vectors" && !needsVectors) || !existsSync(key) || !statSync(key).isFile()) continue;
      if (!isInside(folder, key)) {
        reporter.error("QN810", `${key} is a link that leads out of the project folder`, {
          at: { source: key },
          help: "copy the file into the project folder",
        });
        continue;
      }
      const content = readFile(key, { limit: MAX_VECTOR_BYTES }, reporter);
      if (content) {
        own.set(key, content);
        files.set(key, content);
      }
    }
  }
}
