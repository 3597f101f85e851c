// cmvm: constant matrix-vector products as shared shift-and-add networks.
import type { CellOf } from "../ir/cells.js";
import { liveCells, NetBuilder, type Netlist } from "../ir/netlist.js";
import { type Product, ProductSolver } from "./cmvm-solve.js";
import { depthsOf } from "./depth.js";
import { copyKeepingWidth, keepWidth } from "./keep-width.js";
import { pass } from "./pass.js";

export const cmvm = pass({
  name: "cmvm",
  doc: "replaces `affine` cells by networks of `shadd` cells that share two-term subexpressions of their canonical signed digits",
  from: "netlist",
  to: "netlist",
  run: shareProducts,
});

/** Affine cells on the longest path to each cell: cells of one rank never depend on the affine cells of that rank, so those can be built together. */
function ranksOf(n: Netlist): Int32Array {
  const ranks = new Int32Array(n.cells.length);
  n.cells.forEach((c, id) => {
    for (const a of c.args) ranks[id] = Math.max(ranks[id]!, ranks[a]! + (n.cells[a]!.op === "affine" ? 1 : 0));
  });
  return ranks;
}

/** Splits affine cells of one rank into the matrices: cells of one product, or else connected by common operands of one layer. */
function matricesOf(n: Netlist, ids: readonly number[]): readonly (readonly number[])[] {
  const parent = new Map<string | number, string | number>();
  const find = (x: string | number): string | number => {
    let root = x;
    while (parent.has(root)) root = parent.get(root)!;
    for (let at = x; at !== root; ) {
      const up = parent.get(at)!;
      parent.set(at, root);
      at = up;
    }
    return root;
  };
  const join = (x: string | number, y: string | number): void => {
    const [a, b] = [find(x), find(y)];
    if (a !== b) parent.set(a, b);
  };
  for (const id of ids) {
    const { args, attrs } = n.cells[id] as CellOf<"affine">;
    if (attrs.product !== undefined) join(id, `${n.layer[id]}#${attrs.product}`);
    else for (const a of args) join(id, `${n.layer[id]}:${a}`);
  }
  const groups = new Map<string | number, number[]>();
  for (const id of ids) {
    const root = find(id);
    const group = groups.get(root);
    if (group) group.push(id);
    else groups.set(root, [id]);
  }
  return [...groups.values()];
}

function shareProducts(n: Netlist): Netlist {
  const b = new NetBuilder(n.name, n.layers);
  const solver = new ProductSolver(b, depthsOf(b));
  const now = new Int32Array(n.cells.length).fill(-1);
  for (const port of n.inputs) {
    const ids = b.input(port, port.elements.map((e) => n.ranges[e]!));
    port.elements.forEach((e, i) => {
      now[e] = ids[i]!;
    });
  }
  const live = liveCells(n);
  const ranks = ranksOf(n);
  const others: number[][] = [];
  const affines: number[][] = [];
  n.cells.forEach((c, id) => {
    if (!live[id] || c.op === "input") return;
    (((c.op === "affine" ? affines : others)[ranks[id]!] ??= []) as number[]).push(id);
  });
  for (let rank = 0; rank < Math.max(others.length, affines.length); rank++) {
    for (const id of others[rank] ?? []) {
      const c = n.cells[id]!;
      b.layer = n.layer[id]!;
      now[id] = copyKeepingWidth(c, c.args.map((a) => now[a]!), b, n.ranges[id]!);
    }
    for (const ids of matricesOf(n, affines[rank] ?? [])) {
      b.layer = n.layer[ids[0]!]!;
      const products = ids.map((id): Product => {
        const { args, attrs } = n.cells[id] as CellOf<"affine">;
        return { terms: args.map((a, i) => ({ id: now[a]!, coefficient: attrs.coefficients[i]! })), bias: attrs.bias };
      });
      solver.emit(products).forEach((y, i) => {
        now[ids[i]!] = keepWidth(b, y, n.ranges[ids[i]!]!);
      });
    }
  }
  for (const port of n.outputs) b.output(port, port.elements.map((e) => now[e]!));
  return b.done();
}
