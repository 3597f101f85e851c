// Layers of HGQ2 that are Keras' own between an input quantizer and an output quantizer: pooling, merging, sums.
import { sizeOf } from "../../../ir/tensor.js";
import { isArray, type Json } from "../json.js";
import { type Failed, LayerContext, type LayerResult, show } from "../layers/context.js";
import { axisOf, reshaped, transpose } from "../layers/spatial.js";
import { sumRows } from "./linear.js";
import { applyQuantizer, inputQuantized, outputQuantized, readHgqQuantizer } from "./quantizer.js";

type Import = (cx: LayerContext) => LayerResult | Failed;

/** The same layer with other inputs. */
const withInputs = (cx: LayerContext, inputs: readonly number[]): LayerContext =>
  new LayerContext(cx.model, cx.layer, inputs, cx.graph, cx.reporter, cx.last);

function finished(cx: LayerContext, result: LayerResult | Failed): LayerResult | Failed {
  const value = result && outputQuantized(cx, result.value);
  return value === undefined ? undefined : { value };
}

export const single =
  (inner: Import): Import =>
  (cx) => {
    const x = inputQuantized(cx);
    return x === undefined ? undefined : finished(cx, inner(withInputs(cx, [x])));
  };

/** Every input has a quantizer of its own; one configuration may stand for all. */
export const several =
  (inner: Import): Import =>
  (cx) => {
    const json = cx.get("iq_confs");
    const conf = (i: number): Json | undefined => (isArray(json) ? json[i] : json);
    const inputs: number[] = [];
    for (const [i, x] of cx.inputs.entries()) {
      const path = `iq/quantizers/quantizer${i === 0 ? "" : `_${i}`}`;
      const q = cx.get("enable_iq") === false ? null : readHgqQuantizer(cx, conf(i), "iq_confs", { path, unnamed: i }, false);
      const y = q === undefined ? undefined : applyQuantizer(cx, q, x);
      if (y === undefined) return undefined;
      inputs.push(y);
    }
    return finished(cx, inner(withInputs(cx, inputs)));
  };

/** The sum of all inputs times the power of two that is nearest to the reciprocal of their number. */
export const averagePow2: Import = (cx) => {
  const [first, ...rest] = cx.inputs;
  if (first === undefined) return cx.error("QN210", "the layer has no input");
  return {
    value: cx.scale(
      rest.reduce((sum, x) => cx.add(sum, x), first),
      nearestPow2(1 / cx.inputs.length),
    ),
  };
};

const nearestPow2 = (x: number): number => 2 ** Math.round(Math.log2(x));

/** QSum: Σ over `axes` times `scale`. QMeanPow2 takes the power of two nearest to one over their size. */
export const sum =
  (mean: boolean): Import =>
  (cx) => {
    const x = cx.input();
    const keep = cx.flag("keepdims", false);
    if (x === undefined || keep === undefined) return undefined;
    const shape = cx.shapeOf(x);
    const json = cx.get("axes") ?? -1;
    const axes = (isArray(json) ? json : [json]).map((a) => (typeof a === "number" ? axisOf(cx, a, x) : undefined));
    if (axes.length === 0 || !axes.every((a): a is number => a !== undefined) || new Set(axes).size !== axes.length)
      return cx.error("QN212", `\`axes\` = ${show(json)} does not name axes of the input besides the batch`, "axes");
    const others = shape.map((_, d) => d).filter((d) => !axes.includes(d));
    const kept = others.map((d) => shape[d]!);
    const n = sizeOf(axes.map((a) => shape[a]!));
    const factor = mean ? nearestPow2(1 / n) : (cx.get("scale") ?? 1);
    if (typeof factor !== "number" || !Number.isInteger(Math.log2(factor)))
      return cx.error("QN212", `\`scale\` = ${show(factor)} is no power of two`, "scale");
    const rows = reshaped(cx, transpose(cx, x, [...others, ...axes]), [...kept, n]);
    const target = keep ? shape.map((d, a) => (axes.includes(a) ? 1 : d)) : kept;
    return { value: cx.scale(reshaped(cx, sumRows(cx, rows, n), target.length === 0 ? [1] : target), factor) };
  };

/** A quantizer that is a layer. */
export const quantizerLayer: Import = (cx) => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const q = readHgqQuantizer(cx, cx.get("config"), "config", { path: "" }, false);
  const value = q === undefined ? undefined : applyQuantizer(cx, q, x);
  return value === undefined ? undefined : { value };
};
