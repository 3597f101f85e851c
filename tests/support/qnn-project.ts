// Loads a .qnn and all files that it names from a folder, as the command line does.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type FileSet, filesNeeded } from "../../src/frontend/qnn/read-qnn.js";

const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

/** The project of `model`, a path relative to `folder`; files that do not exist are left out. */
export async function loadProject(folder: string, model: string): Promise<FileSet> {
  const files = new Map([[model, bytesOf(join(folder, model))]]);
  for (;;) {
    const needed = [...(await filesNeeded({ model, files })).keys()].filter((key) => existsSync(join(folder, key)));
    if (needed.length === 0) return { model, files };
    for (const key of needed) files.set(key, bytesOf(join(folder, key)));
  }
}
