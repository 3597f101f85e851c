// conv, the pools and the movement ops against definitions by coordinates, written here a second time.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { fixed } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import type { OpAttrs, OpName } from "../src/ir/ops/index.js";
import { type Shape, sizeOf, tensor } from "../src/ir/tensor.js";
import { verifyGraph } from "../src/ir/verify.js";
import { cmvm } from "../src/passes/cmvm.js";
import { foldBatchnorm } from "../src/passes/fold-batchnorm.js";
import { lowerGraph } from "../src/passes/lower.js";
import { type Prng, prng } from "../src/sim/prng.js";
import { evaluate, interpret } from "../src/sim/reference.js";

/** A tensor as a function of coordinates; zero outside. */
interface Grid {
  readonly shape: Shape;
  at(c: readonly number[]): bigint;
}
const grid = (shape: Shape, data: readonly bigint[]): Grid => ({
  shape,
  at: (c) => (c.some((i, d) => i < 0 || i >= shape[d]!) ? 0n : data[c.reduce((n, i, d) => n * shape[d]! + i, 0)]!),
});
function coordinates(shape: Shape): number[][] {
  return shape.reduce<number[][]>((all, n) => all.flatMap((c) => Array.from({ length: n }, (_, i) => [...c, i])), [[]]);
}

const values = (r: Prng, n: number, lo: number, hi: number): bigint[] => Array.from({ length: n }, () => BigInt(lo + r.below(hi - lo + 1)));
const build = (shapes: readonly Shape[], make: (b: GraphBuilder, x: readonly number[]) => number): { graph: Graph | undefined; reporter: Reporter } => {
  const reporter = new Reporter();
  const b = new GraphBuilder("t", reporter);
  const x = shapes.map((s, i) => b.input(`x${i}`, s, { type: fixed(5, 5), round: "TRN", overflow: "WRAP" }));
  b.output("y", make(b, x));
  return { graph: b.done(), reporter };
};

/** Runs one op on random inputs and compares its shape, every element, and the netlist it lowers to. */
function check<K extends OpName>(op: K, shapes: readonly Shape[], attrs: OpAttrs<K>, shape: Shape, expected: (x: readonly Grid[], c: readonly number[]) => bigint): void {
  const { graph } = build(shapes, (b, x) => b.add(op, x, attrs));
  assert.ok(graph, op);
  verifyGraph(graph);
  assert.equal(graph.nodes.at(-1)!.type.shape, shape);
  const netlist = cmvm.run(lowerGraph(graph), undefined as never)!;
  const r = prng(sizeOf(shape) + shapes.length);
  for (let sample = 0; sample < 3; sample++) {
    const inputs = shapes.map((s) => values(r, sizeOf(s), -16, 15));
    const grids = inputs.map((data, i) => grid(shapes[i]!, data));
    const [y] = evaluate(graph, inputs);
    const type = graph.nodes.at(-1)!.type.elem;
    const step = type === "real" ? 0 : type.width - type.int;
    assert.equal(y!.map((m) => m >> BigInt(step)), coordinates(shape).map((c) => expected(grids, c)), `${op} ${JSON.stringify(shapes)}`);
    assert.equal(interpret(netlist, inputs), evaluate(graph, inputs));
  }
}

const spatial = suite("conv and pools");

interface ConvCase {
  readonly x: Shape;
  readonly window: Shape;
  readonly units: number;
  readonly strides: Shape;
  readonly dilations: Shape;
  readonly groups: number;
}
const convCases: readonly ConvCase[] = [
  { x: [7, 3], window: [3], units: 4, strides: [1], dilations: [1], groups: 1 },
  { x: [9, 2], window: [3], units: 3, strides: [2], dilations: [2], groups: 1 },
  { x: [5, 6, 2], window: [2, 3], units: 3, strides: [1, 1], dilations: [1, 1], groups: 1 },
  { x: [6, 5, 4], window: [3, 2], units: 6, strides: [2, 1], dilations: [1, 2], groups: 2 },
  { x: [4, 4, 3], window: [2, 2], units: 6, strides: [1, 1], dilations: [1, 1], groups: 3 },
  { x: [3, 4, 3, 2], window: [2, 2, 2], units: 2, strides: [1, 2, 1], dilations: [1, 1, 1], groups: 1 },
  { x: [2, 5, 3], window: [3], units: 2, strides: [1], dilations: [1], groups: 1 },
];
for (const [n, c] of convCases.entries()) {
  spatial(`conv ${n}: x ${c.x}, window ${c.window}, groups ${c.groups}`, () => {
    const r = prng(n);
    const rank = c.window.length;
    const lead = c.x.length - rank - 1;
    const share = c.x.at(-1)! / c.groups;
    const kernelShape = [...c.window, share, c.units];
    const [w, bias] = [values(r, sizeOf(kernelShape), -7, 7), values(r, c.units, -20, 20)];
    const kernel = grid(kernelShape, w);
    const shape = [...c.x.slice(0, lead), ...c.window.map((k, d) => Math.ceil((c.x[lead + d]! - (k - 1) * c.dilations[d]!) / c.strides[d]!)), c.units];
    const attrs = { kernel: tensor(kernelShape, 0, w), bias: tensor([c.units], 0, bias), strides: c.strides, dilations: c.dilations, groups: c.groups };
    check("conv", [c.x], attrs, shape, ([x], at) => {
      const [unit, position] = [at.at(-1)!, at.slice(lead, -1)];
      const group = Math.floor(unit / (c.units / c.groups));
      return coordinates([...c.window, share]).reduce((sum, tap) => {
        const pixel = position.map((p, d) => p * c.strides[d]! + tap[d]! * c.dilations[d]!);
        return sum + x!.at([...at.slice(0, lead), ...pixel, group * share + tap.at(-1)!]) * kernel.at([...tap, unit]);
      }, bias[unit]!);
    });
  });
}

for (const op of ["maxpool", "sumpool"] as const) {
  for (const [x, window, strides] of [
    [[7, 2], [3], [2]],
    [[5, 6, 3], [2, 3], [1, 2]],
    [[2, 4, 4, 2], [2, 2], [2, 2]],
    [[3, 3, 3, 1], [3, 2, 1], [1, 1, 1]],
  ] as const) {
    spatial(`${op} of ${x} by ${window}`, () => {
      const lead = x.length - window.length - 1;
      const shape = [...x.slice(0, lead), ...window.map((k, d) => Math.floor((x[lead + d]! - k) / strides[d]!) + 1), x.at(-1)!];
      check(op, [x], { window, strides }, shape, ([v], at) => {
        const seen = coordinates(window).map((tap) => v!.at([...at.slice(0, lead), ...tap.map((t, d) => at[lead + d]! * strides[d]! + t), at.at(-1)!]));
        return op === "sumpool" ? seen.reduce((a, b) => a + b) : seen.reduce((a, b) => (a > b ? a : b));
      });
    });
  }
}
spatial.run();

const movement = suite("movement ops");
movement("reshape", () => check("reshape", [[2, 6]], { shape: [3, 4] }, [3, 4], ([x], [i, j]) => x!.at([Math.floor((i! * 4 + j!) / 6), (i! * 4 + j!) % 6])));
movement("transpose", () => check("transpose", [[2, 3, 4]], { order: [2, 0, 1] }, [4, 2, 3], ([x], [i, j, k]) => x!.at([j!, k!, i!])));
movement("pad", () => check("pad", [[2, 3]], { pads: [1, 0, 2, 1] }, [3, 6], ([x], [i, j]) => x!.at([i! - 1, j! - 2])));
movement("edgepad", () =>
  check("edgepad", [[2, 3]], { pads: [1, 2, 0, 1] }, [5, 4], ([x], [i, j]) => x!.at([Math.max(0, Math.min(1, i! - 1)), Math.max(0, Math.min(2, j!))])));
movement("slice", () => check("slice", [[5, 6]], { start: [1, 0], stop: [5, 6], step: [2, 4] }, [2, 2], ([x], [i, j]) => x!.at([1 + 2 * i!, 4 * j!])));
movement("resize", () => check("resize", [[2, 3]], { factors: [2, 3] }, [4, 9], ([x], [i, j]) => x!.at([i! >> 1, Math.floor(j! / 3)])));
movement("concat", () => {
  check("concat", [[2, 3], [2, 1], [2, 2]], { axis: 1 }, [2, 6], (x, [i, j]) => (j! < 3 ? x[0]!.at([i!, j!]) : j! < 4 ? x[1]!.at([i!, 0]) : x[2]!.at([i!, j! - 4])));
  check("concat", [[1, 3], [2, 3]], { axis: 0 }, [3, 3], (x, [i, j]) => (i! < 1 ? x[0]!.at([0, j!]) : x[1]!.at([i! - 1, j!])));
});
movement.run();

const refused = suite("spatial ops refuse");
const kernel = tensor([3, 3, 2, 4], 0, values(prng(1), 72, -3, 3));
const refusals: readonly (readonly [string, readonly Shape[], OpName, object, RegExp])[] = [
  ["a window larger than x", [[2, 5, 2]], "conv", { kernel, bias: undefined, strides: [1, 1], dilations: [1, 1], groups: 1 }, /reaches over 3 elements of an axis of 2/],
  ["a channel count that is not the kernel's", [[5, 5, 3]], "conv", { kernel, bias: undefined, strides: [1, 1], dilations: [1, 1], groups: 1 }, /takes 2 channels/],
  ["units that groups do not divide", [[5, 5, 6]], "conv", { kernel, bias: undefined, strides: [1, 1], dilations: [1, 1], groups: 3 }, /4 units cannot be split into 3 groups/],
  ["a stride of zero", [[5, 5, 2]], "conv", { kernel, bias: undefined, strides: [0, 1], dilations: [1, 1], groups: 1 }, /strides/],
  ["a pool with too few axes", [[5, 2]], "maxpool", { window: [2, 2], strides: [1, 1] }, /2 spatial axes/],
  ["an order that names an axis twice", [[2, 3]], "transpose", { order: [0, 0] }, /each of the 2 axes once/],
  ["an empty slice", [[4]], "slice", { start: [2], stop: [2], step: [1] }, /no part of it/],
  ["operands that differ elsewhere", [[2, 3], [3, 3]], "concat", { axis: 1 }, /differ in more than axis 1/],
];
for (const [what, shapes, op, attrs, message] of refusals) {
  refused(what, () => {
    const { graph, reporter } = build(shapes, (b, x) => b.add(op, x, attrs as never));
    assert.is(graph, undefined);
    assert.match(reporter.diagnostics[0]!.message, message);
  });
}
refused.run();

const folding = suite("fold-batchnorm around conv");
for (const groups of [1, 2]) {
  folding(`scales and shifts before and after merge exactly, ${groups} groups`, () => {
    const r = prng(groups);
    const real = (shape: Shape): ReturnType<typeof tensor> => tensor(shape, -3, values(r, sizeOf(shape), -9, 9), { real: true });
    const { graph } = build([[5, 4, 4]], (b, [x]) => {
      const constant = (shape: Shape): number => b.add("constant", [], { value: real(shape) });
      const before = b.add("add", [b.add("mul", [x!, constant([4])], {}), constant([4])], {});
      const y = b.add("conv", [before], { kernel: real([2, 2, 4 / groups, 6]), bias: real([6]), strides: [1, 1], dilations: [1, 1], groups });
      return b.add("add", [b.add("mul", [y, constant([6])], {}), constant([6])], {});
    });
    const folded = foldBatchnorm.run(graph!, { reporter: new Reporter(), options: undefined as never })!;
    assert.equal(folded.nodes.map((n) => n.op), ["input", "conv"]);
    const inputs = [values(r, 80, -16, 15)];
    const exact = (g: Graph): readonly number[] => {
      const t = g.nodes[g.outputs[0]!.value]!.type.elem;
      return evaluate(g, inputs)[0]!.map((m) => (t === "real" ? Number.NaN : Number(m) * 2 ** (t.int - t.width)));
    };
    assert.equal(exact(folded), exact(graph!));
  });
}
folding.run();
