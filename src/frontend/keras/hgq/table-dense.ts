// QDenseT and its convolutions: a small float network for each pair of input and output, tabulated; the tables' results are summed.
import { sizeOf, tensorFromNumbers } from "../../../ir/tensor.js";
import { applyActivation } from "../layers/activation.js";
import type { Failed, LayerContext, LayerResult } from "../layers/context.js";
import { padSpatial, padsOf, reshaped, spatialShape, windowsOf } from "../layers/spatial.js";
import type { Weight } from "../model.js";
import { outputQuantized, readHgqQuantizer } from "./quantizer.js";
import { functionOf, type Real, required, tabulated } from "./table.js";
import { variablePaths } from "./variables.js";

const f32 = Math.fround;
const MAX_OUTPUTS = 1 << 16;
const MAX_PATCH = 1 << 11;

/** weights[pair, from, to] and bias[pair, to], one layer of all the small networks. */
export interface Stage {
  readonly from: number;
  readonly to: number;
  readonly weights: Weight["values"];
  readonly bias: Weight["values"] | undefined;
  readonly f: Real;
}

export function qDenseT(cx: LayerContext): LayerResult | Failed {
  const x = cx.input();
  const outputs = cx.integer("n_out", 1, MAX_OUTPUTS);
  return x === undefined || outputs === undefined ? undefined : tableSums(cx, x, outputs);
}

/** QConvT1D, QConvT2D: a QDenseT on the patch of every position. A convolution with a one for each element of the patch takes it out. */
export const qConvT =
  (rank: number) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    const outputs = cx.integer("filters", 1, MAX_OUTPUTS);
    const windows = windowsOf(cx, rank, "kernel_size", ["valid", "same"]);
    if (
      x === undefined ||
      outputs === undefined ||
      !windows ||
      !cx.requires("groups", [1]) ||
      !cx.requires("data_format", ["channels_last"])
    )
      return undefined;
    const channels = cx.shapeOf(x).at(-1)!;
    const n = sizeOf(windows.window) * channels;
    if (n > MAX_PATCH) return cx.error("QN213", `a patch has ${n} elements; the limit is ${MAX_PATCH}`, "kernel_size");
    const ones = Array.from({ length: n * n }, (_, i) => Number(i % n === Math.floor(i / n)));
    const padded = padSpatial(cx, "pad", x, padsOf(windows, spatialShape(cx, x, rank)));
    if (padded === undefined) return undefined;
    const { strides, dilations, window } = windows;
    const kernel = tensorFromNumbers([...window, channels, n], ones);
    return tableSums(cx, cx.graph.add("conv", [padded], { kernel, bias: undefined, strides, dilations, groups: 1 }), outputs);
  };

function tableSums(cx: LayerContext, x: number, outputs: number): LayerResult | Failed {
  const shape = cx.shapeOf(x);
  const inputs = shape.at(-1);
  if (inputs === undefined) return cx.error("QN209", "the layer needs an input with at least one axis");
  const iq = required(cx, "iq_conf", "iq");
  const oq = readHgqQuantizer(cx, cx.get("toq_conf"), "toq_conf", { path: "toq", unnamed: 0 }, false);
  const useBias = cx.flag("use_bias", true);
  const pairs = inputs * outputs;
  const stages = iq && oq && useBias !== undefined ? stagesOf(cx, pairs, useBias) : undefined;
  const norm = stages && normOf(cx, inputs, outputs);
  if (!iq || !oq || !stages || !norm) return undefined;
  const wide = cx.graph.add("resize", [reshaped(cx, x, [...shape, 1])], { factors: [...shape.map(() => 1), outputs] });
  const network =
    (pair: number): Real =>
    (v) =>
      norm(runStages(stages, pair, v), pair % outputs);
  const values = tabulated(cx, wide, iq, oq, { key: (i) => i % pairs, f: (i) => network(i % pairs) });
  if (values === undefined) return undefined;
  const sums = cx.graph.add("sumpool", [values], { window: [inputs], strides: [inputs] });
  const result = applyActivation(cx, "activation", reshaped(cx, sums, [...shape.slice(0, -1), outputs]), "keras");
  const out = result && !result.host ? outputQuantized(cx, result.value) : undefined;
  return result?.host ? result : out === undefined ? undefined : { value: out };
}

export function runStages(stages: readonly Stage[], pair: number, x: number): number {
  let row = new Array<number>(stages[0]!.from).fill(x);
  for (const { from, to, weights, bias, f } of stages) {
    row = Array.from({ length: to }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < from; i++) sum += row[i]! * weights[(pair * from + i) * to + j]!;
      return f32(f(f32(f32(sum) + (bias?.[pair * to + j] ?? 0))));
    });
  }
  return row[0]!;
}

/** The variables of the layers of the inner model, in their order; `.h5` names them, `.keras` numbers them. */
export function stagesOf(cx: LayerContext, pairs: number, useBias: boolean): readonly Stage[] | Failed {
  const hidden = cx.integer("n_hl", 0, 64);
  const width = cx.integer("d_hl", 1, 1 << 16);
  const f = functionOf(cx, "subnn_activation");
  if (hidden === undefined || width === undefined || !f) return undefined;
  const paths = variablePaths(cx);
  const named = (kind: string): readonly Weight[] =>
    [...paths].flatMap(([p, w]) => (p.replace(/:\d+$/, "").endsWith(`/${kind}`) ? [w] : []));
  const [kernels, biases] = [named("kernel"), named("bias")];
  const stages: Stage[] = [];
  for (let i = 0; i <= hidden; i++) {
    const folder = `module/layers/einsum_dense${i === 0 ? "" : `_${i}`}/vars`;
    const weights = (paths.get(`${folder}/0`) ?? kernels[i])?.values;
    const bias = useBias ? (paths.get(`${folder}/1`) ?? biases[i])?.values : undefined;
    const to = i === hidden ? 1 : width;
    // HGQ2 builds the first layer of QEinsumDenseT for d_hl inputs and gives it one, which broadcasts.
    const from = i > 0 || weights?.length === pairs * width * to ? width : 1;
    const fits = weights?.length === pairs * from * to && (!useBias || bias?.length === pairs * to);
    if (!weights || !fits)
      return cx.error(
        weights ? "QN207" : "QN206",
        `the weights of inner layer ${i} are ${weights ? "of another size than the layer" : "not in the file"}`,
        undefined,
        "save the whole model with `model.save('model.keras')` and give that file",
      );
    if (![...weights, ...(bias ?? [])].every(Number.isFinite)) return cx.error("QN208", `a weight of inner layer ${i} is not finite`);
    stages.push({ from, to, weights, bias, f: i === hidden ? (x) => x : f });
  }
  return stages;
}

/** The batch normalization behind the networks, by output, and its division by √inputs. */
function normOf(cx: LayerContext, inputs: number, outputs: number): TableNorm | Failed {
  const paths = variablePaths(cx);
  return tableNorm(
    cx,
    inputs,
    outputs,
    (name, i) => (paths.get(`bn_module/vars/${i}`) ?? [...paths].find(([p]) => p.endsWith(`/${name}`))?.[1])?.values,
  );
}

export type TableNorm = (y: number, channel: number) => number;

/** `read` finds a variable by its name and its number in the order of creation. */
export function tableNorm(
  cx: LayerContext,
  inputs: number,
  channels: number,
  read: (name: string, i: number) => Weight["values"] | undefined,
): TableNorm | Failed {
  const [used, center, scale] = [cx.flag("batch_norm", false), cx.flag("bn_center", true), cx.flag("bn_scale", true)];
  const epsilon = cx.number("bn_epsilon", 1e-3);
  if (used === undefined || center === undefined || scale === undefined || epsilon === undefined) return undefined;
  if (!used) return (y) => y;
  const names = [...(scale ? ["gamma"] : []), ...(center ? ["beta"] : []), "moving_mean", "moving_variance"];
  const found = new Map(names.map((n, i) => [n, read(n, i)]));
  const bad = names.find((n) => found.get(n)?.length !== channels || !found.get(n)!.every(Number.isFinite));
  if (bad !== undefined) return cx.error("QN206", `the weights file has no usable \`${bad}\` for the batch normalization of the tables`);
  const [mean, variance] = [found.get("moving_mean")!, found.get("moving_variance")!];
  const factor = Array.from(variance, (v, c) => f32((found.get("gamma")?.[c] ?? 1) * f32(1 / Math.sqrt(f32(v + f32(epsilon))))));
  const offset = factor.map((s, c) => f32((found.get("beta")?.[c] ?? 0) - f32(mean[c]! * s)));
  const root = f32(Math.sqrt(inputs));
  return (y, c) => f32(f32(f32(y * factor[c]!) + offset[c]!) / root);
}
