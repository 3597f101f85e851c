// Opens a model in any of its containers (JSON with weights, `.h5`, `.keras`) and yields one uniform KerasModel.
import type { Reporter } from "../../diagnostics.js";
import { isZip, readArchive } from "./archive.js";
import { type H5Group, isHdf5, readHdf5 } from "./hdf5.js";
import { type JsonDocument, parseJson, parseJsonBytes } from "./json.js";
import type { KerasModel, LayerWeights } from "./model.js";
import { readTopology } from "./topology.js";
import { openWeights, type VariableOrder } from "./weights.js";

export interface NamedBytes {
  /** As the user gave it, for messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface KerasFiles {
  readonly model: NamedBytes;
  readonly weights?: NamedBytes;
}

interface Opened {
  readonly document: JsonDocument;
  readonly weights: { readonly root: H5Group; readonly source: string } | undefined;
}

export function openKeras(files: KerasFiles, order: VariableOrder, reporter: Reporter): KerasModel | undefined {
  const opened = openContainers(files, reporter);
  const topology = opened && readTopology(opened.document, reporter);
  if (!topology) return undefined;
  const { weights } = opened;
  const none = (): LayerWeights => new Map();
  if (!weights) return { ...topology, weightsSource: undefined, weightsOf: none, pathsOf: none };
  const store = openWeights(weights.root, topology.layers, order);
  if (!store) {
    return reporter.error("QN103", "the HDF5 file holds no Keras weights in a known layout", {
      at: { source: weights.source },
      help: "write it with `model.save_weights('model.weights.h5')`",
    });
  }
  return { ...topology, weightsSource: weights.source, weightsOf: (layer) => store.weightsOf(layer), pathsOf: (layer) => store.pathsOf(layer) };
}

function openContainers({ model, weights }: KerasFiles, reporter: Reporter): Opened | undefined {
  const extra = weights && openWeightsFile(weights, reporter);
  if (weights && !extra) return undefined;
  if (isZip(model.bytes)) return openArchive(model, extra, reporter);
  if (isHdf5(model.bytes)) return openH5(model, extra, reporter);
  if (model.bytes.length === 0) return reporter.error("QN101", "the model file is empty", { at: { source: model.name } });
  const document = parseJsonBytes(model.bytes, model.name, reporter);
  return document && { document, weights: extra };
}

function openWeightsFile({ name, bytes }: NamedBytes, reporter: Reporter): { root: H5Group; source: string } | undefined {
  // A whole .keras serves as well: its weights are inside.
  const inner = isZip(bytes) ? readArchive(bytes, name, reporter) : { weights: bytes };
  if (!inner) return undefined;
  if (!inner.weights) return reporter.error("QN106", "the archive holds no model.weights.h5", { at: { source: name } });
  const root = readHdf5(inner.weights, name, reporter);
  return root && { root, source: name };
}

function openArchive(model: NamedBytes, extra: Opened["weights"], reporter: Reporter): Opened | undefined {
  const archive = readArchive(model.bytes, model.name, reporter);
  if (!archive) return undefined;
  const document = parseJsonBytes(archive.config, `${model.name}/config.json`, reporter);
  if (!document) return undefined;
  if (extra || !archive.weights) return { document, weights: extra };
  const source = `${model.name}/model.weights.h5`;
  const root = readHdf5(archive.weights, source, reporter);
  return root && { document, weights: { root, source } };
}

function openH5(model: NamedBytes, extra: Opened["weights"], reporter: Reporter): Opened | undefined {
  const root = readHdf5(model.bytes, model.name, reporter);
  if (!root) return undefined;
  const config = root.attributes.get("model_config");
  if (typeof config !== "string") {
    return reporter.error("QN101", "the .h5 file holds weights but no model description", {
      at: { source: model.name },
      help: "give the model's JSON (`model.to_json()`) and this file with `--weights`, or save the model with `model.save('model.h5')`",
    });
  }
  const document = parseJson(config, `${model.name}/model_config`, reporter);
  return document && { document, weights: extra ?? { root, source: model.name } };
}
