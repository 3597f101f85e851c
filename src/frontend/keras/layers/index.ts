// The table of layers. A new layer is one row here and, where it computes something new, one file beside this one.
import { didYouMean } from "../../../diagnostics.js";
import { hgqLayer, importHgq, isHgq } from "../hgq/index.js";
import type { KerasLayer } from "../model.js";
import { applyActivation } from "./activation.js";
import { eluLayer } from "./activation-tables.js";
import { batchnorm, batchnormVariables, foldedVariables, folding } from "./batchnorm.js";
import { binaryDense, ternaryDense } from "./binary.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { conv, convVariables, depthwise, depthwiseVariables, separable, separableVariables } from "./conv.js";
import { dense, denseVariables } from "./dense.js";
import { discretization } from "./discretization.js";
import { einsumDense, einsumVariables } from "./einsum.js";
import { inputLayer } from "./input.js";
import { average, concatenate, dot, merge, subtract } from "./merge.js";
import { cropping, flatten, identity, permute, repeatVector, reshape, upsampling, zeroPadding } from "./movement.js";
import { layerNormalization, layerNormalizationVariables, unitNormalization } from "./normalization.js";
import { leakyRelu, prelu, reluLayer, thresholdedRelu } from "./piecewise.js";
import { averagePooling, globalAveragePooling, globalMaxPooling, maxPooling } from "./pooling.js";
import { normalization, rescaling } from "./preprocessing.js";
import { softmaxLayer } from "./softmax-layer.js";
import { timeDistributed } from "./time-distributed.js";

interface LayerDef {
  readonly import: (cx: LayerContext) => LayerResult | Failed;
  /** Names of the layer's variables in the order in which Keras creates them. */
  readonly variables?: (layer: KerasLayer) => readonly string[];
  /** Leading axes do not matter: the layer does the same at every position along them. */
  readonly leading?: true;
}

const activation =
  (family: "keras" | "qkeras") =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    if (x === undefined) return undefined;
    if (cx.get("activation") == null) return cx.error("QN205", "the layer names no activation", "activation");
    return applyActivation(cx, "activation", x, family);
  };

export const layers = {
  InputLayer: { import: inputLayer },
  Dense: { import: dense("keras"), variables: denseVariables, leading: true },
  QDense: { import: dense("qkeras"), variables: denseVariables, leading: true },
  BinaryDense: { import: binaryDense, variables: denseVariables, leading: true },
  TernaryDense: { import: ternaryDense, variables: denseVariables, leading: true },
  EinsumDense: { import: einsumDense, variables: einsumVariables },
  Conv1D: { import: conv(1, "keras"), variables: convVariables, leading: true },
  Conv2D: { import: conv(2, "keras"), variables: convVariables, leading: true },
  Conv3D: { import: conv(3, "keras"), variables: convVariables, leading: true },
  QConv1D: { import: conv(1, "qkeras"), variables: convVariables, leading: true },
  QConv2D: { import: conv(2, "qkeras"), variables: convVariables, leading: true },
  DepthwiseConv1D: { import: depthwise(1, "keras"), variables: depthwiseVariables, leading: true },
  DepthwiseConv2D: { import: depthwise(2, "keras"), variables: depthwiseVariables, leading: true },
  QDepthwiseConv2D: { import: depthwise(2, "qkeras"), variables: depthwiseVariables, leading: true },
  SeparableConv1D: { import: separable(1, "keras"), variables: separableVariables, leading: true },
  SeparableConv2D: { import: separable(2, "keras"), variables: separableVariables, leading: true },
  QSeparableConv1D: { import: separable(1, "qkeras"), variables: separableVariables, leading: true },
  QSeparableConv2D: { import: separable(2, "qkeras"), variables: separableVariables, leading: true },
  QConv2DBatchnorm: { import: conv(2, "qkeras", folding), variables: foldedVariables(convVariables), leading: true },
  QDepthwiseConv2DBatchnorm: { import: depthwise(2, "qkeras", folding), variables: foldedVariables(depthwiseVariables), leading: true },
  MaxPooling1D: { import: maxPooling(1), leading: true },
  MaxPooling2D: { import: maxPooling(2), leading: true },
  MaxPooling3D: { import: maxPooling(3), leading: true },
  AveragePooling1D: { import: averagePooling(1, "keras"), leading: true },
  AveragePooling2D: { import: averagePooling(2, "keras"), leading: true },
  AveragePooling3D: { import: averagePooling(3, "keras"), leading: true },
  QAveragePooling2D: { import: averagePooling(2, "qkeras"), leading: true },
  GlobalMaxPooling1D: { import: globalMaxPooling(1), leading: true },
  GlobalMaxPooling2D: { import: globalMaxPooling(2), leading: true },
  GlobalMaxPooling3D: { import: globalMaxPooling(3), leading: true },
  GlobalAveragePooling1D: { import: globalAveragePooling(1, "keras"), leading: true },
  GlobalAveragePooling2D: { import: globalAveragePooling(2, "keras"), leading: true },
  GlobalAveragePooling3D: { import: globalAveragePooling(3, "keras"), leading: true },
  QGlobalAveragePooling2D: { import: globalAveragePooling(2, "qkeras"), leading: true },
  Activation: { import: activation("keras"), leading: true },
  QActivation: { import: activation("qkeras"), leading: true },
  ReLU: { import: reluLayer, leading: true },
  LeakyReLU: { import: leakyRelu, leading: true },
  PReLU: { import: prelu, variables: () => ["alpha"] },
  ThresholdedReLU: { import: thresholdedRelu, leading: true },
  Softmax: { import: softmaxLayer },
  BatchNormalization: { import: batchnorm("keras"), variables: batchnormVariables },
  QBatchNormalization: { import: batchnorm("qkeras"), variables: batchnormVariables },
  LayerNormalization: { import: layerNormalization, variables: layerNormalizationVariables },
  UnitNormalization: { import: unitNormalization },
  ELU: { import: eluLayer, leading: true },
  Rescaling: { import: rescaling, leading: true },
  Discretization: { import: discretization, leading: true },
  Normalization: { import: normalization, variables: () => ["mean", "variance", "count"] },
  Add: { import: merge("add") },
  Subtract: { import: subtract },
  Multiply: { import: merge("mul") },
  Average: { import: average },
  Maximum: { import: merge("max") },
  Minimum: { import: merge("min") },
  Concatenate: { import: concatenate },
  Dot: { import: dot },
  Flatten: { import: flatten },
  Reshape: { import: reshape },
  Permute: { import: permute },
  ZeroPadding1D: { import: zeroPadding(1), leading: true },
  ZeroPadding2D: { import: zeroPadding(2), leading: true },
  ZeroPadding3D: { import: zeroPadding(3), leading: true },
  Cropping1D: { import: cropping(1), leading: true },
  Cropping2D: { import: cropping(2), leading: true },
  Cropping3D: { import: cropping(3), leading: true },
  UpSampling1D: { import: upsampling(1), leading: true },
  UpSampling2D: { import: upsampling(2), leading: true },
  UpSampling3D: { import: upsampling(3), leading: true },
  RepeatVector: { import: repeatVector },
  TimeDistributed: { import: (cx: LayerContext): LayerResult | Failed => timeDistributed(cx, importLayer, takesLeadingAxes) },
  Dropout: { import: identity, leading: true },
  AlphaDropout: { import: identity, leading: true },
  GaussianDropout: { import: identity, leading: true },
  GaussianNoise: { import: identity, leading: true },
  SpatialDropout1D: { import: identity, leading: true },
  SpatialDropout2D: { import: identity, leading: true },
  SpatialDropout3D: { import: identity, leading: true },
  ActivityRegularization: { import: identity, leading: true },
  Identity: { import: identity, leading: true },
} as const satisfies Readonly<Record<string, LayerDef>>;

const table: Readonly<Record<string, LayerDef>> = layers;
const find = (className: string): LayerDef | undefined => (Object.hasOwn(table, className) ? table[className] : undefined);

function takesLeadingAxes(layer: KerasLayer): boolean {
  return find(layer.className)?.leading ?? false;
}

export const variablesOf = (layer: KerasLayer): readonly string[] =>
  (isHgq(layer) ? hgqLayer(layer) : find(layer.className))?.variables?.(layer) ?? [];

/** Classes whose behaviour is code inside the file or beside it. */
const CODE: Readonly<Record<string, string>> = {
  Lambda: "a Lambda layer holds Python bytecode, which qnnc never runs: replace it by layers that say what they compute",
  TFSMLayer: "a TFSMLayer runs a TensorFlow program from another file: replace it by the layers that it was made of",
  TFOpLambda: "an operation written as a Python call (`x * 2`): use a layer, such as Multiply or Rescaling",
  SlicingOpLambda: "a slice written as a Python expression: use a layer, such as Cropping1D or Reshape",
};
const RECURRENT = "recurrent layers are not supported: use Conv1D over the time axis, or cut the network before the layer with `--until`";
const ATTENTION = "attention is not supported: cut the network before the layer with `--until`";
const TRANSPOSED = "transposed convolutions are not supported: use UpSampling and a convolution";
/** Layers of Keras and QKeras that this table lacks, and what to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  ...Object.fromEntries(["SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D"].flatMap((n) => [n, `Q${n}`]).map((n) => [n, RECURRENT])),
  ...Object.fromEntries(["Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"].map((n) => [n, ATTENTION])),
  ...Object.fromEntries(["Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "QConv2DTranspose"].map((n) => [n, TRANSPOSED])),
  ...Object.fromEntries(["Sequential", "Functional", "Model"].map((n) => [n, "a model inside a wrapper: wrap its layers one by one"])),
  Embedding: "give the network the embedded vectors as its input: an embedding is a table that the host can read",
};
/** Python packages whose classes the table above means. A class of the same name from elsewhere is another class. */
const MODULES = /^(?:keras|tf_keras|tensorflow|qkeras|tensorflow_model_optimization)(?:\.|$)/;

/** Imports one call of a layer, or reports why this class cannot be imported. */
export function importLayer(cx: LayerContext): LayerResult | Failed {
  const { className, module } = cx.layer;
  const shown = className.slice(0, 80);
  const code = Object.hasOwn(CODE, className) ? CODE[className] : undefined;
  if (code !== undefined)
    return cx.error("QN202", `the layer \`${cx.layer.name}\` is a ${shown}, which would run code from the model file`, undefined, code);
  if (isHgq(cx.layer)) return importHgq(cx);
  if (module !== undefined && !MODULES.test(module)) {
    return cx.error(
      "QN202",
      `the class \`${shown}\` comes from the Python module \`${module.slice(0, 80)}\`, whose code qnnc does not run`,
      undefined,
      "use a layer of Keras or QKeras",
    );
  }
  const def = find(className);
  if (def) return def.import(cx);
  const instead = Object.hasOwn(INSTEAD, className) ? INSTEAD[className] : undefined;
  if (instead !== undefined) return cx.error("QN201", `the layer \`${cx.layer.name}\` is a ${shown}, which is not supported`, undefined, instead);
  const guess = didYouMean(className, Object.keys(table));
  return cx.error(
    "QN201",
    `unknown or unsupported layer class \`${shown}\``,
    undefined,
    `${guess === undefined ? "" : `did you mean \`${guess}\`? `}spec/keras.md lists the layers that are supported`,
  );
}
