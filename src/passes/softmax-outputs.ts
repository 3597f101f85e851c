// softmax-outputs: what becomes of a softmax or sigmoid at an output, which a graph leaves to the host.
import { copyNode, type Graph, GraphBuilder, type GraphOutput, type HostStep } from "../ir/graph.js";
import { addArgmax, addSoftmax } from "../ir/softmax.js";
import { pass, type SoftmaxMode } from "./pass.js";

/** The output that takes the place of one with a softmax. Its ops are a layer of their own: its result is rounded apart from the logits. */
type Place = (builder: GraphBuilder, o: GraphOutput, graph: Graph) => GraphOutput;

const layered =
  (kind: string, add: (b: GraphBuilder, x: number) => number): Place =>
  (builder, { name, value }) => {
    const layer = builder.beginLayer(`${name}_${kind.toLowerCase()}`, kind);
    const result = add(builder, value);
    builder.endLayer(result, layer);
    return { name, value: result };
  };

/** The logits become the value of the layer that had none, so that they are rounded as every layer's result. */
const left: Place = (builder, { name, value }, graph) => {
  const index = graph.layers.findIndex((l) => l.name === name && l.value < 0);
  if (index >= 0) builder.endLayer(value, index);
  return { name, value };
};

const host: Place = (_, o) => o;
const places: { readonly [M in SoftmaxMode]: { readonly [H in HostStep]: Place } } = {
  host: { softmax: host, sigmoid: host },
  table: {
    softmax: layered("Softmax", addSoftmax),
    sigmoid: layered("Sigmoid", (b, x) => b.add("lut", [x], { f: { name: "sigmoid", params: [] } })),
  },
  // The sigmoids of several outputs have no largest.
  argmax: { softmax: layered("Argmax", addArgmax), sigmoid: host },
  none: { softmax: left, sigmoid: left },
};

export const softmaxOutputs = pass({
  name: "softmax-outputs",
  doc: "leaves a softmax or sigmoid at an output to the host, computes it by tables, replaces a softmax by the index of the largest element, or drops it (--softmax)",
  from: "graph",
  to: "graph",
  run(graph: Graph, { options, reporter }) {
    if (options.softmax === "host" || graph.outputs.every((o) => o.host === undefined)) return graph;
    const builder = new GraphBuilder(graph.name, reporter);
    for (const layer of graph.layers) builder.beginLayer(layer.name, layer.kind, layer.at);
    for (const node of graph.nodes) {
      builder.resumeLayer(node.layer);
      copyNode(node, node.operands, builder, builder.length);
    }
    graph.layers.forEach((layer, i) => builder.endLayer(layer.value, i));
    for (const o of graph.outputs) {
      const { name, value, host } = o.host ? places[options.softmax][o.host](builder, o, graph) : o;
      builder.output(name, value, host);
    }
    return builder.done();
  },
});
