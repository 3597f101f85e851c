// The proxy form of HGQ 1, which its `to_proxy_model` writes: Keras' layers with weights on their grid, and quantizer layers between them.
import { type FixedType, fixed, type Overflow, overflows, type Rounding, roundings } from "../../../ir/fixed.js";
import { sizeOf } from "../../../ir/tensor.js";
import { isArray } from "../json.js";
import { type Failed, type LayerContext, type LayerResult, show } from "../layers/context.js";
import { quantizeResult } from "./table.js";
import { typeOf } from "./widths.js";

const MAX_WEIGHTS = 1 << 26;

export const proxyVariables = (): readonly string[] => ["keep_negative", "bits", "integers"];

/** `integers` counts the sign; 0 bits give 0. The batch axis leads the shape of the variables where they have as many axes as the batch. */
export function fixedPointQuantizer(cx: LayerContext): LayerResult | Failed {
  const x = cx.input();
  if (x === undefined) return undefined;
  const [round, overflow] = [cx.get("RND") ?? "TRN", cx.get("SAT") ?? "WRAP"];
  if (!(roundings as readonly unknown[]).includes(round)) return cx.error("QN204", `unknown rounding mode ${show(round)}`, "RND");
  if (!(overflows as readonly unknown[]).includes(overflow))
    return cx.error("QN204", `the overflow mode ${show(overflow)} is not supported`, "SAT", "use WRAP, SAT, SAT_SYM or SAT_ZERO");
  const shape = cx.get("shape");
  if (
    !isArray(shape) ||
    !shape.every((d): d is number => typeof d === "number" && Number.isInteger(d) && d > 0) ||
    sizeOf(shape) > MAX_WEIGHTS
  )
    return cx.error("QN200", `\`shape\` must be a list of sizes, not ${show(shape)}`, "shape");
  const [k, b, i] = proxyVariables().map((name) => cx.weight(name, shape)?.values);
  if (!k || !b || !i) return undefined;
  const types = Array.from(b, (bits, n): FixedType => {
    const sign = k[n]! > 0 ? 1 : 0;
    return bits <= 0 ? typeOf(0, 0, 0, "WRAP") : typeOf(sign, i[n]! - sign, bits - i[n]!, overflow as Overflow);
  });
  const widths = {
    shape: shape.length > cx.shapeOf(x).length ? shape.slice(1) : shape,
    types,
    round: round as Rounding,
    overflow: overflow as Overflow,
  };
  const value = quantizeResult(cx, x, widths, "the quantizer");
  return value === undefined ? undefined : { value };
}

export const tableVariables = (): readonly string[] => ["table"];

/** UnaryLUT: table[x·2^f mod 2^width], where x has k sign, i integer and f fraction bits. */
export function unaryLut(cx: LayerContext): LayerResult | Failed {
  const x = cx.input();
  const [from, to] = [kifOf(cx, "kif_in"), kifOf(cx, "kif_out")];
  if (x === undefined || !from || !to) return undefined;
  if (from.width > 16) return cx.error("QN301", `a table of ${from.width} address bits is beyond the limit of 16`, "kif_in");
  const n = 2 ** from.width;
  const table = cx.weight("table", [n]);
  if (!table) return undefined;
  const code = cx.graph.add("quantize", [x], { to: from, round: "RND_CONV", overflow: "WRAP" });
  const first = from.signed ? -n / 2 : 0;
  const values = Array.from({ length: n }, (_, m) => table.values[(m + first + n) % n]!);
  const step = 2 ** (from.int - from.width);
  const params = [first * step, step, ...values];
  return { value: cx.graph.add("lut", [code], { f: { name: "table", params, to: { type: to, round: "TRN", overflow: "SAT" } } }) };
}

function kifOf(cx: LayerContext, key: string): FixedType | Failed {
  const v = cx.get(key);
  const numbers = isArray(v) && v.length === 3 && v.every((n): n is number => typeof n === "number" && Number.isInteger(n)) ? v : undefined;
  const [k, i, f] = numbers ?? [];
  if (k === undefined || i === undefined || f === undefined || k < 0 || k > 1 || k + i + f < 1 || k + i + f > 64)
    return cx.error("QN200", `\`${key}\` must be sign, integer and fraction bits, not ${show(v)}`, key);
  return fixed(k + i + f, k + i, k === 1);
}
