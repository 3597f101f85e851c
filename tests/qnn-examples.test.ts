// The examples written in .qnn: formatted, without messages, and equal to what numpy computed when they were trained, to the bit.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { formatTree } from "../src/frontend/qnn/format.js";
import { parseQnn } from "../src/frontend/qnn/parse.js";
import { readQnn } from "../src/frontend/qnn/read-qnn.js";
import { convert, dyadic, exponent, toNumber } from "../src/ir/fixed.js";
import type { Graph } from "../src/ir/graph.js";
import { sizeOf } from "../src/ir/tensor.js";
import type { Mantissas } from "../src/ir/vectors.js";
import { parseNpy } from "../src/npy.js";
import { evaluate } from "../src/sim/reference.js";
import { loadProject } from "./support/qnn-project.js";

const root = fileURLToPath(new URL("../examples/", import.meta.url));

const npy = (path: string): ReturnType<typeof parseNpy> => parseNpy(new Uint8Array(readFileSync(root + path)), path, new Reporter());

/** Sample `n` of a real array as mantissas of an input. */
function sample(graph: Graph, input: number, array: NonNullable<ReturnType<typeof parseNpy>>, n: number): Mantissas {
  const node = graph.nodes[graph.inputs[input]!]!;
  if (node.op !== "input" || node.attrs.type === undefined || "per" in node.attrs.type) throw new Error("a typed input is expected");
  const { type, round, overflow } = node.attrs;
  const size = sizeOf(node.type.shape);
  return Array.from({ length: size }, (_, i) => {
    const d = dyadic(Number(array.data[n * size + i]));
    return convert(d.m, d.exp, { type, round, overflow });
  });
}

const examples = suite("qnn examples");

for (const [folder, inputs, outputs] of [
  ["classifier", ["x"], ["logits"]],
  ["autoencoder", ["x"], ["image", "score"]],
  ["two-inputs", ["left", "right"], ["same"]],
  ["cnn", ["x"], ["logits"]],
  ["residual", ["x"], ["logits"]],
] as const) {
  examples(folder, async () => {
    const set = await loadProject(`${root}${folder}`, `${folder}.qnn`);
    const reporter = new Reporter();
    const model = await readQnn(set, {}, reporter);
    assert.equal(reporter.diagnostics, []);
    const { graph } = model!;
    for (const [name, bytes] of set.files) {
      if (!name.endsWith(".qnn")) continue;
      const text = new TextDecoder().decode(bytes);
      assert.is(formatTree((await parseQnn({ name, text }, reporter))!, text), text, `${name} is formatted`);
    }
    const given = inputs.map((name) => npy(`${folder}/${name}.npy`)!);
    const expected = outputs.map((name) => npy(`${folder}/${name}.npy`)!);
    const rows = given[0]!.shape[0]!;
    // The last rows as well: there are the odd ones.
    for (let n = 0; n < rows; n += n < 20 ? 1 : 17) {
      const got = evaluate(
        graph,
        given.map((a, i) => sample(graph, i, a, n)),
      );
      graph.outputs.forEach((o, i) => {
        const node = graph.nodes[o.value]!;
        const type = node.type.elem;
        if (type === "real") throw new Error("a typed output is expected");
        const size = sizeOf(node.type.shape);
        assert.equal(
          got[i]!.map((m) => toNumber(m, exponent(type))),
          Array.from(expected[i]!.data.slice(n * size, (n + 1) * size) as Float64Array, (v) => v + 0),
          `${o.name}, row ${n}`,
        );
      });
    }
  });
}

examples.run();
