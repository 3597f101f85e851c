// Rules that a compiler does not check: the import law, pure core, file length, first-line comments, documented codes and passes, no machine paths.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { codes } from "../src/diagnostic-codes.js";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const list = (folder: string): string[] => {
  if (!existsSync(join(root, folder))) return [];
  const entries = readdirSync(join(root, folder), { withFileTypes: true });
  return entries.flatMap((e) => (e.isDirectory() ? list(posix.join(folder, e.name)) : [posix.join(folder, e.name)])).sort();
};
const sources = list("src").filter((f) => f.endsWith(".ts"));
const scripts = [...sources, ...[...list("tests"), ...list("bench")].filter((f) => f.endsWith(".ts"))];
const none = (found: readonly string[], rule: string): void => assert.is(found.join("\n"), "", rule);

/** Tables generated or copied whole may be longer; each with the reason. */
const MAX_LINES = 400;
const longFiles = new Map<string, string>([]);

/** The parts of the compiler: where they live, which parts and which packages each may import. The first match counts. */
const parts: readonly {
  readonly name: string;
  readonly at: RegExp;
  readonly parts: readonly string[];
  readonly packages: readonly string[];
}[] = [
  { name: "diagnostics", at: /^src\/diagnostic(s|-codes)\.ts$/, parts: [], packages: [] },
  { name: "ir", at: /^src\/ir\//, parts: ["diagnostics"], packages: [] },
  { name: "npy", at: /^src\/npy\.ts$/, parts: ["diagnostics"], packages: ["fflate"] },
  { name: "frontend", at: /^src\/frontend\//, parts: ["diagnostics", "ir", "npy"], packages: ["chevrotain", "fflate", "h5wasm", "yaml"] },
  { name: "passes", at: /^src\/passes\//, parts: ["diagnostics", "ir"], packages: [] },
  { name: "sim", at: /^src\/sim\//, parts: ["diagnostics", "ir", "npy"], packages: ["binaryen"] },
  { name: "verilog", at: /^src\/backends\/verilog\//, parts: ["diagnostics", "ir", "npy"], packages: [] },
  { name: "hls", at: /^src\/backends\/hls\//, parts: ["diagnostics", "ir", "npy"], packages: [] },
  { name: "project", at: /^src\/backends\/project\//, parts: ["diagnostics", "ir", "npy"], packages: [] },
  { name: "report", at: /^src\/report\//, parts: ["diagnostics", "ir"], packages: [] },
  {
    name: "cli",
    at: /^src\/cli\//,
    parts: ["*"],
    packages: ["node:", "yargs", "vscode-languageserver", "vscode-languageserver-textdocument"],
  },
  // The pipeline, and what it alone uses: may join the parts, but not reach the machine.
  {
    name: "compile",
    at: /^src\/[a-z0-9-]+\.ts$/,
    parts: ["diagnostics", "ir", "npy", "frontend", "passes", "sim", "verilog", "hls", "project", "report"],
    packages: [],
  },
];
const partOf = (file: string) => parts.find((p) => p.at.test(file));

/** Without comments and without templates of several lines (programs that qnnc emits), so that a word in them is no finding. */
const code = (text: string): string =>
  text
    .replace(/`(?:[^`\\]|\\[\s\S])*`/g, (template) => (template.includes("\n") ? "``" : template))
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(^|[^:"'`])\/\/.*$/gm, "$1");

const importsOf = (file: string): readonly string[] =>
  [
    ...code(read(file)).matchAll(
      /(?:^|[\s;])(?:import|export)\s[^;"'`]*?from\s*"([^"]+)"|(?:^|[\s;])import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/g,
    ),
  ].map((m) => (m[1] ?? m[2] ?? m[3])!);

const laws = suite("import law");

laws("every source file belongs to a part, and imports only what its part may", () => {
  const found: string[] = [];
  for (const file of sources) {
    const part = partOf(file);
    if (!part) {
      found.push(`${file} belongs to no part; name it in tests/tidy.test.ts`);
      continue;
    }
    for (const target of importsOf(file)) {
      if (target.startsWith(".")) {
        const to = posix.join(posix.dirname(file), target).replace(/\.js$/, ".ts");
        const other = partOf(to)?.name ?? "?";
        if (other !== part.name && part.parts[0] !== "*" && !part.parts.includes(other))
          found.push(`${file} (${part.name}) imports ${target} (${other})`);
        if (!target.endsWith(".js")) found.push(`${file}: relative import ${target} does not end in .js`);
      } else if (!part.packages.some((p) => (p.endsWith(":") ? target.startsWith(p) : target === p || target.startsWith(`${p}/`)))) {
        found.push(`${file} (${part.name}) imports the package ${target}`);
      }
    }
  }
  none(found, "import law (design: laws)");
});

laws("the scan sees imports at all", () => {
  assert.ok(importsOf("src/passes/lower.ts").includes("../ir/netlist.js"));
  assert.ok(importsOf("src/diagnostics.ts").includes("./diagnostic-codes.js"));
  assert.equal(partOf("src/backends/verilog/emit.ts")?.name, "verilog");
});

laws("the core touches no process, clock or chance", () => {
  const impure = /\b(process\.|Buffer\.|__dirname|require\(|Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout|setInterval)/g;
  const found = sources
    .filter((f) => !f.startsWith("src/cli/"))
    .flatMap((f) => [...code(read(f)).matchAll(impure)].map((m) => `${f}: ${m[1]}`));
  none(found, "the core is pure");
});

laws("nothing evaluates text as a program", () => {
  const evaluating = /(?<![.\w])eval\(\s*[a-z`"']+\s*\)|new Function\(|node:vm|child_process/;
  none(
    sources.filter((f) => /^src\/(frontend|cli)\//.test(f) && evaluating.test(code(read(f)))),
    "no eval, no other program",
  );
});

laws.run();

const files = suite("files");

files("no file is longer than the limit", () => {
  const lines = (f: string): number => read(f).split("\n").length - 1;
  none(
    scripts.filter((f) => lines(f) > MAX_LINES && !longFiles.has(f)).map((f) => `${f}: ${lines(f)} lines, the limit is ${MAX_LINES}`),
    "file length",
  );
  none(
    [...longFiles.keys()].filter((f) => !existsSync(join(root, f)) || lines(f) <= MAX_LINES),
    "exceptions that are no longer needed",
  );
});

files("the first line says what the file is", () => {
  const first = (f: string): string =>
    read(f)
      .split("\n")
      .find((line) => !line.startsWith("#!")) ?? "";
  none(
    scripts.filter((f) => !/^\/\/ \S.{15,}/.test(first(f))).map((f) => `${f}: ${first(f).slice(0, 60)}`),
    "first line comment",
  );
});

files("names are kebab-case", () => {
  none(
    scripts.filter((f) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(posix.basename(f))),
    "file names",
  );
});

files("every suite is run", () => {
  const found = scripts
    .filter((f) => f.endsWith(".test.ts"))
    .flatMap((f) => {
      const text = read(f);
      const names = [...text.matchAll(/^\s*const (\w+)\s*=\s*suite\b/gm)].map((m) => m[1]!);
      return names.length === 0
        ? [`${f}: no suite`]
        : names.filter((n) => !text.includes(`${n}.run()`)).map((n) => `${f}: ${n}.run() is missing`);
    });
  none(found, ".run()");
  none(
    scripts.filter((f) => f.endsWith(".test.ts") && /\.(only|skip)\(/.test(code(read(f)))),
    "no test is left out by .only or .skip",
  );
});

files("no path of the author's machine, no unfinished work", () => {
  const names = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
    .split("\0")
    .filter((f) => f !== "");
  assert.ok(names.length > 20);
  // Spelt so that this file does not find itself.
  const machine = new RegExp(["/wor", "k/|/roo", "t/|/hom", "e/[a-z]|/User", "s/[A-Za-z]|[A-Z]:\\\\\\\\?User", "s"].join(""));
  const unfinished = new RegExp(["\\bTO", "DO\\b|\\bXX", "X\\b|not imple", "mented"].join(""));
  const found = names
    .filter((f) => existsSync(join(root, f)) && !/\.(h5|npy|npz|keras|png|wasm)$/.test(f) && f !== "package-lock.json")
    .flatMap((f) => {
      const text = read(f);
      return [
        ...(machine.test(text) ? [`${f}: ${machine.exec(text)![0]}`] : []),
        ...(f.endsWith(".ts") && unfinished.test(text) ? [`${f}: ${unfinished.exec(text)![0]}`] : []),
      ];
    });
  none(found, "tracked files");
});

files.run();

const documents = suite("documents");

/** The `## QNxxx: meaning` headings of spec/diagnostics.md. */
const explained = new Map([...read("spec/diagnostics.md").matchAll(/^## (QN\d+): (.+)$/gm)].map((m) => [m[1]!, m[2]!]));

documents("spec/diagnostics.md explains exactly the codes there are, in order, with their meanings", () => {
  assert.equal([...explained], Object.entries(codes));
});

documents("each explanation has an example as rendered and what to do", () => {
  const sections = read("spec/diagnostics.md").split(/^## /m).slice(1);
  const found = sections.flatMap((s) => {
    const name = s.slice(0, 5);
    const example = /^```text\n(error|warning|note)\[(QN\d+)\]: .+\n[\s\S]*?^```$/m.exec(s);
    return [
      ...(example?.[2] === name ? [] : [`${name}: no example`]),
      ...(/^\*\*What to do\.\*\* \S/m.test(s) ? [] : [`${name}: no advice`]),
    ];
  });
  none(found, "spec/diagnostics.md");
});

documents("every code is raised somewhere, and no other code is", () => {
  const raised = new Set(
    sources.filter((f) => f !== "src/diagnostic-codes.ts").flatMap((f) => [...read(f).matchAll(/"(QN\d{3})"/g)].map((m) => m[1]!)),
  );
  none(
    [...raised].filter((c) => !(c in codes)),
    "unknown codes",
  );
  none(
    Object.keys(codes).filter((c) => !raised.has(c)),
    "codes that nothing raises",
  );
});

documents("every pass is documented and named after its file", async () => {
  const passFiles = sources.filter((f) => dirname(f) === "src/passes" && /^export const \w+\s*=\s*pass\(/m.test(read(f)));
  assert.ok(passFiles.length > 0);
  for (const f of passFiles) {
    const module: Record<string, unknown> = await import(join(root, f));
    const found = Object.values(module).filter(
      (v): v is { name: string; doc: string; run: unknown } => typeof v === "object" && v !== null && "run" in v && "doc" in v,
    );
    assert.ok(
      found.some((p) => `${p.name}.ts` === posix.basename(f)),
      `${f}: no pass named after the file, but ${found.map((p) => p.name).join(", ")}`,
    );
    for (const p of found) assert.match(p.doc, /^\S.{10,}/, `${f}: ${p.name} has no doc`);
  }
});

documents.run();
