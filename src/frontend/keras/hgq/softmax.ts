// QSoftmax: max − x, a table of e^−x, the sum, a table of its reciprocal, and the product.
import { isArray } from "../json.js";
import { type Failed, type LayerContext, type LayerResult, show } from "../layers/context.js";
import { axisOf, reshaped } from "../layers/spatial.js";
import { sumRows } from "./linear.js";
import { inputQuantized, outputQuantized, readHgqQuantizer } from "./quantizer.js";
import { required, tabulated } from "./table.js";

/** Keras' epsilon, which keeps the reciprocal of 0 finite. */
const EPSILON = Math.fround(1e-7);

export function qSoftmax(cx: LayerContext): LayerResult | Failed {
  const x = cx.get("enable_iq") === true ? inputQuantized(cx) : cx.input();
  const stable = cx.flag("stable", true);
  const scale = cx.number("input_scaler", 1);
  if (x === undefined || stable === undefined || scale === undefined) return undefined;
  const shape = cx.shapeOf(x);
  const json = cx.get("axes") ?? -1;
  const axes = isArray(json) ? json : [json];
  const [axis] = axes;
  if (axes.length !== 1 || typeof axis !== "number" || axisOf(cx, axis, x) !== shape.length - 1)
    return cx.error("QN212", `a softmax along ${show(json)} is not supported`, "axes", "take it along the last axis");
  const n = shape.at(-1)!;
  const one = [...shape.slice(0, -1), 1];
  const top = stable
    ? reshaped(cx, cx.graph.add("maxpool", [reshaped(cx, x, [...shape, 1])], { window: [n], strides: [n] }), one)
    : undefined;
  const shifted = top === undefined ? x : cx.graph.add("sub", [top, x], {});
  // Without the shift, the layer's own input quantizer bounds the table.
  const expIn = stable
    ? required(cx, "exp_iq_conf", "exp_table/iq")
    : readHgqQuantizer(cx, cx.get("iq_conf"), "iq_conf", { path: "iq" }, false);
  const [expOut, invIn, invOut] = [
    required(cx, "exp_oq_conf", "exp_table/oq"),
    required(cx, "inv_iq_conf", "inv_table/iq"),
    required(cx, "inv_oq_conf", "inv_table/oq"),
  ];
  if (!expIn || !expOut || !invIn || !invOut)
    return expIn === null
      ? cx.error("QN204", "QSoftmax that is not `stable` needs an input quantizer", "stable", "train with enable_iq")
      : undefined;
  const sign = stable ? -1 : 1;
  const powers = tabulated(cx, shifted, expIn, expOut, { key: () => 0, f: () => (v) => Math.exp(Math.fround(sign * v * scale)) });
  const total = powers === undefined ? undefined : sumRows(cx, powers, n);
  const inverse =
    total === undefined ? undefined : tabulated(cx, total, invIn, invOut, { key: () => 0, f: () => (v) => 1 / Math.fround(v + EPSILON) });
  if (powers === undefined || inverse === undefined) return undefined;
  const value = outputQuantized(cx, cx.mul(powers, inverse));
  return value === undefined ? undefined : { value };
}
