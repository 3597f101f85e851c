// The simulator against the reference on convolutions, pools and movements, alone and in chains, with types per channel.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { type FixedType, fixed } from "../src/ir/fixed.js";
import { GraphBuilder } from "../src/ir/graph.js";
import type { Precision } from "../src/ir/ops/op.js";
import { sizeOf, tensor } from "../src/ir/tensor.js";
import { prng } from "../src/sim/prng.js";
import { evaluate } from "../src/sim/reference.js";
import { makeInputs } from "../src/sim/vectors.js";
import { showGraph } from "./support/random-graph.js";
import { simulatorOf as simulator } from "./support/simulator-of.js";
import { fullTier } from "./support/tools.js";

const layers = suite("jit: convolutions, pools, movements");

type Image = (b: GraphBuilder, x: number) => number;

/** Mantissas at random, on a graph of one input; every output equals the reference's. */
async function agrees(name: string, shape: readonly number[], type: FixedType, make: Image, samples = 9): Promise<void> {
  const reporter = new Reporter();
  const b = new GraphBuilder(name, reporter);
  b.output("y", make(b, b.input("x", shape, { type, round: "TRN", overflow: "WRAP" })));
  const graph = b.done();
  assert.ok(graph, `${name}: ${JSON.stringify(reporter.diagnostics)}`);
  const sim = await simulator(graph!, name);
  const inputs = makeInputs(graph!, samples, 5);
  const [y] = sim.runMantissas([BigInt64Array.from(inputs[0]!.flat())], samples, reporter)!;
  const expected = Array.from({ length: samples }, (_, s) => evaluate(graph!, [inputs[0]![s]!])[0]!).flat();
  const at = expected.findIndex((m, i) => BigInt.asIntN(64, m) !== y![i]);
  assert.is(at, -1, `${name}, number ${at}: ${y![at]} instead of ${expected[at]}\n${showGraph(graph!)}`);
}

interface Conv {
  readonly window: readonly number[];
  readonly units: number;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly groups?: number;
  readonly bits?: number;
  /** The share of zeros among the weights. */
  readonly zeros?: number;
}

/** A convolution of random weights, then ReLU and a saturating quantize of one type or of one a channel. */
const convolve =
  (c: Conv, quantized: "none" | "one" | "channel" = "one"): Image =>
  (b, x) => {
    const r = prng(c.units);
    const channels = b.node(x).type.shape.at(-1)!;
    const { groups = 1, bits = 6, zeros = 0 } = c;
    const shape = [...c.window, channels / groups, c.units];
    const limit = 1n << BigInt(bits - 1);
    const integers = (n: number): bigint[] => Array.from({ length: n }, () => (r.chance(zeros) ? 0n : r.between(-limit, limit - 1n)));
    const y = b.add("conv", [x], {
      kernel: tensor(shape, -bits, integers(sizeOf(shape))),
      bias: tensor([c.units], -bits, integers(c.units)),
      strides: c.strides ?? c.window.map(() => 1),
      dilations: c.dilations ?? c.window.map(() => 1),
      groups,
    });
    if (quantized === "none") return y;
    const relu = b.add("max", [y, b.add("constant", [], { value: tensor([1], 0, [0n]) })], {});
    const nothing = fixed(0, 0, false);
    const types = Array.from({ length: c.units }, (_, i) => (i % 5 === 4 ? nothing : fixed(3 + (i % 4), 2 + (i % 3), false)));
    const to: Precision = quantized === "one" ? fixed(6, 3, false) : { per: "channel", types };
    return b.add("quantize", [relu], { to, round: "RND_CONV", overflow: "SAT" });
  };

layers("convolutions: axes, strides, dilations, groups, leading axes, odd and even channels", async () => {
  const byte = fixed(8, 4);
  await agrees("1-D", [11, 3], byte, convolve({ window: [4], units: 5 }));
  await agrees("1-D, one channel, stride", [30, 1], byte, convolve({ window: [5], units: 9, strides: [2] }));
  await agrees("2-D", [6, 7, 4], byte, convolve({ window: [3, 3], units: 6 }));
  await agrees("2-D, one channel", [9, 8, 1], byte, convolve({ window: [3, 2], units: 4 }));
  await agrees("2-D, stride and dilation", [9, 10, 3], byte, convolve({ window: [2, 3], units: 7, strides: [2, 3], dilations: [3, 2] }));
  await agrees("3-D", [4, 5, 6, 2], byte, convolve({ window: [2, 3, 2], units: 3, strides: [1, 2, 1] }));
  await agrees("3-D, all dilated", [5, 5, 7, 2], byte, convolve({ window: [2, 2, 3], units: 3, dilations: [2, 1, 3] }));
  await agrees("pointwise", [4, 4, 20], byte, convolve({ window: [1, 1], units: 10 }));
  await agrees("whole image", [4, 5, 3], byte, convolve({ window: [4, 5], units: 11 }));
  await agrees("leading axes", [2, 3, 6, 3], byte, convolve({ window: [3], units: 4 }));
  await agrees("groups", [5, 5, 6], byte, convolve({ window: [3, 2], units: 9, groups: 3 }));
  await agrees("groups of one channel, several units", [5, 6, 3], byte, convolve({ window: [2, 2], units: 12, groups: 3 }));
  await agrees("depthwise", [7, 6, 5], byte, convolve({ window: [3, 3], units: 5, groups: 5, strides: [2, 1] }));
  await agrees("depthwise, odd image", [5, 5, 3], byte, convolve({ window: [3, 3], units: 3, groups: 3 }));
  await agrees("a long window", [3, 9, 24], byte, convolve({ window: [3, 3], units: 8 }));
  await agrees("a long window in groups", [3, 9, 48], byte, convolve({ window: [3, 3], units: 8, groups: 2, dilations: [1, 2] }));
});

layers("weights that are mostly zeros", async () => {
  for (const [zeros, groups] of [[0.8, 1], [0.95, 1], [0.9, 2], [0.9, 6], [1, 1]] as const) {
    for (const quantized of ["one", "channel"] as const)
      await agrees(`${zeros} zeros, ${groups} groups`, [5, 6, 6], fixed(8, 4), convolve({ window: [3, 2], units: 12, groups, zeros }, quantized), 3);
    await agrees(`${zeros} zeros, odd rows`, [3, 35], fixed(8, 4), (b, x) => {
      const y = convolve({ window: [1], units: 7, zeros }, "none")(b, x);
      return b.add("add", [y, y], {});
    });
  }
});

layers("few weights, some beyond 16 bits", async () => {
  for (const bits of [15, 17, 18, 20])
    await agrees(`${bits} bits`, [4, 12], fixed(6, 4), convolve({ window: [1], units: 9, bits, zeros: 0.9 }, "none"), 4);
});

layers("operands and weights of 17 to 64 bits, as digits of 16", async () => {
  for (const signed of [true, false]) {
    for (const width of fullTier ? [17, 32, 33, 47, 48, 49, 58] : [17, 33, 48])
      for (const bits of [2, 3, 12, 17, 25, 31].filter((w) => w + width <= 61))
        await agrees(`${signed ? "" : "u"}${width} by ${bits}`, [2, 3], fixed(width, 8, signed), convolve({ window: [1], units: 3, bits }, "none"), 4);
  }
});

layers("convolutions in every lane, with types per channel", async () => {
  for (const [width, bits] of [[4, 3], [8, 8], [16, 6], [16, 15], [17, 6], [16, 24], [24, 6], [30, 20], [33, 8], [40, 16]] as const) {
    for (const groups of fullTier ? [1, 2, 4] : [2])
      for (const quantized of ["none", "one", "channel"] as const)
        await agrees(`${width} by ${bits} bits, ${groups} groups, ${quantized}`, [5, 4, 4], fixed(width, 3), convolve({ window: [2, 3], units: 8, groups, bits }, quantized), 3);
  }
});

layers("a chain with padding, pooling, a residual sum and per-channel types", async () => {
  await agrees("chain", [8, 8, 3], fixed(8, 1, false), (b, x) => {
    const pads = [1, 1, 1, 1, 0, 0];
    const first = convolve({ window: [3, 3], units: 8 }, "channel")(b, b.add("pad", [x], { pads }));
    const second = convolve({ window: [3, 3], units: 8, groups: 8 }, "channel")(b, b.add("pad", [first], { pads }));
    const types = Array.from({ length: 8 }, (_, i) => fixed(3 + (i % 3), 3, false));
    const sum = b.add("quantize", [b.add("add", [first, second], {})], { to: { per: "channel", types }, round: "RND", overflow: "WRAP" });
    const pooled = b.add("maxpool", [b.add("edgepad", [sum], { pads: [0, 1, 0, 1, 0, 0] })], { window: [3, 3], strides: [2, 2] });
    const averaged = b.add("sumpool", [pooled], { window: [4, 4], strides: [1, 1] });
    return b.add("quantize", [averaged], { to: { per: "channel", types: types.map((t) => ({ ...t, int: t.int + 2 })) }, round: "RND_INF", overflow: "SAT" });
  });
});

layers("pools: windows small and large, strides, leading axes, wide values", async () => {
  for (const op of ["maxpool", "sumpool"] as const) {
    for (const type of [fixed(8, 4), fixed(16, 2), fixed(31, 9), fixed(58, 30), fixed(8, 8, false)]) {
      await agrees(`${op} 2x2`, [7, 6, 3], type, (b, x) => b.add(op, [x], { window: [2, 2], strides: [2, 2] }), 3);
      await agrees(`${op} overlapping`, [2, 9, 2], type, (b, x) => b.add(op, [x], { window: [4], strides: [1] }), 3);
      await agrees(`${op} of everything`, [3, 3, 2, 5], type, (b, x) => b.add(op, [x], { window: [3, 3, 2], strides: [1, 1, 1] }), 3);
    }
  }
});

layers("movements, each alone and before a step, and operands of different types together", async () => {
  const moves: Readonly<Record<string, Image>> = {
    transpose: (b, x) => b.add("transpose", [x], { order: [2, 0, 1] }),
    pad: (b, x) => b.add("pad", [x], { pads: [0, 2, 1, 0, 1, 1] }),
    edgepad: (b, x) => b.add("edgepad", [x], { pads: [1, 2, 0, 1, 0, 2] }),
    slice: (b, x) => b.add("slice", [x], { start: [1, 0, 0], stop: [4, 3, 5], step: [2, 1, 3] }),
    resize: (b, x) => b.add("resize", [x], { factors: [2, 1, 3] }),
    reshape: (b, x) => b.add("reshape", [x], { shape: [15, 4] }),
    concat: (b, x) => b.add("concat", [x, x, x], { axis: 1 }),
  };
  for (const [name, move] of Object.entries(moves)) {
    await agrees(name, [4, 3, 5], fixed(9, 3), move);
    await agrees(`${name}, then quantize`, [4, 3, 5], fixed(40, 3), (b, x) =>
      b.add("quantize", [move(b, x)], { to: fixed(7, 2), round: "RND", overflow: "SAT" }),
    );
  }
  const types = [fixed(6, 3), fixed(12, 1, false), fixed(30, 25), fixed(20, -3), { signed: false, width: 0, int: 0 }];
  for (const axis of [0, 1, 2]) {
    await agrees(`concat of different types along ${axis}`, [2, 3, 2], fixed(30, 6), (b, x) =>
      b.add("concat", types.map((to) => b.add("quantize", [x], { to, round: "TRN", overflow: "SAT" })), { axis }),
    );
  }
});

layers("code grows with the window, not with the image", async () => {
  const size = async (n: number): Promise<number> => {
    const b = new GraphBuilder("size", new Reporter());
    const x = b.input("x", [n, n, 4], { type: fixed(8, 4), round: "TRN", overflow: "WRAP" });
    b.output("y", b.add("maxpool", [convolve({ window: [3, 3], units: 8 }, "channel")(b, x)], { window: [2, 2], strides: [2, 2] }));
    const { wasm } = (await simulator(b.done()!, "size")).module;
    return codeBytes(wasm);
  };
  const [small, large] = [await size(8), await size(24)];
  assert.ok(large < 1.05 * small, `${small} bytes of code for 8x8, ${large} for 24x24`);
});

/** Bytes of a module's code section (id 10). */
function codeBytes(wasm: Uint8Array): number {
  let at = 8;
  const leb = (): number => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = wasm[at++]!;
      value |= (byte & 127) << shift;
      shift += 7;
      if (byte < 128) return value;
    }
  };
  while (at < wasm.length) {
    const id = wasm[at++];
    const length = leb();
    if (id === 10) return length;
    at += length;
  }
  return 0;
}

layers.run();
