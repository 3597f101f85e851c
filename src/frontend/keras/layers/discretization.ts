// Discretization: which of the given intervals a number lies in.
import { isArray } from "../json.js";
import type { Failed, LayerContext, LayerResult } from "./context.js";
import { below } from "./lower-quantizer.js";

const MAX_BOUNDARIES = 4096;

/** The number of boundaries at or below x, for each element: Σ_b [x >= b], exact whatever x's type. Boundaries are float32 in the framework. */
export const discretization = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  if (x === undefined || !cx.requires("output_mode", ["int"], "give `output_mode='int'`; a Dense layer can follow")) return undefined;
  if (!cx.requires("sparse", [false])) return undefined;
  const boundaries = cx.get("bin_boundaries");
  if (!isArray(boundaries) || boundaries.length === 0 || !boundaries.every((b): b is number => typeof b === "number" && Number.isFinite(b)))
    return cx.error("QN200", "`bin_boundaries` must be a list of numbers", "bin_boundaries", "call `adapt` before saving, or give the boundaries");
  if (boundaries.length > MAX_BOUNDARIES) return cx.error("QN213", `${boundaries.length} boundaries; the limit is ${MAX_BOUNDARIES}`, "bin_boundaries");
  // below() is −1 or 0: Σ_b (1 + below(x, b)).
  const counts = boundaries.map((b) => below(cx, x, Math.fround(b)));
  return { value: counts.reduce((sum, c) => cx.add(sum, c), cx.scalar(boundaries.length)) };
};
