// Prints both IRs as .qir text, one line a node. Grammar: spec/ir.md. What it prints, parse.ts reads back to the same text.
import { attrsOf } from "../cells.js";
import { fit, printFixed, type Range, rangeOf } from "../fixed.js";
import type { Graph } from "../graph.js";
import type { InputPort, Netlist, OutputPort } from "../netlist.js";
import { opDef } from "../ops/index.js";
import { printShape } from "../tensor.js";
import { cellAttrKinds } from "../verify-attrs.js";
import { printAttr, printCellAttr } from "./attrs.js";

export const FORMAT_VERSION = 1;

const operands = (ids: readonly number[]): string => ids.map((a) => ` %${a}`).join("");
const braced = (attrs: readonly string[]): string => (attrs.length === 0 ? "" : ` {${attrs.join(", ")}}`);
const lines = (all: readonly string[]): string => `${all.join("\n")}\n`;

/** `s8` for a whole type, `s8 -100..100` for a part of it. */
export function printRange(r: Range): string {
  const type = fit(r);
  const whole = rangeOf(type);
  const name = `${type.signed ? "s" : "u"}${type.width}`;
  return whole.lo === r.lo && whole.hi === r.hi ? name : `${name} ${r.lo}..${r.hi}`;
}

export function printNetlist(n: Netlist): string {
  const port = (kind: string, p: InputPort | OutputPort): string => `${kind} ${JSON.stringify(p.name)} ${printShape(p.shape)} ${printFixed(p.type)} =${operands(p.elements)}`;
  const cells = n.cells.map((c, id) => {
    const values = attrsOf(c);
    const attrs = Object.entries(cellAttrKinds(c.op)).flatMap(([name, kind]) => (values[name] === undefined ? [] : [`${name} = ${printCellAttr(kind, values[name])}`]));
    const stage = n.schedule ? ` @${n.schedule.stage[id]}` : "";
    const layer = n.layer[id] === 0 ? "" : ` #${n.layer[id]}`;
    return `%${id} = ${c.op}${operands(c.args)}${braced(attrs)} : ${printRange(n.ranges[id]!)}${stage}${layer}`;
  });
  return lines([
    `qir ${FORMAT_VERSION} netlist ${JSON.stringify(n.name)}`,
    ...n.layers.map((name) => `layer ${JSON.stringify(name)}`),
    ...n.inputs.map((p) => port("input", p)),
    ...n.outputs.map((p) => port("output", p)),
    ...(n.schedule ? [`latency ${n.schedule.latency}`] : []),
    ...cells,
  ]);
}

export function printGraph(g: Graph): string {
  const nodes = g.nodes.map((node, id) => {
    const values = node.attrs as Readonly<Record<string, unknown>>;
    const attrs = Object.entries(opDef(node.op).attrs).flatMap(([name, kind]) => (values[name] === undefined ? [] : [`${name} = ${printAttr(kind, values[name])}`]));
    const { shape, elem } = node.type;
    const layer = node.layer < 0 ? "" : ` #${node.layer}`;
    return `%${id} = ${node.op}${operands(node.operands)}${braced(attrs)} : ${printShape(shape)} ${elem === "real" ? elem : printFixed(elem)}${layer}`;
  });
  return lines([
    `qir ${FORMAT_VERSION} graph ${JSON.stringify(g.name)}`,
    ...g.layers.map((l) => `layer ${JSON.stringify(l.name)} ${JSON.stringify(l.kind)}${l.value < 0 ? "" : ` = %${l.value}`}`),
    ...g.outputs.map((o) => `output ${JSON.stringify(o.name)} = %${o.value}${o.host === undefined ? "" : ` ${o.host}`}`),
    ...nodes,
  ]);
}
