// Quantizers against QKeras: every forward vector in both spellings, and what their reader refuses.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { type Json, JsonDocument } from "../src/frontend/keras/json.js";
import { quantizerForward } from "../src/frontend/keras/quantizer-forward.js";
import { parseCall, readQuantizer } from "../src/frontend/keras/quantizer-text.js";
import { isQuantizerName, makeQuantizer, quantizers } from "../src/frontend/keras/quantizers.js";
import { goldenText, skip } from "./support/golden.js";

interface Vector {
  readonly quantizer: string;
  readonly class_name: string | null;
  readonly config: { readonly [key: string]: Json } | null;
  readonly input_set: string;
  readonly shape: readonly number[];
  readonly out: readonly (number | null)[];
}

interface VectorFile {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly vectors: readonly Vector[];
}

/** Vectors that are not reproduced, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "quantized_relu(32,16)": "QKeras overflows int32 at 2^32 and gives NaN everywhere; qnnc gives the value that was meant",
};
/** QKeras' get_config leaves these out, so the JSON form of such a quantizer is another quantizer. */
const LOST_BY_GET_CONFIG = /scale_axis|is_quantized_clip|use_ste/;

const site = { document: new JsonDocument("test", "", null), pointer: "", layer: "test" };
const read = (json: Json) => {
  const reporter = new Reporter();
  return { q: readQuantizer(json, site, reporter), diagnostics: reporter.diagnostics };
};

const vectors = suite("quantizer vectors");
const text = goldenText("qkeras/quantizer_vectors.json");

if (text !== undefined) {
  const file = JSON.parse(text) as VectorFile;

  const problemOf = (v: Vector, json: Json): string | undefined => {
    const { q, diagnostics } = read(json);
    if (!q) return `not read: ${diagnostics.map((d) => d.message).join("; ")}`;
    const x = file.inputs[v.input_set]!;
    const { values } = quantizerForward(q, x, v.shape);
    const bad = x.findIndex((xi, i) => {
      const want = v.out[i]!;
      return want === null ? !Number.isNaN(values[i]!) : !(Math.abs(values[i]! - want) <= 2e-6 * Math.max(1, Math.abs(xi)));
    });
    return bad < 0 ? undefined : `x=${x[bad]} gives ${values[bad]}, QKeras ${v.out[bad]}`;
  };
  const compareAll = (list: readonly Vector[], jsonOf: (v: Vector) => Json): void => {
    const wrong = list.flatMap((v) => {
      const problem = v.quantizer in EXCEPTIONS ? undefined : problemOf(v, jsonOf(v));
      return problem === undefined ? [] : [`${v.quantizer} on ${v.input_set}: ${problem}`];
    });
    assert.equal(wrong, []);
  };

  vectors("there are 331 of them", () => assert.is(file.vectors.length, 331));
  vectors("the string form gives QKeras' values", () => compareAll(file.vectors, (v) => v.quantizer));
  vectors("the JSON form gives QKeras' values", () => {
    const list = file.vectors.filter((v) => v.config !== null && !LOST_BY_GET_CONFIG.test(v.quantizer));
    assert.ok(list.length > 300, `${list.length}`);
    compareAll(list, (v) => ({
      class_name: v.class_name,
      config: v.config,
      registered_name: `qkeras>${v.class_name}`,
      module: "qkeras.quantizers",
    }));
    compareAll(list, (v) => ({ class_name: v.class_name, config: v.config, __passive_serialization__: true }));
  });
  vectors("every quantizer of the table has a vector", () => {
    const named = new Set(file.vectors.map((v) => /^\w+/.exec(v.quantizer)![0]));
    assert.equal(
      Object.keys(quantizers).filter((n) => !named.has(n)),
      [],
    );
  });
} else skip("quantizer vectors: ../shared/golden/qkeras is absent");

vectors.run();

const spelling = suite("quantizer spelling");

spelling("positional and named arguments, strings, lists, None, True", () => {
  const call = parseCall(" quantized_bits( 8 ,-2,1, alpha = 'auto_po2', keep_negative=False, scale_axis=None, x=[1 2 3.5] ) ");
  assert.ok(typeof call !== "string");
  assert.is(call.name, "quantized_bits");
  assert.equal(call.positional, [8, -2, 1]);
  assert.equal(
    [...call.named],
    [
      ["alpha", "auto_po2"],
      ["keep_negative", false],
      ["scale_axis", null],
      ["x", [1, 2, 3.5]],
    ],
  );
});

spelling("a bare name means the defaults", () => {
  assert.equal(read("quantized_bits").q, makeQuantizer("quantized_bits", new Map()));
  assert.equal(read("hard_tanh()").q, { name: "hard_tanh" });
});

const REFUSED: readonly (readonly [Json, string, RegExp])[] = [
  ["quantised_bits(8)", "QN203", /quantised_bits/],
  ["quantized_bit(8,0)", "QN203", /quantized_bit/],
  ["__import__('os').system('true')", "QN204", /after the quantizer/],
  ["quantized_bits(__import__('os'))", "QN204", /cannot read the argument/],
  ["quantized_bits(8", "QN204", /expected/],
  ["quantized_bits(8,,0)", "QN204", /cannot read/],
  ["quantized_bits(8,0)x", "QN204", /after the quantizer/],
  ["quantized_bits(bits=8,0)", "QN204", /without a name/],
  ["quantized_bits(8,bits=4)", "QN204", /given twice/],
  ["quantized_bits(bits=4,bits=4)", "QN204", /given twice/],
  ["quantized_bits(0)", "QN204", /outside 1/],
  ["quantized_bits(65)", "QN204", /outside/],
  ["quantized_bits(7.5)", "QN204", /whole number/],
  ["quantized_bits(1e999)", "QN204", /cannot read/],
  ["quantized_bits(8,0,2)", "QN204", /True or False/],
  ["quantized_bits(8,alpha=0)", "QN204", /positive number/],
  ["quantized_bits(8,alpha=-1)", "QN204", /positive number/],
  ["quantized_bits(8,alpha='auto_po3')", "QN204", /positive number/],
  ["quantized_bits(8,nope=1)", "QN204", /no argument `nope`/],
  ["quantized_relu(8,0,0,0.3)", "QN204", /power of two/],
  ["quantized_relu(4,-1)", "QN204", /negative/],
  ["quantized_po2(4,log2_rounding='up')", "QN204", /rnd/],
  ["ternary(alpha='auto',threshold=0.5)", "QN204", /threshold/],
  ["binary(elements_per_scale=4)", "QN204", /elements_per_scale/],
  ["quantized_bits(4,post_training_scale=[1])", "QN204", /post_training_scale/],
  ["hard_tanh(1)", "QN204", /at most 0/],
  [`quantized_bits(${"(".repeat(100000)}`, "QN204", /too long/],
  ["", "QN204", /expected a name/],
  [{ class_name: "Quantizer", config: {} }, "QN203", /Quantizer/],
  [{ class_name: "toString", config: {} }, "QN203", /toString/],
  [{ config: {} }, "QN204", /class_name/],
  [{ class_name: "quantized_bits", config: { bits: { class_name: "Lambda" } } }, "QN204", /bits/],
  [{ class_name: "quantized_bits", config: { bits: Number.NaN } }, "QN204", /whole number/],
  [42, "QN204", /object/],
];

spelling("what is not a quantizer is refused with a code, a place and a reason", () => {
  for (const [json, code, message] of REFUSED) {
    const { q, diagnostics } = read(json);
    assert.is(q, undefined, JSON.stringify(json).slice(0, 80));
    assert.is(diagnostics.length, 1);
    assert.is(diagnostics[0]!.code, code, `${JSON.stringify(json).slice(0, 80)}: ${diagnostics[0]!.message}`);
    assert.match(diagnostics[0]!.message, message);
    assert.is(diagnostics[0]!.at?.layer, "test");
  }
});

spelling("a near miss gets a suggestion", () =>
  assert.is(read("quantized_bitz(8)").diagnostics[0]!.help, "did you mean `quantized_bits`?"),
);

spelling("the parser neither throws nor hangs on any short text", () => {
  const alphabet = "qb_1.-+e'\"[]()=, \tTrueNone\\\u0000\u{1f600}";
  let state = 1;
  for (let n = 0; n < 20000; n++) {
    let s = "";
    for (let i = 0; i < n % 24; i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      s += alphabet[state % alphabet.length];
    }
    const call = parseCall(s);
    if (typeof call !== "string") assert.ok(!isQuantizerName(call.name) || call.name in quantizers);
  }
});

spelling.run();
