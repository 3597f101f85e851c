// .qnn round trips: a Graph printed and read again is the same Graph; a formatted text formatted again is the same text.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { formatTree } from "../src/frontend/qnn/format.js";
import { parseQnn } from "../src/frontend/qnn/parse.js";
import { printQnn } from "../src/frontend/qnn/print-qnn.js";
import { readQnn } from "../src/frontend/qnn/read-qnn.js";
import type { Graph } from "../src/ir/graph.js";
import { ops } from "../src/ir/ops/index.js";
import { randomNetwork } from "./support/random-network.js";
import { fullTier } from "./support/tools.js";

/** Everything but the places, which are those of the text. */
const plain = (g: Graph): unknown => ({ ...g, layers: g.layers.map(({ at: _, ...rest }) => rest) });

const stringify = (value: unknown): string => JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v), 1);

async function reformat(text: string): Promise<string> {
  const reporter = new Reporter();
  const tree = await parseQnn({ name: "t.qnn", text }, reporter);
  assert.equal(reporter.diagnostics, [], text);
  return formatTree(tree!, text);
}

const COUNT = fullTier ? 1000 : 200;

const roundTrips = suite("qnn round trips");

roundTrips(`${COUNT} random networks of the op table: print, read, the same Graph, and the printed text is formatted`, async () => {
  const used = new Map<string, number>();
  for (let seed = 1; seed <= COUNT; seed++) {
    const graph = randomNetwork(seed);
    for (const n of graph.nodes) used.set(n.op, (used.get(n.op) ?? 0) + 1);
    const printed = printQnn(graph, { weightsFile: "w.npz" });
    assert.type(printed, "object", `seed ${seed}: ${String(printed)}`);
    if (typeof printed === "string") return;
    const reporter = new Reporter();
    const files = new Map<string, Uint8Array>([["p/t.qnn", new TextEncoder().encode(printed.text)]]);
    if (printed.weights) files.set("p/w.npz", printed.weights);
    const model = await readQnn({ model: "p/t.qnn", files }, {}, reporter);
    const errors = reporter.diagnostics.filter((d) => d.level === "error").map((d) => renderText(d, { text: () => printed.text }));
    assert.equal(errors, [], `seed ${seed}:\n${printed.text}\n${errors.join("\n")}`);
    const [a, b] = [stringify(plain(graph)), stringify(plain(model!.graph))];
    assert.ok(a === b, `seed ${seed}:\n${printed.text}\n${firstDifference(a, b)}`);
    if (seed % 10 === 0) assert.is(await reformat(printed.text), printed.text, `seed ${seed}`);
  }
  assert.equal(
    Object.keys(ops).filter((op) => (used.get(op) ?? 0) < COUNT / 10),
    [],
    "every op occurs often",
  );
});

function firstDifference(a: string, b: string): string {
  const [x, y] = [a.split("\n"), b.split("\n")];
  const at = x.findIndex((line, i) => line !== y[i]);
  return `expected ${x.slice(Math.max(0, at - 3), at + 4).join("\n")}\ngot ${y.slice(Math.max(0, at - 3), at + 4).join("\n")}`;
}

roundTrips.run();
