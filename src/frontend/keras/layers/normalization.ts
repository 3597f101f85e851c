// LayerNormalization and UnitNormalization: exact sums of squares and tables of 1/√, scaled by powers of two first so that few bits suffice.
import { type Shape, sizeOf } from "../../../ir/tensor.js";
import { isArray } from "../json.js";
import type { KerasLayer } from "../model.js";
import { applyFunction, roundToPrecision } from "./activation-tables.js";
import { type Failed, type LayerContext, type LayerResult, realTensor, show } from "./context.js";
import { axisOf } from "./spatial.js";

/** x as [before, n, after]: the neighbouring axes that are normalized as one. */
interface Along {
  readonly value: number;
  readonly shape: Shape;
  /** The part of the shape that is normalized. */
  readonly axes: Shape;
  readonly split: readonly [number, number, number];
}

function along(cx: LayerContext): Along | Failed {
  const x = cx.input();
  if (x === undefined) return undefined;
  const json = cx.get("axis") ?? -1;
  const axes = (isArray(json) ? json : [json]).map((a) => (typeof a === "number" ? axisOf(cx, a, x) : undefined));
  const shape = cx.shapeOf(x);
  const [first] = axes;
  if (first === undefined || axes.some((a, i) => a !== first + i))
    return cx.error("QN212", `a normalization along ${show(json)} is not supported`, "axis", "take axes that follow one another, without the batch");
  const split = [sizeOf(shape.slice(0, first)), sizeOf(shape.slice(first, first + axes.length)), sizeOf(shape.slice(first + axes.length))] as const;
  return { value: cx.graph.add("reshape", [x], { shape: split }), shape, axes: shape.slice(first, first + axes.length), split };
}

const real = (cx: LayerContext, shape: Shape, values: ArrayLike<number>): number => cx.constant(realTensor(shape, values));
const clip = (cx: LayerContext, x: number, bound: number): number => cx.min(cx.max(x, cx.scalar(-bound)), cx.scalar(bound));
const sum = (cx: LayerContext, x: number, n: number): number => cx.graph.add("sumpool", [x], { window: [n], strides: [n] });

/**
 * x/√(Σx² + c), or 0 where that is 0/0. With s = 2^−floor(log2(Σx² + c)/2) from a table, (Σx² + c)·s² lies in [1, 4):
 * the second table has few bits to cover, however wide the proven range of x is. No result is larger than `bound`.
 */
function normalized(cx: LayerContext, x: number, n: number, c: number, bound: number): number {
  // Not negative, which intervals do not see.
  const square = (v: number): number => cx.max(cx.mul(v, v), cx.scalar(0));
  const total = sum(cx, square(x), n);
  const s = applyFunction(cx, "rsqrt_po2", c > 0 ? cx.add(total, real(cx, [], [c])) : total);
  // |x·s| < 2 and √c·s < 2, which intervals do not see.
  const scaled = roundToPrecision(cx, clip(cx, cx.mul(x, s), 2));
  const again = sum(cx, square(scaled), n);
  const rest = c > 0 ? square(roundToPrecision(cx, clip(cx, cx.mul(s, real(cx, [], [Math.sqrt(c)])), 2))) : undefined;
  // At least 1, but for roundings.
  const norm = cx.max(rest === undefined ? again : cx.add(again, rest), cx.scalar(0.5));
  const bounded = cx.min(norm, cx.scalar(8));
  return clip(cx, cx.mul(scaled, applyFunction(cx, "rsqrt", bounded)), bound);
}

export const layerNormalizationVariables = ({ config }: KerasLayer): readonly string[] => [
  ...(config.scale === false ? [] : ["gamma"]),
  ...(config.center === false ? [] : ["beta"]),
];

/** γ·(x − μ)/√(σ² + ε) + β. With d = n·x − Σx this is γ·√n·d/√(Σd² + n³·ε) + β: no mean is rounded. */
export function layerNormalization(cx: LayerContext): LayerResult | Failed {
  const x = along(cx);
  const epsilon = cx.number("epsilon", 1e-3);
  const [scale, center] = [cx.flag("scale", true), cx.flag("center", true)];
  if (x === undefined || epsilon === undefined || scale === undefined || center === undefined) return undefined;
  if (!cx.requires("rms_scaling", [false])) return undefined;
  if (!(epsilon > 0)) return cx.error("QN200", `\`epsilon\` must be above 0, not ${epsilon}`, "epsilon");
  const [, n] = x.split;
  const gamma = scale ? cx.weight("gamma", x.axes) : undefined;
  const beta = center ? cx.weight("beta", x.axes) : undefined;
  if ((scale && !gamma) || (center && !beta)) return undefined;
  const d = roundToPrecision(cx, cx.graph.add("sub", [cx.scale(x.value, n), sum(cx, x.value, n)], {}));
  // One of n values lies at most √(n − 1) deviations from their mean.
  const bound = Math.ceil(Math.sqrt((n - 1) / n) * 2 ** 12) / 2 ** 12;
  const unit = roundToPrecision(cx, normalized(cx, d, n, n ** 3 * epsilon, bound));
  const factors = Float64Array.from(gamma?.values ?? new Float64Array(n).fill(1), (g) => g * Math.sqrt(n));
  const scaled = cx.mul(unit, real(cx, [n, 1], factors));
  const y = beta ? cx.add(scaled, real(cx, [n, 1], beta.values)) : scaled;
  return { value: cx.graph.add("reshape", [y], { shape: x.shape }) };
}

/** x/√(max(Σx², 10⁻¹²)): the bound only matters where all of x is 0, or below one step of most types. */
export function unitNormalization(cx: LayerContext): LayerResult | Failed {
  const x = along(cx);
  if (x === undefined) return undefined;
  const y = normalized(cx, roundToPrecision(cx, x.value), x.split[1], 0, 1);
  return { value: cx.graph.add("reshape", [y], { shape: x.shape }) };
}
