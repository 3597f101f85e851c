// One answer everywhere: reference = JIT = netlist = Icarus = Verilator = g++ on whole trained networks, combinational and pipelined.
// Quick tier: the jet tagger and two random networks through the cheap executions; full tier: all of them through all.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Artifacts, type BuildOptions, compile, defaultOptions } from "../src/compile.js";
import { Reporter, renderText } from "../src/diagnostics.js";
import type { Netlist } from "../src/ir/netlist.js";
import type { Pipelining } from "../src/passes/pass.js";
import { evaluate, interpret } from "../src/sim/reference.js";
import { hasGolden, skip } from "./support/golden.js";
import { type GoldenModel, randomModels, sourceOf, trainedModels } from "./support/models.js";
import { apTypes, fullTier, hasTool, run, withTempDir, writeFiles } from "./support/tools.js";

const models = fullTier ? [...trainedModels, ...randomModels] : [trainedModels[0]!, ...randomModels.slice(0, 2)];
const pipelines: readonly Pipelining[] = [{ stages: 0 }, { stages: 3 }, { depth: 4 }, { depth: 1 }];
const vectorCount = 1000;

async function build(m: GoldenModel, options: Partial<BuildOptions>): Promise<Artifacts & { readonly netlist: Netlist }> {
  const reporter = new Reporter();
  const artifacts = await compile(sourceOf(m), { ...defaultOptions, vectorCount, top: "net", ...(m.until ? { until: m.until } : {}), ...options }, reporter);
  assert.ok(artifacts?.netlist, reporter.diagnostics.map((d) => renderText(d)).join("\n"));
  return { ...artifacts, netlist: artifacts.netlist };
}

function expectPass(what: string, r: { readonly code: number; readonly stdout: string; readonly text: string }): void {
  assert.is(r.code, 0, `${what}: ${r.text.slice(-2000)}`);
  assert.ok(new RegExp(`^PASS ${vectorCount} vectors`, "m").test(r.stdout), `${what}: ${r.text.slice(-2000)}`);
}

function must(what: string, r: { readonly code: number; readonly text: string }): void {
  assert.is(r.code, 0, `${what}: ${r.text.slice(-2000)}`);
}

const seen = new Set<string>();

/** Whether the same sources, testbench and vectors have been through these tools before: qkeras-v3 holds the network of qkeras_3layer in another container. */
function alreadyRun(tools: string, files: Artifacts["files"]): boolean {
  const parts = [...files].filter(([path]) => /^(rtl|hls|tb)\//.test(path) && !path.endsWith(".npy"));
  const key = `${tools}\0${parts.map(([path, content]) => `${path}\0${String(content)}`).join("\0")}`;
  const known = seen.has(key);
  seen.add(key);
  return known;
}

const executions = suite("one answer everywhere");

if (!hasGolden) skip("models: the golden data is absent");

for (const m of hasGolden ? models : []) {
  executions(`${m.folder}: reference = simulator = netlist`, async () => {
    const { graph, netlist, vectors } = await build(m, { pipeline: { stages: 0 } });
    assert.is(vectors.count, vectorCount);
    // BigInt arithmetic on 784 inputs is slow: the wide network takes every fifth vector.
    const every = fullTier || netlist.cells.length < 5000 ? 1 : 5;
    for (let s = 0; s < vectors.count; s += every) {
      const inputs = vectors.inputs.map((port) => port[s]!);
      const expected = vectors.outputs.map((port) => port[s]!);
      assert.equal(evaluate(graph, inputs), expected, `reference, sample ${s}`);
      assert.equal(interpret(netlist, inputs), expected, `netlist, sample ${s}`);
    }
  });

  for (const pipeline of fullTier ? pipelines : [pipelines[0]!, pipelines[2]!]) {
    executions(`${m.folder}, ${JSON.stringify(pipeline)}: Icarus and Verilator`, async () => {
      const { files, manifest } = await build(m, { pipeline });
      if ("stages" in pipeline) assert.is(manifest.latency, pipeline.stages);
      else assert.ok((manifest.latency ?? 0) > 0);
      if (alreadyRun("rtl", files)) return;
      withTempDir((folder) => {
        writeFiles(folder, files);
        if (hasTool("iverilog")) {
          must("iverilog", run("iverilog", ["-g2005", "-Wall", "-o", "tb.vvp", "rtl/net.v", "tb/net_tb.v"], { cwd: folder }));
          expectPass("Icarus", run("vvp", ["-n", "tb.vvp"], { cwd: folder, timeoutMs: 300_000 }));
        }
        if (hasTool("verilator")) {
          const lint = run("verilator", ["--lint-only", "-Wall", "rtl/net.v", "--top-module", "net"], { cwd: folder });
          assert.is(lint.text, "", `lint: ${lint.text.slice(0, 2000)}`);
        }
        if (fullTier && hasTool("verilator")) {
          const flags = ["--binary", "--timing", "-Wno-fatal", "-j", "2", "--top-module", "net_tb", "-CFLAGS", "-O0", "-MAKEFLAGS", "OPT_FAST=-O0 OPT_SLOW=-O0", "--Mdir", "v"];
          must("verilator", run("verilator", [...flags, "rtl/net.v", "tb/net_tb.v"], { cwd: folder, timeoutMs: 600_000 }));
          expectPass("Verilator", run("v/Vnet_tb", [], { cwd: folder, timeoutMs: 300_000 }));
        }
      });
    });
  }

  for (const hlsStyle of fullTier ? (["loops", "unrolled"] as const) : (["loops"] as const)) {
    executions(`${m.folder}: g++ on the HLS C++, ${hlsStyle}`, async () => {
      const headers = apTypes();
      if (headers === undefined || !hasTool("g++")) return;
      const { files, netlist } = await build(m, { hlsStyle, pipeline: { stages: 0 } });
      // g++ takes minutes on a function of more lines than this; the loops cover such networks.
      if ((hlsStyle === "unrolled" && netlist.cells.length > 5000) || alreadyRun(`hls ${hlsStyle}`, files)) return;
      withTempDir((folder) => {
        writeFiles(folder, files);
        must("g++", run("g++", ["-std=c++14", "-O1", "-Wno-unknown-pragmas", `-I${headers}`, "-o", "hls_tb", "hls/net.cpp", "hls/net_tb.cpp"], { cwd: folder, timeoutMs: 600_000 }));
        expectPass("HLS", run("./hls_tb", [], { cwd: folder, timeoutMs: 300_000 }));
      });
    });
  }
}

executions.run();
