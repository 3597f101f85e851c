// Weights beside a .qnn: arrays by key from .npz, .npy, .safetensors, .h5 and .keras, and the keys under which a layer's weights are looked for.
import { unzipSync } from "fflate";
import type { Reporter } from "../../diagnostics.js";
import { parseNpy, parseNpz } from "../../npy.js";
import { type H5Group, isHdf5, readHdf5 } from "../keras/hdf5.js";
import { parseSafetensors } from "./safetensors.js";

export interface NumericArray {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number | bigint>;
}

export interface WeightFile {
  readonly name: string;
  readonly arrays: ReadonlyMap<string, NumericArray>;
}

/** Files read before, by their bytes: an editor checks the same project at every keystroke. */
const opened = new WeakMap<Uint8Array, WeightFile>();

export async function openWeights(name: string, bytes: Uint8Array, reporter: Reporter): Promise<WeightFile | undefined> {
  const known = opened.get(bytes);
  if (known?.name === name) return known;
  const arrays = await readArrays(name, bytes, reporter);
  if (arrays) opened.set(bytes, { name, arrays });
  return arrays && { name, arrays };
}

async function readArrays(name: string, bytes: Uint8Array, reporter: Reporter): Promise<ReadonlyMap<string, NumericArray> | undefined> {
  if (isHdf5(bytes)) {
    const root = await readHdf5(bytes, name, reporter);
    return root && flatten(root);
  }
  if (/\.keras$/i.test(name)) return readKerasArchive(name, bytes, reporter);
  if (/\.npz$/i.test(name)) {
    const found = parseNpz(bytes, name, reporter);
    return found && new Map(Array.from(found, ([key, a]) => [key, { shape: a.shape, values: a.data }] as const));
  }
  if (/\.npy$/i.test(name)) {
    const found = parseNpy(bytes, name, reporter);
    return found && new Map([["", { shape: found.shape, values: found.data }]]);
  }
  if (/\.safetensors$/i.test(name)) return parseSafetensors(bytes, name, reporter);
  return reporter.error("QN101", "the weights file's format is not one that qnnc reads", {
    at: { source: name },
    help: "give .npz, .npy, .safetensors, .h5 or .keras",
  });
}

const MAX_INNER_BYTES = 512 << 20;

async function readKerasArchive(
  name: string,
  bytes: Uint8Array,
  reporter: Reporter,
): Promise<ReadonlyMap<string, NumericArray> | undefined> {
  let inner: Uint8Array | undefined;
  try {
    inner = unzipSync(bytes, { filter: (f) => f.name === "model.weights.h5" && f.originalSize <= MAX_INNER_BYTES })["model.weights.h5"];
  } catch {
    return reporter.error("QN104", "the .keras archive is damaged", { at: { source: name }, help: "save the model again" });
  }
  if (!inner) return reporter.error("QN104", "the .keras archive holds no model.weights.h5", { at: { source: name } });
  const root = await readHdf5(inner, `${name}/model.weights.h5`, reporter);
  return root && flatten(root);
}

/**
 * Every dataset by its path, and where the path tells, also as `layer/weight`: `model_weights/fc1/fc1/kernel:0` is `fc1/kernel`,
 * `layers/dense/vars/0` is `fc1/0` where the file notes the layer's name `fc1`.
 */
function flatten(root: H5Group): ReadonlyMap<string, NumericArray> {
  const arrays = new Map<string, NumericArray>();
  const aliases = new Map<string, NumericArray>();
  const walk = (group: H5Group, path: readonly string[], layer: string | undefined): void => {
    for (const [key, child] of group.children) {
      const here = [...path, key];
      if (child.kind === "group") {
        const name = key === "vars" ? child.attributes.get("name") : undefined;
        walk(child, here, typeof name === "string" ? name : (layer ?? (key === "model_weights" || key === "layers" ? undefined : key)));
      } else if (child.values) {
        const array = { shape: child.shape, values: child.values };
        arrays.set(here.join("/"), array);
        if (layer !== undefined) aliases.set(`${layer}/${key.replace(/:\d+$/, "")}`, array);
      }
    }
  };
  walk(root, [], undefined);
  for (const [key, array] of aliases) if (!arrays.has(key)) arrays.set(key, array);
  return arrays;
}

/** The keys under which the weight `name` of a layer is looked for, in this order; `index` counts the layer's weights. */
export function* weightKeys(layer: string, name: string, index: number): Generator<string> {
  yield `${layer}/${name}`;
  for (const separator of ["/", ".", "_"]) {
    const l = layer.replaceAll("/", separator);
    yield* [`${l}/${name}`, `${l}.${name}`, `${l}_${name}`, `${l}/${index}`];
  }
}
