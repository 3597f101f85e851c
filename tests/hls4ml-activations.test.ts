// hls4ml's activations and average pooling on every code of ap_fixed<10,4>, against its own C++ (golden/activations).
import { gunzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { product } from "../src/frontend/hls4ml/emitting.js";
import { exponentPrecision, fixedPrecision } from "../src/frontend/hls4ml/precision.js";
import { weights } from "../src/frontend/hls4ml/weights.js";
import { GraphBuilder } from "../src/ir/graph.js";
import { golden, skip } from "./support/golden.js";
import { messages, readSmall, runRows } from "./support/hls4ml.js";
import { fullTier } from "./support/tools.js";

const PATH = "activations/act.txt.gz";
const CODES = 1024;
const LSB = 2 ** -6;
/** Every code in the full tier, else every seventh. */
const STEP = fullTier ? 1 : 7;
const PICKED = Array.from({ length: Math.ceil(CODES / STEP) }, (_, i) => i * STEP);

interface Case {
  readonly header: string;
  readonly expected: readonly number[];
}

/** A header, then the mantissas: the last run of integers of the line. */
function casesOf(bytes: Uint8Array): readonly Case[] {
  const lines = new TextDecoder()
    .decode(gunzipSync(bytes))
    .split("\n")
    .filter((l) => l !== "");
  return lines.map((line) => {
    const words = line.split(" ");
    const first = words.findLastIndex((w) => !/^-?\d+$/.test(w)) + 1;
    return { header: words.slice(0, first).join(" "), expected: words.slice(first).map(Number) };
  });
}

interface Form {
  readonly class_name: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly param?: string;
}

const hard = (class_name: string, config: Readonly<Record<string, unknown>>): Form => ({
  class_name: "QActivation",
  config: { activation: { class_name, config } },
});

/** What each header stands for as a Keras layer. */
const forms: readonly (readonly [RegExp, Form])[] = [
  [/^elu\(alpha 1\.0/, { class_name: "ELU", config: { alpha: 1 }, param: "uint<1>" }],
  [/^elu\(alpha 0\.75/, { class_name: "ELU", config: { alpha: 0.75 }, param: "ufixed<2,0>" }],
  [/^leaky_relu/, { class_name: "LeakyReLU", config: { alpha: 0.3 }, param: "ufixed<7,-1>" }],
  [/^thresholded_relu/, { class_name: "ThresholdedReLU", config: { theta: 1 }, param: "fixed<10,4>" }],
  [/^hard_sigmoid keras/, { class_name: "Activation", config: { activation: "hard_sigmoid" } }],
  [/^hard_sigmoid qkeras/, hard("quantized_sigmoid", { bits: 8 })],
  [/^hard_tanh qkeras/, hard("quantized_tanh", { bits: 4 })],
  [/^[a-z0-9_]+ /, { class_name: "Activation" }],
];

const test = suite("hls4ml activations");

test("every activation", async () => {
  const bytes = golden(PATH);
  if (!bytes) return skip(PATH);
  const cases = casesOf(bytes).filter((c) => !/^(avgpool|weight_exponential)/.test(c.header));
  assert.is(cases.length, 21);
  const x = { shape: [1, PICKED.length], data: Float64Array.from(PICKED, (i) => (i - CODES / 2) * LSB) };
  for (const { header, expected } of cases) {
    const [, form] = forms.find(([pattern]) => pattern.test(header))!;
    const result = /->(\S+)/.exec(header)![1]!;
    const table = /table(\d+) (\S+)/.exec(header);
    const precision = { result, ...(form.param ? { param: form.param } : {}) };
    const { graph, reporter } = await readSmall(
      [PICKED.length],
      [{ class_name: form.class_name, config: { activation: header.split(" ")[0], ...form.config, name: "f" } }],
      {
        Model: { Precision: "fixed<16,6>" },
        LayerName: {
          x: { Precision: { result: "fixed<10,4>" } },
          f: { Precision: precision, ...(table ? { TableSize: Number(table[1]), table_t: table[2] } : {}) },
        },
      },
    );
    assert.ok(graph, `${header}\n${messages(reporter)}`);
    const type = /<(\d+)(?:,(-?\d+))?/.exec(result)!;
    const unit = 2 ** (Number(type[2] ?? type[1]) - Number(type[1]));
    const [y] = runRows(graph, x, [0]);
    assert.equal(
      y!.map((v) => v / unit),
      PICKED.map((i) => expected[i]),
      header,
    );
  }
});

test("average pooling divides toward zero", async () => {
  const bytes = golden(PATH);
  if (!bytes) return skip(PATH);
  const cases = casesOf(bytes).filter((c) => c.header.startsWith("avgpool"));
  assert.is(cases.length, 2);
  for (const { header, expected } of cases) {
    const n = Number(/N=(\d)/.exec(header)![1]);
    const count = expected.length;
    const data = Float64Array.from({ length: count * n }, (_, i) => {
      const code = Math.floor(i / n) - CODES / 2;
      return [code, code + 1, -5, 7][i % n]! * LSB;
    });
    const { graph, reporter } = await readSmall(
      [count * n, 1],
      [
        {
          class_name: "AveragePooling1D",
          config: { name: "p", pool_size: [n], strides: [n], padding: "valid", data_format: "channels_last" },
        },
      ],
      {
        Model: { Precision: "fixed<16,6>" },
        LayerName: { x: { Precision: { result: "fixed<10,4>" } }, p: { Precision: { accum: "fixed<14,6>", result: "fixed<14,6>" } } },
      },
    );
    assert.ok(graph, messages(reporter));
    const [y] = runRows(graph, { shape: [1, count * n, 1], data }, [0]);
    assert.equal(
      y!.map((v) => v * 2 ** 8),
      expected,
      header,
    );
  }
});

test("a power-of-two weight shifts in its own type", () => {
  const bytes = golden(PATH);
  if (!bytes) return skip(PATH);
  const { expected } = casesOf(bytes).find((c) => c.header.startsWith("weight_exponential"))!;
  const b = new GraphBuilder("product", new Reporter());
  const xType = fixedPrecision(10, 4);
  const x = b.input("x", [expected.length], xType);
  b.output(
    "y",
    product(b, { x, xType, weight: weights([1], [2 ** -3], exponentPrecision(4)), type: exponentPrecision(4) }, (t) => t),
  );
  const data = Float64Array.from(expected, (_, i) => (i * 37 - CODES / 2) * LSB);
  const [y] = runRows(b.done()!, { shape: [1, expected.length], data }, [0]);
  assert.equal(
    y!.map((v) => v * 2 ** 14),
    expected,
  );
});

test.run();
