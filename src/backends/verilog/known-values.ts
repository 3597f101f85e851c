// Cells whose value no input can change: they are written as literals wherever they are read, like the constants that they are.
import { attrsOf, cellDef } from "../../ir/cells.js";
import type { Range } from "../../ir/fixed.js";
import type { Netlist } from "../../ir/netlist.js";

/** The value of each cell that has only one. A comparison with such a value would be constant, which lint tools report. */
export function knownValues(n: Netlist): readonly (bigint | undefined)[] {
  const known: (bigint | undefined)[] = [];
  n.cells.forEach((c, id) => {
    const given = n.ranges[id]!;
    if (given.lo === given.hi || c.op === "input") {
      known.push(given.lo === given.hi ? given.lo : undefined);
      return;
    }
    const definition = cellDef(c.op);
    const values = c.args.map((a) => known[a]);
    if (values.every((v) => v !== undefined)) known.push(definition.eval(values, attrsOf(c)));
    else if (values.every((v) => v === undefined)) known.push(undefined);
    else {
      const ranges = c.args.map((a, i): Range => ({ lo: values[i] ?? n.ranges[a]!.lo, hi: values[i] ?? n.ranges[a]!.hi }));
      const { lo, hi } = definition.range(ranges, attrsOf(c));
      known.push(lo === hi ? lo : undefined);
    }
  });
  return known;
}
