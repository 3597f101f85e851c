// hls4ml's nodes to the graph: one row a class. What hls4ml does silently stands here as a `quantize`.
import type { Reporter } from "../../diagnostics.js";
import { GraphBuilder, type Graph } from "../../ir/graph.js";
import { emitActivation, emitThreshold, isActivation } from "./emit-activation.js";
import { emitMerge, emitPool } from "./emit-pool.js";
import type { Fixes } from "./fixes.js";
import { emitSoftmax } from "./emit-softmax.js";
import { emitConv, emitDense, emitDepthwise, padded } from "./emit-sums.js";
import { cast, product, reshape, constant } from "./emitting.js";
import { weightTensor } from "./weights.js";
import { type BatchNormalization, type HlsNetwork, type HlsNode, type Movement, type NodeKind, type NodeOf, nodeNamed } from "./nodes.js";
import type { Precision } from "./precision.js";

export interface Emitting<N extends HlsNode> {
  readonly b: GraphBuilder;
  readonly node: N;
  /** The values that the node reads, and hls4ml's types of them. */
  readonly inputs: readonly number[];
  readonly types: readonly Precision[];
  readonly result: Precision;
  readonly fixes: Fixes;
}

export type Emit<N extends HlsNode> = (cx: Emitting<N>) => number;

const moved =
  (op: (cx: Emitting<Movement>) => number): Emit<Movement> =>
  (cx) =>
    cast(cx.b, op(cx), cx.result);

const emitBatchnorm: Emit<BatchNormalization> = ({ b, node, inputs: [x], types: [xType], result }) => {
  const scaled = product(b, { x: x!, xType: xType!, weight: node.scale, type: node.scale.type as Precision }, (t) => t);
  return cast(b, b.add("add", [scaled, constant(b, weightTensor(node.bias, node.bias.type as Precision))], {}), result);
};

const emitters: { readonly [K in NodeKind]: Emit<NodeOf<K>> } = {
  Input: ({ b, node, result }) => b.input(node.name, node.shape, result),
  Dense: emitDense,
  Conv1D: emitConv,
  Conv2D: emitConv,
  DepthwiseConv1D: emitDepthwise,
  DepthwiseConv2D: emitDepthwise,
  BatchNormalization: emitBatchnorm,
  ApplyAlpha: emitBatchnorm,
  BatchNormalizationQuantizedTanh: emitThreshold,
  Activation: emitActivation,
  HardActivation: emitActivation,
  LeakyReLU: emitActivation,
  ThresholdedReLU: emitActivation,
  ELU: emitActivation,
  PReLU: emitActivation,
  TernaryTanh: emitActivation,
  Softmax: emitSoftmax,
  Pooling1D: emitPool,
  Pooling2D: emitPool,
  GlobalPooling1D: emitPool,
  GlobalPooling2D: emitPool,
  Merge: emitMerge,
  Concatenate: ({ b, node, inputs, result }) => cast(b, b.add("concat", inputs, { axis: node.axis }), result),
  // A view of the same numbers: hls4ml converts nothing.
  Reshape: ({ b, node, inputs: [x] }) => reshape(b, x!, node.shape),
  ZeroPadding1D: moved(({ b, node, inputs: [x] }) => padded(b, x!, node.pads ?? [])),
  ZeroPadding2D: moved(({ b, node, inputs: [x] }) => padded(b, x!, node.pads ?? [])),
  Resize: moved(({ b, node, inputs: [x] }) => b.add("resize", [x!], { factors: node.factors ?? [] })),
  Transpose: moved(({ b, node, inputs: [x] }) => b.add("transpose", [x!], { order: node.order ?? [] })),
};

/** The graph of a network whose types are all known. */
export function emit(network: HlsNetwork, name: string, fixes: Fixes, reporter: Reporter): Graph | undefined {
  const b = new GraphBuilder(name, reporter);
  const values = new Map<string, number>();
  const types = new Map<string, Precision>();
  for (const node of network.nodes) {
    const at = { source: node.cx.model.document.source, pointer: node.cx.layer.pointer };
    b.beginLayer(node.name, node.kind, at);
    if ("activation" in node && !isActivation(node.activation)) {
      node.cx.error("QN205", `hls4ml has no activation \`${node.activation}\``, "activation");
      return undefined;
    }
    const value = (emitters[node.kind] as Emit<HlsNode>)({
      b,
      node,
      inputs: node.inputs.map((i) => values.get(i)!),
      types: node.inputs.map((i) => types.get(i)!),
      result: node.result as Precision,
      fixes,
    });
    b.endLayer(value);
    values.set(node.name, value);
    // A reshape is a view of its input, type included.
    types.set(node.name, node.kind === "Reshape" ? types.get(node.inputs[0]!)! : (node.result as Precision));
  }
  for (const { name, node } of network.outputs) {
    const last = nodeNamed(network, node)!;
    if (last.kind === "Softmax" && fixes.on) b.output(name, values.get(last.inputs[0]!)!, "softmax");
    else b.output(name, values.get(node)!);
  }
  return b.done();
}
