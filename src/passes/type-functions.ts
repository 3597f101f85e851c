// Types for functions that have none: from the range of the function over its proven operand, at the working width.
import type { Reporter } from "../diagnostics.js";
import { bitLength, type Conversion, exponent, type FixedType, fit, printFixed, type Range, roundShift } from "../ir/fixed.js";
import { type GraphBuilder, type Layer, rangeOfNode } from "../ir/graph.js";
import { rangeOfUnary, type UnaryFunction } from "../ir/unary.js";
import { slopeBound } from "./function-bounds.js";
import type { PassOptions } from "./pass.js";

/** The narrowest step that keeps a range within `width` bits after rounding; no value can overflow it. */
export function typeForRange(r: Range, exp: number, width: number, round: "RND" | "TRN" = "RND"): FixedType {
  const exactType = fit(r, exp);
  for (let drop = Math.max(0, exactType.width - width); ; drop++) {
    const type = fit({ lo: roundShift(r.lo, drop, round), hi: roundShift(r.hi, drop, round) }, exp + drop);
    if (type.width <= width) return type;
  }
}

/** The type of `width` bits that holds what was seen; a value beyond it saturates. */
export function typeForObserved({ lo, hi }: { readonly lo: number; readonly hi: number }, width: number, signed: boolean): Conversion {
  const largest = Math.max(Math.abs(lo), Math.abs(hi), 2 ** -64);
  return { type: { signed, width, int: Math.floor(Math.log2(largest)) + 1 + Number(signed) }, round: "RND", overflow: "SAT" };
}

/** Fine enough to see the range of any function. */
const FINE: FixedType = { signed: true, width: 1280, int: 1100 };

/** The type of `width` bits that holds f over the range. The last step below a bound that f only tends to, such as 1 of tanh, saturates. */
export function typeForFunction(f: UnaryFunction, r: Range, exp: number, width: number): { readonly type: FixedType; readonly saturates: boolean } {
  const range = rangeOfUnary({ ...f, to: { type: FINE, round: "TRN", overflow: "SAT" } }, r, exp);
  const type = typeForRange(range, exponent(FINE), width, "TRN");
  if (exponent(type) <= 0 || width < 2) return { type, saturates: false };
  // Steps above 1, for the sake of an end of the range that data hardly reaches.
  return { type: { ...type, width, int: Math.ceil(width / 2) }, saturates: true };
}

/** A power of two has one bit, but a range: these more let it scale data far smaller than the proven range. */
const POWER_BITS = 8;

/** y = f(x) for a typed x and an untyped f. The operand keeps only the bits that can change the result by a quarter of a step. */
export function addFunction(f: UnaryFunction, x: number, builder: GraphBuilder, layer: Layer | undefined, id: number, { precision, width, observed }: PassOptions, reporter: Reporter): number {
  const node = builder.node(x);
  if (builder.isPoisoned(x) || node.type.elem === "real") return builder.add("lut", [x], { f });
  const working = precision?.type.width ?? width;
  const [r, exp] = [rangeOfNode(node), exponent(node.type.elem)];
  if (f.name === "linear") {
    if (node.type.elem.width <= working) return x;
    return builder.add("quantize", [x], { to: typeForRange(r, exp, working), round: "RND", overflow: "WRAP" });
  }
  const { type: proven, saturates } = typeForFunction(f, r, exp, working + (f.name === "rsqrt_po2" ? POWER_BITS : 0));
  const seen = layer?.value === id && precision === undefined ? observed?.get(layer.name) : undefined;
  const own = seen && typeForObserved(seen, width, proven.signed).type;
  const type = own && (saturates || own.int < proven.int) ? own : proven;
  if (saturates && !own) {
    reporter.warn("QN303", `the proven range of ${f.name}'s operand, ${printFixed(fit(r, exp))}, lets the result leave every type of ${working} bits with a fraction: it saturates at 2^${type.int}`, {
      ...(layer ? { at: { ...layer.at, layer: layer.name } } : {}),
      help: "bound the value before it, or give that layer a narrower precision",
    });
  }
  const slope = slopeBound(f, Number(r.lo) * 2 ** exp, Number(r.hi) * 2 ** exp);
  const coarsest = Number.isFinite(slope) && slope > 0 ? exponent(type) - 2 - Math.ceil(Math.log2(slope)) : exp;
  const operand = coarsest > exp ? rounded(x, r, exp, coarsest, builder) : x;
  return builder.add("lut", [operand], { f: { ...f, to: { type, round: "RND", overflow: "SAT" } } });
}

function rounded(x: number, r: Range, exp: number, to: number, builder: GraphBuilder): number {
  const drop = Math.min(to - exp, Math.max(bitLength(r.lo), bitLength(r.hi)));
  const type = fit({ lo: roundShift(r.lo, drop, "RND"), hi: roundShift(r.hi, drop, "RND") }, exp + drop);
  return builder.add("quantize", [x], { to: type, round: "RND", overflow: "WRAP" });
}
