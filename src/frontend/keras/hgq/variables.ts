// Where a layer's file keeps the variables of the quantizers inside the layer: by number in `.keras` and `.weights.h5`, by name in `.h5`.
import type { LayerContext } from "../layers/context.js";
import type { LayerWeights, Weight } from "../model.js";

/** A part of a layer that has variables, such as `iq` or `exp_table/iq`, and which of the parts without a name it is in an .h5. */
export interface Slot {
  readonly path: string;
  readonly unnamed?: number;
}

export const variablePaths = (cx: LayerContext): LayerWeights => cx.model.pathsOf(cx.layer);

/**
 * The variables of the quantizer in a slot. `order` lists their names as Keras numbers them: trainable ones first, each group in order of
 * creation. An absent variable is absent from the result.
 */
export function quantizerVariables(cx: LayerContext, slot: Slot, order: readonly string[]): ReadonlyMap<string, Weight> {
  const paths = variablePaths(cx);
  const found = new Map<string, Weight>();
  const named = namedPrefix(paths, slot);
  for (const [i, name] of order.entries()) {
    const weight =
      paths.get(`${slot.path === "" ? "" : `${slot.path}/`}quantizer/vars/${i}`) ??
      (named === undefined ? undefined : (paths.get(`${named}/${name}`) ?? paths.get(`${named}/${name}:0`)));
    if (weight) found.set(name, weight);
  }
  return found;
}

const INTERNAL = /^fixed_point_quantizer_(?:kif|kbi)(?:_\d+)?$/;
const UNNAMED = /^quantizer(?:_\d+)?$/;

/** `…/dense_1_iq/fixed_point_quantizer_kif_3`, the group whose variables belong to the slot. */
function namedPrefix(paths: LayerWeights, { path, unnamed }: Slot): string | undefined {
  const groups = [...new Set([...paths.keys()].map((p) => p.slice(0, p.lastIndexOf("/"))))].filter((p) => INTERNAL.test(lastOf(p)));
  const owner = (p: string): string => lastOf(p.slice(0, p.lastIndexOf("/")));
  if (unnamed !== undefined) return groups.filter((p) => UNNAMED.test(owner(p)))[unnamed];
  if (path === "") return groups[0];
  return groups.find((p) => owner(p).endsWith(`_${path.replaceAll("/", "_")}`));
}

const lastOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
