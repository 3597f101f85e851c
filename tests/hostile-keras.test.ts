// Hostile and broken models: each gets a coded diagnostic with a place, quickly, and nothing from the file ever steers the program.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Diagnostic, Reporter, renderText } from "../src/diagnostics.js";
import { readKeras } from "../src/frontend/keras/read-keras.js";
import type { Graph } from "../src/ir/graph.js";
import { golden, hasGolden, skip } from "./support/golden.js";
import { hdf5 } from "./support/hdf5.js";
import { fullTier } from "./support/tools.js";

type J = null | boolean | number | string | readonly J[] | { readonly [key: string]: J };
type Layer = { readonly class_name: string; readonly config: { readonly [key: string]: J }; readonly [key: string]: J };

const encode = (json: J | string): Uint8Array => new TextEncoder().encode(typeof json === "string" ? json : JSON.stringify(json));

interface Result {
  readonly graph: Graph | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

async function read(model: Uint8Array, weights?: Uint8Array, until?: string): Promise<Result> {
  const reporter = new Reporter();
  const files = new Map([["m.json", model]]);
  if (weights) files.set("w.h5", weights);
  const graph = await readKeras(
    { model: "m.json", ...(weights ? { weights: "w.h5" } : {}), files },
    until === undefined ? {} : { until },
    reporter,
  );
  for (const d of reporter.diagnostics) renderText(d);
  return { graph, diagnostics: reporter.diagnostics };
}

const input = (shape: J = [null, 3]): Layer => ({ class_name: "InputLayer", config: { name: "x", batch_input_shape: shape } });
const dense = (name: string, config: { readonly [key: string]: J } = {}): Layer => ({
  class_name: "Dense",
  config: { name, units: 2, activation: "linear", use_bias: true, ...config },
});
const relu = (name: string): Layer => ({ class_name: "Activation", config: { name, activation: "relu" } });
const sequential = (...layers: readonly J[]): J => ({ class_name: "Sequential", config: { name: "m", layers } });
const functional = (layers: readonly (Layer & { readonly from: readonly string[] })[], outputs: readonly string[]): J => ({
  class_name: "Functional",
  config: {
    name: "m",
    layers: layers.map(({ from, ...l }) => ({
      ...l,
      name: l.config.name ?? "",
      inbound_nodes: from.length === 0 ? [] : [from.map((f) => [f, 0, 0, {}])],
    })),
    input_layers: [["x", 0, 0]],
    output_layers: outputs.map((o) => [o, 0, 0]),
  },
});

const refused = async (result: Promise<Result>, code: string, message = /./): Promise<Diagnostic> => {
  const { graph, diagnostics } = await result;
  const shown = diagnostics.map((d) => `${d.code} ${d.message}`).join("; ");
  assert.is(graph, undefined, `expected ${code}`);
  assert.ok(
    diagnostics.some((d) => d.code === code && message.test(d.message)),
    `expected ${code} ${message}, got ${shown}`,
  );
  for (const d of diagnostics) assert.ok(d.at?.source !== undefined, `no place: ${shown}`);
  return diagnostics.find((d) => d.code === code)!;
};

/** Weights in the layout of Keras 2, for a layer `d` of 3 inputs and 2 units unless changed. */
const weights = (kernel: readonly number[] = [1, 2, 3, 4, 5, 6], shape: readonly number[] = [3, 2], name = "d"): Promise<Uint8Array> =>
  hdf5((f) => {
    f.create_attribute("layer_names", [name]);
    const g = f.create_group(name);
    g.create_attribute("weight_names", ["kernel:0", "bias:0"]);
    g.create_dataset({ name: "kernel:0", data: Float32Array.from(kernel), shape: [...shape] });
    g.create_dataset({ name: "bias:0", data: Float32Array.of(0, 1) });
  });

const t = suite("hostile keras models");

t("the model that the cases below damage is a good one", async () => {
  const { graph, diagnostics } = await read(encode(sequential(input(), dense("d"))), await weights());
  assert.equal(diagnostics, []);
  assert.is(graph!.nodes.length, 2);
});

t("missing, empty and foreign weights", async () => {
  const model = encode(sequential(input(), dense("d")));
  assert.match((await refused(read(model), "QN106")).help!, /--weights/);
  await refused(read(model, new Uint8Array()), "QN103", /empty/);
  await refused(read(model, encode("not hdf5")), "QN103", /signature/);
  await refused(read(model, await weights(undefined, undefined, "other")), "QN206", /no `kernel`/);
  await refused(read(model, await hdf5((f) => void f.create_group("something"))), "QN103", /known layout/);
  await refused(read(await weights()), "QN101", /no model description/);
  await refused(read(new Uint8Array()), "QN101", /empty/);
});

t("weights truncated at 20 offsets", async () => {
  const model = encode(sequential(input(), dense("d")));
  const whole = await weights();
  for (let i = 0; i < 20; i++) await refused(read(model, whole.subarray(0, Math.floor((whole.length * i) / 20))), "QN103");
});

t("weights of the wrong shape, and those that are no numbers", async () => {
  const model = encode(sequential(input(), dense("d")));
  await refused(read(model, await weights([1, 2, 3, 4, 5, 6], [2, 3])), "QN207", /\[2, 3\]; the layer needs \[3, 2\]/);
  await refused(read(model, await weights([1, 2, 3, 4, 5, 6], [6])), "QN207");
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    await refused(read(model, await weights([1, 2, bad, 4, 5, 6])), "QN208", /at index 2/);
  }
});

t("unknown layers, custom code and quantizers", async () => {
  const one = (layer: J) => read(encode(sequential(input(), layer)));
  await refused(one({ class_name: "Dence", config: { name: "d" } }), "QN201", /Dence/);
  assert.match((await refused(one({ class_name: "Dence", config: { name: "d" } }), "QN201")).help!, /did you mean `Dense`/);
  const lambda = await refused(
    one({ class_name: "Lambda", config: { name: "evil", function: ["4wEAAAAAAAAA", null, null] } }),
    "QN202",
    /`evil` is a Lambda/,
  );
  assert.is(lambda.at!.layer, "evil");
  await refused(one({ class_name: "TFSMLayer", config: { name: "d", filepath: "/etc" } }), "QN202");
  await refused(one({ class_name: "TFOpLambda", config: { name: "d", function: "math.multiply" } }), "QN202");
  await refused(one({ ...dense("d"), module: "os", registered_name: null }), "QN202", /`os`/);
  await refused(one({ ...dense("d"), module: "keras_evil.layers" }), "QN202");
  await refused(one({ ...dense("d"), module: "keras.layers", registered_name: "evil>Dense" }), "QN202", /`evil`/);
  await refused(one({ class_name: "Custom>Dense", config: { name: "d", units: 2 } }), "QN202", /`Custom`/);
  await refused(one({ class_name: "toString", config: { name: "d" } }), "QN201");
  await refused(one({ class_name: "hasOwnProperty", config: { name: "d" } }), "QN201");
  await refused(one({ class_name: "Sequential", config: { name: "d", layers: [] } }), "QN214");
  await refused(one({ class_name: "Functional", config: { name: "d" } }), "QN201");
  await refused(one({ class_name: "QActivation", config: { name: "a", activation: "__import__('os').system('x')" } }), "QN204");
  await refused(one({ class_name: "QActivation", config: { name: "a", activation: { class_name: "exec", config: {} } } }), "QN203");
  await refused(
    one({ class_name: "QDense", config: { name: "d", units: 2, kernel_quantizer: { class_name: "quantized_bitz", config: {} } } }),
    "QN203",
    /bitz/,
  );
  await refused(one({ class_name: "Activation", config: { name: "a", activation: "constructor" } }), "QN205");
});

t("impossible shapes and options", async () => {
  for (const shape of [
    [null, 0],
    [null, -3],
    [null, 1.5],
    [null, null],
    [null, Number.MAX_SAFE_INTEGER * 4],
    [null],
    [],
    "no",
    [null, "3"],
    [null, 2 ** 30],
    [null, 65536, 65536],
  ] as J[]) {
    const { graph, diagnostics } = await read(encode(sequential(input(shape), relu("a"))));
    assert.is(graph, undefined, JSON.stringify(shape));
    assert.ok(
      diagnostics.every((d) => d.code === "QN209" || d.code === "QN213"),
      `${JSON.stringify(shape)}: ${diagnostics.map((d) => d.code)}`,
    );
  }
  for (const units of [0, -1, 1.5, 2 ** 40, "two", null, true] as J[])
    await refused(read(encode(sequential(input(), dense("d", { units }))), await weights()), "QN200", /units/);
  for (const target of [[0], [-1, -1], [4], [-2], "x", [1e300]] as J[])
    await refused(read(encode(sequential(input(), { class_name: "Reshape", config: { name: "r", target_shape: target } }))), "QN209");
  await refused(
    read(encode(sequential(input([null, 2, 3]), { class_name: "Flatten", config: { name: "f", data_format: "sideways" } }))),
    "QN212",
  );
  await refused(read(encode(sequential(input(), dense("d", { use_bias: "yes" }))), await weights()), "QN200");
  await refused(read(encode(sequential(input()))), "QN214");
  await refused(read(encode(sequential())), "QN214");
});

/** Names that have broken other tools: paths, keywords, quotes, comments, control characters, markup. */
const NAMES = [
  "../../etc/passwd",
  "/abs",
  "C:\\x",
  "CON",
  "a\u0000b",
  "line\nbreak",
  "*/ endmodule /*",
  '`include "x"',
  "$finish",
  "%n%s",
  "';DROP",
  "<script>",
  "module",
  "reg",
  "int",
  "=cmd()",
  "\u202egpj",
  "\u001b[31m",
  "x".repeat(5000),
  " ",
  "1st",
  "naïve",
  "🙂",
  "a/b",
  "a:0",
  "-rf",
  "$" + "{x}",
  "\\",
  "//",
  "toString",
  "hasOwnProperty",
  "__proto",
];

t("any layer name is data", async () => {
  const layers = NAMES.map(relu);
  const { graph, diagnostics } = await read(encode(sequential(input(), ...layers)));
  assert.equal(diagnostics, []);
  assert.equal(
    graph!.layers.map((l) => l.name),
    ["x", ...NAMES],
  );
  const last = NAMES.at(-1)!;
  assert.is(graph!.outputs[0]!.name, last);
  for (const name of NAMES) assert.is((await read(encode(sequential(input(), ...layers)), undefined, name)).graph!.outputs[0]!.name, name);
  // In messages they can not steer a terminal.
  const { diagnostics: shown } = await read(
    encode(sequential(input(), { class_name: "\u001b[2J\n\u202e", config: { name: "\u001b[31m\n" } })),
  );
  const printed = shown.map((d) => renderText(d)).join("");
  assert.not.ok(printed.includes("\u001b") || printed.includes("\u202e"));
});

t("names that are missing, empty or double", async () => {
  await refused(read(encode(sequential(input(), relu("a"), relu("a")))), "QN215", /`a`/);
  await refused(read(encode(sequential(input(), relu("")))), "QN200");
  await refused(read(encode(sequential(input(), { class_name: "Activation", config: { name: 5, activation: "relu" } }))), "QN200");
  await refused(read(encode(sequential(input(), relu("a"))), undefined, "b"), "QN211");
});

t("graphs with cycles, dangling ends and odd references", async () => {
  const x = { ...input(), from: [] };
  const r = (name: string, ...from: readonly string[]) => ({ ...relu(name), from });
  assert.ok((await read(encode(functional([x, r("a", "x")], ["a"])))).graph);
  await refused(read(encode(functional([x, r("a", "b"), r("b", "a")], ["b"]))), "QN210", /cycle/);
  await refused(read(encode(functional([x, r("a", "a")], ["a"]))), "QN210", /cycle/);
  await refused(read(encode(functional([x, r("a", "nope")], ["a"]))), "QN210", /no such layer/);
  await refused(read(encode(functional([x, r("a", "x")], ["b"]))), "QN210", /no such layer/);
  await refused(read(encode(functional([x, r("a", "x", "x")], ["a"]))), "QN210", /one input/);
  const broken = (edit: (config: Record<string, J>) => void) => {
    const model = JSON.parse(JSON.stringify(functional([x, r("a", "x")], ["a"])));
    edit(model.config);
    return read(encode(model));
  };
  await refused(
    broken((c) => (c.output_layers = [])),
    "QN200",
    /output_layers/,
  );
  await refused(
    broken((c) => (c.output_layers = [["a", 0, 7]])),
    "QN210",
    /one output/,
  );
  await refused(
    broken((c) => (c.output_layers = [["a", 3, 0]])),
    "QN210",
    /call number 3/,
  );
  await refused(
    broken((c) => (c.input_layers = "x")),
    "QN200",
  );
  await refused(
    broken((c) => (c.layers = {})),
    "QN200",
  );
  await refused(
    broken((c) => (c.layers = [1])),
    "QN200",
  );
  for (const nodes of [
    "x",
    [["x"]],
    [[["x", 0]]],
    [[["x", -1, 0, {}]]],
    [[["x", 0.5, 0, {}]]],
    [5],
    [{ args: [{ class_name: "__keras_tensor__", config: {} }] }],
  ] as J[]) {
    await refused(
      broken((c) => ((c.layers as unknown as Record<string, J>[])[1]!.inbound_nodes = nodes)),
      "QN200",
    );
  }
  // A branch that no output needs is not even looked at.
  assert.ok((await read(encode(functional([x, r("a", "x"), { class_name: "Lambda", config: { name: "l" }, from: ["x"] }], ["a"])))).graph);
});

t("JSON that is not a model", async () => {
  for (const text of [
    "",
    "{",
    "[]",
    "null",
    "1",
    '"x"',
    "{}",
    '{"class_name": 1}',
    '{"class_name": "Sequential"}',
    '{"class_name": "Sequential", "config": {}}',
    '{"class_name": "MyModel", "config": {"layers": [{"class_name":"A","config":{"name":"a"}}]}}',
  ]) {
    const { graph, diagnostics } = await read(encode(text));
    assert.is(graph, undefined);
    assert.is(diagnostics.length, 1, text);
    assert.match(diagnostics[0]!.code, /^QN(?:10[12]|200)$/);
  }
  await refused(read(encode('{"class_name": "Sequential", "config": {"__proto__": {"layers": []}}}')), "QN102", /__proto__/);
  assert.is(({} as { layers?: unknown }).layers, undefined);
});

t("a chain of 10,000 layers is a graph, and of 100,000 a limit, both quickly", async () => {
  const chain = (n: number): Layer[] => Array.from({ length: n }, (_, i) => relu(`l${i}`));
  const linked = (n: number) =>
    functional([{ ...input(), from: [] }, ...chain(n).map((l, i) => ({ ...l, from: [i === 0 ? "x" : `l${i - 1}`] }))], [`l${n - 1}`]);
  for (const model of [sequential(input(), ...chain(10_000)), linked(10_000)]) {
    const start = performance.now();
    const { graph, diagnostics } = await read(encode(model));
    assert.equal(diagnostics, []);
    assert.is(graph!.layers.length, 10_001);
    assert.ok(performance.now() - start < 10_000, `${performance.now() - start} ms`);
  }
  await refused(read(encode(sequential(input(), ...chain(100_000)))), "QN213", /100001 layers/);
  const start = performance.now();
  const { diagnostics } = await read(encode(sequential(input(), ...chain(10_000).map((l) => ({ ...l, class_name: "Nope" })))));
  assert.ok(diagnostics.length <= 20 && performance.now() - start < 10_000);
});

t("random damage to real models neither crashes nor hangs", async () => {
  if (!hasGolden) return skip("hostile keras: ../shared/golden is absent");
  let state = 3;
  const next = (n: number): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % n;
  const damage = (bytes: Uint8Array): Uint8Array => {
    const copy = bytes.slice();
    for (let k = 0; k <= next(4); k++) copy[next(copy.length)] = next(256);
    return copy;
  };
  const dir = "random-qkeras/00/";
  const [json, h5, whole] = [golden(`${dir}model.json`)!, golden(`${dir}model_weights.h5`)!, golden(`${dir}model.h5`)!];
  const keras = golden("models/qkeras_v3_3layer/qkeras-v3_3layer.keras")!;
  for (let i = 0; i < (fullTier ? 400 : 60); i++) {
    const start = performance.now();
    const results = [
      await read(damage(json), h5),
      await read(json, damage(h5)),
      await read(damage(whole)),
      i % 8 === 0 ? await read(damage(keras)) : undefined,
    ];
    for (const r of results) assert.ok(!r || r.graph !== undefined || r.diagnostics.length > 0, "no graph and no reason");
    assert.ok(performance.now() - start < 5000);
  }
});

t("options that make no sense are refused by code, on every kind of layer", async () => {
  if (!hasGolden) return skip("hostile keras: ../shared/golden is absent");
  const nonsense: readonly J[] = [null, -1, 0, 1, 2, 7, 1e9, 2 ** 53, 0.5, 1e300, "x", "same", "channels_first", "", [], [0], [1, 1], [2, 2], [-1, -1], [1e6, 1e6], [[1, 2], [3, 4]], {}, true, [null], "softmax"];
  const training = /initializer|regularizer|constraint|trainable|dtype|^name$/;
  let state = 5;
  const pick = <T>(list: readonly T[]): T => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return list[(state >>> 8) % list.length]!;
  };
  const folders = ["random-qkeras/17", "random-qkeras/23", "random-qkeras/30", "random-keras2/03", "random-keras2/05", "random-keras2/13", "random-keras2/15", "random-keras2/17"];
  const models = folders.map((d) => ({ text: new TextDecoder().decode(golden(`${d}/model.json`)!), h5: golden(`${d}/model_weights.h5`)! }));
  for (let i = 0; i < (fullTier ? 3000 : 150); i++) {
    const { text, h5 } = pick(models);
    const model = JSON.parse(text) as { config: { layers: { config: Record<string, J> }[] } };
    const { config } = pick(model.config.layers);
    const key = pick(Object.keys(config).filter((k) => !training.test(k)));
    config[key] = pick(nonsense);
    const start = performance.now();
    const { graph, diagnostics } = await read(encode(model as unknown as J), h5);
    const what = `${String(config["name"])}.${key} = ${JSON.stringify(config[key])}`;
    assert.ok(graph !== undefined || diagnostics.length > 0, what);
    assert.ok(performance.now() - start < 5000, what);
  }
});

t("truncated .h5 and .keras models at 20 offsets", async () => {
  if (!hasGolden) return skip("hostile keras: ../shared/golden is absent");
  for (const path of ["random-qkeras/00/model.h5", "models/qkeras_v3_3layer/qkeras-v3_3layer.keras"]) {
    const bytes = golden(path)!;
    for (let i = 0; i < 20; i++) {
      const { graph, diagnostics } = await read(bytes.subarray(0, Math.floor((bytes.length * i) / 20)));
      assert.is(graph, undefined);
      assert.match(diagnostics[0]!.code, /^QN10[1-4]$/);
    }
  }
});

t.run();
