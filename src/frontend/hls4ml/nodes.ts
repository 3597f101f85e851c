// hls4ml's model as this frontend holds it: a list of nodes in topological order that name the nodes they read. Passes build new lists.
import type { Shape, Tensor } from "../../ir/tensor.js";
import type { Quantizer } from "../keras/quantizers.js";
import type { LayerContext } from "../keras/layers/context.js";
import type { Precision, Slot } from "./precision.js";

/** What rounds a weight before its type does: a quantizer of QKeras, one of the binary and ternary layers, or none more on powers of two. */
export type WeightQuantizer =
  | Quantizer
  | { readonly name: "sign" | "ternary-half" }
  | { readonly name: "po2-scale"; readonly bits: number };

/** Numbers of a layer, as hls4ml holds them before it writes them out in decimal. */
export interface Weights {
  readonly shape: Shape;
  /** After the quantizer, if there is one. */
  readonly values: Float64Array;
  readonly unquantized: Float64Array;
  readonly quantizer?: WeightQuantizer;
  /** Whether hls4ml's quantizer still applies a scale (alpha neither 1 nor absent). */
  readonly scaled?: true;
  readonly type: Slot;
}

interface Common {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly shape: Shape;
  readonly result: Slot;
  /** The Keras layer that this node comes from, for messages. */
  readonly cx: LayerContext;
}

/** Zeros before and after the data, one pair a spatial axis. */
export type Pads = readonly (readonly [number, number])[];

export interface Input extends Common {
  readonly kind: "Input";
}
export interface Dense extends Common {
  readonly kind: "Dense";
  /** [inputs, units] */
  readonly weight: Weights;
  readonly bias: Weights;
  readonly accum: Slot;
}
export interface Conv extends Common {
  readonly kind: "Conv1D" | "Conv2D" | "DepthwiseConv1D" | "DepthwiseConv2D";
  /** [spatial…, channels, filters]; depthwise [spatial…, 1, channels] */
  readonly weight: Weights;
  readonly bias: Weights;
  readonly accum: Slot;
  readonly strides: readonly number[];
  readonly pads: Pads;
}
export interface BatchNormalization extends Common {
  readonly kind: "BatchNormalization" | "ApplyAlpha";
  /** One number a channel. */
  readonly scale: Weights;
  readonly bias: Weights;
}
/** Batch normalization before a binary or ternary step: only thresholds are left. */
export interface Threshold extends Common {
  readonly kind: "BatchNormalizationQuantizedTanh";
  /** Binary: x >= high. Ternary: +1 above high, −1 up to low. */
  readonly high: Weights;
  readonly low?: Weights;
  /** The batch normalization that the thresholds come from. */
  readonly from: { readonly scale: Weights; readonly bias: Weights };
  /** −1 in the channels whose comparison is the other way round; hls4ml has none. */
  readonly flip?: Tensor;
}
export interface Activation extends Common {
  readonly kind: "Activation" | "HardActivation" | "LeakyReLU" | "ThresholdedReLU" | "ELU" | "PReLU" | "TernaryTanh";
  readonly activation: string;
  /** A quantizer of the model, whose rounding is the result's type. */
  readonly rounds?: true;
  readonly tableSize: number;
  readonly table: Precision;
  /** Slope or threshold of a parametrized function: one number, or one an element. */
  readonly parameter?: Weights;
  readonly slope?: number;
  readonly slopeType?: Precision;
}
export interface Softmax extends Common {
  readonly kind: "Softmax";
  readonly implementation: "stable" | "latency" | "legacy" | "argmax";
  readonly skip: boolean;
  readonly tableSize: number;
  readonly table: Precision;
  readonly expTable: Precision;
  readonly invTable: Precision;
  readonly invInput: Precision;
  readonly accum: Slot;
}
export interface Pooling extends Common {
  readonly kind: "Pooling1D" | "Pooling2D" | "GlobalPooling1D" | "GlobalPooling2D";
  readonly op: "max" | "average";
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly pads: Pads;
  readonly accum: Slot;
}
export interface Merge extends Common {
  readonly kind: "Merge";
  readonly op: "add" | "subtract" | "multiply" | "average" | "maximum" | "minimum";
}
export interface Concatenate extends Common {
  readonly kind: "Concatenate";
  readonly axis: number;
}
export interface Movement extends Common {
  readonly kind: "Reshape" | "ZeroPadding1D" | "ZeroPadding2D" | "Resize" | "Transpose";
  readonly pads?: Pads;
  readonly factors?: readonly number[];
  readonly order?: readonly number[];
}

export type HlsNode =
  | Input
  | Dense
  | Conv
  | BatchNormalization
  | Threshold
  | Activation
  | Softmax
  | Pooling
  | Merge
  | Concatenate
  | Movement;
export type NodeKind = HlsNode["kind"];
type OfKind<N extends HlsNode, K extends NodeKind> = N extends HlsNode ? (Extract<K, N["kind"]> extends never ? never : N) : never;
export type NodeOf<K extends NodeKind> = OfKind<HlsNode, K>;

export interface HlsNetwork {
  readonly nodes: readonly HlsNode[];
  readonly outputs: readonly { readonly name: string; readonly node: string }[];
}

export const nodeNamed = (network: HlsNetwork, name: string | undefined): HlsNode | undefined => network.nodes.find((n) => n.name === name);
export const readersOf = (network: HlsNetwork, name: string): readonly HlsNode[] => network.nodes.filter((n) => n.inputs.includes(name));

/** The network with some nodes changed, left out, or followed by others. What read a node that is left out reads what `renamed` says. */
export function editNodes(
  network: HlsNetwork,
  edit: (node: HlsNode) => readonly HlsNode[],
  renamed: ReadonlyMap<string, string> = new Map(),
): HlsNetwork {
  const now = (name: string): string => renamed.get(name) ?? name;
  return {
    nodes: network.nodes.flatMap(edit).map((n) => (n.inputs.some((i) => renamed.has(i)) ? { ...n, inputs: n.inputs.map(now) } : n)),
    outputs: network.outputs.map((o) => ({ ...o, node: now(o.node) })),
  };
}

/** The network without a node; its readers read its input. */
export const removeNode = (network: HlsNetwork, node: HlsNode): HlsNetwork =>
  editNodes(network, (n) => (n === node ? [] : [n]), new Map([[node.name, node.inputs[0]!]]));
export const replaceNode = (network: HlsNetwork, node: HlsNode, by: HlsNode): HlsNetwork =>
  editNodes(network, (n) => (n === node ? [by] : [n]), new Map([[node.name, by.name]]));
