// The tables of the layers of HGQ 1 and HGQ2, by class. A new layer is one row here.
import type { Failed, LayerContext, LayerResult } from "../layers/context.js";
import { concatenate, dot, merge, subtract } from "../layers/merge.js";
import { flatten, identity, permute, reshape } from "../layers/movement.js";
import { averagePooling, globalAveragePooling, globalMaxPooling, maxPooling } from "../layers/pooling.js";
import type { KerasLayer } from "../model.js";
import { qConv } from "./conv.js";
import { batchnormDenseVariables, bookkeeping, kernelVariables, qBatchNormDense, qDense } from "./dense.js";
import { einsumBatchnormVariables, einsumVariables, qEinsumDense } from "./einsum.js";
import { normalize } from "./linear.js";
import { fixedPointQuantizer, proxyVariables, tableVariables, unaryLut } from "./proxy.js";
import { inputQuantized } from "./quantizer.js";
import { qSoftmax } from "./softmax.js";
import { unaryFunction } from "./table.js";
import { qConvT, qDenseT } from "./table-dense.js";
import { einsum, einsumTableVariables, qEinsumDenseT } from "./table-einsum.js";
import { hActivation, hAdd, hConv, hDense, hQuantize } from "./training.js";
import { averagePow2, quantizerLayer, several, single, sum } from "./wrapped.js";

interface HgqDef {
  readonly import: (cx: LayerContext) => LayerResult | Failed;
  /** Names of the layer's own variables in the order in which Keras numbers them. */
  readonly variables?: (layer: KerasLayer) => readonly string[];
}

const batchnormVariables = (layer: KerasLayer): readonly string[] => [
  ...(layer.config.scale === false ? [] : ["bn_gamma"]),
  ...(layer.config.center === false ? [] : ["bn_beta"]),
  "moving_mean",
  "moving_variance",
  ...bookkeeping(layer),
];

export const hgqLayers = {
  FixedPointQuantizer: { import: fixedPointQuantizer, variables: proxyVariables },
  UnaryLUT: { import: unaryLut, variables: tableVariables },
  HQuantize: { import: hQuantize },
  HDense: { import: hDense(false) },
  HDenseBatchNorm: { import: hDense(true) },
  HConv1D: { import: hConv(1, false) },
  HConv2D: { import: hConv(2, false) },
  HConv1DBatchNorm: { import: hConv(1, true) },
  HConv2DBatchNorm: { import: hConv(2, true) },
  HActivation: { import: hActivation },
  HAdd: { import: hAdd },
  Signature: { import: identity },
  PReshape: { import: reshape },
  PFlatten: { import: flatten },
  PPermute: { import: permute },
  PConcatenate: { import: concatenate },
  PDropout: { import: identity },
  PMaxPooling1D: { import: maxPooling(1) },
  PMaxPooling2D: { import: maxPooling(2) },
  PAveragePooling1D: { import: averagePooling(1, "keras") },
  PAveragePooling2D: { import: averagePooling(2, "keras") },
  QDense: { import: qDense, variables: kernelVariables },
  QBatchNormDense: { import: qBatchNormDense, variables: batchnormDenseVariables },
  QEinsumDense: { import: qEinsumDense(false), variables: einsumVariables },
  QEinsumDenseBatchnorm: { import: qEinsumDense(true), variables: einsumBatchnormVariables },
  QConv1D: { import: qConv(1), variables: kernelVariables },
  QConv2D: { import: qConv(2), variables: kernelVariables },
  QConv3D: { import: qConv(3), variables: kernelVariables },
  QBatchNormalization: {
    import: (cx) => {
      const x = inputQuantized(cx);
      return x === undefined ? undefined : normalize(cx, x);
    },
    variables: batchnormVariables,
  },
  QMaxPooling1D: { import: single(maxPooling(1)) },
  QMaxPooling2D: { import: single(maxPooling(2)) },
  QMaxPooling3D: { import: single(maxPooling(3)) },
  QAveragePooling1D: { import: single(averagePooling(1, "keras")) },
  QAveragePooling2D: { import: single(averagePooling(2, "keras")) },
  QAveragePooling3D: { import: single(averagePooling(3, "keras")) },
  QGlobalMaxPooling1D: { import: single(globalMaxPooling(1)) },
  QGlobalMaxPooling2D: { import: single(globalMaxPooling(2)) },
  QGlobalMaxPooling3D: { import: single(globalMaxPooling(3)) },
  QGlobalAveragePooling1D: { import: single(globalAveragePooling(1, "keras")) },
  QGlobalAveragePooling2D: { import: single(globalAveragePooling(2, "keras")) },
  QGlobalAveragePooling3D: { import: single(globalAveragePooling(3, "keras")) },
  QAdd: { import: several(merge("add")) },
  QSubtract: { import: several(subtract) },
  QMultiply: { import: several(merge("mul")) },
  QMaximum: { import: several(merge("max")) },
  QMinimum: { import: several(merge("min")) },
  QAveragePow2: { import: several(averagePow2) },
  QDot: { import: several(dot) },
  QEinsum: { import: several(einsum) },
  QSum: { import: single(sum(false)) },
  QMeanPow2: { import: single(sum(true)) },
  QUnaryFunctionLUT: { import: unaryFunction(false) },
  QAffinedUnaryFunctionLUT: { import: unaryFunction(true), variables: () => ["scale", "bias"] },
  QSoftmax: { import: qSoftmax },
  QDenseT: { import: qDenseT },
  QEinsumDenseT: { import: qEinsumDenseT, variables: einsumTableVariables },
  QConvT1D: { import: qConvT(1) },
  QConvT2D: { import: qConvT(2) },
  Quantizer: { import: quantizerLayer },
} as const satisfies Readonly<Record<string, HgqDef>>;

/** Python packages of HGQ: `HGQ` is the first, `hgq` the second. */
const PACKAGE = /^hgq2?(?:[.>]|$)/i;
/** Files of Keras 2 do not name the package; no layer of Keras has this name. */
const UNMISTAKABLE = new Set(["FixedPointQuantizer"]);

export const isHgq = ({ className, module }: KerasLayer): boolean => PACKAGE.test(module ?? "") || UNMISTAKABLE.has(className);

const table: Readonly<Record<string, HgqDef>> = hgqLayers;
export const hgqLayer = ({ className }: KerasLayer): HgqDef | undefined => (Object.hasOwn(table, className) ? table[className] : undefined);

/** What to do about classes that HGQ has and the table does not. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/Attention/, "cut the network before it with `--until`, or use QDense and QEinsumDense layers in its place"],
  [/RNN|GRU|LSTM|SNN|LIF/, "recurrent and spiking layers are not supported; use a QConv1D over the time axis in their place"],
];

/** Imports one call of a layer of HGQ, or says what to do in its place. */
export function importHgq(cx: LayerContext): LayerResult | Failed {
  const def = hgqLayer(cx.layer);
  if (def) return def.import(cx);
  const { className } = cx.layer;
  const instead = INSTEAD.find(([pattern]) => pattern.test(className))?.[1];
  const message = `the layer \`${cx.layer.name}\` is a ${className.slice(0, 80)} of HGQ, which is not supported`;
  return cx.error("QN201", message, undefined, instead ?? `supported: ${Object.keys(table).join(", ")}`);
}
