// Every network of the golden data that the frontends read: simulator, exact reference, netlist, Icarus and g++ give one answer.
// The frameworks' own outputs are compared in keras-golden, keras-hgq and hls4ml; here the executions are compared with one another.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Artifacts, compile } from "../src/compile.js";
import { Reporter, renderText } from "../src/diagnostics.js";
import { evaluate } from "../src/sim/reference.js";
import { goldenList, hasGolden, skip } from "./support/golden.js";
import { type HlsCase, runHlsBatch } from "./support/hls-batch.js";
import { sourceIn } from "./support/models.js";
import { apTypes, fullTier, hasTool, withTempDir, writeFiles } from "./support/tools.js";
import { runIcarus } from "./support/verilog.js";

/** Networks with recurrent layers, which get a diagnostic. */
const RECURRENT = /^random-keras[23]\/0[789]$/;
/** Larger ones are compiled without Verilog: Icarus would take minutes. */
const MAX_CELLS = 20_000;
const VECTORS = 24;

const folders = ["models", "random-qkeras", "random-hgq2", "random-keras2", "random-keras3"].flatMap((kind) =>
  goldenList(kind).map((name) => `${kind}/${name}`),
);
const few = new Set(["models/hgq2_openml_20849", "random-qkeras/12", "random-keras3/02"]);
const chosen = folders.filter((f) => fullTier || few.has(f));

const every = suite("every model: one answer");
const designs: HlsCase[] = [];

async function build(folder: string, top: string): Promise<Artifacts | undefined> {
  const attempt = async (rtl: boolean): Promise<{ readonly artifacts: Artifacts | undefined; readonly reporter: Reporter }> => {
    const reporter = new Reporter();
    return { artifacts: await compile(sourceIn(folder), { top, vectorCount: VECTORS, maxCells: MAX_CELLS, rtl }, reporter), reporter };
  };
  const first = await attempt(true);
  const { artifacts, reporter } = first.reporter.diagnostics.some((d) => d.code === "QN403") ? await attempt(false) : first;
  if (RECURRENT.test(folder)) {
    assert.is(artifacts, undefined);
    assert.ok(reporter.diagnostics.some((d) => d.level === "error" && d.at?.layer !== undefined && d.help !== undefined), "a diagnostic with layer and help");
    return undefined;
  }
  assert.ok(artifacts, reporter.diagnostics.map((d) => renderText(d)).join("\n"));
  return artifacts;
}

if (!hasGolden) skip("every model: the golden data is absent");

chosen.forEach((folder, k) => {
  every(folder, async () => {
    const top = `net${k}`;
    const artifacts = await build(folder, top);
    if (!artifacts) return;
    const { graph, netlist, vectors, files } = artifacts;
    // The build itself has compared simulator and netlist on every vector, or simulator and reference.
    for (const s of [0, VECTORS - 1]) {
      const at = <T>(ports: readonly (readonly T[])[]): readonly T[] => ports.map((port) => port[s]!);
      assert.equal(evaluate(graph, at(vectors.inputs)), at(vectors.outputs), `reference, vector ${s}`);
    }
    designs.push({ name: top, files, vectors });
    if (!netlist || !hasTool("iverilog")) return;
    withTempDir((place) => {
      writeFiles(place, files);
      assert.match(runIcarus(place, top), new RegExp(`^PASS ${VECTORS} vectors`));
    });
  });
});

every("the HLS C++ of all of them, by g++", () => {
  const headers = apTypes();
  if (headers === undefined || !hasTool("g++")) return;
  runHlsBatch(designs, headers).forEach((verdict, i) => assert.is(verdict, `PASS ${VECTORS} vectors`, designs[i]!.name));
});
every.run();
