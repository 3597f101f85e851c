// `--dump-ir DIR`: the IR before the first and after every pass, numbered, each saying whether the pass changed anything.
import type { Files } from "../ir/target.js";
import type { Observe } from "../passes/pass.js";
import { version } from "../version.js";
import { printIr } from "./print-ir.js";
import { MANIFEST } from "./write-folder.js";

export interface IrDump {
  readonly observe: Observe;
  /** The files recorded so far; none where no pass has run. */
  files(): Files;
}

export function makeIrDump(): IrDump {
  const files = new Map<string, string>();
  let last: string | undefined;
  const add = (what: string, text: string): void => {
    files.set(`${String(files.size).padStart(2, "0")}-${what}.qir`, text);
    last = text;
  };
  return {
    observe: (pass, after, before) => {
      if (last === undefined) add("input", printIr(before));
      const text = printIr(after);
      add(`${pass}-${text === last ? "unchanged" : "changed"}`, text);
    },
    files: () => {
      if (files.size === 0) return files;
      const listed = Object.fromEntries([...files].map(([name]) => [name, /-(\w+)\.qir$/.exec(name)![1]]));
      return new Map([...files, [MANIFEST, `${JSON.stringify({ generator: "qnnc", version, files: listed }, null, 2)}\n`]]);
    },
  };
}
