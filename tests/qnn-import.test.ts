// `qnnc import`: every model that the Keras frontend accepts, printed as .qnn and read again, is the identical Graph and builds the identical firmware.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile } from "../src/compile.js";
import { Reporter, renderText } from "../src/diagnostics.js";
import { readKeras } from "../src/frontend/keras/read-keras.js";
import { printQnn } from "../src/frontend/qnn/print-qnn.js";
import { readQnn } from "../src/frontend/qnn/read-qnn.js";
import type { Graph } from "../src/ir/graph.js";
import { sizeOf } from "../src/ir/tensor.js";
import { golden, goldenList, hasGolden, skip } from "./support/golden.js";
import { fullTier } from "./support/tools.js";

const plain = (g: Graph): string =>
  JSON.stringify({ ...g, layers: g.layers.map(({ at: _, ...rest }) => rest) }, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v));

/** Reads the Keras model, prints it, reads the text. The number of nodes, or undefined where the frontend does not accept the model. */
async function roundTrip(model: string, weights: string | undefined, files: ReadonlyMap<string, Uint8Array>): Promise<number | undefined> {
  const graph = await readKeras({ model, files, ...(weights === undefined ? {} : { weights }) }, { name: "net" }, new Reporter());
  if (!graph) return undefined;
  const printed = printQnn(graph, { weightsFile: "w.npz" });
  assert.type(printed, "object", `${model}: ${String(printed)}`);
  if (typeof printed === "string") return undefined;
  const reporter = new Reporter();
  const made = new Map<string, Uint8Array>([["net.qnn", new TextEncoder().encode(printed.text)]]);
  if (printed.weights) made.set("w.npz", printed.weights);
  const again = await readQnn({ model: "net.qnn", files: made }, {}, reporter);
  assert.equal(
    reporter.diagnostics.map((d) => renderText(d, { text: () => printed.text })),
    [],
    printed.text,
  );
  assert.ok(plain(again!.graph) === plain(graph), `${model} differs:\n${printed.text}`);
  const second = printQnn(again!.graph, { weightsFile: "w.npz" });
  assert.is(typeof second === "string" ? second : second.text, printed.text, "printing again gives the same text");
  return graph.nodes.length;
}

/** A model, and a weights file where it is no archive of its own. */
interface Import {
  readonly model: string;
  readonly weights?: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

const MAX_MULTIPLICATIONS = 20_000;
const multiplicationsOf = (graph: Graph): number => {
  const each = (n: Graph["nodes"][number]): number =>
    n.op === "dense" || n.op === "conv" ? (sizeOf(n.type.shape) * sizeOf(n.attrs.kernel.shape)) / n.attrs.kernel.shape.at(-1)! : 0;
  return graph.nodes.reduce((sum, n) => sum + each(n), 0);
};

/** Builds the model and its import; every file must be the same but the manifest, which names the sources, and that in all else. */
async function buildsTheSame(source: Import): Promise<"same" | "large" | "rejected"> {
  const reporter = new Reporter();
  const graph = await readKeras(source, { name: "net" }, reporter);
  if (!graph) return "rejected";
  if (multiplicationsOf(graph) > MAX_MULTIPLICATIONS) return "large";
  const printed = printQnn(graph, { weightsFile: "w.npz" });
  if (typeof printed === "string") throw new Error(`${source.model}: ${printed}`);
  const files = new Map<string, Uint8Array>([["net.qnn", new TextEncoder().encode(printed.text)]]);
  if (printed.weights) files.set("w.npz", printed.weights);
  // Stages by number: no clock is too fast for any of them.
  const options = { top: "net", vectorCount: 20, pipeline: { stages: 2 } };
  const given = await compile(source, options, reporter);
  const imported = await compile({ model: "net.qnn", files }, options, reporter);
  assert.equal(
    reporter.diagnostics.filter((d) => d.level === "error").map((d) => renderText(d)),
    [],
    source.model,
  );
  const [a, b] = [given!.files, imported!.files];
  assert.equal([...b.keys()], [...a.keys()]);
  const manifests = [a, b].map((f) => ({ ...(JSON.parse(f.get("manifest.json") as string) as Record<string, unknown>), sources: {} }));
  assert.equal(manifests[1], manifests[0], `${source.model}: manifest.json`);
  for (const [path, content] of a) {
    if (path !== "manifest.json") assert.ok(Buffer.from(b.get(path)!).equals(Buffer.from(content)), `${source.model}: ${path} differs`);
  }
  return "same";
}

const example = (folder: string, ...names: readonly string[]): Import => {
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`../examples/${folder}/${name}`, import.meta.url)));
  const [model, weights] = names;
  return { model: model!, ...(weights === undefined ? {} : { weights }), files: new Map(names.map((n) => [n, read(n)])) };
};
const examples = [example("digits", "digits.json", "digits_weights.h5"), example("cnn", "cnn.json", "cnn.h5")];

function* goldenImports(): Generator<Import> {
  for (const kind of ["models", "random-qkeras", "random-keras3"]) {
    for (const name of goldenList(kind)) {
      const folder = `${kind}/${name}`;
      const names = goldenList(folder);
      const model =
        names.find((n) => /\.keras$|\.json$/.test(n) && n !== "meta.json" && n !== "layers.json") ?? names.find((n) => /\.h5$/.test(n));
      const weights = model?.endsWith(".json") ? names.find((n) => n.endsWith(".h5")) : undefined;
      if (model === undefined) continue;
      const files = new Map([model, ...(weights === undefined ? [] : [weights])].map((n) => [n, golden(`${folder}/${n}`)!] as const));
      yield { model, ...(weights === undefined ? {} : { weights }), files };
    }
  }
}

const imports = suite("qnn import");

imports("the examples made by Keras come back as the same Graph", async () => {
  for (const { model, weights, files } of examples) assert.ok(((await roundTrip(model, weights, files)) ?? 0) > 5, model);
});

imports("the examples made by Keras rebuild to the same bytes", async () => {
  for (const e of examples) assert.is(await buildsTheSame(e), "same", e.model);
});

imports("golden models and random networks come back as the same Graph", async () => {
  if (!hasGolden) return skip("golden models are absent");
  let [done, tried] = [0, 0];
  for (const { model, weights, files } of [...goldenImports()].filter((m, i) => fullTier || i % 4 === 0 || m.model.includes("3layer"))) {
    tried++;
    if ((await roundTrip(model, weights, files)) !== undefined) done++;
  }
  console.log(`${done} of ${tried} models are accepted by the frontend and come back identical`);
  assert.ok(done >= 3, `only ${done} models`);
});

imports("golden models and random networks rebuild to the same bytes", async () => {
  if (!hasGolden) return skip("golden models are absent");
  if (!fullTier) return skip("building every golden model twice is of the full tier");
  const counts = { same: 0, large: 0, rejected: 0 };
  for (const m of goldenImports()) counts[await buildsTheSame(m)]++;
  console.log(
    `${counts.same} rebuild to the same bytes, ${counts.large} have more than ${MAX_MULTIPLICATIONS} multiplications, ${counts.rejected} are not accepted`,
  );
  assert.ok(counts.same >= 10, `only ${counts.same} models`);
});

imports.run();
