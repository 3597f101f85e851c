// Collects the parts of the emitted C++: typedefs, tables in their own headers, a function for each op and the calls in the top function.

import { assert } from "../../diagnostics.js";
import type { FixedType } from "../../ir/fixed.js";
import type { Graph, Node } from "../../ir/graph.js";
import { identifiers } from "../../ir/names.js";
import { printShape, type Shape, sizeOf } from "../../ir/tensor.js";
import type { CppNames } from "./cpp-names.js";
import { type Table, table } from "./cpp-tables.js";
import { apFixed, commentText } from "./cpp-types.js";

/** A value of the graph in the top function: an array and its element type. */
export interface Value {
  readonly array: string;
  readonly type: string;
}

/** The one type of a node's elements. */
export function elemOf(node: Node): FixedType {
  assert(node.type.elem !== "real" && node.elements, `hls: ${node.op} has no type yet`);
  return node.type.elem;
}

/**
 * What the pragmas ask for. `parallel`: every loop is unrolled, and the network takes a sample each clock.
 * `shared`: positions come one after another, each with its channels side by side. `rolled`: the innermost loops alone are pipelined.
 */
export type Schedule = "parallel" | "shared" | "rolled";

export type Index = readonly [name: string, count: number];

/** Elements that shared hardware handles side by side: those of one position, as far as an array can sensibly be split. */
export function lanesOf(shape: Shape): number {
  const channels = shape.at(-1) ?? 1;
  let lanes = Math.min(channels, MAX_LANES);
  while (channels % lanes !== 0) lanes--;
  return lanes;
}
const MAX_LANES = 256;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

interface LoopOptions {
  /** Indentation, in steps of two columns. */
  readonly depth?: number;
  /** Elements of the innermost loop that shared hardware handles side by side. */
  readonly lanes?: number;
  /** The loops are part of a pipelined loop. */
  readonly inside?: boolean;
}

export class HlsBuilder {
  readonly typedefs: string[] = [];
  readonly tables = new Map<string, { texts: string[]; title: string }>();
  readonly functions: string[] = [];
  readonly body: string[] = [];
  private readonly values = new Map<number, Value>();
  private readonly readers = new Map<string, number>();
  private readonly layerNames: readonly string[];
  private readonly stems: readonly string[];
  wideTables = false;

  constructor(
    readonly graph: Graph,
    readonly names: CppNames,
    readonly schedule: Schedule,
    /** Constants that some op reads from an array. */
    readonly arrayConstants: ReadonlySet<number>,
  ) {
    this.layerNames = identifiers(graph.layers.map((l) => l.name));
    // Every use adds a prefix or suffix: no underscore is needed against keywords, and C++ reserves names with two.
    this.stems = this.layerNames.map((name) => name.replace(/_+/g, "_").replace(/_$/, ""));
  }

  /** The layer's own name for the value that the layer computes, `<layer>_<op>` for the steps before. */
  baseName(id: number): string {
    const node = this.graph.nodes[id]!;
    const layer = this.stems[node.layer];
    if (layer === undefined) return `${node.op}_${id}`;
    return this.graph.layers[node.layer]!.value === id ? layer : `${layer}_${node.op}`;
  }

  /** The layer's name and class for comments. */
  describe(node: Node): string {
    const layer = this.graph.layers[node.layer];
    return layer === undefined ? node.op : `${commentText(layer.name)} (${commentText(layer.kind)}): ${node.op}`;
  }

  typedef(base: string, t: FixedType, doc: string): string {
    const name = this.names.unique(base);
    this.typedefs.push(`typedef ${apFixed(t)} ${name};  // ${doc}`);
    return name;
  }

  /** A table in `weights/<layer>.h`. */
  table(
    id: number,
    suffix: string,
    t: FixedType,
    mantissas: readonly bigint[],
    row: number,
    doc: string,
  ): Table & { readonly name: string } {
    const node = this.graph.nodes[id]!;
    const layer = this.layerNames[node.layer] ?? node.op;
    const name = this.names.unique(`${this.baseName(id)}_${suffix}`);
    const made = table(name, t, mantissas, row);
    this.wideTables ||= made.wide;
    const header = this.tables.get(layer) ?? { texts: [], title: this.graph.layers[node.layer]?.name ?? node.op };
    header.texts.push(`// ${doc}\n${made.text}`);
    this.tables.set(layer, header);
    return { ...made, name };
  }

  value(id: number): Value {
    const v = this.values.get(id);
    assert(v, `hls: %${id} has no array`);
    return v;
  }
  /** The value, for one more reader. */
  read(id: number): Value {
    const v = this.value(id);
    this.readers.set(v.array, (this.readers.get(v.array) ?? 0) + 1);
    return v;
  }
  /** Whether each array so far has one reader. */
  get isChain(): boolean {
    return [...this.readers.values()].every((n) => n === 1);
  }
  bind(id: number, value: Value): void {
    this.values.set(id, value);
  }

  /** Declares the array of a node's result, with its typedef. */
  result(id: number): Value {
    const node = this.graph.nodes[id]!;
    const base = this.baseName(id);
    const type = this.typedef(`${base}_t`, elemOf(node), `${this.describe(node)} ${printShape(node.type.shape)}`);
    const array = this.names.unique(`${base}_out`);
    this.body.push("", `  ${type} ${array}[${sizeOf(node.type.shape)}];`, ...this.split(array, node.type.shape));
    const value = { array, type };
    this.bind(id, value);
    return value;
  }

  /** A function of one op, and its call in the top function. */
  op(
    id: number,
    result: Value,
    operands: readonly { readonly name: string; readonly id: number }[],
    doc: readonly string[],
    code: readonly string[],
  ): void {
    const node = this.graph.nodes[id]!;
    const base = this.baseName(id);
    const name = this.names.unique(base.endsWith(`_${node.op}`) ? base : `${node.op}_${base}`);
    const params = operands.map((o) => `const ${this.value(o.id).type} ${o.name}[${sizeOf(this.graph.nodes[o.id]!.type.shape)}]`);
    params.push(`${result.type} y[${sizeOf(node.type.shape)}]`);
    this.functions.push(
      [
        ...doc.map((d) => `// ${d}`),
        `static void ${name}(${params.join(", ")}) {`,
        ...(this.schedule === "parallel" ? [pipeline(1)] : []),
        ...code,
        "}",
        "",
      ].join("\n"),
    );
    this.body.push(`  ${name}(${[...operands.map((o) => this.read(o.id).array), result.array].join(", ")});`);
  }

  /** The pragma that lets one clock reach the lanes of an array's last axis, or the `whole` array. Tables are reshaped: fewer memories. */
  split(variable: string, shape: Shape, whole = false, how: "PARTITION" | "RESHAPE" = "PARTITION"): readonly string[] {
    const lanes = lanesOf(shape);
    if (this.schedule === "rolled") return [];
    if (this.schedule === "parallel" || whole || lanes === sizeOf(shape))
      return [`#pragma HLS ARRAY_PARTITION variable=${variable} complete dim=0`];
    return lanes > 1 ? [`#pragma HLS ARRAY_${how} variable=${variable} cyclic factor=${lanes} dim=1`] : [];
  }

  /** Nested loops around `body`, which is indented for the innermost; the index names are given with the counts. */
  loops(indices: readonly Index[], body: readonly string[], { depth = 1, lanes = 1, inside = false }: LoopOptions = {}): readonly string[] {
    const last = indices.length - 1;
    const count = indices[last]?.[1] ?? 1;
    const factor = gcd(count, lanes);
    const shared: Pragmas = (d) => {
      if (inside || (d === last && factor === count)) return [unroll];
      if (d === last) return [pipeline(1), ...(factor > 1 ? [`${unroll} factor=${factor}`] : [])];
      return d === last - 1 && factor === count ? [pipeline(1)] : [];
    };
    const pragmas: Readonly<Record<Schedule, Pragmas>> = {
      parallel: () => [unroll],
      shared,
      rolled: (d) => (d === last ? [pipeline(1)] : []),
    };
    return nest(indices, body, depth, pragmas[this.schedule]);
  }

  /** Loops around statements that hold loops; where hardware is shared, one pass begins every `interval` clocks, if that is given. */
  outerLoops(indices: readonly Index[], body: readonly string[], interval?: number): readonly string[] {
    const shared: Pragmas = (d) => (interval !== undefined && d === indices.length - 1 ? [pipeline(interval)] : []);
    const pragmas: Readonly<Record<Schedule, Pragmas>> = { parallel: () => [unroll], shared, rolled: () => [] };
    return nest(indices, body, 1, pragmas[this.schedule]);
  }
}

const unroll = "#pragma HLS UNROLL";
const pipeline = (interval: number): string => `#pragma HLS PIPELINE II=${interval}`;

/** What stands at the head of the loop at a depth. */
type Pragmas = (depth: number) => readonly string[];

/** The body keeps its own relative indentation. */
function nest(indices: readonly Index[], body: readonly string[], depth: number, pragmas: Pragmas): readonly string[] {
  const indent = (d: number): string => "  ".repeat(depth + d);
  const [open, close]: [string[], string[]] = [[], []];
  indices.forEach(([name, count], d) => {
    open.push(`${indent(d)}for (int ${name} = 0; ${name} < ${count}; ${name}++) {`, ...pragmas(d));
    close.unshift(`${indent(d)}}`);
  });
  return [...open, ...body.map((line) => (line.startsWith("#") ? line : `${indent(indices.length)}${line}`)), ...close];
}
