// The JSON reader: what JSON.parse reads it reads the same, and hostile text gets one diagnostic with a place.
import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { type Json, type JsonDocument, parseJson, parseJsonBytes } from "../src/frontend/keras/json.js";

const parse = (text: string, limits?: Parameters<typeof parseJson>[3]) => {
  const reporter = new Reporter();
  return { document: parseJson(text, "m.json", reporter, limits), diagnostics: reporter.diagnostics };
};
/** Objects of the reader have no prototype; the comparison wants plain ones. */
const plain = (v: Json): unknown => JSON.parse(JSON.stringify(v));

const t = suite("keras json");

t("agrees with JSON.parse on every JSON value", () => {
  const safe = fc.jsonValue().filter((v) => !/__proto__|constructor|prototype|\\ud[89a-f]/.test(JSON.stringify(v)));
  fc.assert(
    fc.property(safe, fc.integer({ min: 0, max: 3 }), (value, indent) => {
      const { document, diagnostics } = parse(JSON.stringify(value, null, indent));
      assert.equal(diagnostics, []);
      assert.equal(plain(document!.root), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 500 },
  );
});

t("never throws, whatever the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => void parse(text)),
    { numRuns: 2000 },
  );
  const pieces = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    '"a"',
    "1",
    "-",
    "e",
    "true",
    "NaN",
    "\\",
    "\\u12",
    " ",
    "\n",
    "Infinity",
    "-Infinity",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (list) => void parse(list.join(""))),
    { numRuns: 3000 },
  );
});

t("Python's float literals are numbers", () => {
  assert.equal(parse("[NaN, Infinity, -Infinity]").document!.root, [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
});

t("a place is found again by its pointer", () => {
  const { document } = parse('{"a": 1,\n "b~/c": [true, {"x": "y"}]}');
  assert.equal((document as JsonDocument).place("/b~0~1c/1/x", "l"), {
    source: "m.json",
    line: 2,
    column: 23,
    pointer: "/b~0~1c/1/x",
    layer: "l",
  });
  assert.equal(document!.place("/a"), { source: "m.json", line: 1, column: 7, pointer: "/a" });
  assert.equal(document!.place("/nope/3"), { source: "m.json", pointer: "/nope/3" });
});

const BAD: readonly (readonly [string, RegExp])[] = [
  ["", /ends too early/],
  ["{", /ends inside an object/],
  ['{"a"', /expected `:`/],
  ['{"a":1', /ends inside an object/],
  ["[1", /ends inside an array/],
  ["[1,]", /expected a JSON value/],
  ['{"a":1,}', /quoted key/],
  ["{a:1}", /quoted key/],
  ["[1] x", /after the end/],
  ["01", /after the end/],
  ["1e999", /beyond the range/],
  ["-", /expected a JSON value/],
  ["truth", /expected a JSON value|after the end/],
  ['"\\x"', /unknown escape/],
  ['"\\u12g4"', /four hexadecimal/],
  ['"a\nb"', /control character/],
  ['"abc', /ends inside a string/],
  ['"\\ud800"', /surrogate/],
  ['"\\udc00\\ud800"', /surrogate/],
  ['{"__proto__": 1}', /__proto__/],
  ['{"\\u005f_proto__": 1}', /__proto__/],
  ['{"a": {"constructor": 1}}', /constructor/],
  ['{"prototype": 1}', /prototype/],
  ['{"a":1,"a":2}', /twice/],
  ["[".repeat(101), /nests deeper/],
  ["[".repeat(1_000_000), /nests deeper/],
  [`${'{"a":'.repeat(100_000)}1`, /nests deeper/],
];

t("malformed and hostile text gets one QN102 with line and column", () => {
  for (const [text, message] of BAD) {
    const { document, diagnostics } = parse(text);
    assert.is(document, undefined, text.slice(0, 40));
    assert.is(diagnostics.length, 1, text.slice(0, 40));
    assert.is(diagnostics[0]!.code, "QN102");
    assert.match(diagnostics[0]!.message, message);
    assert.type(diagnostics[0]!.at?.line, "number");
  }
});

t("a surrogate pair is a character", () => assert.is(parse('"\\ud83d\\ude00"').document!.root, "\u{1f600}"));

t("limits hold before anything is built", () => {
  const limits = { depth: 4, characters: 100, stringLength: 5, values: 10 };
  assert.match(parse("1".repeat(101), limits).diagnostics[0]!.message, /101 characters/);
  assert.match(parse('"123456"', limits).diagnostics[0]!.message, /longer than 5/);
  assert.match(parse("[1,2,3,4,5,6,7,8,9,0,1]", limits).diagnostics[0]!.message, /more than 10 values/);
  assert.ok(parse("[[[[1]]]]", limits).document);
  assert.not(parse("[[[[[1]]]]]", limits).document);
});

t("bytes must be UTF-8; a byte order mark is skipped", () => {
  const reporter = new Reporter();
  assert.is(parseJsonBytes(Uint8Array.of(0x22, 0xff, 0x22), "m.json", reporter), undefined);
  assert.is(reporter.diagnostics[0]!.code, "QN102");
  assert.is(parseJsonBytes(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31), "m.json", reporter)!.root, 1);
});

t("a long text parses in linear time", () => {
  const text = `[${'{"name":"dense","inbound":[["x",0,0,{}]]},'.repeat(50_000)}1]`;
  const start = performance.now();
  assert.ok(parse(text).document);
  assert.ok(performance.now() - start < 3000);
});

t.run();
