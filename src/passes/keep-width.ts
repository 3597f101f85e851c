// Rebuilding cells whose operands' derived ranges grew although their values did not: the known width is stated by a wrap, which is only wiring.
import type { Cell } from "../ir/cells.js";
import { contains, fit, type Range, rangeOf } from "../ir/fixed.js";
import type { NetBuilder } from "../ir/netlist.js";

/** `id` itself if its range is no wider than the type of `known`, else `id` wrapped to that type. Exact, since every value lies in `known`. */
export function keepWidth(builder: NetBuilder, id: number, known: Range): number {
  const type = fit(known);
  if (contains(rangeOf(type), builder.range(id))) return id;
  return type.width === 0 ? builder.constant(0n) : builder.add("wrap", [id], { width: type.width, signed: type.signed ? 1 : 0 });
}

/** Adds the cell with new operands; its result is no wider than `known`, its former range. */
export function copyKeepingWidth(c: Cell, args: readonly number[], builder: NetBuilder, known: Range): number {
  if (c.op === "lut") {
    const { lo, table } = coverTable(c.attrs.lo, c.attrs.table, builder.range(args[0]!));
    return builder.add("lut", args, { lo, table });
  }
  return keepWidth(builder, builder.add(c.op, args, c.attrs as never), known);
}

/** The table extended with its end values to cover `range`; the new entries are never read. */
function coverTable(lo: bigint, table: readonly bigint[], range: Range): { readonly lo: bigint; readonly table: readonly bigint[] } {
  const before = range.lo < lo ? Number(lo - range.lo) : 0;
  const last = lo + BigInt(table.length) - 1n;
  const after = range.hi > last ? Number(range.hi - last) : 0;
  if (before + after === 0) return { lo, table };
  return { lo: lo - BigInt(before), table: [...Array<bigint>(before).fill(table[0]!), ...table, ...Array<bigint>(after).fill(table.at(-1)!)] };
}
