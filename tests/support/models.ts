// The networks of the golden data, with their files, as sources for the compiler.
import type { Source } from "../../src/compile.js";
import { golden, goldenList } from "./golden.js";

export interface GoldenModel {
  /** Folder below the golden data. */
  readonly folder: string;
  readonly model: string;
  readonly weights?: string;
  /** The last layer to build, where the model goes on after it. */
  readonly until?: string;
}

export const trainedModels: readonly GoldenModel[] = [
  { folder: "models/qkeras_3layer", model: "qkeras_3layer.json", weights: "qkeras_3layer_weights.h5" },
  { folder: "models/qkeras_v3_3layer", model: "qkeras-v3_3layer.keras" },
  { folder: "models/qkeras_mnist_dense", model: "qkeras_mnist_dense.json", weights: "qkeras_mnist_dense_weights.h5" },
];

export const randomModels: readonly GoldenModel[] = ["00", "02", "03", "05", "07", "08", "32"].map((n) => ({
  folder: `random-qkeras/${n}`,
  model: "model.json",
  weights: "model_weights.h5",
}));

export function sourceOf(m: GoldenModel): Source {
  const names = [m.model, ...(m.weights ? [m.weights] : [])];
  return { model: m.model, ...(m.weights ? { weights: m.weights } : {}), files: new Map(names.map((n) => [n, golden(`${m.folder}/${n}`)!])) };
}

/** The model file of a folder of the golden data, and its weights where they lie apart. */
export function filesIn(folder: string): { readonly model: string; readonly weights?: string } {
  const names = goldenList(folder);
  const model =
    names.find((n) => n.endsWith(".keras")) ??
    names.find((n) => n.endsWith(".h5") && !n.includes("weights")) ??
    names.find((n) => n.endsWith(".json") && n !== "meta.json" && n !== "layers.json")!;
  const weights = model.endsWith(".json") ? names.find((n) => n.endsWith(".h5")) : undefined;
  return { model, ...(weights ? { weights } : {}) };
}

export const sourceIn = (folder: string): Source => sourceOf({ folder, ...filesIn(folder) });
