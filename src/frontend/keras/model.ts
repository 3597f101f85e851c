// A Keras model as this frontend sees it: layers, the calls that connect them, and their weights. Untrusted text, checked for form only.
import type { JsonDocument, JsonObject } from "./json.js";

export interface Weight {
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array;
}

/** Output `tensor` of call number `node` of a layer. */
export interface TensorRef {
  readonly layer: string;
  readonly node: number;
  readonly tensor: number;
}

export interface KerasLayer {
  readonly name: string;
  readonly className: string;
  /** The Python module that the file claims the class comes from, where it says so. */
  readonly module: string | undefined;
  readonly config: JsonObject;
  /** Where `config` stands in the document. */
  readonly pointer: string;
  /** `build_config.input_shape` without the batch axis, where the file has it. */
  readonly builtShape: readonly (number | null)[] | undefined;
  /** The nested model that the layer belongs to; absent at the outermost level. */
  readonly owner?: KerasLayer;
  /** The layer's name in its owner. */
  readonly local?: string;
  /** In numbered weights, the folder below its wrapper's where a wrapped layer lies. */
  readonly part?: string;
}

/** A layer applied to tensors; a shared layer has several calls. */
export interface KerasCall {
  readonly layer: KerasLayer;
  readonly node: number;
  readonly inputs: readonly TensorRef[];
}

/** A key for one call of a layer. */
export const callKey = (layer: string, node: number): string => `${node} ${layer}`;

export interface Topology {
  readonly name: string;
  readonly document: JsonDocument;
  /** Of Keras, which changed some functions and defaults between the two. */
  readonly generation: 2 | 3;
  /** In the file's order, nested models before their layers. */
  readonly layers: readonly KerasLayer[];
  /** What the outputs need, each call after those that it reads. */
  readonly calls: readonly KerasCall[];
  readonly inputs: readonly TensorRef[];
  readonly outputs: readonly TensorRef[];
}

/** The weights of one layer by short name (kernel, bias, gamma …). */
export type LayerWeights = ReadonlyMap<string, Weight>;

export interface KerasModel extends Topology {
  /** The weights file, for messages; absent where no weights were given. */
  readonly weightsSource: string | undefined;
  weightsOf(layer: KerasLayer): LayerWeights;
  /** Every variable of the layer and of the parts nested in it, by its path in the file. */
  pathsOf(layer: KerasLayer): LayerWeights;
}

export interface ModelLimits {
  readonly layers: number;
  readonly callsPerLayer: number;
  readonly tensorsPerCall: number;
}

export const modelLimits: ModelLimits = { layers: 20_000, callsPerLayer: 1000, tensorsPerCall: 1000 };
