// Dependency files for make, with the meaning of clang's -MD -MF -MT -MP.

/** A name as make reads it in a prerequisite: `$` doubled, `#` and blanks behind a backslash, the backslashes before a blank doubled. As clang quotes. */
export const makeName = (name: string): string => name.replace(/\$/g, "$$$$").replace(/(\\*)([ \t#])/g, "$1$1\\$2");

/** `target: prerequisites`; with `phony` an empty rule for each but the first, so that make does not stop where one has been removed. */
export function dependencyFile(targets: readonly string[], prerequisites: readonly string[], phony: boolean): string {
  const lines = [`${targets.join(" ")}:`, ...[...new Set(prerequisites)].map((p) => `  ${makeName(p)}`)].join(" \\\n");
  const rules = phony ? [...new Set(prerequisites)].slice(1).map((p) => `\n${makeName(p)}:\n`) : [];
  return [`${lines}\n`, ...rules].join("");
}
