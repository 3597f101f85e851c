// simplify: constants, identities and dead cells.
import { sameAttrs } from "../ir/cell-table.js";
import { attrsOf, type Cell } from "../ir/cells.js";
import { shiftFloor } from "../ir/fixed.js";
import { copyCell, type NetBuilder, type Netlist, rewriteNetlist } from "../ir/netlist.js";
import { keepWidth } from "./keep-width.js";
import { pass } from "./pass.js";
import { make, simplified, constantValue } from "./simplify-rules.js";

export const simplify = pass({
  name: "simplify",
  doc: "folds constants, applies identities that hold for the operands' ranges, moves clamps behind rounding, and removes cells that no output needs",
  from: "netlist",
  to: "netlist",
  run: simplifyNetlist,
});

/** Rules seldom uncover new ones; each round but the last makes the netlist smaller or its clamps narrower. */
const MAX_ROUNDS = 16;

function simplifyNetlist(n: Netlist): Netlist {
  let now = n;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = rewriteNetlist(simplifyOnce(now), copyCell); // the copy leaves out what the rules left unread
    if (sameCells(next, now)) break;
    now = next;
  }
  return now.schedule ? rewriteNetlist(now, copyCell) : now;
}

function sameCells(a: Netlist, b: Netlist): boolean {
  const sameOutputs = a.outputs.every((port, p) => port.elements.every((e, i) => e === b.outputs[p]!.elements[i]));
  return sameOutputs && a.cells.length === b.cells.length && a.cells.every((c, id) => c.op === b.cells[id]!.op && sameAttrs(attrsOf(c), attrsOf(b.cells[id]!)) && c.args.every((x, i) => x === b.cells[id]!.args[i]));
}

function simplifyOnce(n: Netlist): Netlist {
  const readers = new Int32Array(n.cells.length);
  for (const c of n.cells) for (const a of c.args) readers[a]!++;
  for (const port of n.outputs) for (const e of port.elements) readers[e]!++;
  /** Readers of each new cell, as far as it stands for old ones. */
  const uses: number[] = [];
  return rewriteNetlist(n, (c, args, b, id) => {
    const cell = { ...c, args } as Cell;
    const y = keepWidth(b, movedInward(b, cell, (x) => uses[x] === 1) ?? simplified(b, cell), n.ranges[id]!);
    uses[y] = (uses[y] ?? 0) + readers[id]!;
    return y;
  });
}

/**
 * Adding a constant and dropping low bits are monotone, so they commute with clamps: f(max(x, k)) = max(f(x), f(k)). A clamp behind a truncation is
 * narrower, and a rounding constant in front of one joins the bias. Only where nothing else reads what is replaced.
 */
function movedInward(b: NetBuilder, c: Cell, single: (id: number) => boolean): number | undefined {
  const x = c.args[0]!;
  if (c.op === "shl" && c.attrs.shift < 0 && isClamp(b, x) && single(x)) {
    const { shift } = c.attrs;
    return behindClamps(b, x, single, (y) => make(b, "shl", [y], { shift }), (k) => shiftFloor(k, shift));
  }
  const k = c.op === "shadd" && c.attrs.sub === 0 && c.attrs.shift === 0 ? constantValue(b, c.args[1]!) : undefined;
  if (k === undefined || !single(x)) return undefined;
  let inner = x;
  while (isClamp(b, inner) && single(inner)) inner = b.cell(inner).args[0]!;
  if (!single(inner) || !holdsConstant(b, inner)) return undefined;
  return behindClamps(b, x, single, (y) => plusConstant(b, y, k), (j) => j + k);
}

const isClamp = (b: NetBuilder, id: number): boolean => {
  const c = b.cell(id);
  return (c.op === "max" || c.op === "min") && constantValue(b, c.args[1]!) !== undefined;
};

/** A sum that takes another constant at no cost. */
const holdsConstant = (b: NetBuilder, id: number): boolean => {
  const c = b.cell(id);
  return c.op === "affine" || (c.op === "shadd" && c.args.some((a) => constantValue(b, a) !== undefined));
};

function plusConstant(b: NetBuilder, x: number, k: bigint): number {
  const c = b.cell(x);
  if (c.op === "affine") return make(b, "affine", c.args, { ...c.attrs, bias: c.attrs.bias + k });
  return make(b, "shadd", [x, b.constant(k)], { shift: 0, sub: 0 });
}

/** f of a chain of clamps, with f applied first. */
function behindClamps(b: NetBuilder, x: number, single: (id: number) => boolean, f: (id: number) => number, ofConstant: (k: bigint) => bigint): number {
  const c = b.cell(x);
  if (!isClamp(b, x) || !single(x)) return f(x);
  const bound = b.constant(ofConstant(constantValue(b, c.args[1]!)!));
  return make(b, c.op as "max" | "min", [behindClamps(b, c.args[0]!, single, f, ofConstant), bound], {});
}
