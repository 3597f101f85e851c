// The verifier: sound IR passes, and each invariant, once broken, is an InternalError that names the node.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { InternalError, Reporter } from "../src/diagnostics.js";
import type { Cell, CellOp } from "../src/ir/cells.js";
import { fixed } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder, type Node } from "../src/ir/graph.js";
import { NetBuilder, type Netlist } from "../src/ir/netlist.js";
import { tensor } from "../src/ir/tensor.js";
import { verifyGraph, verifyNetlist } from "../src/ir/verify.js";
import { cellAttrKinds } from "../src/ir/verify-attrs.js";
import { cells } from "../src/ir/cells.js";

const net = ((): Netlist => {
  const b = new NetBuilder("n", ["", "fc"]);
  const x = b.input({ name: "x", shape: [2], type: fixed(4, 4) }, Array(2).fill({ lo: -8n, hi: 7n })); // %0 %1
  b.layer = 1;
  const sum = b.add("shadd", x, { shift: 1, sub: 0 }); // %2
  const table = b.add("lut", [x[0]!], { lo: -8n, table: Array.from({ length: 16 }, (_, i) => BigInt(i)) }); // %3
  const y = b.add("max", [sum, table], {}); // %4
  b.output({ name: "y", shape: [1], type: fixed(6, 6) }, [y]);
  return { ...b.done(), schedule: { stage: [0, 0, 0, 1, 1], latency: 2 } };
})();

const withCell = (id: number, change: Partial<Record<keyof Cell, unknown>>): Netlist => ({ ...net, cells: net.cells.map((c, i) => (i === id ? ({ ...c, ...change } as unknown as Cell) : c)) });
const withRange = (id: number, lo: bigint, hi: bigint): Netlist => ({ ...net, ranges: net.ranges.map((r, i) => (i === id ? { lo, hi } : r)) });
const withStages = (stage: readonly number[], latency = 2): Netlist => ({ ...net, schedule: { stage, latency } });

const NET_CASES: readonly (readonly [string, Netlist, RegExp])[] = [
  ["order", withCell(2, { args: [0, 2] }), /%2 = shadd: operand %2 does not come before it/],
  ["operand", withCell(2, { args: [0, -1] }), /%2 = shadd: operand %-1/],
  ["arity", withCell(4, { args: [2] }), /%4 = max: takes 2 operands, and 1/],
  ["op", withCell(4, { op: "toString" }), /%4 = toString: no such cell/],
  ["attribute kind", withCell(2, { attrs: { shift: 1n, sub: 0 } }), /%2 = shadd: shift must be an integer/],
  ["attribute value", withCell(2, { attrs: { shift: -1, sub: 0 } }), /%2 = shadd: shift must be/],
  ["attribute missing", withCell(2, { attrs: { shift: 1 } }), /%2 = shadd: sub must be/],
  ["attribute unknown", withCell(4, { attrs: { shift: 1 } }), /%4 = max: unknown attribute shift/],
  ["table too short", withCell(3, { attrs: { lo: -8n, table: [1n] } }), /%3 = lut: the table covers -8\.\.-8/],
  ["coefficients", withCell(4, { op: "affine", attrs: { coefficients: [1n], bias: 0n } }), /%4 = affine: 1 coefficients for 2 operands/],
  ["range too narrow", withRange(2, -24n, 20n), /%2 = shadd: its range is given as -24\.\.20, and follows as -24\.\.21/],
  ["range too wide", withRange(4, -100n, 21n), /%4 = max: its range/],
  ["layer", { ...net, layer: [0, 0, 2, 1, 1] }, /%2 = shadd: layer 2 of 2/],
  ["lengths", { ...net, layer: [0] }, /1 layer indices/],
  ["input index", withCell(1, { attrs: { index: 0 } }), /input "x": %1 is not input cell 1/],
  ["input cell without a port", { ...net, inputs: [] }, /2 input cells, and the ports have 0/],
  ["input wider than its port", withRange(0, -9n, 7n), /range|port/],
  ["port shape", { ...net, outputs: [{ ...net.outputs[0]!, shape: [3] }] }, /output "y": 1 elements for shape \[3\]/],
  ["port element", { ...net, outputs: [{ ...net.outputs[0]!, elements: [9] }] }, /output "y": %9 does not exist/],
  ["port type", { ...net, outputs: [{ ...net.outputs[0]!, type: fixed(5, 5) }] }, /output "y": %4 with range -24\.\.21 does not fit|output "y": %4 with range/],
  ["stage order", withStages([0, 0, 1, 0, 0]), /%4 = max @0: operand %2 comes later, at stage 1/],
  ["stage of an input", withStages([1, 0, 1, 1, 1]), /%0 = input @1: an input arrives at stage 0/],
  ["stage beyond the latency", withStages([0, 0, 0, 0, 3]), /%4 = max @3: the stage is not within 0 … 2/],
  ["stage count", withStages([0]), /1 stages for 5 cells/],
  ["latency", withStages([0, 0, 0, 0, 0], -1), /latency -1/],
];

const netlists = suite("verifyNetlist");
netlists("a sound netlist passes", () => verifyNetlist(net));
for (const [name, broken, message] of NET_CASES) {
  netlists(`${name}: named`, () => assert.throws(() => verifyNetlist(broken), (e: unknown) => e instanceof InternalError && message.test(e.message)));
}
netlists("every cell's attributes have kinds, in the table's order", () => {
  for (const op of Object.keys(cells) as CellOp[]) assert.equal(Object.keys(cellAttrKinds(op)), [...cells[op].attrs]);
});
netlists.run();

const graph = ((): Graph => {
  const b = new GraphBuilder("g", new Reporter());
  b.beginLayer("fc", "Dense");
  const x = b.input("x", [2], { type: fixed(4, 4), round: "TRN", overflow: "WRAP" }); // %0
  const y = b.add("dense", [x], { kernel: tensor([2, 1], 0, [1n, 2n]), bias: undefined }); // %1
  const z = b.add("quantize", [y], { to: fixed(4, 4), round: "RND", overflow: "SAT" }); // %2
  b.endLayer(z);
  b.output("y", z);
  return b.done()!;
})();
const withNode = (id: number, change: Partial<Record<keyof Node, unknown>>): Graph => ({ ...graph, nodes: graph.nodes.map((n, i) => (i === id ? ({ ...n, ...change } as unknown as Node) : n)) });

const GRAPH_CASES: readonly (readonly [string, Graph, RegExp])[] = [
  ["order", withNode(1, { operands: [2] }), /%1 = dense: operand %2 does not come before it/],
  ["arity", withNode(1, { operands: [0, 0] }), /%1 = dense: 2 operands instead of 1/],
  ["op", withNode(1, { op: "conv9d" }), /%1 = conv9d: no such op/],
  ["attribute", withNode(2, { attrs: { to: fixed(4, 4), round: "UP", overflow: "SAT" } }), /%2 = quantize: round must be one of/],
  ["tensor", withNode(1, { attrs: { kernel: tensor([2, 1], 0, [1n]), bias: undefined } }), /%1 = dense: kernel has 1 values for shape \[2, 1\]/],
  ["shape rule", withNode(1, { attrs: { kernel: tensor([1, 2], 0, [1n, 2n]), bias: undefined } }), /%1 = dense: the kernel takes 1 features/],
  ["shape", withNode(1, { type: { shape: [2], elem: fixed(6, 6) } }), /%1 = dense: its shape is given as \[2\]/],
  ["type", withNode(1, { type: { shape: [1], elem: fixed(7, 7) } }), /%1 = dense: its type does not follow/],
  ["interval", withNode(1, { elements: [{ lo: -24n, hi: 20n, exp: 0 }] }), /%1 = dense: element 0 is given as -24\.\.20·2\^0, and follows as -24\.\.21·2\^0/],
  ["typed operands, real result", withNode(1, { elements: undefined, type: { shape: [1], elem: "real" } }), /%1 = dense: it is typed/],
  ["layer", withNode(1, { layer: 5 }), /%1 = dense: layer 5 of 1/],
  ["inputs", { ...graph, inputs: [] }, /inputs are/],
  ["output", { ...graph, outputs: [{ name: "y", value: 7 }] }, /output "y": %7/],
  ["layer value", { ...graph, layers: [{ name: "fc", kind: "Dense", value: 7 }] }, /layer "fc": %7/],
];

const graphs = suite("verifyGraph");
graphs("a sound graph passes", () => verifyGraph(graph));
for (const [name, broken, message] of GRAPH_CASES) {
  graphs(`${name}: named`, () => assert.throws(() => verifyGraph(broken), (e: unknown) => e instanceof InternalError && message.test(e.message)));
}
graphs.run();
