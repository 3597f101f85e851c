// `qnnc check --watch`: checks again whenever a file that was read changes.
import { watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Handler } from "../commands.js";
import { makeSession, type Session } from "../session.js";

/** Editors write a file in several steps; they are one change. */
const QUIET_MS = 50;

/** Resolves when one of the files changes, is replaced or appears. */
function changeOf(files: readonly string[]): Promise<void> {
  const byFolder = new Map<string, string[]>();
  for (const f of files) byFolder.set(dirname(resolve(f)), [...(byFolder.get(dirname(resolve(f))) ?? []), f]);
  return new Promise((done) => {
    let timer: NodeJS.Timeout | undefined;
    const watchers = Array.from(byFolder, ([folder, all]) => {
      const names = new Set(all.map((f) => basename(f)));
      // The folder, not the file: many editors replace a file by a new one.
      return watch(folder, (_, name) => {
        if (name !== null && !names.has(name)) return;
        clearTimeout(timer);
        timer = setTimeout(() => {
          for (const w of watchers) w.close();
          done();
        }, QUIET_MS);
      });
    });
  });
}

/** Runs a command again and again, each time with a session of its own; ends only by a signal. */
export const watching =
  (command: Handler): Handler =>
  async (args, session) => {
    for (let now: Session = session; ; now = makeSession(session)) {
      const start = performance.now();
      await command(args, now);
      // A model that was never there is not waited for; one that is gone for a moment, while it is saved, is.
      if (now === session && now.files.size === 0) return;
      now.finish();
      const files = [...new Set([args.positional("model"), ...now.files.keys()])];
      const changed = changeOf(files);
      session.say(
        `checked in ${Math.round(performance.now() - start)} ms; waiting for a change of ${files.length === 1 ? files[0] : `${files.length} files`}`,
      );
      await changed;
    }
  };
