// quantize: the only op that loses information.
import { MAX_WIDTH } from "../fixed.js";
import { sizeOf } from "../tensor.js";
import { op, typeAt } from "./op.js";

export const quantize = op({
  name: "quantize",
  doc: "y = overflow(round(x)) in the type `to`, as ap_fixed converts",
  operands: ["x"],
  attrs: { to: "precision", round: "rounding", overflow: "overflow" },
  shape: ([x], { to }) => {
    const types = "per" in to ? to.types : [to];
    if (types.some((t) => t.width > MAX_WIDTH)) return `a width of ${Math.max(...types.map((t) => t.width))} bits is beyond the limit of ${MAX_WIDTH}`;
    if (!("per" in to)) return x!;
    const expected = to.per === "channel" ? (x!.at(-1) ?? 1) : sizeOf(x!);
    return to.types.length === expected ? x! : `${to.types.length} types are given for ${expected} ${to.per}s`;
  },
  expand: (k, [x], { to, round, overflow }) => {
    const channels = x!.shape.at(-1) ?? 1;
    return x!.at.map((v, i) => k.quantize(v, { type: typeAt(to, i, channels), round, overflow }));
  },
});
