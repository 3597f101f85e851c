// Collects the parts of the emitted C++: typedefs, tables in their own headers, a function for each op and the calls in the top function.

import { assert } from "../../diagnostics.js";
import type { FixedType } from "../../ir/fixed.js";
import type { Graph, Node } from "../../ir/graph.js";
import { identifiers } from "../../ir/names.js";
import { printShape, sizeOf } from "../../ir/tensor.js";
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

export class HlsBuilder {
  readonly typedefs: string[] = [];
  readonly tables = new Map<string, { texts: string[]; title: string }>();
  readonly functions: string[] = [];
  readonly body: string[] = [];
  private readonly values = new Map<number, Value>();
  private readonly layerNames: readonly string[];
  private readonly stems: readonly string[];
  wideTables = false;

  constructor(
    readonly graph: Graph,
    readonly names: CppNames,
    /** Loops are unrolled and the whole network takes a sample each clock; else loops stay and each is pipelined. */
    readonly unroll: boolean,
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
  bind(id: number, value: Value): void {
    this.values.set(id, value);
  }

  /** Declares the array of a node's result, with its typedef. */
  result(id: number): Value {
    const node = this.graph.nodes[id]!;
    const base = this.baseName(id);
    const type = this.typedef(`${base}_t`, elemOf(node), `${this.describe(node)} ${printShape(node.type.shape)}`);
    const array = this.names.unique(`${base}_out`);
    this.body.push("", `  ${type} ${array}[${sizeOf(node.type.shape)}];`);
    if (this.unroll) this.body.push(`#pragma HLS ARRAY_PARTITION variable=${array} complete dim=0`);
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
        ...(this.unroll ? ["#pragma HLS PIPELINE II=1"] : []),
        ...code,
        "}",
        "",
      ].join("\n"),
    );
    this.body.push(`  ${name}(${[...operands.map((o) => this.value(o.id).array), result.array].join(", ")});`);
  }

  /** Nested loops around `body`, which is indented for the innermost; the index names are given with the counts. */
  loops(indices: readonly (readonly [name: string, count: number])[], body: readonly string[], depth = 1): string[] {
    const [first, ...rest] = indices;
    const pad = "  ".repeat(depth);
    if (first === undefined) return body.map((line) => `${pad}${line}`);
    const [name, count] = first;
    const pragma = this.unroll ? ["#pragma HLS UNROLL"] : rest.length === 0 ? ["#pragma HLS PIPELINE II=1"] : [];
    return [`${pad}for (int ${name} = 0; ${name} < ${count}; ${name}++) {`, ...pragma, ...this.loops(rest, body, depth + 1), `${pad}}`];
  }
}
