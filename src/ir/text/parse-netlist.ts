// Reads the netlist form of .qir text. Ranges are derived again by the builder and compared with what the text states.
import type { Reporter } from "../../diagnostics.js";
import { type Cell, type CellAttr, type CellOp, cells, isCellOp } from "../cells.js";
import { contains, fit, type Range, rangeOf, sameType } from "../fixed.js";
import { NetBuilder, type Netlist, type Port } from "../netlist.js";
import { sizeOf } from "../tensor.js";
import { attrProblem, cellAttrKinds, cellProblem } from "../verify-attrs.js";
import { scheduleProblem } from "../verify.js";
import { readCellAttr, readFixed, readInteger, readNatural, readShape, readString } from "./attrs.js";
import { readAttrs, readHeader, readName, readOp, readOperands } from "./lines.js";
import { printRange } from "./print.js";
import { Scanner } from "./scanner.js";

interface PortLine {
  readonly position: number;
  readonly port: Port;
  readonly elements: readonly string[];
}

interface CellLine {
  readonly position: number;
  readonly name: string;
  readonly op: CellOp;
  readonly operands: readonly string[];
  readonly attrs: Readonly<Record<string, CellAttr>>;
  readonly range: Range;
  readonly stage: number | undefined;
  readonly layer: number;
}

interface Lines {
  readonly layers: string[];
  readonly inputs: PortLine[];
  readonly outputs: PortLine[];
  latency?: number;
  readonly cells: CellLine[];
}

export function parseNetlist(text: string, source: string, reporter: Reporter): Netlist | undefined {
  const s = new Scanner(text, source, reporter);
  const name = readHeader(s, "netlist");
  const lines: Lines = { layers: [], inputs: [], outputs: [], cells: [] };
  while (!s.done) readLine(s, lines);
  return s.failed ? undefined : build(s, name, lines);
}

function readLine(s: Scanner, lines: Lines): void {
  const keyword = s.take(/(?:layer|input|output|latency)\b/y);
  if (keyword === undefined) lines.cells.push(readCell(s));
  else if (lines.cells.length > 0) s.fail(`\`${keyword}\` lines come before the cells`);
  else if (keyword === "layer") lines.layers.push(readString(s));
  else if (keyword === "latency") lines.latency = readNatural(s);
  else lines[keyword === "input" ? "inputs" : "outputs"].push(readPort(s));
  s.endLine();
}

function readPort(s: Scanner): PortLine {
  const { position } = s;
  const port: Port = { name: readString(s), shape: readShape(s), type: readFixed(s) };
  s.expect("=");
  const elements = readOperands(s);
  if (!s.failed && (elements.length !== sizeOf(port.shape) || elements.length === 0)) {
    s.fail(`port ${JSON.stringify(port.name)} of shape [${port.shape.join(", ")}] has ${elements.length} elements`, "QN600", position);
  }
  return { position, port, elements };
}

function readCell(s: Scanner): CellLine {
  const name = readName(s);
  const { position } = s;
  s.expect("=");
  const op = readOp(s, Object.keys(cells));
  const operands = readOperands(s);
  const kinds = isCellOp(op) ? cellAttrKinds(op) : {};
  const attrs = readAttrs(s, kinds, (kind) => {
    const value = readCellAttr(kind, s);
    const problem = s.failed ? undefined : attrProblem(kind, value);
    if (problem !== undefined) s.fail(`the value ${problem}`);
    return value;
  });
  const missing = Object.keys(kinds).find((n) => kinds[n] !== "index?" && !Object.hasOwn(attrs, n));
  if (!s.failed && missing !== undefined) s.fail(`${op} needs the attribute \`${missing}\``);
  s.expect(":");
  const range = readRange(s);
  const stage = s.accept("@") ? readNatural(s) : undefined;
  const layer = s.accept("#") ? readNatural(s) : 0;
  return { position, name, op: op as CellOp, operands, attrs, range, stage, layer };
}

/** `s8`, or `s8 -100..100`, where the type must be the narrowest of the range. */
function readRange(s: Scanner): Range {
  const text = s.read(/[su]\d{1,6}\b/y, "a width such as s8 or u8");
  const width = Number(text.slice(1));
  const type = { signed: text.startsWith("s"), width, int: width };
  if (!s.failed && (width > 65536 || (type.signed && width === 0))) s.fail(`\`${text}\` is no width`);
  if (s.failed) return { lo: 0n, hi: 0n };
  if (s.take(/(?=-?\d)/y) === undefined) return rangeOf(type);
  const lo = readLowerEnd(s);
  const hi = readInteger(s);
  if (!s.failed && (lo > hi || !sameType(fit({ lo, hi }), type))) s.fail(`${lo}..${hi} is not a range of \`${text}\``, "QN601");
  return { lo, hi };
}

/** The lower end, with the dots. */
function readLowerEnd(s: Scanner): bigint {
  const text = s.read(/-?\d{1,1300}\.\./y, "a range such as -100..100");
  return s.failed ? 0n : BigInt(text.slice(0, -2));
}

/** Builds the netlist from lines that are each well-formed. */
function build(s: Scanner, name: string, lines: Lines): Netlist | undefined {
  const builder = new NetBuilder(name, lines.layers);
  const ids = new Map<string, number>();
  const addInput = inputReader(s, builder, lines);
  const stages: number[] = [];
  for (const line of lines.cells) {
    const fail = (message: string, code: "QN600" | "QN601" = "QN600"): undefined => s.fail(message, code, line.position);
    if (ids.has(line.name)) return fail(`${line.name} is defined twice`);
    if (line.layer >= lines.layers.length) return fail(`there is no layer ${line.layer}`);
    if ((line.stage === undefined) !== (lines.latency === undefined)) return fail("a scheduled netlist has a `latency` line and a stage for each cell");
    builder.layer = line.layer;
    const args = line.operands.map((a) => ids.get(a) ?? -1);
    if (args.includes(-1)) return fail(`${line.operands[args.indexOf(-1)]} is not defined before ${line.name}`);
    const cell = { op: line.op, args, attrs: line.attrs } as unknown as Cell;
    const problem = cellProblem(cell, args.map((a) => builder.range(a))) ?? addInput(line, cell);
    if (problem !== undefined) return fail(`${line.op}: ${problem}`);
    if (cell.op !== "input") {
      const id = builder.add(cell.op, args, cell.attrs as never);
      if (id !== stages.length) return fail(`${line.name} is equal to ${lines.cells[id]!.name}; a netlist holds each cell once`);
      const r = builder.range(id);
      if (r.lo !== line.range.lo || r.hi !== line.range.hi) return fail(`${line.name} is stated as ${printRange(line.range)}, and follows as ${printRange(r)}`, "QN601");
    }
    ids.set(line.name, stages.length);
    stages.push(line.stage ?? 0);
  }
  for (const { position, port, elements } of lines.inputs) {
    const absent = elements.find((e) => !ids.has(e));
    if (absent !== undefined) return s.fail(`${absent} is not defined`, "QN600", position);
    const wide = elements.find((e) => !contains(rangeOf(port.type), builder.range(ids.get(e)!)));
    if (wide !== undefined) return s.fail(`${wide} is wider than port ${JSON.stringify(port.name)}`, "QN601", position);
  }
  for (const { position, port, elements } of lines.outputs) {
    const cellIds = elements.map((e) => ids.get(e) ?? -1);
    if (cellIds.includes(-1)) return s.fail(`${elements[cellIds.indexOf(-1)]} is not defined`, "QN600", position);
    const wide = cellIds.findIndex((e) => !contains(rangeOf(port.type), builder.range(e)));
    if (wide >= 0) return s.fail(`${elements[wide]} is wider than port ${JSON.stringify(port.name)}`, "QN601", position);
    builder.output(port, cellIds);
  }
  const netlist = builder.done();
  if (lines.latency === undefined) return netlist;
  const scheduled = { ...netlist, schedule: { stage: stages, latency: lines.latency } };
  const problem = scheduleProblem(scheduled);
  return problem === undefined ? scheduled : s.fail(problem, "QN601", 0);
}

/** Checks that the input cells are the elements of the input ports in order, side by side, and adds each port at its first. Returns what is wrong. */
function inputReader(s: Scanner, builder: NetBuilder, lines: Lines): (line: CellLine, cell: Cell) => string | undefined {
  const pending = lines.inputs.flatMap(({ port, elements }) => elements.map((element, i) => ({ port, elements, element, first: i === 0 })));
  const byName = new Map(lines.cells.map((c) => [c.name, c]));
  let count = 0;
  return (line, cell) => {
    const next = pending[count];
    const inside = next !== undefined && !next.first;
    if (cell.op !== "input") return inside ? `${next.element} should come here: the elements of an input port stand side by side` : undefined;
    if (next?.element !== line.name || cell.attrs.index !== count) return `the next element of the input ports is ${next?.element ?? "none"}, with index ${count}`;
    count++;
    if (inside || s.failed) return undefined;
    const cells = next.elements.map((e) => byName.get(e));
    const other = cells.findIndex((c) => c?.op !== "input");
    if (other >= 0) return `${next.elements[other]} of port ${JSON.stringify(next.port.name)} is no input cell`;
    builder.input(next.port, cells.map((c) => c!.range));
    return undefined;
  };
}
