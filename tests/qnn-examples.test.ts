// The examples written in .qnn: formatted, without messages, and equal to what the training framework computed, to the bit: as graphs, simulated, and built.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compile, simulate, typeModel } from "../src/compile.js";
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
import { skip } from "./support/golden.js";
import { loadProject } from "./support/qnn-project.js";
import { fullTier } from "./support/tools.js";

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

const all = [
  ["digits", ["digits_x_test"], ["digits_logits"]],
  ["classifier", ["x"], ["logits"]],
  ["autoencoder", ["x"], ["image", "score"]],
  ["two-inputs", ["left", "right"], ["same"]],
  ["cnn", ["x"], ["logits"]],
  ["residual", ["x"], ["logits"]],
] as const;

for (const [folder, inputs, outputs] of all) {
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

const numbers = (array: ReturnType<typeof parseNpy>): readonly number[] =>
  Array.from(array!.data as ArrayLike<number>, (v) => Number(v) + 0);

for (const [folder, inputs, outputs] of all) {
  examples(`${folder}, every sample in the compiled simulator`, async () => {
    const set = await loadProject(`${root}${folder}`, `${folder}.qnn`);
    const reporter = new Reporter();
    const typed = await typeModel(set, {}, reporter);
    const made = typed && (await simulate(typed.graph, reporter));
    const given = inputs.map((name) => npy(`${folder}/${name}.npy`)!);
    const got = made?.simulator.run(
      given.map((a) => Float64Array.from(a.data as ArrayLike<number>)),
      given[0]!.shape[0]!,
      reporter,
    );
    assert.equal(reporter.diagnostics, []);
    outputs.forEach((name, i) =>
      assert.equal(
        Array.from(got!.outputs[i]!, (v) => v + 0),
        numbers(npy(`${folder}/${name}.npy`)),
        name,
      ),
    );
  });

  examples(`${folder}, built`, async () => {
    if (!fullTier) return skip("building every example is of the full tier");
    const set = await loadProject(`${root}${folder}`, `${folder}.qnn`);
    const reporter = new Reporter();
    const vectors = inputs.map((name) => npy(`${folder}/${name}.npy`)!);
    const artifacts = await compile(set, { vectors }, reporter);
    assert.equal(reporter.diagnostics, []);
    const { manifest, files } = artifacts!;
    manifest.outputs.forEach((port, i) => {
      const golden = parseNpy(files.get(`tb/vectors/${port.name}.npy`) as Uint8Array, port.name, reporter);
      assert.equal(numbers(golden), numbers(npy(`${folder}/${outputs[i]}.npy`)), port.name);
    });
  });
}

examples.run();
