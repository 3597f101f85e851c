// split-products: a multiplication too slow for one pipeline stage becomes a sum of narrower ones, which registers may stand between.
import { fit } from "../ir/fixed.js";
import { type NetBuilder, type Netlist, rewriteNetlist } from "../ir/netlist.js";
import { mulDelay, REGISTER_OVERHEAD } from "./delay.js";
import { copyKeepingWidth, keepWidth } from "./keep-width.js";
import { pass } from "./pass.js";
import { make } from "./simplify-rules.js";

export const splitProducts = pass({
  name: "split-products",
  doc: "splits multiplications of two values that one stage of the asked clock period cannot hold: x·y = x·(y mod 2^k) + 2^k·(x·floor(y / 2^k)); changes nothing without --clock",
  from: "netlist",
  to: "netlist",
  run(n: Netlist, { options }) {
    const { pipeline } = options;
    if (!("clock" in pipeline)) return n;
    const room = pipeline.clock - REGISTER_OVERHEAD;
    const isSlow = (b: NetBuilder, x: number, y: number): boolean => mulDelay(widthOf(b, x), widthOf(b, y)) > room;
    if (!n.cells.some((c) => c.op === "mul")) return n;
    return rewriteNetlist(n, (c, args, b, id) =>
      c.op === "mul" ? keepWidth(b, product(b, args[0]!, args[1]!, isSlow), n.ranges[id]!) : copyKeepingWidth(c, args, b, n.ranges[id]!),
    );
  },
});

const widthOf = (b: NetBuilder, id: number): number => fit(b.range(id)).width;

/** Splits the narrower factor, on whose width the number of partial products depends, until each product is fast enough. */
function product(b: NetBuilder, x: number, y: number, isSlow: (b: NetBuilder, x: number, y: number) => boolean): number {
  const [wide, narrow] = widthOf(b, x) >= widthOf(b, y) ? [x, y] : [y, x];
  const width = widthOf(b, narrow);
  if (width < 2 || !isSlow(b, wide, narrow)) return make(b, "mul", [x, y], {});
  const k = Math.floor(width / 2);
  const low = make(b, "wrap", [narrow], { width: k, signed: 0 });
  const high = make(b, "shl", [narrow], { shift: -k });
  return make(b, "shadd", [product(b, wide, low, isSlow), product(b, wide, high, isSlow)], { shift: k, sub: 0 });
}
