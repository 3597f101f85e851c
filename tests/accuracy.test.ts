// `qnnc sim --accuracy` on the labelled networks of the golden data: as many right answers as the framework's own outputs give.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { formatNpy, type NpyArray, parseNpy } from "../src/npy.js";
import { answersOf } from "../src/sim/analysis.js";
import { inProcess, testFolder } from "./support/cli.js";
import { golden, goldenList, goldenText, hasGolden, skip } from "./support/golden.js";
import { filesIn } from "./support/models.js";
import { fullTier } from "./support/tools.js";

const accuracy = suite("accuracy on labelled data");
if (!hasGolden) skip("accuracy: the golden data is absent");

const labelled = goldenList("models").filter((name) => goldenList(`models/${name}`).includes("labels.npy"));
const quick = new Set(["qkeras_3layer", "hgq_jet_classifier"]);
const cwd = testFolder("accuracy");

function read(path: string): NpyArray {
  const reporter = new Reporter();
  const array = parseNpy(golden(path)!, path, reporter);
  assert.equal(reporter.diagnostics, []);
  return array!;
}

for (const name of labelled.filter((n) => fullTier || quick.has(n))) {
  accuracy(name, async () => {
    const folder = `models/${name}`;
    const { model, weights } = filesIn(folder);
    for (const file of [model, ...(weights ? [weights] : [])]) writeFileSync(join(cwd, file), golden(`${folder}/${file}`)!);
    const labels = read(`${folder}/labels.npy`);
    const input = read(`${folder}/input.npy`);
    const output = read(`${folder}/output.npy`);
    // Rows behind the labelled ones are edge rows.
    const rows = labels.shape[0]!;
    const size = input.data.length / input.shape[0]!;
    writeFileSync(join(cwd, "x.npy"), formatNpy({ shape: [rows, ...input.shape.slice(1)], data: input.data.subarray(0, rows * size) }));
    writeFileSync(join(cwd, "y.npy"), formatNpy(labels));
    const classes = output.data.length / output.shape[0]!;
    const values = Float64Array.from(output.data.subarray(0, rows * classes) as ArrayLike<number | bigint>, Number);
    const expected = answersOf(values, classes, 0.5);
    const own = labels.data.length === rows ? Int32Array.from(labels.data as ArrayLike<number>, Number) : answersOf(Float64Array.from(labels.data as ArrayLike<number>), classes, 0.5);
    const right = expected.filter((answer, i) => answer === own[i]).length;
    const { bit_exact_expected: exact } = JSON.parse(goldenText(`${folder}/meta.json`)!) as { bit_exact_expected: boolean };
    // A grid that holds every input exactly; float networks are given bits enough, and the samples for their ranges.
    const precision = exact ? ["--input-type", "fixed<32,10>"] : ["--width", "24", "--calibrate", "x.npy"];
    const flags = [...precision, "--engine", "jit", "-q"];
    const r = await inProcess(["sim", model, ...(weights ? ["--weights", weights] : []), "-i", "x.npy", "--accuracy", "y.npy", ...flags], cwd);
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stdout, new RegExp(`, ${right} of ${rows} samples\\n`), `the framework is right on ${right} of ${rows}`);
  });
}
accuracy.run();
