// fold-batchnorm: merges per-channel multiplications and additions into a neighbouring dense or conv layer of trained floats. Exact: products of dyadics are dyadic.
import { copyNode, type Graph, type GraphBuilder, type Node, type NodeWith, type Rewrite, rewriteGraph, useCounts } from "../ir/graph.js";
import { type Shape, sizeOf, type Tensor, tensor } from "../ir/tensor.js";
import { pass } from "./pass.js";

/** One factor or summand a channel, from a constant that broadcasts along the last axis only. */
function perChannel(t: Tensor, channels: number): readonly bigint[] | undefined {
  if (sizeOf(t.shape) === 1) return new Array<bigint>(channels).fill(t.data[0]!);
  return sizeOf(t.shape) === channels && t.shape.at(-1) === channels ? t.data : undefined;
}

const isReal = (...parts: readonly (Tensor | undefined)[]): { real?: true } => (parts.some((t) => t?.real) ? { real: true } : {});

/** The ops that are linear in a trained kernel, whose last axis is the units and whose last but one the channels (of one group). */
type Linear = NodeWith<"dense"> | NodeWith<"conv">;
const isLinear = (node: Node): node is Linear => node.op === "dense" || node.op === "conv";
const groupsOf = (node: Linear): number => (node.op === "conv" ? node.attrs.groups : 1);
const unitsOf = (kernel: Tensor): number => kernel.shape.at(-1)!;

/** The channel of x that a kernel element multiplies. */
function channelOf(kernel: Tensor, groups: number): (i: number) => number {
  const [share, m] = [kernel.shape.at(-2)!, unitsOf(kernel)];
  return (i) => (Math.floor(i / m) % share) + share * Math.floor((i % m) / (m / groups));
}

const withWeights = (node: Linear, x: number, weights: Pick<Linear["attrs"], "kernel" | "bias">, builder: GraphBuilder): number =>
  node.op === "dense" ? builder.add("dense", [x], weights) : builder.add("conv", [x], { ...node.attrs, ...weights });

/** (x·W + b)·s = x·(W·s) + b·s, column by column. */
function scaleColumns({ kernel, bias }: Linear["attrs"], s: Tensor, factors: readonly bigint[]) {
  const m = unitsOf(kernel);
  return {
    kernel: tensor(kernel.shape, kernel.exp + s.exp, kernel.data.map((w, i) => w * factors[i % m]!), isReal(kernel, s)),
    bias: bias && tensor(bias.shape, bias.exp + s.exp, bias.data.map((b, j) => b * factors[j]!), isReal(bias, s)),
  };
}

/** a + b of two vectors at their common exponent. */
function addVectors(a: Tensor, b: Tensor): Tensor {
  const exp = Math.min(a.exp, b.exp);
  return tensor(a.shape, exp, a.data.map((m, i) => (m << BigInt(a.exp - exp)) + (b.data[i]! << BigInt(b.exp - exp))), isReal(a, b));
}

/** (x·s)·W = x·(s·W) row by row. */
function scaleRows(kernel: Tensor, s: Tensor, factors: readonly bigint[], groups: number): Tensor {
  const channel = channelOf(kernel, groups);
  return tensor(kernel.shape, kernel.exp + s.exp, kernel.data.map((w, i) => w * factors[channel(i)]!), isReal(kernel, s));
}

/** t·W, the constant that an addend before the layer leaves in its bias. */
function timesKernel(t: Tensor, summands: readonly bigint[], kernel: Tensor, groups: number): Tensor {
  const m = unitsOf(kernel);
  const channel = channelOf(kernel, groups);
  const out = new Array<bigint>(m).fill(0n);
  kernel.data.forEach((w, i) => {
    out[i % m]! += summands[channel(i)]! * w;
  });
  return tensor([m], t.exp + kernel.exp, out, isReal(t, kernel));
}

/** The constant operand and the other, for an elementwise node with exactly one constant, which broadcasts without widening the other. */
function splitConstant(builder: GraphBuilder, operands: readonly number[]): { readonly x: number; readonly value: Tensor } | undefined {
  const [a, b] = [builder.node(operands[0]!), builder.node(operands[1]!)];
  const fits = (x: Shape, c: Shape): boolean => c.length <= x.length && c.every((d, i) => d === 1 || d === x[x.length - c.length + i]);
  if (b.op === "constant" && a.op !== "constant" && fits(a.type.shape, b.type.shape)) return { x: operands[0]!, value: b.attrs.value };
  if (a.op === "constant" && b.op !== "constant" && fits(b.type.shape, a.type.shape)) return { x: operands[1]!, value: a.attrs.value };
  return undefined;
}

function intoLinearBefore(op: "mul" | "add", operands: readonly number[], builder: GraphBuilder, once: (value: number) => boolean): number | undefined {
  const split = splitConstant(builder, operands);
  if (!split || !once(split.x)) return undefined;
  const node = builder.node(split.x);
  if (!isLinear(node) || !node.attrs.kernel.real) return undefined;
  const channels = perChannel(split.value, unitsOf(node.attrs.kernel));
  if (!channels) return undefined;
  const { kernel, bias } = node.attrs;
  if (op === "mul") return withWeights(node, node.operands[0]!, scaleColumns(node.attrs, split.value, channels), builder);
  const summand = tensor([channels.length], split.value.exp, channels, isReal(split.value));
  return withWeights(node, node.operands[0]!, { kernel, bias: bias ? addVectors(bias, summand) : summand }, builder);
}

function intoLinearAfter(node: Linear, x: number, builder: GraphBuilder, once: (value: number) => boolean): number | undefined {
  const groups = groupsOf(node);
  let { kernel, bias } = node.attrs;
  let from = x;
  while (kernel.real && once(from)) {
    const before = builder.node(from);
    if (before.op !== "mul" && before.op !== "add") break;
    const split = splitConstant(builder, before.operands);
    const channels = split && perChannel(split.value, kernel.shape.at(-2)! * groups);
    if (!split || !channels) break;
    if (before.op === "add") {
      const moved = timesKernel(split.value, channels, kernel, groups);
      bias = bias ? addVectors(bias, moved) : moved;
    } else {
      kernel = scaleRows(kernel, split.value, channels, groups);
    }
    from = split.x;
  }
  return from === x ? undefined : withWeights(node, from, { kernel, bias }, builder);
}

export const foldBatchnorm = pass({
  name: "fold-batchnorm",
  doc: "merges per-channel scales and shifts into the dense or conv layer before or after them; only into kernels of trained floats, since a quantized kernel would lose its few bits",
  from: "graph",
  to: "graph",
  run(graph: Graph, { reporter }) {
    const uses = useCounts(graph);
    /** Which values of the new graph stand for a value that is read once. */
    const single = new Set<number>();
    const once = (value: number): boolean => single.has(value);
    const rewrite: Rewrite = (node, operands, builder, id) => {
      const folded =
        node.op === "mul" || node.op === "add"
          ? intoLinearBefore(node.op, operands, builder, once)
          : isLinear(node)
            ? intoLinearAfter(node, operands[0]!, builder, once)
            : undefined;
      const value = folded ?? copyNode(node, operands, builder, id);
      if (uses[id] === 1) single.add(value);
      return value;
    };
    const folded = rewriteGraph(graph, reporter, rewrite);
    return folded && rewriteGraph(folded, reporter, copyNode);
  },
});
