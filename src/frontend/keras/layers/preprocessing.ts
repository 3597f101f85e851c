// Rescaling and Normalization: what a model does to its raw inputs.
import { isArray, type Json } from "../json.js";
import { type Failed, type LayerContext, type LayerResult, realTensor, show } from "./context.js";
import { plainNumber, scaledBy } from "./piecewise.js";
import { axisOf } from "./spatial.js";

const f = Math.fround;
/** keras.backend.epsilon(): the least standard deviation. */
const EPSILON = f(1e-7);

const numbersIn = (v: Json | undefined): readonly number[] => (isArray(v) ? v.flatMap(numbersIn) : [plainNumber(v) ?? Number.NaN]);

/** x·scale + offset, one number each or one a channel. */
export const rescaling = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  if (x === undefined) return undefined;
  const channels = cx.shapeOf(x).at(-1)!;
  const [scale, offset] = (["scale", "offset"] as const).map((key) => {
    const list = numbersIn(cx.get(key) ?? Number(key === "scale"));
    const fits = (list.length === 1 || list.length === channels) && list.every(Number.isFinite);
    return fits
      ? list
      : cx.error("QN200", `\`${key}\` must be a number, or one for each of ${channels} channels, not ${show(cx.get(key))}`, key);
  });
  if (!scale || !offset) return undefined;
  const scaled = scale.length === 1 ? scaledBy(cx, x, scale[0]!) : cx.mul(x, cx.float([channels], scale, x));
  if (offset.every((t) => t === 0)) return { value: scaled };
  return { value: cx.add(scaled, cx.float(offset.length === 1 ? [] : [channels], offset, scaled)) };
};

/** (x − mean) / max(√variance, ε) along some axes; the statistics are given, or were adapted and lie with the weights. */
export const normalization = (cx: LayerContext): LayerResult | Failed => {
  const x = cx.input();
  if (x === undefined || !cx.requires("invert", [false])) return undefined;
  const shape = cx.shapeOf(x);
  const json = cx.get("axis") ?? null;
  const axes = (json === null ? [] : isArray(json) ? json : [json]).map((a) => (typeof a === "number" ? axisOf(cx, a, x) : undefined));
  if (axes.includes(undefined)) return cx.error("QN212", `\`axis\` = ${show(json)} does not name axes of the input`, "axis");
  const kept = shape.map((n, d) => (axes.includes(d) ? n : 1));
  const size = kept.reduce((a, b) => a * b, 1);
  const own = shape.filter((_, d) => axes.includes(d));
  const statistic = (name: "mean" | "variance"): Float64Array | Failed => {
    const given = cx.get(name) ?? null;
    if (given === null) return cx.weight(name, own) && Float64Array.from(cx.weight(name, own)!.values);
    const list = numbersIn(given);
    if ((list.length !== 1 && list.length !== size) || !list.every(Number.isFinite))
      return cx.error("QN200", `\`${name}\` must hold ${size} finite numbers, not ${show(given)}`, name);
    return Float64Array.from({ length: size }, (_, i) => list[i % list.length]!);
  };
  const [mean, variance] = [statistic("mean"), statistic("variance")];
  if (!mean || !variance) return undefined;
  const bad = variance.findIndex((v) => v < 0);
  if (bad >= 0) return cx.error("QN208", `variance is ${variance[bad]} at index ${bad}: its root does not exist`, "variance");
  const centred = cx.add(
    x,
    cx.constant(
      realTensor(
        kept,
        mean.map((m) => -m),
      ),
    ),
  );
  return {
    value: cx.mul(
      centred,
      cx.constant(
        realTensor(
          kept,
          variance.map((v) => f(1 / Math.max(f(Math.sqrt(v)), EPSILON))),
        ),
      ),
    ),
  };
};
