// spec/language.md against the code: its tables are those of the language, its examples build and are laid out as `fmt` does. UPDATE=1 rewrites the tables.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { formatTree } from "../src/frontend/qnn/format.js";
import { parseQnn } from "../src/frontend/qnn/parse.js";
import { QnnParser } from "../src/frontend/qnn/parser.js";
import { readQnn } from "../src/frontend/qnn/read-qnn.js";
import { sections } from "../src/frontend/qnn/reference.js";
import { makeLexer } from "../src/frontend/qnn/tokens.js";
import { formatNpz, type NpyArray } from "../src/npy.js";
import { runPasses } from "../src/passes/pass.js";
import { graphPipeline } from "../src/passes/pipelines.js";
import { makeRandom } from "./support/random-network.js";

const path = fileURLToPath(new URL("../spec/language.md", import.meta.url));
const digits = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../examples/digits/${name}`, import.meta.url)));

const language = suite("qnn language");

language("the tables of the specification are the tables of the code", () => {
  const text = readFileSync(path, "utf8");
  const made = Object.entries(sections).reduce(
    (t, [name, make]) =>
      t.replace(new RegExp(`<!-- ${name} -->\n[\\s\\S]*?<!-- end -->`), () => `<!-- ${name} -->\n\n${make()}\n\n<!-- end -->`),
    text,
  );
  for (const name of Object.keys(sections)) assert.ok(text.includes(`<!-- ${name} -->`), `the table of ${name} is missing`);
  if (process.env["UPDATE"] === "1") writeFileSync(path, made);
  else assert.fixture(made, text, "UPDATE=1 rewrites the tables");
});

language("the tokens and the grammar are sound, which the running parser does not check again", () => {
  makeLexer(false);
  new QnnParser(false);
});

const examples = [...readFileSync(path, "utf8").matchAll(/^```qnn\n([\s\S]*?)^```$/gm)].map((m) => m[1]!);

/** `// with model.npz: fc/kernel [16, 4], …`: arrays of small multiples of 1/64. */
function arraysFor(text: string): ReadonlyMap<string, Uint8Array> {
  const [, file, list] = /^\/\/ with (\S+): (.*)$/m.exec(text) ?? [];
  if (file === undefined || list === undefined) return new Map();
  const r = makeRandom(3);
  const arrays = [...list.matchAll(/(\S+) \[([\d, ]+)\]/g)].map((m): readonly [string, NpyArray] => {
    const shape = m[2]!.split(",").map(Number);
    return [m[1]!, { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => (1 + r(60)) / 64) }];
  });
  return new Map([[file, formatNpz(new Map(arrays))]]);
}

language("there are 12 worked examples and more", () => assert.ok(examples.length >= 13, `${examples.length}`));

for (const [i, text] of examples.entries()) {
  language(`example ${i + 1}: ${/network (\w+)/.exec(text)?.[1]}`, async () => {
    const files = new Map<string, Uint8Array>([["e.qnn", new TextEncoder().encode(text)], ...arraysFor(text)]);
    for (const name of ["digits.json", "digits_weights.h5"]) files.set(name, digits(name));
    const reporter = new Reporter();
    const model = await readQnn({ model: "e.qnn", files }, {}, reporter);
    assert.equal(
      reporter.diagnostics.map((d) => renderText(d, { text: () => text })),
      [],
    );
    const options = { width: 16, maxCells: 1e6, maxTable: 4096, softmax: "host" as const, pipeline: { clock: 5 } };
    const typed = runPasses({ kind: "graph", ir: model!.graph }, graphPipeline, { options, reporter });
    assert.ok(typed?.kind === "graph" && typed.ir.nodes.every((n) => n.type.elem !== "real"), "every value gets a type");
    const tree = await parseQnn({ name: "e.qnn", text }, reporter);
    assert.fixture(formatTree(tree!, text), text);
  });
}

language.run();
