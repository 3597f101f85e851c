// The invariants of both IRs, checked after every pass. A broken one is a bug in qnnc: an InternalError that names the node.
import { InternalError } from "../diagnostics.js";
import { type Interval, interval } from "./arith.js";
import { attrsOf, type Cell, cellDef, isCellOp } from "./cells.js";
import { contains, exponent, type Range, rangeOf, sameType } from "./fixed.js";
import { type Graph, type Node, typeOfElements } from "./graph.js";
import type { Netlist } from "./netlist.js";
import { opDef, ops } from "./ops/index.js";
import { takesOperands, typeAt } from "./ops/op.js";
import { sameShape, sizeOf } from "./tensor.js";
import { attrProblem, cellAttrKinds, cellProblem, graphAttrProblem } from "./verify-attrs.js";

const fail = (where: string, what: string): never => {
  throw new InternalError(`${where}: ${what}`);
};

const sameRange = (a: Range, b: Range): boolean => a.lo === b.lo && a.hi === b.hi;
const showRange = (r: Range): string => `${r.lo}..${r.hi}`;

export function verifyNetlist(n: Netlist): void {
  const size = n.cells.length;
  if (n.ranges.length !== size || n.layer.length !== size) fail(n.name, `${size} cells, ${n.ranges.length} ranges, ${n.layer.length} layer indices`);
  for (const [id, c] of n.cells.entries()) verifyCell(n, c, id);
  verifyInputs(n);
  for (const port of n.outputs) {
    const where = `output ${JSON.stringify(port.name)}`;
    if (port.elements.length !== sizeOf(port.shape)) fail(where, `${port.elements.length} elements for shape [${port.shape.join(", ")}]`);
    for (const e of port.elements) {
      const r = n.ranges[e] ?? fail(where, `%${e} does not exist`);
      if (!contains(rangeOf(port.type), r)) fail(where, `%${e} with range ${showRange(r)} does not fit the port's type`);
    }
  }
  const problem = scheduleProblem(n);
  if (problem !== undefined) fail("schedule", problem);
}

function verifyCell(n: Netlist, c: Cell, id: number): void {
  const where = `%${id} = ${c.op}`;
  if (!isCellOp(c.op)) fail(where, "no such cell");
  const layer = n.layer[id]!;
  if (!Number.isInteger(layer) || layer < 0 || layer >= n.layers.length) fail(where, `layer ${layer} of ${n.layers.length}`);
  const x = c.args.map((a) => (Number.isInteger(a) && a >= 0 && a < id ? n.ranges[a]! : fail(where, `operand %${a} does not come before it`)));
  const attrs = attrsOf(c);
  const kinds = cellAttrKinds(c.op);
  for (const [name, kind] of Object.entries(kinds)) {
    const problem = attrProblem(kind, attrs[name]);
    if (problem !== undefined) fail(where, `${name} ${problem}`);
  }
  const extra = Object.keys(attrs).find((name) => !Object.hasOwn(kinds, name));
  if (extra !== undefined) fail(where, `unknown attribute ${extra}`);
  const problem = cellProblem(c, x);
  if (problem !== undefined) fail(where, problem);
  if (c.op === "input") return;
  const range = cellDef(c.op).range(x, attrs);
  if (!sameRange(range, n.ranges[id]!)) fail(where, `its range is given as ${showRange(n.ranges[id]!)}, and follows as ${showRange(range)}`);
}

/** Input cells are the elements of the ports, counted over all of them. */
function verifyInputs(n: Netlist): void {
  let index = 0;
  for (const port of n.inputs) {
    const where = `input ${JSON.stringify(port.name)}`;
    if (port.elements.length !== sizeOf(port.shape)) fail(where, `${port.elements.length} elements for shape [${port.shape.join(", ")}]`);
    for (const e of port.elements) {
      const c = n.cells[e];
      if (c?.op !== "input" || c.attrs.index !== index) fail(where, `%${e} is not input cell ${index}`);
      if (!contains(rangeOf(port.type), n.ranges[e]!)) fail(where, `%${e} with range ${showRange(n.ranges[e]!)} does not fit the port's type`);
      index++;
    }
  }
  const cells = n.cells.reduce((count, c) => (c.op === "input" ? count + 1 : count), 0);
  if (cells !== index) fail(n.name, `${cells} input cells, and the ports have ${index} elements`);
}

/** Why the schedule is not legal. */
export function scheduleProblem({ cells, schedule }: Netlist): string | undefined {
  if (!schedule) return undefined;
  const { stage, latency } = schedule;
  if (stage.length !== cells.length) return `${stage.length} stages for ${cells.length} cells`;
  if (!Number.isInteger(latency) || latency < 0) return `latency ${latency}`;
  for (const [id, c] of cells.entries()) {
    const s = stage[id]!;
    const where = `%${id} = ${c.op} @${s}`;
    if (!Number.isInteger(s) || s < 0 || s > latency) return `${where}: the stage is not within 0 … ${latency}`;
    if (c.op === "input" && s !== 0) return `${where}: an input arrives at stage 0`;
    // A constant is there at every stage.
    const late = c.args.find((a) => cells[a]!.op !== "const" && stage[a]! > s);
    if (late !== undefined) return `${where}: operand %${late} comes later, at stage ${stage[late]}`;
  }
  return undefined;
}

export function verifyGraph(g: Graph): void {
  for (const [id, node] of g.nodes.entries()) verifyNode(g, node, id);
  const inputs = g.nodes.flatMap((node, id) => (node.op === "input" ? [id] : []));
  if (inputs.length !== g.inputs.length || inputs.some((id) => !g.inputs.includes(id))) fail(g.name, `inputs are ${g.inputs.join(", ")}, and the input nodes ${inputs.join(", ")}`);
  for (const o of g.outputs) if (!g.nodes[o.value]) fail(`output ${JSON.stringify(o.name)}`, `%${o.value} does not exist`);
  for (const l of g.layers) if (l.value !== -1 && !g.nodes[l.value]) fail(`layer ${JSON.stringify(l.name)}`, `%${l.value} does not exist`);
}

function verifyNode(g: Graph, node: Node, id: number): void {
  const where = `%${id} = ${node.op}`;
  if (!Object.hasOwn(ops, node.op)) fail(where, "no such op");
  const def = opDef(node.op);
  if (node.layer < -1 || node.layer >= g.layers.length) fail(where, `layer ${node.layer} of ${g.layers.length}`);
  if (!takesOperands(def, node.operands.length)) fail(where, `${node.operands.length} operands instead of ${def.operands.length}`);
  const x = node.operands.map((a) => (Number.isInteger(a) && a >= 0 && a < id ? g.nodes[a]! : fail(where, `operand %${a} does not come before it`)));
  for (const [name, kind] of Object.entries(def.attrs)) {
    const problem = graphAttrProblem(kind, (node.attrs as Readonly<Record<string, unknown>>)[name]);
    if (problem !== undefined) fail(where, `${name} ${problem}`);
  }
  const shape = def.shape(x.map((v) => v.type.shape), node.attrs as never);
  if (typeof shape === "string") fail(where, shape);
  if (typeof shape !== "string" && !sameShape(shape, node.type.shape)) fail(where, `its shape is given as [${node.type.shape.join(", ")}], and follows as [${shape.join(", ")}]`);
  const elements = node.op === "input" ? inputElements(node) : intervalsOf(node, x);
  if (!elements !== !node.elements || !elements !== (node.type.elem === "real")) fail(where, "it is typed and its operands are not, or the reverse");
  if (!elements || node.type.elem === "real") return;
  elements.forEach((e, i) => {
    const given = node.elements![i];
    if (!given || !sameRange(given, e) || given.exp !== e.exp) fail(where, `element ${i} is given as ${given ? `${showRange(given)}·2^${given.exp}` : "nothing"}, and follows as ${showRange(e)}·2^${e.exp}`);
  });
  if (node.elements!.length !== elements.length) fail(where, `${node.elements!.length} elements instead of ${elements.length}`);
  if (!sameType(typeOfElements(elements), node.type.elem)) fail(where, "its type does not follow from its elements");
}

function inputElements(node: Extract<Node, { op: "input" }>): readonly Interval[] | undefined {
  const { type, shape } = node.attrs;
  if (type === undefined) return undefined;
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    const t = typeAt(type, i, shape.at(-1) ?? 1);
    return { ...rangeOf(t), exp: t.width === 0 ? 0 : exponent(t) };
  });
}

function intervalsOf(node: Node, x: readonly Node[]): readonly Interval[] | undefined {
  if (x.some((v) => !v.elements) || opDef(node.op).isReal?.(node.attrs as never)) return undefined;
  return opDef(node.op).expand(interval, x.map((v) => ({ shape: v.type.shape, at: v.elements! })), node.attrs as never);
}
