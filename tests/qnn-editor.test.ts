// What editors get: hover, definition, completion, and the language server itself over its protocol; the TextMate grammar knows the language's words.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { completionsAt, definitionAt, hoverAt } from "../src/frontend/qnn/editor.js";
import { type Analysis, analyse } from "../src/frontend/qnn/read-qnn.js";
import { overflows, roundings } from "../src/ir/fixed.js";
import { connect } from "./support/lsp-client.js";
import { withTempDir } from "./support/tools.js";

const text = `// A text with one mistake, on the last layer.
let act = ufixed<6,2,RND_CONV,SAT>

block twice(x, t: type) {
  return x * 2 as t
}

network n {
  input x: fixed<8,2>[2]
  layer fc = dense(x, kernel: [[1, 2], [3, 4]])
  layer a = twice(relu(fc), act)
  layer b = relu(aa)
  output a, b
}

target verilog { clock: 5 ns }
`;

const check = (source: string): Promise<Analysis> =>
  analyse({ model: "m.qnn", files: new Map([["m.qnn", new TextEncoder().encode(source)]]) }, {}, new Reporter());
const after = (word: string, source = text): number => source.indexOf(word) + word.length;

const editor = suite("qnn editor");

editor("hover: the derived type and range of a value, constants, blocks, layers", async () => {
  const analysis = await check(text);
  const hover = (word: string): string | undefined => hoverAt(analysis, "m.qnn", after(word) - 1)?.text;
  assert.is(hover("layer fc"), "**layer** `fc`: fixed<11,5> [2], from -12 to 11.90625");
  assert.is(hover("relu(fc"), "**layer** `fc`: fixed<11,5> [2], from -12 to 11.90625");
  assert.is(hover("let act"), "**let** `act`: the type ufixed<6,2,RND_CONV,SAT>");
  assert.is(hover("layer a = twice"), "**block** `twice(x, t: type)`");
  assert.match(hover("layer fc = dense")!, /^`dense\(x, kernel: tensor, bias: tensor\?, units: int\?\)`\n\ny\[…, j\]/);
  assert.is(hover("// A text"), undefined);
});

editor("definition: of values, through blocks", async () => {
  const analysis = await check(text);
  const target = (word: string): string | undefined => {
    const found = definitionAt(analysis, "m.qnn", after(word) - 1);
    return found && text.slice(found.span.start - 6, found.span.end);
  };
  assert.is(target("relu(fc"), "layer fc");
  assert.is(target("relu(fc), act"), ".\nlet act");
  assert.is(target("layer a = twice"), "block twice");
  assert.is(target("return x"), "twice(x");
});

editor("completion: attributes of the call, names, statements, settings", async () => {
  const labels = async (source: string, word: string): Promise<readonly string[]> =>
    completionsAt(await check(source), source, after(word, source)).map((c) => c.label);
  const inCall = await labels(text, "dense(x, ");
  assert.equal(inCall.slice(0, 3), ["kernel: ", "bias: ", "units: "]);
  for (const label of ["fc", "x", "act", "twice", "relu", "fixed", "auto"]) assert.ok(inCall.includes(label), label);
  assert.equal((await labels(text, "twice(relu(fc), ")).slice(0, 2), ["x: ", "t: "]);
  for (const label of ["conv2d", "depthwise1d", "maxpool2d", "global_avgpool", "concat", "transpose", "gelu"])
    assert.ok(inCall.includes(label), label);
  const conv = text.replace("relu(aa)", "conv2d(fc, ");
  assert.equal((await labels(conv, "conv2d(fc, ")).slice(0, 8), [
    "kernel: ",
    "bias: ",
    "padding: ",
    "strides: ",
    "dilations: ",
    "groups: ",
    "filters: ",
    "window: ",
  ]);
  assert.ok((await labels(text, "network n {\n  ")).includes("layer"));
  assert.equal(await labels(text, "target verilog { "), ["part: ", "clock: ", "top: ", "latency: ", "wrapper: "]);
  const quantize = await labels(`${text}quantize { `, "quantize { ");
  assert.equal(quantize.slice(0, 4), ["data: ", "labels: ", "goal: ", "max_loss: "]);
  assert.equal(await labels("", ""), ["network", "block", "let", "include", "target", "vectors", "quantize"]);
  const broken = text.replace("  output a, b", "  layer c = dense(");
  assert.ok((await labels(broken, "layer c = dense(")).includes("kernel: "), "in a text that does not parse");
});

editor("the language server answers over its protocol", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "m.qnn");
    writeFileSync(path, text);
    const uri = pathToFileURL(path).href;
    const root = fileURLToPath(new URL("../", import.meta.url));
    const start = "import('./src/cli/commands-qnn/lsp.ts').then((m) => m.lsp())";
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", start], {
      cwd: root,
      stdio: ["pipe", "pipe", "inherit"],
    });
    try {
      const client = connect(child);
      const started = (await client.request("initialize", { processId: process.pid, rootUri: null, capabilities: {} })) as {
        capabilities: Record<string, unknown>;
      };
      assert.is(started.capabilities["hoverProvider"], true);
      client.notify("initialized", {});
      const first = client.next("textDocument/publishDiagnostics");
      client.notify("textDocument/didOpen", { textDocument: { uri, languageId: "qnn", version: 1, text } });
      const { diagnostics } = (await first) as {
        diagnostics: readonly { code: string; message: string; range: { start: { line: number; character: number } } }[];
      };
      assert.equal(
        diagnostics.map((d) => [d.code, d.message, d.range.start.line, d.range.start.character]),
        [["QN803", "unknown name `aa`\nhelp: did you mean `a`?", 11, 17]],
      );
      const hover = (await client.request("textDocument/hover", { textDocument: { uri }, position: { line: 9, character: 9 } })) as {
        contents: { value: string };
      };
      assert.match(hover.contents.value, /^\*\*layer\*\* `fc`: fixed<11,5>/);
      const target = (await client.request("textDocument/definition", {
        textDocument: { uri },
        position: { line: 10, character: 24 },
      })) as { range: { start: { line: number } } };
      assert.is(target.range.start.line, 9);
      const second = client.next("textDocument/publishDiagnostics");
      client.notify("textDocument/didChange", {
        textDocument: { uri, version: 2 },
        contentChanges: [{ range: { start: { line: 11, character: 17 }, end: { line: 11, character: 19 } }, text: "a" }],
      });
      assert.equal(((await second) as { diagnostics: unknown }).diagnostics, []);
      const edits = (await client.request("textDocument/formatting", { textDocument: { uri }, options: {} })) as readonly {
        newText: string;
      }[];
      assert.is(edits[0]!.newText, text.replace("relu(aa)", "relu(a)"));
      await client.request("shutdown", null);
      client.notify("exit", null);
    } finally {
      child.kill();
    }
  });
});

editor("the TextMate grammar has the language's words, and its patterns compile", () => {
  const grammar = JSON.parse(readFileSync(new URL("../editors/vscode/syntaxes/qnn.tmLanguage.json", import.meta.url), "utf8")) as {
    repository: { code: { patterns: readonly { match?: string; begin?: string; end?: string }[] } };
  };
  const matches = (line: string): readonly string[] =>
    grammar.repository.code.patterns.flatMap((p) =>
      p.match === undefined ? [] : Array.from(line.matchAll(new RegExp(p.match, "g")), (m) => m[0]),
    );
  assert.ok(matches("  padding: same,").includes("padding: same"));
  for (const number of ["5 ns", "0.5%", "10 m", "3"]) assert.ok(matches(`time: ${number}, seed: 1`).includes(number), number);
  assert.ok(matches("seed: 3 m: 1").includes("3"), "a name follows");
  const patterns = grammar.repository.code.patterns.flatMap((p) => [p.match, p.begin, p.end].filter((x) => x !== undefined));
  for (const p of patterns) new RegExp(p, "u".slice(1));
  const all = patterns.join(" ");
  for (const word of [
    "network",
    "block",
    "layer",
    "let",
    "return",
    "include",
    "as",
    "input",
    "output",
    "weights",
    "target",
    "vectors",
    "quantize",
    "from",
    "fixed",
    "ufixed",
    "auto",
    "exact",
    "none",
    ...roundings,
    ...overflows,
  ]) {
    assert.match(all, new RegExp(`\\b${word}\\b`), word);
  }
});

editor.run();
