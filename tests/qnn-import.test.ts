// `qnnc import`: every model that the Keras frontend accepts, printed as .qnn and read again, is the identical Graph.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { readKeras } from "../src/frontend/keras/read-keras.js";
import { printQnn } from "../src/frontend/qnn/print-qnn.js";
import { readQnn } from "../src/frontend/qnn/read-qnn.js";
import type { Graph } from "../src/ir/graph.js";
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

const imports = suite("qnn import");

imports("the digits example", async () => {
  const root = fileURLToPath(new URL("../examples/digits/", import.meta.url));
  const read = (name: string): readonly [string, Uint8Array] => [name, new Uint8Array(readFileSync(root + name))];
  const nodes = await roundTrip("digits.json", "digits_weights.h5", new Map([read("digits.json"), read("digits_weights.h5")]));
  assert.ok(nodes !== undefined && nodes > 5);
});

imports("golden models and random QKeras networks", async () => {
  if (!hasGolden) return skip("golden models are absent");
  const folders = [
    ...goldenList("models").map((m) => `models/${m}`),
    ...goldenList("random-qkeras").map((m) => `random-qkeras/${m}`),
    ...goldenList("random-keras3").map((m) => `random-keras3/${m}`),
  ];
  let [done, tried] = [0, 0];
  for (const folder of folders.filter((_, i) => fullTier || i % 4 === 0 || folders[i]!.includes("3layer"))) {
    const names = goldenList(folder);
    const model =
      names.find((n) => /\.keras$|\.json$/.test(n) && n !== "meta.json" && n !== "layers.json") ?? names.find((n) => /\.h5$/.test(n));
    if (model === undefined) continue;
    tried++;
    const weights = model.endsWith(".json") ? names.find((n) => n.endsWith(".h5")) : undefined;
    const files = new Map([model, ...(weights === undefined ? [] : [weights])].map((n) => [n, golden(`${folder}/${n}`)!] as const));
    if ((await roundTrip(model, weights, files)) !== undefined) done++;
  }
  console.log(`${done} of ${tried} models are accepted by the frontend and come back identical`);
  assert.ok(done >= 3, `only ${done} models`);
});

imports.run();
