// Activation quantizers lowered to graph ops against their float32 definition, on every code of an input type.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { type Json, JsonDocument } from "../src/frontend/keras/json.js";
import { quantizerForward } from "../src/frontend/keras/quantizer-forward.js";
import { readQuantizer } from "../src/frontend/keras/quantizer-text.js";
import { readKeras } from "../src/frontend/keras/read-keras.js";
import { exponent, fixed, toNumber } from "../src/ir/fixed.js";
import { assignPrecision } from "../src/passes/assign-precision.js";
import { evaluate } from "../src/sim/reference.js";
import { fullTier } from "./support/tools.js";

/** Inputs −32 … 32 in steps of 2^−6, or 2^−3 in the quick tier. */
const INPUT = fixed(fullTier ? 12 : 9, 6);
const CODES = Array.from({ length: 1 << INPUT.width }, (_, i) => BigInt(i - (1 << (INPUT.width - 1))));
const inputs = CODES.map((m) => toNumber(m, exponent(INPUT)));

const bytes = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const model = (layer: Json) => ({
  class_name: "Sequential",
  config: { name: "m", layers: [{ class_name: "InputLayer", config: { name: "x", batch_input_shape: [null, 1] } }, layer] },
});

async function run(layer: Json): Promise<{ values?: readonly number[]; codes: readonly string[] }> {
  const reporter = new Reporter();
  const graph = await readKeras({ model: "m.json", files: new Map([["m.json", bytes(model(layer))]]) }, {}, reporter);
  const options = { inputType: { type: INPUT, round: "TRN", overflow: "WRAP" }, width: 16, maxCells: 1e6, maxTable: 4096, softmax: "host", pipeline: { stages: 0 } } as const;
  const typed = graph && assignPrecision.run(graph, { options, reporter });
  if (!typed) return { codes: reporter.diagnostics.map((d) => d.code) };
  const out = typed.nodes[typed.outputs[0]!.value]!;
  assert.ok(out.type.elem !== "real");
  const exp = exponent(out.type.elem);
  return { values: CODES.map((m) => toNumber(evaluate(typed, [[m]])[0]![0]!, exp)), codes: [] };
}

const activation = (text: string): Json => ({ class_name: "QActivation", config: { name: "a", activation: text } });
const oracle = (text: string): Float64Array => {
  const q = readQuantizer(text, { document: new JsonDocument("", "", null), pointer: "", layer: "a" }, new Reporter());
  assert.ok(q);
  return quantizerForward(q, inputs, [inputs.length]).values;
};

const EXACT = [
  ...[
    "(8)",
    "()",
    "(4,0,1)",
    "(4,0,0)",
    "(6,2,0)",
    "(8,3,1,alpha=1)",
    "(4,5,0)",
    "(4,-1,0)",
    "(6,-2)",
    "(1,0)",
    "(1,2,1)",
    "(2,0)",
    "(2,1,1,alpha=1.0)",
    "(16,6)",
    "(4,0,1,alpha=0.5)",
    "(4,0,1,alpha=2.0)",
    "(4,2,0,keep_negative=False)",
    "(1,0,0,keep_negative=False)",
    "(4,0,1,keep_negative=False)",
    "(4,0,alpha='auto_po2',post_training_scale=[2])",
    "(6,2,alpha='auto',post_training_scale=[0.5])",
    "(4,1,keep_negative=False,alpha='auto_po2',post_training_scale=[4])",
  ].map((a) => `quantized_bits${a}`),
  ...[
    "(4,0)",
    "(2,0,0)",
    "(8,3,0)",
    "(4,2)",
    "(16,7)",
    "(4,0,1,keep_negative=False)",
    "(4,0,0,keep_negative=False)",
    "(1,0)",
    "(1,2,alpha=0.5)",
  ].map((a) => `quantized_linear${a}`),
  ...[
    "()",
    "(1,0)",
    "(1,1)",
    "(4,0)",
    "(4,2)",
    "(6,3)",
    "(8,4)",
    "(16,8)",
    "(3,5)",
    "(4,0,1)",
    "(8,2,1)",
    "(4,2,0,0.25)",
    "(6,2,0,0.125)",
    "(4,0,0,0.5)",
    "(3,1,0,0.0625)",
    "(2,0,0,0.25)",
    "(2,3,0,0.03125)",
    "(8,3,negative_slope=1)",
    "(8,3,relu_upper_bound=6,is_quantized_clip=False)",
    "(8,2,is_quantized_clip=False)",
    "(4,1,use_stochastic_rounding=True)",
  ].map((a) => `quantized_relu${a}`),
  ...["()", "(4)", "(2)", "(4,0,1)", "(16)", "(6,use_real_tanh=True)", "(8,0,1,1)"].map((a) => `quantized_tanh${a}`),
  ...["()", "(4)", "(2)", "(1)", "(4,1)", "(16)", "(6,use_real_sigmoid=True)", "(8,1,1)"].map((a) => `quantized_sigmoid${a}`),
  "quantized_hswish(8,2,relu_shift=2,relu_upper_bound=4)",
  ...["", "()", "(alpha=1.0)", "(alpha=0.5)", "(use_01=1)", "(1,alpha=2)"].map((a) => `binary${a}`),
  ...["()", "(alpha=0.5)"].map((a) => `stochastic_binary${a}`),
  ...["()", "(alpha=1.0)", "(alpha=0.5)", "(threshold=0.5)", "(alpha=1.0,threshold=0.1)", "(alpha=2.0,threshold=1.0)", "(threshold=0)"].map(
    (a) => `ternary${a}`,
  ),
  "stochastic_ternary(alpha=0.5)",
  ...["(4)", "(3)", "(2)", "(4,1)", "(4,8)", "(6,4)", "(5,0.5)", "(4,2)", "(4,3)"].map((a) => `quantized_po2${a}`),
  ...["(4)", "(3)", "(2)", "(4,1)", "(4,4)", "(4,8)", "(4,0.5)", "(4,6)"].map((a) => `quantized_relu_po2${a}`),
  "hard_sigmoid",
  "smooth_sigmoid",
  "binary_sigmoid",
  "hard_tanh",
  "smooth_tanh",
  "binary_tanh",
];

const t = suite("keras activations");

for (const text of EXACT) {
  t(`${text} is exact on ${inputs.length} inputs`, async () => {
    const { values, codes } = await run(activation(text));
    assert.equal(codes, []);
    const want = oracle(text);
    const bad = values!.findIndex((v, i) => v !== want[i]! && !(v === 0 && want[i] === 0));
    assert.is(bad, -1, bad < 0 ? "" : `x=${inputs[bad]} gives ${values![bad]}, the definition ${want[bad]}`);
  });
}

t("a bound of 6 in hswish is exact but for ties", async () => {
  const { values } = await run(activation("quantized_hswish(8,2)"));
  const want = oracle("quantized_hswish(8,2)");
  const wrong = values!.flatMap((v, i) => (v === want[i]! ? [] : [{ x: inputs[i]!, off: Math.abs(v - want[i]!) }]));
  assert.ok(wrong.length <= 8, `${wrong.length} differ`);
  // Each stands exactly between two steps of 2^-5, and goes to the other one.
  for (const { x, off } of wrong) {
    assert.is(off, 2 ** -5);
    assert.ok(Math.abs(x) < 3 && (Math.abs((x * (x + 3)) / 6) * 2 ** 6) % 2 === 1, `${x}`);
  }
});

t("Keras' own relu and relu6, and ReLU layers", async () => {
  const cases: readonly (readonly [Json, (x: number) => number])[] = [
    [{ class_name: "Activation", config: { name: "a", activation: "linear" } }, (x) => x],
    [{ class_name: "Activation", config: { name: "a", activation: "relu" } }, (x) => Math.max(x, 0)],
    [{ class_name: "Activation", config: { name: "a", activation: "relu6" } }, (x) => Math.min(Math.max(x, 0), 6)],
    [{ class_name: "QActivation", config: { name: "a", activation: "relu" } }, (x) => Math.max(x, 0)],
    [
      {
        class_name: "Activation",
        config: { name: "a", activation: { class_name: "function", config: "relu", registered_name: "relu", module: "builtins" } },
      },
      (x) => Math.max(x, 0),
    ],
    [
      { class_name: "ReLU", config: { name: "a", max_value: 2.5, negative_slope: 0.125, threshold: 0 } },
      (x) => (x < 0 ? x / 8 : Math.min(x, 2.5)),
    ],
    [
      {
        class_name: "ReLU",
        config: { name: "a", max_value: null, negative_slope: { class_name: "__numpy__", config: { value: 0, dtype: "float32" } } },
      },
      (x) => Math.max(x, 0),
    ],
    [{ class_name: "LeakyReLU", config: { name: "a", alpha: 0.25 } }, (x) => (x < 0 ? x / 4 : x)],
    [{ class_name: "Dropout", config: { name: "a", rate: 0.5 } }, (x) => x],
  ];
  for (const [layer, f] of cases) {
    const { values, codes } = await run(layer);
    assert.equal(codes, []);
    assert.equal(
      values,
      inputs.map(f).map((v) => v + 0),
      JSON.stringify(layer),
    );
  }
});

t("what has no exact form is refused with its code", async () => {
  const refused: readonly (readonly [Json, string])[] = [
    [activation("rellu"), "QN205"],
    [activation("quantized_ulaw(8)"), "QN203"],
    [activation("bernoulli()"), "QN203"],
    [activation("quantized_bits(8,0,alpha='auto')"), "QN204"],
    [activation("binary(alpha='auto_po2')"), "QN204"],
    [activation("quantized_bits(8,qnoise_factor=0.5)"), "QN204"],
    [activation("quantized_po2(8)"), "QN301"],
    [activation("quantized_po2(4,quadratic_approximation=1)"), "QN204"],
    [{ class_name: "QActivation", config: { name: "a", activation: null } }, "QN205"],
    [{ class_name: "ReLU", config: { name: "a", threshold: "one" } }, "QN200"],
    [{ class_name: "ReLU", config: { name: "a", max_value: "six" } }, "QN200"],
  ];
  for (const [layer, code] of refused) assert.equal((await run(layer)).codes, [code], JSON.stringify(layer));
});

t.run();
