// Functions of one variable as tables over the codes of a quantized value, computed in float32 as HGQ2 computes them.
import { exponent, type FixedType, rangeOf } from "../../../ir/fixed.js";
import { typeAt } from "../../../ir/ops/op.js";
import { sizeOf } from "../../../ir/tensor.js";
import type { Unary } from "../../../ir/unary.js";
import { isObject, type Json } from "../json.js";
import { type Failed, type LayerContext, type LayerResult, show } from "../layers/context.js";
import { reshaped, transpose } from "../layers/spatial.js";
import { applyQuantizer, type HgqQuantizer, readHgqQuantizer } from "./quantizer.js";
import { quantizeNumber, quantizeValue, typesFor, type Widths } from "./widths.js";

/** More entries than this are no table any more. */
const MAX_ENTRIES = 1 << 16;
/** And all tables of a layer together. */
const MAX_TOTAL = 1 << 22;

export type Real = (x: number) => number;

/** Keras 3's functions of one variable; each result is rounded to float32 afterwards. */
const functions: Readonly<Record<string, Real>> = {
  linear: (x) => x,
  relu: (x) => Math.max(x, 0),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  exponential: Math.exp,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: (x) => x / (1 + Math.abs(x)),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => 1.05070098 * (x > 0 ? x : 1.67326324 * Math.expm1(x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  swish: (x) => x / (1 + Math.exp(-x)),
  hard_sigmoid: (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
  hard_silu: (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
  hard_tanh: (x) => Math.min(Math.max(x, -1), 1),
};

/** The function that an option names, as a string or as Keras 3 writes functions. */
export function functionOf(cx: LayerContext, key: string): Real | Failed {
  const json: Json | undefined = cx.get(key) ?? "linear";
  const name = isObject(json) ? json.config : json;
  if (typeof name === "string" && Object.hasOwn(functions, name)) return functions[name];
  return cx.error("QN205", `the function ${show(name)} is not supported in a table`, key, `known: ${Object.keys(functions).join(", ")}`);
}

/** Which function each element takes, and what tells two of them apart. */
export interface ByElement {
  readonly key: (element: number) => number;
  readonly f: (element: number) => Real;
}

/** oq(f(iq(x))): one table for all elements that share the function and the result's type. */
export function tabulated(cx: LayerContext, x: number, iq: HgqQuantizer, oq: HgqQuantizer, by: ByElement): number | Failed {
  const shape = cx.shapeOf(x);
  const plain = [iq, oq].every((q) => q.scaler === 1 && q.affine[0] === 1 && q.affine[1] === 0);
  if (!plain) return cx.error("QN204", "a scaled quantizer around a table is not supported");
  const [from, to] = [typesFor(cx, iq, shape, iq.what), typesFor(cx, oq, shape, oq.what)];
  const quantized = from && to && applyQuantizer(cx, iq, x);
  return quantized === undefined || !from || !to ? undefined : tablesOver(cx, quantized, from, to, oq, by);
}

/** f of a value whose elements have the types `from`, in the types `to`. */
function tablesOver(
  cx: LayerContext,
  x: number,
  from: readonly FixedType[],
  to: readonly FixedType[],
  modes: Modes,
  by: ByElement,
): number | Failed {
  const groups = new Map<string, number[]>();
  const keys = to.map((t, i) => `${by.key(i)} ${t.signed} ${t.width} ${t.int}`);
  for (const [i, key] of keys.entries()) {
    const members = groups.get(key) ?? [];
    members.push(i);
    groups.set(key, members);
  }
  const tables = new Map<string, Unary>();
  let total = 0;
  for (const [key, members] of groups) {
    const table = tableOf(
      cx,
      members.map((i) => from[i]!),
      to[members[0]!]!,
      by.f(members[0]!),
      modes,
    );
    if (!table) return undefined;
    total += table.params.length;
    if (total > MAX_TOTAL)
      return cx.error(
        "QN213",
        `the tables have more than ${MAX_TOTAL} entries together`,
        undefined,
        "train with narrower input quantizers",
      );
    tables.set(key, table);
  }
  return applyTables(cx, x, keys, tables);
}

type Modes = Pick<Widths, "round" | "overflow">;

/** The table over the codes of all these types; values between the codes of a coarser one are in it and never read. */
function tableOf(cx: LayerContext, from: readonly FixedType[], to: FixedType, f: Real, modes: Modes): Unary | Failed {
  const live = from.filter((t) => t.width > 0);
  const step = live.reduce((e, t) => Math.min(e, exponent(t)), live[0] ? exponent(live[0]) : 0);
  const first = live.reduce((n, t) => Math.min(n, Number(rangeOf(t).lo) * 2 ** (exponent(t) - step)), 0);
  const last = live.reduce((n, t) => Math.max(n, Number(rangeOf(t).hi) * 2 ** (exponent(t) - step)), 0);
  const entries = last - first + 1;
  if (entries > MAX_ENTRIES)
    return cx.error(
      "QN301",
      `a table of ${entries} entries is beyond the limit of ${MAX_ENTRIES}`,
      undefined,
      "train with narrower input quantizers",
    );
  const values = Array.from({ length: entries }, (_, n) =>
    quantizeNumber(f(Math.fround((first + n) * 2 ** step)), to, modes.round, modes.overflow),
  );
  const bad = values.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) return cx.error("QN205", `the function is ${values[bad]} at ${(first + bad) * 2 ** step}`, "activation");
  return { name: "table", params: [first * 2 ** step, 2 ** step, ...values], to: { type: to, round: "TRN", overflow: "SAT" } };
}

/** One lut where all elements share a table; else one for each run that does, along the trailing axes after which tables repeat. */
function applyTables(cx: LayerContext, x: number, keys: readonly string[], tables: ReadonlyMap<string, Unary>): number {
  const lut = (v: number, key: string): number => cx.graph.add("lut", [v], { f: tables.get(key)! });
  if (tables.size === 1) return lut(x, keys[0]!);
  const shape = cx.shapeOf(x);
  const period = shape.map((_, d) => sizeOf(shape.slice(d))).findLast((q) => keys.every((k, i) => k === keys[i % q]))!;
  const rows = keys.length / period;
  const table = transpose(cx, reshaped(cx, x, [rows, period]), [1, 0]);
  const parts: number[] = [];
  for (let start = 0; start < period; ) {
    let stop = start + 1;
    while (stop < period && keys[stop] === keys[start]) stop++;
    parts.push(lut(cx.graph.add("slice", [table], { start: [start, 0], stop: [stop, rows], step: [1, 1] }), keys[start]!));
    start = stop;
  }
  return reshaped(cx, transpose(cx, cx.graph.add("concat", parts, { axis: 0 }), [1, 0]), shape);
}

/**
 * A value in these types. A function that still waits for a type takes the quantizer's, so that it is rounded once: behind a quantizer as
 * the framework's float32 function, which reaches its limits (tanh 9.1 is 1), and otherwise correctly rounded.
 */
export function quantizeResult(cx: LayerContext, x: number, w: Widths, what: string): number | Failed {
  const node = cx.graph.node(x);
  if (node.op !== "lut" || node.attrs.f.to !== undefined) return quantizeValue(cx, x, w, what);
  const shape = cx.shapeOf(x);
  const types = typesFor(cx, w, shape, what);
  if (!types) return undefined;
  const { name, params } = node.attrs.f;
  const operand = cx.graph.node(node.operands[0]!);
  const f = params.length === 0 && Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (f && operand.op === "quantize") {
    const from = types.map((_, i) => typeAt(operand.attrs.to, i, shape.at(-1) ?? 1));
    if (from.every((t) => t.width <= 16)) return tablesOver(cx, node.operands[0]!, from, types, w, { key: () => 0, f: () => f });
  }
  const keys = types.map((t) => `${t.signed} ${t.width} ${t.int}`);
  const { round, overflow } = w;
  const tables = new Map(types.map((type, n): [string, Unary] => [keys[n]!, { name, params, to: { type, round, overflow } }]));
  return applyTables(cx, node.operands[0]!, keys, tables);
}

/** The quantizer that must be there. */
export function required(cx: LayerContext, key: string, path: string, json: Json | undefined = cx.get(key)): HgqQuantizer | Failed {
  const q = readHgqQuantizer(cx, json, key, { path }, false);
  return q === null
    ? cx.error("QN204", `\`${key}\`: a table needs quantizers before and after it`, key, "train with enable_iq and enable_oq")
    : q;
}

/** QUnaryFunctionLUT: the activation between its input and its output quantizer. The affine one scales and shifts its input before. */
export const unaryFunction =
  (isAffine: boolean) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    const f = x === undefined ? undefined : functionOf(cx, "activation");
    const [scale, bias] = isAffine ? [cx.weight("scale", [1]), cx.weight("bias", [1])] : [];
    if (x === undefined || !f || (isAffine && !(scale && bias))) return undefined;
    const before: Real = scale && bias ? (v) => Math.fround(Math.fround(v * scale.values[0]!) + bias.values[0]!) : (v) => v;
    const [iq, oq] = [required(cx, "iq_conf", "iq"), required(cx, "oq_conf", "oq")];
    const value = iq && oq && tabulated(cx, x, iq, oq, { key: () => 0, f: () => (v) => f(before(v)) });
    return value === undefined ? undefined : { value };
  };
