// narrow: high bits that no output depends on are not computed.
import type { Cell, CellOp } from "../ir/cells.js";
import { fit } from "../ir/fixed.js";
import { type Netlist, rewriteNetlist } from "../ir/netlist.js";
import { copyKeepingWidth } from "./keep-width.js";
import { pass } from "./pass.js";
import { make } from "./simplify-rules.js";

export const narrow = pass({
  name: "narrow",
  doc: "computes what feeds a `wrap` only as wide as the wrap reads, since sums, products and shifts modulo 2^w need their operands modulo 2^w only",
  from: "netlist",
  to: "netlist",
  run: narrowNetlist,
});

const ALL = Number.POSITIVE_INFINITY;

/** How many low bits of operand i a cell reads when `bits` low bits of its result are read; where absent, all. */
const reads: { readonly [K in CellOp]?: (c: Extract<Cell, { op: K }>, bits: number, i: number) => number } = {
  affine: (_, bits) => bits,
  shadd: (c, bits, i) => (i === 0 ? bits : bits - c.attrs.shift),
  mul: (_, bits) => bits,
  shl: (c, bits) => bits - c.attrs.shift,
  mux: (_, bits, i) => (i === 0 ? ALL : bits),
  wrap: (c, bits) => Math.min(bits, c.attrs.width),
};

/** Low bits of each cell that some output depends on. */
function demandedBits(n: Netlist): Float64Array {
  const demand = new Float64Array(n.cells.length);
  for (const port of n.outputs) for (const e of port.elements) demand[e] = ALL;
  for (let id = n.cells.length - 1; id >= 0; id--) {
    const c = n.cells[id]!;
    if (demand[id] === 0) continue;
    const read = reads[c.op] as ((c: Cell, bits: number, i: number) => number) | undefined;
    c.args.forEach((a, i) => {
      demand[a] = Math.max(demand[a]!, read ? read(c, demand[id]!, i) : ALL);
    });
  }
  return demand;
}

/** Cells whose results are made narrower: those that compute, and can be wider than what is read. */
const computes = new Set<CellOp>(["affine", "shadd", "mul", "mux"]);

function narrowNetlist(n: Netlist): Netlist {
  const demand = demandedBits(n);
  return rewriteNetlist(n, (c, args, b, id) => {
    const bits = Math.max(0, demand[id]!);
    const type = fit(n.ranges[id]!);
    if (bits >= type.width) {
      // Congruent modulo 2^bits and within its former width: the former value.
      return c.op === "wrap" ? make(b, "wrap", args, c.attrs) : copyKeepingWidth(c, args, b, n.ranges[id]!);
    }
    // Only congruent to the former value modulo 2^bits from here on, so its former range says nothing.
    const y = make(b, c.op, args, c.attrs as never);
    return computes.has(c.op) ? make(b, "wrap", [y], { width: bits, signed: type.signed && bits > 0 ? 1 : 0 }) : y;
  });
}
