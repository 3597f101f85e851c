// The table of layers. A new layer is one row here and, where it computes something new, one file beside this one.
import { didYouMean } from "../../../diagnostics.js";
import type { KerasLayer } from "../model.js";
import { applyActivation } from "./activation.js";
import { batchnorm, batchnormVariables } from "./batchnorm.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { dense, denseVariables } from "./dense.js";
import { flatten, identity, inputLayer, leakyRelu, reluLayer, reshape, softmaxLayer } from "./shapes.js";

interface LayerDef {
  readonly import: (cx: LayerContext) => LayerResult | Failed;
  /** Names of the layer's variables in the order in which Keras creates them. */
  readonly variables?: (layer: KerasLayer) => readonly string[];
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
  Dense: { import: dense("keras"), variables: denseVariables },
  QDense: { import: dense("qkeras"), variables: denseVariables },
  Activation: { import: activation("keras") },
  QActivation: { import: activation("qkeras") },
  BatchNormalization: { import: batchnorm("keras"), variables: batchnormVariables },
  QBatchNormalization: { import: batchnorm("qkeras"), variables: batchnormVariables },
  ReLU: { import: reluLayer },
  LeakyReLU: { import: leakyRelu },
  Softmax: { import: softmaxLayer },
  Flatten: { import: flatten },
  Reshape: { import: reshape },
  Dropout: { import: identity },
  AlphaDropout: { import: identity },
  GaussianDropout: { import: identity },
  GaussianNoise: { import: identity },
  SpatialDropout1D: { import: identity },
  SpatialDropout2D: { import: identity },
  SpatialDropout3D: { import: identity },
  ActivityRegularization: { import: identity },
  Identity: { import: identity },
} as const satisfies Readonly<Record<string, LayerDef>>;

const table: Readonly<Record<string, LayerDef>> = layers;
const find = (className: string): LayerDef | undefined => (Object.hasOwn(table, className) ? table[className] : undefined);

export const variablesOf = (layer: KerasLayer): readonly string[] => find(layer.className)?.variables?.(layer) ?? [];

/** Classes whose behaviour is code inside the file or beside it. */
const CODE: Readonly<Record<string, string>> = {
  Lambda: "a Lambda layer holds Python bytecode, which qnnc never runs: replace it by layers that say what they compute",
  TFSMLayer: "a TFSMLayer runs a TensorFlow program from another file: replace it by the layers that it was made of",
  TFOpLambda: "an operation written as a Python call (`x * 2`): use a layer, such as Multiply or Rescaling",
  SlicingOpLambda: "a slice written as a Python expression: use a layer, such as Cropping1D or Reshape",
};
/** Python packages whose classes the table above means. A class of the same name from elsewhere is another class. */
const MODULES = /^(?:keras|tf_keras|tensorflow|qkeras|tensorflow_model_optimization)(?:\.|$)/;
const HGQ = /^hgq(?:[.>]|$)/i;
const NESTED = new Set(["Sequential", "Functional", "Model"]);

/** Imports one call of a layer, or reports why this class cannot be imported. */
export function importLayer(cx: LayerContext): LayerResult | Failed {
  const { className, module } = cx.layer;
  const shown = className.slice(0, 80);
  const code = Object.hasOwn(CODE, className) ? CODE[className] : undefined;
  if (code !== undefined)
    return cx.error("QN202", `the layer \`${cx.layer.name}\` is a ${shown}, which would run code from the model file`, undefined, code);
  if (HGQ.test(module ?? "") || HGQ.test(className)) return cx.error("QN201", `layers of HGQ, such as \`${shown}\`, are not supported yet`);
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
  if (NESTED.has(className))
    return cx.error("QN201", "a model inside a model is not supported", undefined, "put its layers into the outer model");
  const guess = didYouMean(className, Object.keys(table));
  return cx.error(
    "QN201",
    `unknown or unsupported layer class \`${shown}\``,
    undefined,
    `${guess === undefined ? "" : `did you mean \`${guess}\`? `}supported: ${Object.keys(table).join(", ")}`,
  );
}
