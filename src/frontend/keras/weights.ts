// Finds each layer's weights in the layouts that Keras has used: named groups (`.h5`) and numbered variables (`.weights.h5`, `.keras`).
import type { Attribute, H5Dataset, H5Group } from "./hdf5.js";
import type { KerasLayer, LayerWeights, Weight } from "./model.js";

/** The names of a layer's variables in the order in which Keras creates them. Only numbered layouts need it. */
export type VariableOrder = (layer: KerasLayer) => readonly string[];

export interface WeightStore {
  /** Names of the groups in the file, for messages. */
  readonly groups: readonly string[];
  weightsOf(layer: KerasLayer): LayerWeights;
  /** Every variable of the layer and of the parts nested in it, by its path in the file. */
  pathsOf(layer: KerasLayer): LayerWeights;
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
  const known = new Set(names);
  const read = (name: string): LayerWeights => {
    const group = known.has(name) ? (root.children.get(name) ?? descend(root, name)) : undefined;
    if (group?.kind !== "group") return NONE;
    const found = new Map<string, Weight>();
    for (const path of stringList(group, "weight_names") ?? []) {
      const dataset = descend(group, path);
      if (dataset?.kind === "dataset" && dataset.values !== undefined) found.set(path, { shape: dataset.shape, values: dataset.values });
    }
    return found;
  };
  const pathsOf = (layer: KerasLayer): LayerWeights => {
    const { name } = outermost(layer);
    const weights = cache.get(name) ?? read(name);
    cache.set(name, weights);
    if (!layer.owner) return weights;
    // All weights of a nested model lie in one group, under the names of the innermost layers, in some files with those of the models around them.
    const inside = [...weights].filter(([path]) => path.split("/").slice(0, -1).includes(layer.local!));
    const direct = inside.filter(([path]) =>
      path.split("/").some((part, i, all) => part === layer.local && all[i - 1] === (layer.owner!.local ?? layer.owner!.name)),
    );
    return new Map(direct.length > 0 ? direct : inside);
  };
  return {
    groups: names,
    pathsOf,
    weightsOf: (layer) => {
      const found = new Map<string, Weight>();
      for (const [path, weight] of pathsOf(layer)) {
        const short = path.split("/").at(-1)!.replace(/:\d+$/, "");
        if (!BOOKKEEPING.has(short)) found.set(found.has(short) ? path : short, weight);
      }
      return found;
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

const outermost = (layer: KerasLayer): KerasLayer => {
  let at = layer;
  while (at.owner) at = at.owner;
  return at;
};

/** Names of the folder that holds a model's layers. */
const CONTAINERS = ["layers", "_layer_checkpoint_dependencies"] as const;

/** `folder/vars/0, 1 …`. Recent Keras notes the layer's name at `vars`; before, only the class and a counter tell the folders apart. */
function numberedStore(root: H5Group, layers: readonly KerasLayer[], order: VariableOrder): WeightStore {
  const siblings = new Map<KerasLayer | undefined, KerasLayer[]>();
  for (const layer of layers) {
    const level = siblings.get(layer.owner) ?? [];
    siblings.set(layer.owner, level);
    level.push(layer);
  }
  const levels = new Map<KerasLayer | undefined, ReadonlyMap<string, H5Group>>([
    [undefined, foldersIn(root, siblings.get(undefined) ?? [])],
  ]);
  /** The folders of the layers of one model, by their names there. */
  const levelOf = (owner: KerasLayer | undefined): ReadonlyMap<string, H5Group> => {
    const known = levels.get(owner);
    if (known || !owner) return known ?? new Map();
    const folder = folderOf(owner);
    const inner = CONTAINERS.map((name) => folder?.children.get(name)).find((g) => g?.kind === "group");
    const level = inner?.kind === "group" ? foldersIn(inner, siblings.get(owner) ?? []) : new Map<string, H5Group>();
    levels.set(owner, level);
    return level;
  };
  const folderOf = (layer: KerasLayer): H5Group | undefined => {
    const folder = levelOf(layer.owner).get(layer.local ?? layer.name);
    const part = folder && layer.part !== undefined ? folder.children.get(layer.part) : folder;
    return part?.kind === "group" ? part : undefined;
  };
  return {
    groups: [...root.children.keys()],
    pathsOf: (layer) => {
      const folder = folderOf(layer);
      return folder ? datasetsBelow(folder) : NONE;
    },
    weightsOf: (layer) => {
      const folder = folderOf(layer);
      if (!folder) return NONE;
      const found = new Map<string, Weight>();
      // A name may say in which part of the layer the variable lies: `batchnorm/gamma`.
      const named = new Map<string, string[]>([["", []]]);
      for (const name of order(layer)) {
        const cut = name.lastIndexOf("/") + 1;
        named.set(name.slice(0, cut), [...(named.get(name.slice(0, cut)) ?? []), name.slice(cut)]);
      }
      for (const [part, names] of named) {
        const vars = descend(folder, `${part}vars`);
        if (vars?.kind !== "group") continue;
        for (const [key, dataset] of vars.children) {
          if (dataset.kind === "dataset" && dataset.values !== undefined)
            found.set(names[Number(key)] ?? part + key, { shape: dataset.shape, values: dataset.values });
        }
      }
      return found;
    },
  };
}

function foldersIn(group: H5Group, layers: readonly KerasLayer[]): ReadonlyMap<string, H5Group> {
  const byName = new Map<string, H5Group>();
  for (const child of group.children.values()) {
    const vars = child.kind === "group" ? child.children.get("vars") : undefined;
    const name = vars?.kind === "group" ? vars.attributes.get("name") : undefined;
    if (child.kind === "group" && typeof name === "string") byName.set(name, child);
  }
  if (byName.size > 0) return byName;
  const counters = new Map<string, number>();
  for (const layer of layers) {
    const snake = snakeCase(layer.className);
    const n = counters.get(snake) ?? 0;
    counters.set(snake, n + 1);
    const child = group.children.get(n === 0 ? snake : `${snake}_${n}`);
    if (child?.kind === "group") byName.set(layer.local ?? layer.name, child);
  }
  return byName;
}

/** All arrays below a group by their paths. A list, not recursion: groups may nest deeply. */
function datasetsBelow(root: H5Group): LayerWeights {
  const found = new Map<string, Weight>();
  const open: (readonly [string, H5Group])[] = [["", root]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [path, group] = next;
    for (const [name, child] of group.children) {
      if (child.kind === "group") open.push([`${path}${name}/`, child]);
      else if (child.values !== undefined) found.set(path + name, { shape: child.shape, values: child.values });
    }
  }
  return found;
}

/** keras.src.utils.naming.to_snake_case: QDense → q_dense, ReLU → re_lu. */
export const snakeCase = (name: string): string =>
  name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
