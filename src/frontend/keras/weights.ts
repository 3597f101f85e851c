// Finds each layer's weights in the layouts that Keras has used: named groups (`.h5`) and numbered variables (`.weights.h5`, `.keras`).
import type { Attribute, H5Dataset, H5Group } from "./hdf5.js";
import type { KerasLayer, LayerWeights, Weight } from "./model.js";

/** The names of a layer's variables in the order in which Keras creates them. Only numbered layouts need it. */
export type VariableOrder = (layer: KerasLayer) => readonly string[];

export interface WeightStore {
  /** Names of the groups in the file, for messages. */
  readonly groups: readonly string[];
  weightsOf(layer: KerasLayer): LayerWeights;
}

const NONE: LayerWeights = new Map();
/** Pruning wrappers store these beside the weights of the layer that they wrap. */
const BOOKKEEPING = new Set(["mask", "threshold", "pruning_step"]);

/** Recognises the layout; `undefined` where the file is in none of them. */
export function openWeights(root: H5Group, layers: readonly KerasLayer[], order: VariableOrder): WeightStore | undefined {
  const inner = root.children.get("model_weights");
  const named = inner?.kind === "group" ? inner : root;
  const names = stringList(named, "layer_names");
  if (names) return namedStore(named, names);
  for (const key of ["layers", "_layer_checkpoint_dependencies"]) {
    const folder = root.children.get(key);
    if (folder?.kind === "group") return numberedStore(folder, layers, order);
  }
  return undefined;
}

/** A list attribute, which Keras splits into name0, name1 … where it exceeds HDF5's 64 KiB. */
function stringList(group: H5Group, name: string): string[] | undefined {
  const whole = asStrings(group.attributes.get(name));
  if (whole) return whole;
  const parts: string[] = [];
  for (let i = 0; ; i++) {
    const part = asStrings(group.attributes.get(`${name}${i}`));
    if (!part) return i === 0 ? undefined : parts;
    parts.push(...part);
  }
}

function asStrings(value: Attribute | undefined): string[] | undefined {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) return undefined;
  // An empty list is stored as an array of doubles.
  return value.every((v): v is string => typeof v === "string") ? [...value] : undefined;
}

function namedStore(root: H5Group, names: readonly string[]): WeightStore {
  const cache = new Map<string, LayerWeights>();
  const read = (name: string): LayerWeights => {
    const group = root.children.get(name) ?? descend(root, name);
    if (group?.kind !== "group") return NONE;
    const found = new Map<string, Weight>();
    for (const path of stringList(group, "weight_names") ?? []) {
      const dataset = descend(group, path);
      const short = path.split("/").at(-1)!.replace(/:\d+$/, "");
      if (dataset?.kind !== "dataset" || dataset.values === undefined || BOOKKEEPING.has(short)) continue;
      found.set(found.has(short) ? path : short, { shape: dataset.shape, values: dataset.values });
    }
    return found;
  };
  const known = new Set(names);
  return {
    groups: names,
    weightsOf: ({ name }) => {
      if (!known.has(name)) return NONE;
      const weights = cache.get(name) ?? read(name);
      cache.set(name, weights);
      return weights;
    },
  };
}

function descend(group: H5Group, path: string): H5Group | H5Dataset | undefined {
  let at: H5Group | H5Dataset | undefined = group;
  for (const part of path.split("/")) {
    if (part === "") continue;
    if (at?.kind !== "group") return undefined;
    at = at.children.get(part);
  }
  return at;
}

/** `folder/vars/0, 1 …`. Recent Keras notes the layer's name at `vars`; before, only the class and a counter tell the folders apart. */
function numberedStore(root: H5Group, layers: readonly KerasLayer[], order: VariableOrder): WeightStore {
  const byName = new Map<string, H5Group>();
  for (const child of root.children.values()) {
    const vars = child.kind === "group" ? child.children.get("vars") : undefined;
    const name = vars?.kind === "group" ? vars.attributes.get("name") : undefined;
    if (vars?.kind === "group" && typeof name === "string") byName.set(name, vars);
  }
  const folders = new Map<string, string>();
  const counters = new Map<string, number>();
  for (const layer of layers) {
    const snake = snakeCase(layer.className);
    const n = counters.get(snake) ?? 0;
    counters.set(snake, n + 1);
    folders.set(layer.name, n === 0 ? snake : `${snake}_${n}`);
  }
  return {
    groups: [...root.children.keys()],
    weightsOf: (layer) => {
      const vars = byName.get(layer.name) ?? (byName.size > 0 ? undefined : descend(root, `${folders.get(layer.name) ?? ""}/vars`));
      if (vars?.kind !== "group") return NONE;
      const names = order(layer);
      const found = new Map<string, Weight>();
      for (const [key, dataset] of vars.children) {
        if (dataset.kind === "dataset" && dataset.values !== undefined)
          found.set(names[Number(key)] ?? key, { shape: dataset.shape, values: dataset.values });
      }
      return found;
    },
  };
}

/** keras.src.utils.naming.to_snake_case: QDense → q_dense, ReLU → re_lu. */
export const snakeCase = (name: string): string =>
  name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
