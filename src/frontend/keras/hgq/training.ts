// The training form of HGQ 1: H-layers with trained fraction bits. At inference they round and never overflow, whatever was calibrated.
import { type FixedType, MAX_WIDTH, type Rounding } from "../../../ir/fixed.js";
import { broadcastIndex, type Shape, sizeOf } from "../../../ir/tensor.js";
import { isArray, isObject, type Json } from "../json.js";
import { applyActivation } from "../layers/activation.js";
import { type Failed, type LayerContext, type LayerResult, show } from "../layers/context.js";
import { convolve, floatWeights, multiply, type ReadWeights } from "./conv.js";
import { scaled } from "./linear.js";
import { variablePaths } from "./variables.js";
import { quantizeResult } from "./table.js";
import { exactTensor, rint, rounders } from "./widths.js";

type Import = (cx: LayerContext) => LayerResult | Failed;
const f32 = Math.fround;

/** Fraction bits by element of a tensor that `shape` broadcasts to. */
interface Fractions {
  readonly shape: Shape;
  readonly bits: readonly number[];
  readonly round: Rounding;
}

/** `name` is kernel_bw or activation_bw, `key` the configuration of their quantizer. `shape` is the variable's own, with the batch axis. */
function fractionsOf(cx: LayerContext, name: string, key: string): Fractions | Failed {
  const conf = cx.get(key);
  if (!isObject(conf)) return cx.error("QN204", `\`${key}\` is not a quantizer's configuration: ${show(conf)}`, key);
  const weight = [...variablePaths(cx)].find(([path]) => path.replace(/:\d+$/, "").endsWith(name))?.[1];
  if (!weight)
    return cx.error("QN206", `the weights file has no \`${name}\` for the layer`, undefined, "give the .h5 file that training wrote");
  const clip = conf.bw_clip ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const [low, high] = isArray(clip) ? clip : [];
  if (typeof low !== "number" || typeof high !== "number")
    return cx.error("QN204", `\`${key}\`: bw_clip must be two numbers, not ${show(clip)}`, key);
  const bits = Array.from(weight.values, (v) => rint(Math.min(Math.max(v, low), high)));
  const bad = bits.findIndex((b) => !(Math.abs(b) <= MAX_WIDTH));
  if (bad >= 0) return cx.error("QN208", `\`${name}\` is ${weight.values[bad]} at index ${bad}`);
  const round = roundingOf(cx, conf.rnd_strategy, key, weight.shape);
  return round && { shape: weight.shape, bits, round };
}

/** Everything but `floor` rounds to nearest at inference. `auto` does so only where HGQ can hide the half in a bias for each unit. */
function roundingOf(cx: LayerContext, strategy: Json | undefined, key: string, shape: Shape): Rounding | Failed {
  if (strategy === "floor" || strategy === 3) return "TRN";
  if (["standard_round", "stochastic_round", "fast_uniform_noise_injection", 0, 1, 2].includes(strategy as string)) return "RND";
  if (strategy !== "auto") return cx.error("QN204", `\`${key}\`: unknown rnd_strategy ${show(strategy)}`, key);
  if (cx.layer.className === "HActivation") return "RND";
  const units = cx.get("units") ?? cx.get("filters");
  const perUnit = sizeOf(shape) === 1 || (sizeOf(shape.slice(0, -1)) === 1 && shape.at(-1) === units);
  return units !== undefined && cx.get("use_bias") !== false && perUnit ? "RND" : "TRN";
}

/** Rounds only: the type is as wide as any, and the proven range decides what remains of it. */
const unbounded = (f: number): FixedType => ({ signed: true, width: MAX_WIDTH, int: MAX_WIDTH - f });

/** The activation's quantizer. */
function rounded(cx: LayerContext, x: number): number | Failed {
  const q = fractionsOf(cx, "activation_bw", "paq_conf");
  if (!q) return undefined;
  return quantizeResult(cx, x, { shape: q.shape.slice(1), types: q.bits.map(unbounded), round: q.round, overflow: "SAT" }, "activation_bw");
}

const roundTo = (values: ArrayLike<number>, bits: readonly number[], round: Rounding): Float64Array =>
  Float64Array.from(values, (v, i) => rounders[round](f32(v) * 2 ** bits[i]!) / 2 ** bits[i]! + 0);

/** The kernel by kernel_bw, and the bias by the finest activation_bw of its unit. `norm` merges a batch normalization in, in float32. */
const weightsOf =
  (norm: boolean): ReadWeights =>
  (cx, shape, units) => {
    const float = floatWeights(cx, shape, units);
    const fused = float && (norm ? fuse(cx, float, shape, units) : float);
    const kq = fused && fractionsOf(cx, "kernel_bw", "kq_conf");
    const aq = kq && fractionsOf(cx, "activation_bw", "paq_conf");
    if (!fused || !kq || !aq) return undefined;
    if (kq.shape.length !== shape.length || kq.shape.some((d, i) => d !== 1 && d !== shape[i]))
      return cx.error("QN207", `kernel_bw has shape [${kq.shape.join(", ")}], and the kernel [${shape.join(", ")}]`);
    const bits = Array.from(broadcastIndex(kq.shape, shape), (i) => kq.bits[i]!);
    const channels = aq.shape.at(-1) ?? 1;
    const finest = Array.from({ length: units }, (_, j) =>
      aq.bits.reduce((m, b, i) => (channels === 1 || i % channels === j ? Math.max(m, b) : m), -Infinity),
    );
    const kernel = exactTensor(cx, roundTo(fused.kernel, bits, kq.round), shape, "kernel_bw");
    const bias = kernel && fused.bias && exactTensor(cx, roundTo(fused.bias, finest, aq.round), [units], "activation_bw");
    return !kernel || (fused.bias && !bias) ? undefined : { kernel, bias };
  };

interface Float {
  readonly kernel: ArrayLike<number>;
  readonly bias: ArrayLike<number> | undefined;
}

/** W·s and b − μ·s + β with s = γ/√(σ² + ε); `scale` and `center` each leave one half out. */
function fuse(cx: LayerContext, { kernel, bias }: Float, shape: Shape, units: number): Float | Failed {
  const [scale, flag, epsilon] = [cx.flag("scale", true), cx.flag("center", true), cx.number("epsilon", 1e-3)];
  if (scale === undefined || flag === undefined || epsilon === undefined) return undefined;
  const center = flag && bias !== undefined;
  const read = (name: string, used: boolean, otherwise: number): ArrayLike<number> | Failed =>
    used ? cx.weight(name, [units])?.values : new Float64Array(units).fill(otherwise);
  const [gamma, variance] = [read("bn_gamma", scale, 1), read("moving_variance", scale, 1)];
  const [beta, mean] = [read("bn_beta", center, 0), read("moving_mean", center, 0)];
  if (!gamma || !variance || !beta || !mean) return undefined;
  const factor = Float64Array.from(gamma, (g, i) => f32(g * f32(1 / Math.sqrt(f32(variance[i]! + f32(epsilon))))));
  return {
    kernel: scale ? scaled(kernel, shape, factor, [units]) : kernel,
    bias: center ? Float64Array.from(bias, (b, i) => f32(f32(b - f32(mean[i]! * factor[i]!)) + beta[i]!)) : bias,
  };
}

/** Sums, rounded, then relu or nothing. */
const layer =
  (sums: (cx: LayerContext, x: number) => number | Failed): Import =>
  (cx) => {
    const x = cx.input();
    const y = x === undefined ? undefined : sums(cx, x);
    const z = y === undefined ? undefined : rounded(cx, y);
    return z === undefined ? undefined : applyActivation(cx, "activation", z, "keras");
  };

export const hDense = (norm: boolean): Import => layer((cx, x) => multiply(cx, x, weightsOf(norm)));
export const hConv = (rank: number, norm: boolean): Import => layer((cx, x) => convolve(cx, x, rank, weightsOf(norm)));

export const hQuantize: Import = (cx) => {
  const x = cx.input();
  const value = x === undefined ? undefined : rounded(cx, x);
  return value === undefined ? undefined : { value };
};

export const hAdd: Import = (cx) => {
  const [first, ...rest] = cx.inputs;
  if (first === undefined) return cx.error("QN210", "the layer has no input");
  const value = rounded(
    cx,
    rest.reduce((sum, x) => cx.add(sum, x), first),
  );
  return value === undefined ? undefined : { value };
};

/** The activation first, then the quantizer. */
export const hActivation: Import = (cx) => {
  const x = cx.input();
  const result = x === undefined ? undefined : applyActivation(cx, "activation", x, "keras");
  if (!result || result.host) return result;
  const value = rounded(cx, result.value);
  return value === undefined ? undefined : { value };
};
