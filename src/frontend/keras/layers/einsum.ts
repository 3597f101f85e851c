// EinsumDense: a product of a value and a kernel along named axes, as transpose, one dense or grouped convolution, and transpose.
import { sizeOf, type Tensor, tensor } from "../../../ir/tensor.js";
import { isArray } from "../json.js";
import type { KerasLayer } from "../model.js";
import { applyActivation } from "./activation.js";
import { type Failed, type LayerContext, type LayerResult, realTensor, show } from "./context.js";
import { plainWeights } from "./dense.js";
import { reshaped, transpose } from "./spatial.js";

/** The axes of the three tensors by name, without the batch. */
export interface Einsum {
  readonly input: readonly string[];
  readonly kernel: readonly string[];
  readonly output: readonly string[];
}

export const einsumVariables = ({ config }: KerasLayer): readonly string[] =>
  config.bias_axes === null || config.bias_axes === undefined ? ["kernel"] : ["kernel", "bias"];

/** `abc,cd->abd` for an input of `rank` axes; the first axis of input and output, or part of `...`, is the batch. A string says what is wrong. */
export function parseEinsum(equation: string, rank: number): Einsum | string {
  const parts = /^(\.\.\.)?([a-zA-Z]*)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]*)(\.\.\.)?$/.exec(equation.replaceAll(" ", ""));
  if (!parts) return "is not of the form `abc,cd->abd`";
  const [, left, from, right, kernel, outLeft, to, outRight] = parts;
  const dots = [left, right, outLeft, outRight].map((d) => d !== undefined);
  if ((dots[0] && dots[1]) || dots[0] !== dots[2] || dots[1] !== dots[3]) return "has its dots in different places";
  const hidden = rank + 1 - from!.length;
  if (hidden < 0 || (hidden !== 0 && !dots[0] && !dots[1]))
    return `names ${from!.length} axes of an input that has ${rank + 1} with the batch`;
  // Names that no letter can have stand for the axes that the dots cover.
  const covered = dots[0] || dots[1] ? Array.from({ length: hidden }, (_, i) => `…${i}`) : [];
  const expand = (letters: string): string[] => (dots[0] ? [...covered, ...letters] : [...letters, ...covered]);
  const [input, output] = [expand(from!), expand(to!)];
  const [batch] = input;
  if (batch === undefined || batch !== output[0] || kernel!.includes(batch)) return "does not keep the batch as the first axis";
  const names = { input: input.slice(1), kernel: [...kernel!], output: output.slice(1) };
  if ([input, names.kernel, output].some((list) => new Set(list).size !== list.length)) return "names an axis of a tensor twice";
  const lost = [...names.input, ...names.kernel].find(
    (a) => !names.output.includes(a) && !(names.input.includes(a) && names.kernel.includes(a)),
  );
  if (lost !== undefined) return `sums over \`${lost}\`, which only one of the tensors has`;
  const made = names.output.find((a) => !names.input.includes(a) && !names.kernel.includes(a));
  return made === undefined ? names : `has \`${made}\` in the result only`;
}

/** Sizes of the kernel's axes: those of the input, or of the layer's `output_shape`. */
export function einsumSizes(
  { input, kernel, output }: Einsum,
  x: readonly number[],
  outputShape: readonly (number | null)[],
): readonly (number | undefined)[] {
  // Axes that the dots cover may be left out.
  const axes = outputShape.length === output.length ? output : output.filter((a) => !a.startsWith("…"));
  return kernel.map((a) => x[input.indexOf(a)] ?? outputShape[axes.indexOf(a)] ?? undefined);
}

/** The product, with the axes of `output`. */
export function einsumProduct(cx: LayerContext, x: number, names: Einsum, kernel: Tensor): number {
  const { input, output } = names;
  const size = (a: string): number => kernel.shape[names.kernel.indexOf(a)] ?? cx.shapeOf(x)[input.indexOf(a)]!;
  const summed = names.kernel.filter((a) => input.includes(a) && !output.includes(a));
  // An axis of all three tensors: for each of its positions another matrix.
  const shared = names.kernel.filter((a) => input.includes(a) && output.includes(a));
  const free = names.kernel.filter((a) => !input.includes(a));
  const rest = input.filter((a) => !names.kernel.includes(a));
  const sizes = (axes: readonly string[]): number[] => axes.map(size);
  const count = (axes: readonly string[]): number => sizeOf(sizes(axes));
  const ordered = transpose(
    cx,
    x,
    [...rest, ...shared, ...summed].map((a) => input.indexOf(a)),
  );
  const arranged = permuted(
    kernel,
    [...summed, ...shared, ...free].map((a) => names.kernel.indexOf(a)),
  );
  const groups = count(shared);
  const flat = reshaped(cx, ordered, [...sizes(rest), ...(groups > 1 ? [1] : []), groups * count(summed)]);
  const units = groups * count(free);
  const product =
    groups > 1
      ? cx.graph.add("conv", [flat], {
          kernel: { ...arranged, shape: [1, count(summed), units] },
          bias: undefined,
          strides: [1],
          dilations: [1],
          groups,
        })
      : cx.graph.add("dense", [flat], { kernel: { ...arranged, shape: [count(summed), units] }, bias: undefined });
  const axes = [...rest, ...shared, ...free];
  return transpose(
    cx,
    reshaped(cx, product, sizes(axes)),
    output.map((a) => axes.indexOf(a)),
  );
}

/** Axis d of the result is axis order[d] of the tensor. */
function permuted(t: Tensor, order: readonly number[]): Tensor {
  const step = t.shape.map((_, d) => sizeOf(t.shape.slice(d + 1)));
  const index = order.reduce<number[]>(
    (all, d) => all.flatMap((i) => Array.from({ length: t.shape[d]! }, (_, n) => i + n * step[d]!)),
    [0],
  );
  const { type, real } = t;
  return tensor(
    order.map((d) => t.shape[d]!),
    t.exp,
    index.map((i) => t.data[i]!),
    { ...(type ? { type } : {}), ...(real ? { real } : {}) },
  );
}

/** Shape of a bias along some of the output's axes, with ones between and after them. */
export function einsumBiasShape({ output }: Einsum, axes: string, result: readonly number[]): readonly number[] | undefined {
  if (axes === "" || [...axes].some((a) => !output.includes(a))) return undefined;
  const first = Math.min(...[...axes].map((a) => output.indexOf(a)));
  return result.map((n, d) => (axes.includes(output[d]!) ? n : 1)).slice(first);
}

export const einsumDense = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  if (x === undefined || !plainWeights(cx)) return undefined;
  const equation = cx.get("equation");
  const names = typeof equation === "string" ? parseEinsum(equation, cx.shapeOf(x).length) : "is missing";
  if (typeof names === "string") return cx.error("QN212", `the equation ${show(equation)} ${names}`, "equation");
  const json = cx.get("output_shape") ?? [];
  const outputShape = (isArray(json) ? json : [json]).map((n) => (typeof n === "number" ? n : null));
  const sizes = einsumSizes(names, cx.shapeOf(x), outputShape);
  if (!sizes.every((n): n is number => n !== undefined && Number.isInteger(n) && n > 0))
    return cx.error("QN209", `\`output_shape\` = ${show(json)} does not give every new axis a size`, "output_shape");
  const kernel = cx.weight("kernel", sizes);
  if (!kernel) return undefined;
  const product = einsumProduct(cx, x, names, realTensor(kernel.shape, kernel.values));
  const axes = cx.get("bias_axes") ?? "";
  if (typeof axes !== "string") return cx.error("QN200", "`bias_axes` must be a string of axes", "bias_axes");
  if (axes === "") return applyActivation(cx, "activation", product, "keras");
  const shape = einsumBiasShape(names, axes, cx.shapeOf(product));
  if (!shape) return cx.error("QN200", `\`bias_axes\` = ${show(axes)} does not name axes of the result`, "bias_axes");
  const bias = cx.weight("bias", shape);
  if (!bias) return undefined;
  return applyActivation(cx, "activation", cx.add(product, cx.constant(realTensor(shape, bias.values))), "keras");
};
