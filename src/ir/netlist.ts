// The Netlist: scalar integer cells in topological order. Cell i reads only cells < i, so it is acyclic by construction.
import { assert } from "../diagnostics.js";
import { CellTable } from "./cell-table.js";
import { type Cell, type CellAttr, type CellAttrs, type CellOp, cellDef } from "./cells.js";
import { type FixedType, fit, type Range } from "./fixed.js";
import type { Shape } from "./tensor.js";

/** A bus of the module: elements of one type side by side, element 0 in the low bits. */
export interface Port {
  readonly name: string;
  readonly shape: Shape;
  /** The type of every element as the port carries it; narrower elements are sign- or zero-extended. */
  readonly type: FixedType;
}
export interface InputPort extends Port {
  /** Cell ids of the elements, each an `input` cell whose index counts over all inputs. */
  readonly elements: readonly number[];
}
export interface OutputPort extends Port {
  /** Cell ids of the elements; each value is a mantissa of `type`. */
  readonly elements: readonly number[];
}

/** When each cell is computed: in pipeline stage `stage[i]`, `latency` clock cycles after the inputs for the last. A side table: it never changes a value. */
export interface Schedule {
  readonly stage: readonly number[];
  readonly latency: number;
}

export interface Netlist {
  readonly name: string;
  readonly cells: readonly Cell[];
  /** What each cell's value may be. */
  readonly ranges: readonly Range[];
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly OutputPort[];
  /** For each cell the index into `layers` of the model layer that it serves. */
  readonly layer: readonly number[];
  readonly layers: readonly string[];
  readonly schedule?: Schedule;
}

/** Appends cells and shares equal ones. The only way to make a Netlist. */
export class NetBuilder {
  private readonly cells: Cell[] = [];
  private readonly ranges: Range[] = [];
  private readonly layerOf: number[] = [];
  private readonly known = new CellTable(this.cells);
  private readonly inputPorts: InputPort[] = [];
  private readonly outputPorts: OutputPort[] = [];
  private inputCount = 0;
  /** Index into `layers` for the cells added next. */
  layer = 0;

  constructor(
    readonly name: string,
    readonly layers: readonly string[],
  ) {}

  /** Adds an input bus; `ranges` gives each element's own range where it is narrower than the port's type. */
  input(port: Port, ranges: readonly Range[]): readonly number[] {
    const elements = ranges.map((r) => this.push({ op: "input", args: [], attrs: { index: this.inputCount++ } }, r));
    this.inputPorts.push({ ...port, elements });
    return elements;
  }

  output(port: Port, elements: readonly number[]): void {
    this.outputPorts.push({ ...port, elements });
  }

  add<K extends CellOp>(op: K, args: readonly number[], attrs: CellAttrs<K>): number {
    const found = this.known.find(op, args, attrs as Readonly<Record<string, CellAttr>>);
    if (found.id >= 0) return found.id;
    const def = cellDef(op);
    assert(op !== "input" && (def.arity === "n" || def.arity === args.length), `${op} takes ${def.arity} operands, got ${args.length}`);
    const x = args.map((a) => {
      assert(a >= 0 && a < this.cells.length, `${op}: operand %${a} is not defined yet`);
      return this.ranges[a]!;
    });
    const id = this.push({ op, args, attrs } as unknown as Cell, def.range(x, attrs as never));
    this.known.insert(id, found.hash);
    return id;
  }
  constant(value: bigint): number {
    return this.add("const", [], { value });
  }

  range(id: number): Range {
    return this.ranges[id]!;
  }
  cell(id: number): Cell {
    return this.cells[id]!;
  }

  done(): Netlist {
    const { name, cells, ranges, inputPorts: inputs, outputPorts: outputs, layerOf: layer, layers } = this;
    return { name, cells, ranges, inputs, outputs, layer, layers };
  }

  private push(c: Cell, r: Range): number {
    this.ranges.push(r);
    this.layerOf.push(this.layer);
    return this.cells.push(c) - 1;
  }
}

/** The integer type of a cell's value. */
export const typeOfCell = (n: Netlist, id: number): FixedType => fit(n.ranges[id]!);

/** Number of elements over all inputs. */
export const inputCount = (n: Netlist): number => n.inputs.reduce((s, p) => s + p.elements.length, 0);

/** What a netlist pass does with one cell: return the id of its replacement. */
export type RewriteCell = (c: Cell, args: readonly number[], builder: NetBuilder, id: number) => number;

export const copyCell: RewriteCell = (c, args, builder) => builder.add(c.op, args, c.attrs as never);

/** Rebuilds a netlist cell by cell, keeping ports and layers; cells that no output needs are left out. Drops the schedule. */
export function rewriteNetlist(n: Netlist, rewrite: RewriteCell): Netlist {
  const builder = new NetBuilder(n.name, n.layers);
  const now = new Int32Array(n.cells.length).fill(-1);
  for (const port of n.inputs) {
    const ids = builder.input(port, port.elements.map((e) => n.ranges[e]!));
    port.elements.forEach((e, i) => {
      now[e] = ids[i]!;
    });
  }
  const live = liveCells(n);
  n.cells.forEach((c, id) => {
    if (!live[id] || c.op === "input") return;
    builder.layer = n.layer[id]!;
    now[id] = rewrite(c, c.args.map((a) => now[a]!), builder, id);
  });
  for (const port of n.outputs) builder.output(port, port.elements.map((e) => now[e]!));
  return builder.done();
}

/** 1 for every cell that some output depends on. */
export function liveCells(n: Netlist): Uint8Array {
  const live = new Uint8Array(n.cells.length);
  for (const port of n.outputs) for (const e of port.elements) live[e] = 1;
  for (let id = n.cells.length - 1; id >= 0; id--) if (live[id]) for (const a of n.cells[id]!.args) live[a] = 1;
  return live;
}
