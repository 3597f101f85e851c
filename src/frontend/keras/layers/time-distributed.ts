// TimeDistributed: the wrapped layer at every step of the first axis. Where leading axes do not matter to the layer it is applied once.
import type { KerasLayer } from "../model.js";
import { wrappedLayer } from "../read-layers.js";
import { type Failed, LayerContext, type LayerResult } from "./context.js";
import { reshaped } from "./spatial.js";

const MAX_STEPS = 1000;

/** `apply` imports a layer; `leading` says whether it takes any number of leading axes. */
export function timeDistributed(
  cx: LayerContext,
  apply: (cx: LayerContext) => LayerResult | Failed,
  leading: (layer: KerasLayer) => boolean,
): LayerResult | Failed {
  const x = cx.input();
  const inner = wrappedLayer(cx.layer);
  if (x === undefined) return undefined;
  if (!inner) return cx.error("QN200", "the wrapped layer has no class_name or no config", "layer");
  const layer = { ...inner, part: "layer" };
  const at = (input: number): LayerContext => new LayerContext(cx.model, layer, [input], cx.graph, cx.reporter, cx.last);
  const [steps, ...rest] = cx.shapeOf(x);
  if (steps === undefined || rest.length === 0)
    return cx.error("QN209", "the layer needs an input with a time axis and at least one other");
  if (leading(layer)) return apply(at(x));
  if (steps > MAX_STEPS) return cx.error("QN213", `the layer has ${steps} time steps; the limit for a ${layer.className} is ${MAX_STEPS}`);
  const results: LayerResult[] = [];
  for (let t = 0; t < steps; t++) {
    const step = cx.graph.add("slice", [x], { start: [t, ...rest.map(() => 0)], stop: [t + 1, ...rest], step: [1, ...rest.map(() => 1)] });
    const result = apply(at(reshaped(cx, step, rest)));
    if (!result) return undefined;
    results.push({ ...result, value: reshaped(cx, result.value, [1, ...cx.shapeOf(result.value)]) });
  }
  return {
    ...results[0]!,
    value: cx.graph.add(
      "concat",
      results.map((r) => r.value),
      { axis: 0 },
    ),
  };
}
