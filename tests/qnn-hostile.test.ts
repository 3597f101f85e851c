// Hostile .qnn sources: whatever the bytes, checking ends soon, throws nothing and says something.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { filesNeeded, readQnn } from "../src/frontend/qnn/read-qnn.js";
import { makeRandom } from "./support/random-network.js";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

async function check(
  bytes: Uint8Array,
  extra: readonly (readonly [string, Uint8Array])[] = [],
): Promise<{ readonly reporter: Reporter; readonly isMade: boolean; readonly seconds: number }> {
  const files = new Map<string, Uint8Array>([["m.qnn", bytes], ...extra]);
  const reporter = new Reporter();
  const start = performance.now();
  await filesNeeded({ model: "m.qnn", files });
  const model = await readQnn({ model: "m.qnn", files }, {}, reporter);
  return { reporter, isMade: model !== undefined, seconds: (performance.now() - start) / 1000 };
}

const hostile = suite("qnn hostile sources");

// Loads the parser, which is not what the times below are about.
hostile.before(async () => void (await check(encode("network n { input x: [1] output x }"))));

const valid = `network n {
  input x: fixed<8,2>[2]
  layer a = dense(x, kernel: [[1, 2], [-3, 0.5]], bias: [0, 1])
  layer b = relu(a) as ufixed<4,2,RND_CONV,SAT>
  output b
}
`;

const sources: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  ["100 MB of one line", new Uint8Array(100 << 20).fill(0x61), /QN800.*1048576/s],
  ["one line of the largest size", "a ".repeat(1 << 19), /QN802/],
  ["10,000 nested parentheses", `network n { input x: [1] output y = ${"(".repeat(10_000)}x${")".repeat(10_000)} }`, /QN800.*nested/s],
  ["10,000 open brackets", "[".repeat(10_000), /QN800.*nested/s],
  ["10,000 nested calls", `network n { input x: [1] output y = ${"relu(".repeat(10_000)}x${")".repeat(10_000)} }`, /QN800.*nested/s],
  ["100,000 minus signs", `network n { input x: [1] output y = ${"-".repeat(99_999)}x }`, /^$/],
  ["a sum of 30,000 numbers", `let a = ${Array.from({ length: 30_000 }, (_, i) => i).join(" + ")}\n${valid}`, /QN808/],
  ["towers of powers", `let a = 2^1000 * 2^1000 * 2^1000 * 2^1000 * 2^1000\n${valid}`, /QN811/],
  ["a number of 100,000 digits", `let a = ${"9".repeat(100_000)}\n${valid}`, /QN811/],
  ["NUL bytes", "\0".repeat(1000), /QN801/],
  ["not UTF-8", Uint8Array.of(0x6e, 0xff, 0xfe, 0x80), /QN800.*UTF-8/s],
  ["UTF-16", Uint8Array.from([...valid].flatMap((c) => [c.charCodeAt(0), 0])), /QN801/],
  ["5,000 errors", `network n {\n${"  layer a = denes(x)\n".repeat(5000)}}\n`, /QN803/],
  ["5,000 syntax errors", `network n {\n${"  layer = 4\n".repeat(5000)}}\n`, /QN802/],
  ["a huge input", "network n { input x: fixed<8,2>[4096, 4096, 4096] output x }", /QN213/],
  ["broadcasting that explodes", `network n { input x: fixed<8,2>[2048, 1] input z: fixed<8,2>[1, 2048] output y = x + z }`, /QN800/],
  [
    "windows that explode",
    "network n { input x: fixed<8,2>[256, 256, 1] output y = sumpool(x, window: [128, 128], strides: [1, 1]) }",
    /QN800/,
  ],
  ["a padding that explodes", "network n { input x: fixed<8,2>[2] output y = pad(x, pads: [2^31, 2^31]) }", /QN800/],
  ["a constant that explodes", "network n { input x: fixed<8,2>[2] output y = x + resize([1, 2], factors: [2^31]) }", /QN213/],
  ["strides beyond every number", "network n { input x: fixed<8,2>[2, 1] output y = maxpool(x, window: [1], strides: [2^60]) }", /QN806/],
  ["a width that overflows", "network n { input x: fixed<99999999999999999999,2>[1] output x }", /QN806|QN811/],
  [
    "prototype names",
    "network __proto__ { input constructor: [1] layer toString = relu(constructor) as hasOwnProperty output toString }",
    /QN803/,
  ],
  ["setting named like the prototype", `${valid}target verilog { __proto__: 1 constructor: 2 }`, /QN812/],
  ["terminal escapes in a name", `network n { input x: [1] output y = \`\u001b[31m\` }`, /QN803/],
];

for (const [name, source, expected] of sources) {
  hostile(name, async () => {
    const { reporter, seconds } = await check(typeof source === "string" ? encode(source) : source);
    const text = reporter.diagnostics.map((d) => renderText(d)).join("\n");
    assert.match(text, expected);
    assert.ok(reporter.diagnostics.length <= 60, `${reporter.diagnostics.length} messages`);
    assert.not.match(text, /(?![\t\n])\p{Cc}/u, "nothing that steers a terminal");
    if (seconds > 1) console.log(`${name}: ${seconds.toFixed(1)} s`);
    assert.ok(seconds < 20, `${seconds} s`);
  });
}

hostile("a BOM and CRLF change nothing", async () => {
  for (const text of [valid, `\ufeff${valid}`, valid.replaceAll("\n", "\r\n")]) {
    const { reporter, isMade } = await check(encode(text));
    assert.equal([reporter.diagnostics, isMade], [[], true]);
  }
});

hostile("1,000 mutations of a valid source and 200 random texts: no exception, a message wherever there is no network", async () => {
  const r = makeRandom(11);
  const letters = [...'network input layer fixed<8,2>[]{}()=:,"`^*-+/ \n\0é'];
  for (let i = 0; i < 1200; i++) {
    const text = i < 1000 ? [...valid] : Array.from({ length: r(200) }, () => letters[r(letters.length)]!);
    for (let n = 1 + r(4); n > 0; n--)
      text.splice(r(text.length), r(3), ...Array.from({ length: r(3) }, () => letters[r(letters.length)]!));
    const { reporter, isMade } = await check(encode(text.join("")));
    assert.is(isMade, !reporter.failed, text.join(""));
  }
});

hostile("damaged weights at 40 offsets: no exception, and a message", async () => {
  const { printQnn } = await import("../src/frontend/qnn/print-qnn.js");
  const { GraphBuilder } = await import("../src/ir/graph.js");
  const { tensorFromNumbers } = await import("../src/ir/tensor.js");
  const reporter = new Reporter();
  const b = new GraphBuilder("n", reporter);
  b.beginLayer("x", "InputLayer");
  const x = b.input("x", [4]);
  b.endLayer(x);
  b.beginLayer("fc", "dense");
  const y = b.add("dense", [x], {
    kernel: tensorFromNumbers([4, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], { real: true }),
    bias: undefined,
  });
  b.endLayer(y);
  b.output("fc", y);
  const printed = printQnn(b.done()!, { weightsFile: "w.npz" });
  assert.type(printed, "object");
  if (typeof printed === "string") return;
  const whole = printed.weights!;
  for (let i = 0; i < 40; i++) {
    const { reporter: r } = await check(encode(printed.text), [["w.npz", whole.slice(0, Math.floor((whole.length * i) / 40))]]);
    assert.ok(r.failed, `cut after ${i}/40`);
  }
});

hostile.run();
