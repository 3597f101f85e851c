// HGQ2's quantizers: a QuantizerConfig of the model's JSON with the trained widths of its weights.
import { type Overflow, overflows, type Rounding, roundings } from "../../../ir/fixed.js";
import { sizeOf, type Shape, type Tensor } from "../../../ir/tensor.js";
import { isArray, isObject, type Json, type JsonObject } from "../json.js";
import { type Failed, type LayerContext, show } from "../layers/context.js";
import type { Weight } from "../model.js";
import { quantizerVariables, type Slot } from "./variables.js";
import { exactTensor, quantizeNumbers, quantizeValue, rint, rounders, typeOf, typesFor, type Widths } from "./widths.js";

export interface HgqQuantizer extends Widths {
  readonly what: string;
  /** Values are divided by this power of two before, and multiplied after. */
  readonly scaler: number;
  readonly affine: readonly [number, number];
  /** HGQ2 never limits the range of weights that wrap: their fraction bits, by element. */
  readonly fractions: readonly number[] | undefined;
}

/** `null` where the layer has no quantizer here. */
export type Maybe = HgqQuantizer | null | Failed;

/** `k` is never trained; `i` is, except where it wraps. Keras numbers trained variables first. */
const ORDER = {
  kif: (wraps: boolean) => (wraps ? ["f", "k", "i"] : ["i", "f", "k"]),
  kbi: (wraps: boolean) => (wraps ? ["b", "k", "i"] : ["b", "i", "k"]),
} as const;

/** The quantizer that the option `key` configures, with the widths found in `slot`. `isWeight` says that its shape has no batch axis. */
export function readHgqQuantizer(cx: LayerContext, json: Json | undefined, key: string, slot: Slot, isWeight: boolean): Maybe {
  if (json === null || json === undefined) return null;
  const config = isObject(json) ? (isObject(json.config) ? json.config : json) : undefined;
  if (!config) return cx.error("QN204", `\`${key}\` is not a quantizer's configuration: ${show(json)}`, key);
  const type = config.q_type;
  if (type === "dummy") return null;
  if (type !== "kif" && type !== "kbi")
    return cx.error(
      "QN203",
      `\`${key}\`: a quantizer of type ${show(type)} is not supported`,
      key,
      "use 'kif' or 'kbi', the fixed-point quantizers of HGQ2",
    );
  const modes = readModes(cx, config, key);
  if (!modes) return undefined;
  const { round, overflow } = modes;
  const vars = quantizerVariables(cx, slot, ORDER[type](overflow === "WRAP"));
  const [k, i, third] = ["k", "i", type === "kif" ? "f" : "b"].map((name) => finite(cx, key, name, vars.get(name)));
  if (!k || !i || !third) return undefined;
  if (sizeOf(k.shape) !== sizeOf(i.shape) || sizeOf(k.shape) !== sizeOf(third.shape))
    return cx.error("QN207", `the widths of \`${key}\` differ in shape`, key);
  const sign = k.values.findIndex((v) => v !== 0 && v !== 1);
  if (sign >= 0) return cx.error("QN208", `\`${key}\`: the width \`k\` is ${k.values[sign]} at index ${sign}, not 0 or 1`, key);
  const ints = Array.from(i.values, rint);
  const fractions = Array.from(third.values, (v, n) => (type === "kif" ? rint(v) : rint(v) - ints[n]!));
  const unlimited = overflow === "WRAP" && config.is_weight === true && config.trainable !== false && (type === "kif" || round === "RND");
  return {
    what: `\`${key}\``,
    shape: isWeight ? k.shape : k.shape.slice(1),
    types: ints.map((int, n) => typeOf(Number(k.values[n]), int, fractions[n]!, overflow)),
    fractions: unlimited ? fractions : undefined,
    ...modes,
  };
}

type Modes = Pick<HgqQuantizer, "round" | "overflow" | "scaler" | "affine">;

function readModes(cx: LayerContext, config: JsonObject, key: string): Modes | Failed {
  // Stochastic rounding is for training; at inference it rounds to nearest.
  const word = (v: Json | undefined): string => (typeof v === "string" ? v.toUpperCase() : "");
  const round = word(config.round_mode).replace(/^S_/, "");
  const overflow = word(config.overflow_mode).replace(/^SYM$/, "SAT_SYM");
  if (!(roundings as readonly string[]).includes(round))
    return cx.error("QN204", `\`${key}\`: unknown rounding mode ${show(config.round_mode)}`, key);
  if (!(overflows as readonly string[]).includes(overflow))
    return cx.error(
      "QN204",
      `\`${key}\`: the overflow mode ${show(config.overflow_mode)} is not supported`,
      key,
      "use WRAP, SAT or SAT_SYM",
    );
  const scaler = config.scaler ?? 1;
  if (typeof scaler !== "number" || !Number.isInteger(Math.log2(scaler)))
    return cx.error("QN204", `\`${key}\`: scaler is ${show(scaler)}, which is no power of two`, key, "use a power of two, such as 0.5");
  const affine = config.affine ?? [1, 0];
  if (!isArray(affine) || affine.length !== 2 || !affine.every((a): a is number => typeof a === "number" && Number.isFinite(a)))
    return cx.error("QN204", `\`${key}\`: affine must be two finite numbers, not ${show(config.affine)}`, key);
  return { round: round as Rounding, overflow: overflow as Overflow, scaler, affine: [Math.fround(affine[0]!), Math.fround(affine[1]!)] };
}

function finite(cx: LayerContext, key: string, name: string, weight: Weight | undefined): Weight | Failed {
  if (!weight) {
    const has = cx.model.weightsSource !== undefined;
    return cx.error(
      has ? "QN206" : "QN106",
      `\`${key}\`: the trained widths \`${name}\` are ${has ? "not in the weights file" : "in a weights file, and none is given"}`,
      key,
      "save the whole model with `model.save('model.keras')` and give that file",
    );
  }
  const bad = weight.values.findIndex((v) => !(Math.abs(Number(v)) <= 1e9));
  return bad < 0 ? weight : cx.error("QN208", `\`${key}\`: the width \`${name}\` is ${weight.values[bad]} at index ${bad}`, key);
}

/** A value of the graph after the quantizer. */
export function applyQuantizer(cx: LayerContext, q: HgqQuantizer | null, x: number): number | Failed {
  if (q === null) return x;
  const y = quantizeValue(cx, cx.scale(x, 1 / q.scaler), q, q.what);
  if (y === undefined) return undefined;
  const [factor, offset] = q.affine;
  const scaled = cx.scale(cx.scale(y, q.scaler), factor);
  return offset === 0 ? scaled : cx.add(scaled, cx.scalar(offset));
}

/** Numbers after the quantizer. */
export function applyToNumbers(cx: LayerContext, q: HgqQuantizer, values: ArrayLike<number>, shape: Shape): Float64Array | Failed {
  const scaled = q.scaler === 1 ? values : Float64Array.from(values, (v) => v / q.scaler);
  const out = q.fractions ? roundOnly(cx, q, q.fractions, scaled, shape) : quantizeNumbers(cx, scaled, shape, q, q.what);
  const [factor, offset] = q.affine;
  return out?.map((v) => Math.fround(Math.fround(v * q.scaler * factor) + offset));
}

function roundOnly(
  cx: LayerContext,
  q: HgqQuantizer,
  fractions: readonly number[],
  values: ArrayLike<number>,
  shape: Shape,
): Float64Array | Failed {
  // A type of that many fraction bits, only to carry them through the broadcast; its range is not used.
  const types = typesFor(cx, { ...q, types: fractions.map((f) => ({ signed: true, width: 1, int: 1 - f })) }, shape, q.what);
  return types && Float64Array.from(types, (t, i) => rounders[q.round](values[i]! * 2 ** (1 - t.int)) * 2 ** (t.int - 1) + 0);
}

/** A weight after its quantizer, exact. */
export function quantizedTensor(cx: LayerContext, q: HgqQuantizer | null, values: ArrayLike<number>, shape: Shape): Tensor | Failed {
  const out = q === null ? Float64Array.from(values) : applyToNumbers(cx, q, values, shape);
  return out && exactTensor(cx, out, shape, q?.what ?? "batch normalization");
}

/** The input quantizer of a layer with one input. */
export function inputQuantized(cx: LayerContext): number | Failed {
  const x = cx.input();
  if (x === undefined) return undefined;
  const q = cx.get("enable_iq") === false ? null : readHgqQuantizer(cx, cx.get("iq_conf"), "iq_conf", { path: "iq" }, false);
  return q === undefined ? undefined : applyQuantizer(cx, q, x);
}

/** The output quantizer, where the layer has one. */
export function outputQuantized(cx: LayerContext, y: number): number | Failed {
  const q = cx.get("enable_oq") === true ? readHgqQuantizer(cx, cx.get("oq_conf"), "oq_conf", { path: "oq" }, false) : null;
  return q === undefined ? undefined : applyQuantizer(cx, q, y);
}
