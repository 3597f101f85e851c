// HGQ2's QEinsumDense and QEinsumDenseBatchnorm: a product with a constant kernel, by the letters of an equation.
import { sizeOf, type Shape, type Tensor, tensor } from "../../../ir/tensor.js";
import { type Failed, type LayerContext, type LayerResult, show } from "../layers/context.js";
import type { KerasLayer } from "../model.js";
import { bookkeeping } from "./dense.js";
import { finish, quantizedBy, readNorm, scaled } from "./linear.js";
import { inputQuantized } from "./quantizer.js";

const f32 = Math.fround;
/** Keras' own epsilon, which HGQ2 uses in place of the layer's. */
const EPSILON = 1e-7;

export const einsumVariables = (layer: KerasLayer): readonly string[] => [
  "kernel",
  ...(layer.config.bias_axes == null ? [] : ["bias"]),
  ...bookkeeping(layer),
];

export const einsumBatchnormVariables = (layer: KerasLayer): readonly string[] => [
  "kernel",
  "bias",
  ...(layer.config.scale === false ? [] : ["gamma"]),
  ...bookkeeping(layer),
  "moving_mean",
  "moving_variance",
];

/** The letters of the axes, without the batch's. */
export interface Equation {
  readonly input: string;
  readonly kernel: string;
  readonly output: string;
  readonly size: ReadonlyMap<string, number>;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

export function readEquation(cx: LayerContext, shape: Shape): Equation | Failed {
  const text = cx.get("equation");
  const wrong = (why: string) => cx.error("QN212", `the equation ${show(text)} ${why}`, "equation", "such as `bc,cC->bC`");
  const m = typeof text === "string" ? /^([a-zA-Z.]+),([a-zA-Z]+)->([a-zA-Z.]+)$/.exec(text.replace(/\s/g, "")) : null;
  if (!m) return wrong("is not supported");
  const free = [...LETTERS].filter((l) => !m[0].includes(l));
  const count = shape.length + 1 - m[1]!.replace("...", "").length;
  if ((m[1]!.includes("...") ? count < 0 || count > free.length : count !== 0) || (m[3]!.includes("...") && !m[1]!.includes("...")))
    return wrong(`does not fit an input with ${shape.length} axes besides the batch`);
  const [withBatch, kernel, out] = [m[1]!, m[2]!, m[3]!].map((s) => s.replace("...", free.slice(0, count).join("")));
  const batch = withBatch![0]!;
  if (kernel!.includes(batch) || out![0] !== batch) return wrong("does not keep the batch axis first");
  const [input, output] = [withBatch!.slice(1), out!.slice(1)];
  if ([input, kernel!, output].some((s) => new Set(s).size !== s.length || s.includes("."))) return wrong("names an axis twice");
  const size = new Map([...input].map((l, d) => [l, shape[d]!]));
  const given = cx.get("output_shape");
  const target = (Array.isArray(given) ? given : [given]) as readonly unknown[];
  if (target.length > output.length) return wrong(`does not fit output_shape ${show(given)}`);
  for (const [d, n] of target.entries()) {
    const letter = output[output.length - target.length + d]!;
    if (n !== null && !(typeof n === "number" && Number.isInteger(n) && n > 0)) return wrong(`does not fit output_shape ${show(given)}`);
    if (n !== null && !size.has(letter)) size.set(letter, n as number);
  }
  const unknown = [...kernel!, ...output].find((l) => !size.has(l));
  if (unknown !== undefined) return wrong(`has an axis \`${unknown}\` of unknown size`);
  const lost =
    [...input].find((l) => !kernel!.includes(l) && !output.includes(l)) ??
    [...kernel!].find((l) => !input.includes(l) && !output.includes(l));
  if (lost !== undefined) return wrong(`sums the axis \`${lost}\` of one operand alone`);
  return { input, kernel: kernel!, output, size };
}

export const shapeOf = (e: Equation, letters: string): Shape => [...letters].map((l) => e.size.get(l)!);
export const count = (e: Equation, letters: string): number => sizeOf(shapeOf(e, letters));

/** Keras' bias: the output's axes from the first named one on, with 1 for those not named. */
function biasShape(e: Equation, axes: string): Shape {
  const first = [...e.output].findIndex((l) => axes.includes(l));
  return [...e.output.slice(Math.max(first, 0))].map((l) => (axes.includes(l) ? e.size.get(l)! : 1));
}

/** The data of a constant with its axes in another order. */
function transposed(t: Tensor, from: string, to: string): Tensor {
  const strides = [...to].map((l) => sizeOf(t.shape.slice(from.indexOf(l) + 1)));
  const shape = [...to].map((l) => t.shape[from.indexOf(l)]!);
  let index = [0];
  shape.forEach((n, d) => {
    index = index.flatMap((base) => Array.from({ length: n }, (_, i) => base + i * strides[d]!));
  });
  return tensor(
    shape,
    t.exp,
    index.map((i) => t.data[i]!),
  );
}

/** Σ over the axes that input and kernel share and the output lacks; axes that all three share become groups. */
function contract(cx: LayerContext, x: number, e: Equation, kernel: Tensor): number {
  const { input, output } = e;
  const shared = [...input].filter((l) => e.kernel.includes(l) && output.includes(l)).join("");
  const free = [...input].filter((l) => !e.kernel.includes(l)).join("");
  const summed = [...input].filter((l) => !output.includes(l)).join("");
  const made = [...e.kernel].filter((l) => !input.includes(l)).join("");
  const [groups, rows, n, units] = [count(e, shared), count(e, free), count(e, summed), count(e, made)];
  const move = (v: number, from: string, to: string): number =>
    from === to ? v : cx.graph.add("transpose", [v], { order: [...to].map((l) => from.indexOf(l)) });
  const reshape = (v: number, shape: Shape): number =>
    cx.shapeOf(v).join() === shape.join() ? v : cx.graph.add("reshape", [v], { shape });
  const flat = reshape(move(x, input, free + shared + summed), free === "" && groups === 1 ? [n] : [rows, groups * n]);
  const by = transposed(kernel, e.kernel, groups === 1 ? summed + made : summed + shared + made);
  const sums =
    groups === 1
      ? cx.graph.add("dense", [flat], { kernel: tensor([n, units], by.exp, by.data), bias: undefined })
      : cx.graph.add("conv", [flat], {
          kernel: tensor([1, n, groups * units], by.exp, by.data),
          bias: undefined,
          strides: [1],
          dilations: [1],
          groups,
        });
  const axes = free + shared + made;
  return move(reshape(sums, shapeOf(e, axes)), axes, output);
}

export const qEinsumDense =
  (batchnorm: boolean) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = inputQuantized(cx);
    const e = x === undefined ? undefined : readEquation(cx, cx.shapeOf(x));
    if (x === undefined || !e) return undefined;
    const axes = cx.get("bias_axes");
    if (axes != null && (typeof axes !== "string" || ![...axes].every((l) => e.output.includes(l))))
      return cx.error("QN212", `bias_axes ${show(axes)} are not axes of the output`, "bias_axes");
    const kernelShape = shapeOf(e, e.kernel);
    const weight = cx.weight("kernel", kernelShape);
    if (!weight) return undefined;
    const shape = axes == null ? undefined : biasShape(e, axes);
    const bias = shape && cx.weight("bias", shape);
    if (shape && !bias) return undefined;
    const fused = batchnorm ? fuse(cx, e, weight.values, bias?.values, shape) : { kernel: weight.values, bias: bias?.values };
    if (!fused) return undefined;
    const kernel = quantizedBy(cx, "k", fused.kernel, kernelShape);
    const summand = fused.bias && shape && quantizedBy(cx, "b", fused.bias, shape);
    if (!kernel || (fused.bias && !summand)) return undefined;
    const sums = contract(cx, x, e, kernel);
    return finish(cx, summand ? cx.add(sums, cx.constant(summand)) : sums);
  };

interface Fused {
  readonly kernel: ArrayLike<number>;
  readonly bias: ArrayLike<number> | undefined;
}

/** W·s and b − μ·s with s = γ/√(σ² + ε) along the axis that is normalized. */
function fuse(
  cx: LayerContext,
  e: Equation,
  kernel: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  shape: Shape | undefined,
): Fused | Failed {
  const axis = cx.get("normalize_axes") ?? cx.get("bias_axes");
  const fits = typeof axis === "string" && axis.length === 1 && e.kernel.includes(axis) && e.output.includes(axis);
  if (!fits || !bias || !shape || biasShape(e, axis).join() !== shape.join())
    return cx.error(
      "QN212",
      `batch normalization along ${show(axis)} is not supported`,
      "normalize_axes",
      "normalize one axis, that of the bias",
    );
  const norm = readNorm(cx, "gamma", e.size.get(axis)!, EPSILON);
  if (!norm) return undefined;
  const factorShape = [...e.kernel].map((l) => (l === axis ? e.size.get(l)! : 1));
  return {
    kernel: scaled(kernel, shapeOf(e, e.kernel), norm.scale, factorShape),
    bias: Float64Array.from(bias, (b, i) => f32(b + f32(-norm.mean[i]! * norm.scale[i]!))),
  };
}
