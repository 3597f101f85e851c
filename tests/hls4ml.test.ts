// hls4ml compatibility: its simulated outputs on whole networks, its inferred types, and what its configuration may hold.
import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { readHlsConfig } from "../src/frontend/hls4ml/config.js";
import { convert } from "../src/frontend/hls4ml/convert.js";
import { Fixes } from "../src/frontend/hls4ml/fixes.js";
import type { HlsNode } from "../src/frontend/hls4ml/nodes.js";
import { optimize } from "../src/frontend/hls4ml/optimize.js";
import { type Precision, parsePrecision, samePrecision } from "../src/frontend/hls4ml/precision.js";
import { readHls4ml } from "../src/frontend/hls4ml/read-hls4ml.js";
import { throughDecimal, weightMantissa } from "../src/frontend/hls4ml/weights.js";
import { variablesOf } from "../src/frontend/keras/layers/index.js";
import { openKeras } from "../src/frontend/keras/model-file.js";
import type { Graph } from "../src/ir/graph.js";
import { type NpyArray, parseNpy } from "../src/npy.js";
import { assignPrecision } from "../src/passes/assign-precision.js";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { instantiate } from "../src/sim/simulator.js";
import { defaultOptions } from "../src/options.js";
import { golden, goldenList, goldenText, skip } from "./support/golden.js";
import { messages, readSmall, runRows } from "./support/hls4ml.js";
import { fullTier } from "./support/tools.js";

const FOLDERS = [
  "KERAS_1layer__model",
  "KERAS_3layer__model",
  "KERAS_3layer_batch_norm__model",
  "KERAS_3layer_ternary_small",
  "KERAS_conv1d_small__model",
  "KERAS_conv2d_model__model",
  "hgq2_jet_like",
  "qkeras_3layer",
  "qkeras_mnist_dense",
] as const;
/** Read and run in every tier; the others with --full. */
const QUICK = new Set<string>(["KERAS_1layer__model", "KERAS_3layer_ternary_small", "KERAS_conv1d_small__model", "qkeras_3layer"]);
const CONFIG = "hls4ml_config.yml";

interface Resolved {
  readonly hls_config: unknown;
  readonly layers: readonly {
    readonly name: string;
    readonly class: string;
    readonly types?: Readonly<Record<string, { readonly str: string; readonly class: string }>>;
    readonly weights: Readonly<Record<string, { readonly type: string | { readonly str: string; readonly class: string } }>>;
    readonly resolved?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }[];
}

/** The files of a golden folder, with hls4ml's configuration as YAML where it only lies in config.json. */
function sourceOf(folder: string) {
  const names = goldenList(`hls4ml/${folder}`);
  const files = new Map(names.map((n) => [n, golden(`hls4ml/${folder}/${n}`)!]));
  const resolved = JSON.parse(goldenText(`hls4ml/${folder}/config.json`)!) as Resolved;
  if (!files.has(CONFIG)) files.set(CONFIG, new TextEncoder().encode(JSON.stringify({ HLSConfig: resolved.hls_config })));
  const weights = names.find((n) => n.endsWith(".h5"));
  const model = names.find((n) => n.endsWith(".keras") || (n.endsWith(".json") && n !== "config.json"))!;
  return { source: { model, files, ...(weights ? { weights } : {}) }, resolved };
}

const npy = (path: string): NpyArray => parseNpy(golden(path)!, path, new Reporter())!;

/** A network of HGQ has a real input in front of its own quantizer. */
function typed(graph: Graph): Graph {
  if (graph.nodes.every((n) => n.type.elem !== "real")) return graph;
  const inputType = { type: { signed: true, width: 32, int: 10 }, round: "TRN", overflow: "WRAP" } as const;
  return assignPrecision.run(graph, { options: { ...defaultOptions, inputType }, reporter: new Reporter() })!;
}

const networks = suite("hls4ml networks");

for (const folder of FOLDERS) {
  if (!fullTier && !QUICK.has(folder)) continue;
  networks(folder, async () => {
    if (!goldenText(`hls4ml/${folder}/config.json`)) return skip(`hls4ml/${folder}`);
    const reporter = new Reporter();
    const read = await readHls4ml(sourceOf(folder).source, { name: "net", config: CONFIG, fix: false }, reporter);
    assert.ok(read, messages(reporter));
    const graph = typed(read);
    const [x, expected] = [npy(`hls4ml/${folder}/input.npy`), npy(`hls4ml/${folder}/hls_output.npy`)];
    const rows = x.shape[0]!;
    const n = expected.data.length / rows;
    const row = (y: ArrayLike<number | bigint>, r: number): number[] => Array.from({ length: n }, (_, i) => Number(y[r * n + i]));
    // The first row and the last, an edge row, by the exact reference; in the full tier all rows by the simulator.
    const picked = [0, rows - 1];
    assert.equal(
      runRows(graph, x, picked),
      picked.map((r) => row(expected.data, r)),
    );
    if (!fullTier) return;
    const module = await compileSimulator(graph, reporter);
    const result = module && (await instantiate(module)).run([Float64Array.from(x.data as ArrayLike<number>)], rows, reporter);
    assert.ok(result, messages(reporter));
    const wrong = Array.from({ length: rows }, (_, r) => r).filter((r) =>
      row(result.outputs[0]!, r).some((v, i) => v !== row(expected.data, r)[i]),
    );
    assert.equal(wrong, [], "rows that differ");
  });
}

/** More networks, made for this project with hls4ml 1.3.0 (make.py): merges, pooling, every softmax, QKeras' quantizers, saturating accumulators. */
const MORE = new URL("./golden/hls4ml/", import.meta.url);

networks("networks over many layer types", async () => {
  for (const folder of readdirSync(MORE).filter((n) => !n.includes("."))) {
    const bytes = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${folder}/${name}`, MORE)));
    const reporter = new Reporter();
    const own = (name: string): NpyArray => parseNpy(bytes(name), name, reporter)!;
    const files = new Map(["model.json", "w.h5", "c.yml"].map((n) => [n, bytes(n)]));
    const graph = await readHls4ml({ model: "model.json", weights: "w.h5", files }, { name: "net", config: "c.yml", fix: false }, reporter);
    assert.ok(graph, `${folder}\n${messages(reporter)}`);
    const x = own("x.npy");
    const rows = x.shape[0]!;
    for (const [k, output] of graph.outputs.entries()) {
      const expected = own(`y${k}.npy`);
      const n = expected.data.length / rows;
      const picked = fullTier ? Array.from({ length: rows }, (_, r) => r) : [0, rows - 1];
      const got = runRows({ ...graph, outputs: [output] }, x, picked);
      assert.equal(
        got,
        picked.map((r) => Array.from({ length: n }, (_, i) => Number(expected.data[r * n + i]))),
        `${folder}, ${output.name}`,
      );
    }
  }
});

/** hls4ml prints an exponent type as an integer; its class tells. */
const precisionOf = (text: string, kind?: string): unknown => ({
  text: text
    .replace(/^ap_/, "")
    .replace(/AP_/g, "")
    .replace(/\s/g, "")
    .replace(/,0>$/, ">")
    .replace(/,TRN,WRAP>$/, ">"),
  exponent: kind === "APExponentPrecisionType",
});
function printed(p: Precision): unknown {
  const { type, round, overflow, kind } = p;
  const sign = type.signed ? "" : "u";
  if (kind === "integer" || kind === "exponent" || kind === "xnor")
    return { text: `${sign}int<${type.width}>`, exponent: kind === "exponent" };
  const modes = round === "TRN" && overflow === "WRAP" ? "" : `,${round},${overflow}`;
  return { text: `${sign}fixed<${type.width},${type.int}${modes}>`, exponent: false };
}

const types = suite("hls4ml types");

types("layers, results, weights and accumulators are those that hls4ml resolved", () => {
  for (const folder of FOLDERS.filter((f) => f !== "hgq2_jet_like")) {
    if (!goldenText(`hls4ml/${folder}/config.json`)) return skip(`hls4ml/${folder}`);
    const { source, resolved } = sourceOf(folder);
    const reporter = new Reporter();
    const config = readHlsConfig(source.files.get(CONFIG)!, CONFIG, reporter);
    const file = (name: string) => ({ name, bytes: source.files.get(name)! });
    const model = openKeras({ model: file(source.model), weights: file(source.weights!) }, variablesOf, reporter);
    const network = config && model && convert(model, config, reporter);
    assert.ok(network, messages(reporter));
    const nodes = optimize(network, config!, new Fixes(false)).nodes;
    assert.equal(
      nodes.map((n) => [n.name, n.kind]),
      resolved.layers.map((l) => [l.name, l.class]),
      folder,
    );
    for (const [i, layer] of resolved.layers.entries()) {
      const node = nodes[i]! as HlsNode;
      const where = `${folder}/${layer.name}`;
      const result = layer.types?.result_t;
      if (result && node.kind !== "BatchNormalizationQuantizedTanh")
        assert.equal(printed(node.result as Precision), precisionOf(result.str), where);
      const weightTypes = Object.values(layer.weights).map(({ type }) =>
        typeof type === "string" ? precisionOf(type) : precisionOf(type.str, type.class),
      );
      if ("weight" in node)
        assert.equal(
          [node.weight.type, node.bias.type].map((t) => printed(t as Precision)),
          weightTypes,
          where,
        );
      const accum = Object.values(layer.resolved ?? {})
        .map((r) => r.accum_t)
        .find((a) => a !== undefined);
      if (accum && "accum" in node) assert.equal(printed(node.accum as Precision), precisionOf(accum), where);
    }
  }
});

types("precisions are read as hls4ml writes them", () => {
  const text = (t: string): unknown => {
    const p = parsePrecision(t);
    return p === "auto" || "problem" in p ? p : [p.kind, p.type.signed, p.type.width, p.type.int, p.round, p.overflow];
  };
  assert.equal(text("ap_fixed<16,6>"), ["fixed", true, 16, 6, "TRN", "WRAP"]);
  assert.equal(text("ufixed<6,0,RND_CONV,SAT,0>"), ["fixed", false, 6, 0, "RND_CONV", "SAT"]);
  assert.equal(text("ap_fixed<18, 8, AP_RND, AP_SAT>"), ["fixed", true, 18, 8, "RND", "SAT"]);
  assert.equal(text("fixed<9,-1>"), ["fixed", true, 9, -1, "TRN", "WRAP"]);
  assert.equal(text("ap_uint<1>"), ["integer", false, 1, 1, "TRN_ZERO", "WRAP"]);
  assert.is(text("auto"), "auto");
  for (const bad of ["float", "int<0>", "fixed<16>", "fixed<16,6,UP>", "fixed<99,6>", "", "fixed<8,4,TRN,WRAP,3>"])
    assert.ok("problem" in (parsePrecision(bad) as object), bad);
  assert.ok(samePrecision("auto", "auto"));
});

types("a weight goes through decimal text: nearest decimal, halves to even, then the type's own rounding and overflow", () => {
  assert.is(throughDecimal(0.12499999, 3), 0.125);
  assert.is(throughDecimal(-0.5, 0), 0);
  assert.is(throughDecimal(1.5, 0), 2);
  assert.is(throughDecimal(2.5, 0), 2);
  assert.is(throughDecimal(-3.0000001, 2), -3);
  const fixed = parsePrecision("fixed<6,3>") as Precision;
  assert.is(weightMantissa(0.12499999, fixed), 1n); // 0.125 at three decimals, not 0
  assert.is(weightMantissa(4.0, fixed), -32n); // wraps
  assert.is(weightMantissa(-0.01, fixed), -1n); // -0.010 truncates downward
});

const configs = suite("hls4ml configurations");
const relu = { class_name: "Activation", config: { name: "r", activation: "relu" } };

configs("the name wins over the class, the class over the model, each with its default", async () => {
  const resultOf = async (more: object): Promise<unknown> => {
    const { graph, reporter } = await readSmall([2], [relu], {
      Model: { Precision: { default: "fixed<16,6>", result: "fixed<15,5>" } },
      ...more,
    });
    assert.ok(graph, messages(reporter));
    const { elem } = graph.nodes[graph.outputs[0]!.value]!.type;
    return elem === "real" ? elem : elem.int;
  };
  // A relu that does not wrap is not negative: one integer bit less than its type.
  assert.is(await resultOf({}), 4);
  assert.is(await resultOf({ LayerType: { Activation: { Precision: "fixed<8,3>" } } }), 3);
  assert.is(
    await resultOf({
      LayerType: { activation: { Precision: { result: "fixed<8,3>" } } },
      LayerName: { R: { Precision: { default: "fixed<8,2>" } } },
    }),
    2,
  );
});

configs("mistakes are reported with a place or a name", async () => {
  const codes = async (config: string): Promise<readonly string[]> => {
    const { graph, reporter } = await readSmall([2], [relu], config);
    if (reporter.failed) assert.is(graph, undefined);
    return reporter.diagnostics.map((d) => `${d.level} ${d.code}`);
  };
  assert.equal(await codes("a: [1, 2"), ["error QN101"]);
  assert.equal(await codes("- 1"), ["error QN812"]);
  assert.equal(await codes("HLSConfig: {Model: {ReuseFactor: 1}}"), ["note QN814", "error QN812"]);
  assert.equal(await codes("Model: {Precision: 'float'}"), ["error QN300"]);
  assert.equal(await codes("{Model: {Precision: 'fixed<16,6>', Strategy: Magic}}"), ["error QN812"]);
  assert.equal(await codes("{Model: {Precision: 'fixed<16,6>', Strategy: distributed_arithmetic}}"), ["error QN812"]);
  assert.equal(await codes("{IOType: io_stream, Backend: Quartus, HLSConfig: {Model: {Precision: 'fixed<16,6>'}}}"), [
    "warning QN812",
    "warning QN812",
  ]);
  assert.equal(await codes("{Model: {Precision: 'fixed<16,6>'}, LayerName: {r: {Precison: 1}}}"), ["warning QN812"]);
  assert.equal(await codes("{Model: {Precision: 'fixed<16,6>'}, LayerName: {r: {TableSize: 1000}}}"), ["error QN812"]);
  assert.equal(await codes("{Model: {Precision: 'fixed<16,6>'}, LayerName: {nothere: {}}}"), ["warning QN211"]);
  assert.equal(await codes("{Model: {Precision: 'fixed<16,6>'}, LayerName: {r: {Precision: {table: 'fixed<9,1>'}}}}"), ["warning QN812"]);
  assert.equal(await codes("a: &a [*a]"), ["error QN812"]);
  assert.equal(await codes("a: b: c"), ["error QN101"]);
});

networks.run();
types.run();
configs.run();
