// HLS C++ of convolutions, pools and movement ops against the reference, and what its pragmas ask for.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type HlsStyle, hlsStyles } from "../src/backends/hls/hls.js";
import { affineAxes } from "../src/backends/hls/hls-axes.js";
import { type FixedType, fixed } from "../src/ir/fixed.js";
import type { Graph, GraphBuilder } from "../src/ir/graph.js";
import { type Shape, sizeOf, type Tensor, tensor } from "../src/ir/tensor.js";
import { type Prng, prng } from "../src/sim/prng.js";
import { caseOf, graphOf, runHlsBatch, vectorsOf } from "./support/hls-batch.js";
import { showGraph } from "./support/random-graph.js";
import { apTypes, fullTier, hasTool } from "./support/tools.js";

const headers = hasTool("g++") ? apTypes() : undefined;

const input = (b: GraphBuilder, name: string, shape: Shape, type: FixedType): number =>
  b.input(name, shape, { type, round: "TRN", overflow: "WRAP" });

/** Trained weights in miniature: some zero, some with trailing zeros, each from the seed. */
function weights(shape: Shape, bits: number, exp: number, seed = 1): Tensor {
  const r = prng(seed);
  const limit = 1n << BigInt(bits - 1);
  return tensor(
    shape,
    exp,
    Array.from({ length: sizeOf(shape) }, () => (r.chance(0.2) ? 0n : r.between(-limit, limit - 1n))),
  );
}

const plain = { strides: [1, 1], dilations: [1, 1], groups: 1 } as const;

type Build = (b: GraphBuilder) => void;

/** A network through every op: g++ takes seconds for each design, and a tenth for each type. */
const quickGraphs: Readonly<Record<string, Build>> = {
  chain: (b) => {
    const x = input(b, "x", [5, 6, 4], fixed(5, 2));
    const padded = b.add("pad", [x], { pads: [1, 1, 0, 2, 0, 0] });
    const grouped = { kernel: weights([3, 2, 2, 6], 5, -3), bias: weights([6], 4, -6), strides: [2, 1], dilations: [1, 2], groups: 2 };
    const c = b.add("conv", [padded], grouped);
    const q = b.add("quantize", [c], { to: fixed(5, 2), round: "RND_CONV", overflow: "SAT" });
    const depthwise = { kernel: weights([2, 2, 1, 6], 3, 0, 2), bias: undefined, strides: [1, 1], dilations: [1, 1], groups: 6 };
    const d = b.add("quantize", [b.add("conv", [q], depthwise)], { to: fixed(5, 2), round: "TRN", overflow: "WRAP" });
    const edges = b.add("edgepad", [d], { pads: [1, 1, 0, 1, 0, 0] });
    const m = b.add("maxpool", [edges], { window: [2, 2], strides: [1, 2] });
    const t = b.add("transpose", [m], { order: [1, 2, 0] });
    const part = b.add("slice", [t], { start: [0, 1, 0], stop: [2, 6, 3], step: [1, 2, 1] });
    const r = b.add("resize", [part], { factors: [2, 1, 2] });
    const all = b.add("concat", [r, r, b.add("constant", [], { value: weights([4, 1, 6], 4, -3) })], { axis: 1 });
    b.output("sums", b.add("sumpool", [all], { window: [2, 3], strides: [2, 1] }));
    const flat = b.add("reshape", [all], { shape: [4 * 7 * 6] });
    b.output("y", b.add("dense", [flat], { kernel: weights([4 * 7 * 6, 1], 3, 0), bias: weights([1], 4, 0) }));
  },
};

/** Each op alone, and what is rare. */
const graphs: Readonly<Record<string, Build>> = {
  convolutions: (b) => {
    const x = input(b, "x", [7, 6, 4], fixed(6, 3));
    const kernel = weights([3, 2, 4, 5], 6, -4);
    const c = b.add("conv", [x], { kernel, bias: weights([5], 4, -9), strides: [2, 1], dilations: [1, 2], groups: 1 });
    b.output("strided", c);
    const q = b.add("quantize", [c], { to: fixed(7, 4, false), round: "RND_CONV", overflow: "SAT" });
    b.output("pooled", b.add("maxpool", [q], { window: [2, 2], strides: [1, 2] }));
    const padded = b.add("pad", [x], { pads: [1, 0, 0, 2, 0, 0] });
    const grouped = { kernel: weights([2, 3, 2, 6], 5, 1, 3), bias: undefined, strides: [1, 2], dilations: [2, 1], groups: 2 };
    b.output("grouped", b.add("conv", [padded], grouped));
    const depthwise = { kernel: weights([3, 3, 1, 8], 8, -3, 4), bias: weights([8], 7, 2), strides: [2, 2], dilations: [1, 1], groups: 4 };
    b.output("depthwise", b.add("conv", [padded], depthwise));
    const mean = b.add("sumpool", [x], { window: [7, 6], strides: [1, 1] });
    b.output("unit", b.add("dense", [mean], { kernel: weights([4, 1], 5, -2), bias: weights([1], 5, 3, 9) }));
  },
  movements: (b) => {
    const x = input(b, "x", [3, 4, 2], fixed(5, 2));
    const other = input(b, "u", [3, 1, 2], fixed(4, 5, false));
    const c = b.add("constant", [], { value: weights([3, 2, 2], 6, -3) });
    const t = b.add("transpose", [x], { order: [2, 0, 1] });
    b.output("transpose", t);
    b.output("pad", b.add("pad", [x], { pads: [0, 1, 2, 0, 1, 1] }));
    b.output("edgepad", b.add("edgepad", [x], { pads: [1, 0, 2, 1, 0, 0] }));
    b.output("slice", b.add("slice", [t], { start: [0, 1, 3], stop: [2, 3, 4], step: [1, 1, 1] }));
    b.output("steps", b.add("slice", [x], { start: [0, 1, 0], stop: [3, 4, 2], step: [2, 2, 1] }));
    b.output("concat", b.add("concat", [x, other, c], { axis: 1 }));
    b.output("both", b.add("concat", [x, x], { axis: 2 }));
    const r = b.add("resize", [x], { factors: [2, 3, 1] });
    b.output("resize", r);
    b.output("flat", b.add("dense", [b.add("reshape", [r], { shape: [6, 24] })], { kernel: weights([24, 3], 3, 0), bias: undefined }));
  },
  other_ranks: (b) => {
    const line = input(b, "line", [9, 3], fixed(4, 1));
    b.output("one", b.add("conv", [line], { kernel: weights([4, 3, 5], 5, -2), bias: undefined, strides: [1], dilations: [2], groups: 1 }));
    b.output("largest", b.add("maxpool", [line], { window: [3], strides: [2] }));
    const rows = input(b, "rows", [2, 3, 5, 2], fixed(4, 4, false));
    const many = { kernel: weights([2, 2, 3], 5, -2, 5), bias: weights([3], 3, 0), strides: [2], dilations: [1], groups: 1 };
    b.output("many", b.add("conv", [rows], many));
    const cube = { kernel: weights([2, 2, 3, 2, 2], 4, 0, 6), bias: undefined, strides: [1, 1, 1], dilations: [1, 2, 1], groups: 1 };
    b.output("three", b.add("conv", [rows], cube));
    b.output("sums", b.add("sumpool", [rows], { window: [2, 2, 2], strides: [1, 1, 3] }));
    b.output("point", b.add("conv", [rows], { kernel: weights([1, 1, 2, 4], 4, 0, 7), bias: undefined, ...plain }));
    b.output("rowwise", b.add("dense", [rows], { kernel: weights([2, 4], 4, 0, 8), bias: weights([4], 4, 3) }));
  },
  // Exponents that differ by element, products finer than any result, and nothing at all.
  typed_elements: (b) => {
    const some = (i: number): FixedType => fixed(1 + (i % 4), 2 + (i % 3), i % 2 === 0);
    const types = Array.from({ length: 5 * 5 * 2 }, (_, i) => (i % 7 === 0 ? fixed(0, 0, false) : some(i)));
    const x = b.add("input", [], { name: "x", shape: [5, 5, 2], type: { per: "element", types }, round: "TRN", overflow: "WRAP" });
    b.output("c", b.add("conv", [x], { kernel: weights([3, 3, 2, 3], 7, -6), bias: weights([3], 5, -9), ...plain }));
    b.output("none", b.add("conv", [x], { kernel: tensor([2, 2, 2, 1], 0, new Array<bigint>(8).fill(0n)), bias: undefined, ...plain }));
    const m = b.add("maxpool", [x], { window: [2, 2], strides: [2, 2] });
    b.output("m", m);
    b.output("s", b.add("sumpool", [x], { window: [2, 3], strides: [3, 2] }));
    const channel = { per: "channel", types: [fixed(3, 2), fixed(6, 3, false)] } as const;
    b.output("q", b.add("quantize", [x], { to: channel, round: "RND", overflow: "SAT" }));
    const few = Array.from({ length: 50 }, (_, i) => (Math.floor(i / 2) % 3 === 0 ? fixed(3, 2) : fixed(2, 2, false)));
    b.output("e", b.add("quantize", [x], { to: { per: "element", types: few }, round: "RND", overflow: "WRAP" }));
    const wide = input(b, "w", [6, 6, 1], fixed(18, 8));
    const split = Array.from({ length: 36 }, (_, i) => (i % 5 === 0 ? fixed(4, -6) : fixed(6, 8)));
    const typed = b.add("quantize", [wide], { to: { per: "element", types: split }, round: "TRN", overflow: "SAT" });
    b.output("t", b.add("lut", [typed], { f: { name: "tanh", params: [], to: { type: fixed(8, 1), round: "RND", overflow: "SAT" } } }));
  },
  beyond_64_bits: (b) => {
    const x = input(b, "x", [3, 3, 2], fixed(60, 10));
    const kernel = tensor([2, 2, 2, 2], -40, Array.from({ length: 16 }, (_, i) => (i % 2 ? -1n : 1n) * (2n ** BigInt(50 + i) + 3n)));
    b.output("y", b.add("conv", [x], { kernel, bias: tensor([2], -95, [2n ** 90n + 1n, -5n]), ...plain }));
    const c = b.add("constant", [], { value: tensor([2, 1, 2], -70, [2n ** 80n + 5n, -(2n ** 90n), 1n, 0n]) });
    b.output("z", b.add("maxpool", [b.add("edgepad", [c], { pads: [1, 1, 1, 1, 0, 0] })], { window: [2, 2], strides: [1, 1] }));
  },
};

/** One op with attributes from the seed. */
function randomSpatial(seed: number): Graph {
  const r = prng(seed);
  const rank = 1 + r.below(3);
  const list = (n: number, make: (d: number) => number): number[] => Array.from({ length: n }, (_, d) => make(d));
  const below = (n: number) => (): number => 1 + r.below(n);
  return graphOf(`spatial_${seed}`, (b) => {
    const type = fixed(1 + r.below(9), r.below(9) - 2, r.chance(0.6));
    const groups = r.pick([1, 1, 2, 3]);
    const window = list(rank, below(3));
    const shape = [...list(r.below(2), below(3)), ...window.map((w) => w + r.below(6)), groups * (1 + r.below(3))];
    let x = input(b, "x", shape, type);
    const around = [...list(2 * (shape.length - 1), () => r.below(3)), 0, 0];
    if (r.chance(0.5)) x = b.add(r.pick(["pad", "edgepad"] as const), [x], { pads: around });
    const size = b.node(x).type.shape.slice(-1 - rank);
    const widest = (d: number): number => (window[d] === 1 ? 3 : Math.floor((size[d]! - 1) / (window[d]! - 1)));
    const dilations = list(rank, (d) => 1 + r.below(widest(d)));
    const strides = list(rank, below(3));
    const units = groups * (1 + r.below(4));
    const kernel = weights([...window, shape.at(-1)! / groups, units], 1 + r.below(10), -r.below(6), seed);
    const bias = r.chance(0.5) ? weights([units], 6, -r.below(9), seed + 1) : undefined;
    b.output("conv", b.add("conv", [x], { kernel, bias, strides, dilations, groups }));
    const pooled = b.add(r.pick(["maxpool", "sumpool"] as const), [x], { window, strides });
    b.output("pool", pooled);
    b.output("move", moved(b, x, r));
    b.output("after", moved(b, pooled, r));
  });
}

function moved(b: GraphBuilder, x: number, r: Prng): number {
  const shape = b.node(x).type.shape;
  const order = shape.map((_, d) => d);
  for (let d = order.length - 1; d > 0; d--) {
    const e = r.below(d + 1);
    [order[d], order[e]] = [order[e]!, order[d]!];
  }
  const start = shape.map((n) => r.below(n));
  const stop = shape.map((n, d) => start[d]! + 1 + r.below(n - start[d]!));
  return r.pick([
    () => b.add("transpose", [x], { order }),
    () => b.add("slice", [x], { start, stop, step: shape.map(() => 1 + r.below(3)) }),
    () => b.add("resize", [x], { factors: shape.map(() => 1 + r.below(2)) }),
    () => b.add("concat", [x, x, x], { axis: r.below(shape.length) }),
    () => b.add("pad", [x], { pads: shape.flatMap(() => [r.below(3), r.below(3)]) }),
  ])();
}

function check(all: readonly Graph[], style: HlsStyle): void {
  if (headers === undefined) return;
  const count = 8;
  const verdicts = runHlsBatch(
    all.map((g, i) => caseOf(g, style, vectorsOf(g, count, i))),
    headers,
  );
  for (const [i, v] of verdicts.entries()) assert.is(v, `PASS ${count} vectors`, showGraph(all[i]!));
}

const build = (all: Readonly<Record<string, Build>>): readonly Graph[] => Object.entries(all).map(([name, make]) => graphOf(name, make));

const values = suite("hls: convolutions and movements");
values("loops equal the reference", () => check(build({ ...quickGraphs, ...(fullTier ? graphs : {}) }), "loops"));
if (fullTier) {
  values("shifts and adders equal the reference", () => check(build({ ...quickGraphs, ...graphs }), "unrolled"));
  values("random attributes equal the reference", () => check(Array.from({ length: 20 }, (_, i) => randomSpatial(i)), "loops"));
}

values("lists of indices become loops just where they are affine", () => {
  const visit = (y: readonly number[], x: readonly number[]): readonly (readonly [number, number])[] | undefined => {
    const axes = affineAxes(y, x);
    return axes?.reduce(
      (all, a) => all.flatMap(([p, q]) => Array.from({ length: a.count }, (_, i) => [p + i * a.step.y!, q + i * a.step.x!] as const)),
      [[y[0]!, x[0]!] as const],
    );
  };
  const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
  for (const [x, loops] of [
    [[5], 0],
    [[0, 1, 2, 3], 1],
    [[0, 2, 4, 1, 3, 5], 2],
    [[0, 0, 1, 1, 0, 0, 1, 1], 3],
    [[9, 8, 7, 3, 2, 1], 2],
    [[4, 4, 4], 1],
  ] as const) {
    assert.equal(visit(count(x.length), x), x.map((k, i) => [i, k]), String(x));
    assert.is(affineAxes(count(x.length), x)!.length, loops, String(x));
  }
  for (const x of [[0, 0, 1], [0, 1, 3], [0, 1, 2, 3, 4, 9], [0, 1, 5, 6, 9, 10, 20, 21]]) {
    const y = count(x.length);
    const expected = x.length === 8 ? undefined : affineAxes(y, x);
    assert.is(expected, undefined, String(x));
  }
});

const source = (graph: Graph, style: HlsStyle): string =>
  caseOf(graph, style, { count: 0, inputs: [], outputs: [] }).files.get(`hls/${graph.name}.cpp`) as string;

values("windows share hardware: a position every few clocks, its channels side by side", () => {
  const network = (twoReaders: boolean): Graph => graphOf("pragmas", (b) => {
    const x = input(b, "x", [8, 8, 3], fixed(6, 3));
    const kernel = weights([3, 3, 3, 4], 6, -4);
    const c = b.add("conv", [x], { kernel, bias: undefined, ...plain });
    const r = b.add("max", [c, b.add("constant", [], { value: tensor([], 0, [0n]) })], {});
    b.output("y", b.add("maxpool", [r], { window: [2, 2], strides: [2, 2] }));
    if (twoReaders) b.output("r", r);
  });
  const graph = network(false);
  const text = source(graph, "loops");
  // Nine taps through two ports of each bank.
  assert.match(text, /for \(int p1 = 0; p1 < 6; p1\+\+\) \{\n#pragma HLS PIPELINE II=5\n/);
  assert.match(text, /for \(int p1 = 0; p1 < 3; p1\+\+\) \{\n#pragma HLS PIPELINE II=2\n/);
  assert.match(text, /for \(int i1 = 0; i1 < 6; i1\+\+\) \{\n#pragma HLS PIPELINE II=1\n.*i2 < 4; i2\+\+\) \{\n#pragma HLS UNROLL\n/);
  assert.match(text, /for \(int i = 0; i < 36; i\+\+\) \{\n#pragma HLS PIPELINE II=1\n#pragma HLS UNROLL factor=4\n/);
  assert.match(text, "#pragma HLS ARRAY_PARTITION variable=x cyclic factor=3 dim=1");
  assert.match(text, /ARRAY_PARTITION variable=conv_\w+ complete dim=0/);
  assert.match(text, "#pragma HLS DATAFLOW");
  assert.not.match(source(network(true), "loops"), "DATAFLOW");
  const code = (style: HlsStyle): string => source(graph, style).replace(/^#pragma.*\n/gm, "");
  assert.is(code("rolled"), code("loops"), "pragmas alone tell loops from rolled");
  assert.not.match(source(graph, "rolled"), "UNROLL");
  for (const style of hlsStyles) assert.is(source(graph, style), source(graph, style));
});
values.run();
