// Layers of several inputs: sums, products, extrema, averages, concatenation and inner products, with Keras' broadcasting.
import { sizeOf } from "../../../ir/tensor.js";
import { isArray } from "../json.js";
import { type Failed, type LayerContext, type LayerResult, show } from "./context.js";
import { divide } from "./division.js";
import { axisOf, MAX_ELEMENTS, reshaped, tooLarge, transpose } from "./spatial.js";

type Merge = (cx: LayerContext) => LayerResult | Failed;
type Binary = "add" | "sub" | "mul" | "max" | "min";

function several(cx: LayerContext, least = 1): readonly number[] | Failed {
  if (cx.inputs.length >= least) return cx.inputs;
  return cx.error("QN210", `the layer takes several inputs and is given ${cx.inputs.length}`);
}

/** Pairs, then pairs of pairs: the depth is logarithmic, and exact sums do not depend on the order. */
function combine(cx: LayerContext, op: Binary, values: readonly number[]): number {
  let row = values;
  while (row.length > 1)
    row = row.flatMap((v, i) => (i % 2 === 1 ? [] : [i + 1 < row.length ? cx.graph.add(op, [v, row[i + 1]!], {}) : v]));
  return row[0]!;
}

/** Inputs of fewer axes get new ones in front, as NumPy does. */
export const merge =
  (op: Binary): Merge =>
  (cx) => {
    const inputs = several(cx);
    return inputs && { value: combine(cx, op, inputs) };
  };

export const average: Merge = (cx) => {
  const inputs = several(cx);
  if (!inputs) return undefined;
  return { value: divide(cx, combine(cx, "add", inputs), { shape: [], values: [inputs.length] }) };
};

export const subtract: Merge = (cx) =>
  cx.inputs.length === 2
    ? { value: cx.graph.add("sub", [cx.inputs[0]!, cx.inputs[1]!], {}) }
    : cx.error("QN210", `the layer takes two inputs and is given ${cx.inputs.length}`);

export const concatenate: Merge = (cx) => {
  const inputs = several(cx);
  const axis = cx.get("axis") ?? -1;
  if (!inputs) return undefined;
  const along = typeof axis === "number" && Number.isInteger(axis) ? axisOf(cx, axis, inputs[0]!) : undefined;
  if (along === undefined)
    return cx.error("QN212", `\`axis\` = ${show(axis)} is no axis of the inputs`, "axis", "the batch cannot be concatenated");
  return { value: inputs.length === 1 ? inputs[0]! : cx.graph.add("concat", inputs, { axis: along }) };
};

/** The inner product over one axis of each input; the other axes of both remain, first those of the first. */
export const dot: Merge = (cx) => {
  const [a, b, ...rest] = cx.inputs;
  if (a === undefined || b === undefined || rest.length > 0)
    return cx.error("QN210", `the layer takes two inputs and is given ${cx.inputs.length}`);
  const normalize = cx.flag("normalize", false);
  if (normalize === undefined) return undefined;
  if (normalize) return cx.error("QN212", "`normalize` of Dot is not supported", "normalize", "put a UnitNormalization before each input");
  const json = cx.get("axes") ?? -1;
  const axes = isArray(json) ? json : [json, json];
  const [p, q] = [a, b].map((x, i) => (typeof axes[i] === "number" && Number.isInteger(axes[i]) ? axisOf(cx, axes[i], x) : undefined));
  if (axes.length !== 2 || p === undefined || q === undefined)
    return cx.error("QN212", `\`axes\` = ${show(json)} does not name one axis of each input`, "axes");
  const [n, m] = [cx.shapeOf(a)[p]!, cx.shapeOf(b)[q]!];
  if (n !== m) return cx.error("QN209", `the axes of the inner product have ${n} and ${m} elements`, "axes");
  const left = axisLast(cx, a, p);
  const right = axisLast(cx, b, q);
  const [rows, columns] = [sizeOf(left.others), sizeOf(right.others)];
  if (rows * columns * n > MAX_ELEMENTS) return tooLarge(cx, rows * columns * n);
  const products = cx.mul(reshaped(cx, left.value, [rows, 1, n]), reshaped(cx, right.value, [1, columns, n]));
  const shape = [...left.others, ...right.others];
  return { value: reshaped(cx, sumLastAxis(cx, products), shape.length === 0 ? [1] : shape) };
};

function axisLast(cx: LayerContext, x: number, axis: number): { readonly value: number; readonly others: readonly number[] } {
  const shape = cx.shapeOf(x);
  const others = shape.map((_, d) => d).filter((d) => d !== axis);
  return { value: transpose(cx, x, [...others, axis]), others: others.map((d) => shape[d]!) };
}

/** Σ over the last axis, which disappears; a vector becomes [1]. */
export function sumLastAxis(cx: LayerContext, x: number): number {
  const shape = cx.shapeOf(x);
  const n = shape.at(-1)!;
  const sums = cx.graph.add("sumpool", [reshaped(cx, x, [...shape, 1])], { window: [n], strides: [n] });
  return reshaped(cx, sums, shape.length === 1 ? [1] : shape.slice(0, -1));
}
