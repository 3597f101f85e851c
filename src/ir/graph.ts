// The Graph: tensor ops in topological order. Node i reads only nodes < i; passes rebuild, they never mutate.
import { assert, type Detail, type Place, type Reporter } from "../diagnostics.js";
import { type Interval, interval } from "./arith.js";
import { type Conversion, exponent, type FixedType, fit, hull, rangeOf, shiftFloor, type Range } from "./fixed.js";
import { takesOperands, typeAt } from "./ops/op.js";
import { type OpAttrs, type OpName, opDef } from "./ops/index.js";
import { type Shape, sizeOf } from "./tensor.js";

/** `real` until a precision is assigned; then the one fixed-point type that holds every element. */
export interface TensorType {
  readonly shape: Shape;
  readonly elem: "real" | FixedType;
}

interface NodeOf<K extends OpName> {
  readonly op: K;
  readonly operands: readonly number[];
  readonly attrs: OpAttrs<K>;
  readonly type: TensorType;
  /** What each element may be, by interval analysis; absent while the value is real. Mantissas are at the interval's own exponent. */
  readonly elements?: readonly Interval[];
  /** Index into Graph.layers of the model layer that this node comes from. */
  readonly layer: number;
}
export type Node = { [K in OpName]: NodeOf<K> }[OpName];
export type NodeWith<K extends OpName> = Extract<Node, { op: K }>;

/** A layer of the user's model, and the value that it computes; `value` is −1 once a pass has merged it away. */
export interface Layer {
  readonly name: string;
  /** The class in the source framework, such as QDense. */
  readonly kind: string;
  readonly value: number;
  readonly at?: Place;
}

export const hostSteps = ["softmax", "sigmoid"] as const;
export type HostStep = (typeof hostSteps)[number];

/** `host` names a last step in floating point that the host computes from the exact values, never the firmware. */
export interface GraphOutput {
  readonly name: string;
  readonly value: number;
  readonly host?: HostStep;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  /** The input nodes, in the model's order. */
  readonly inputs: readonly number[];
  readonly outputs: readonly GraphOutput[];
  readonly layers: readonly Layer[];
}

/** The one type that holds all elements. */
export function typeOfElements(elements: readonly Interval[]): FixedType {
  const live = elements.filter((e) => e.lo !== 0n || e.hi !== 0n);
  if (live.length === 0) return { signed: false, width: 0, int: 0 };
  const exp = live.reduce((e, x) => Math.min(e, x.exp), Number.POSITIVE_INFINITY);
  const range = live.map((e): Range => ({ lo: e.lo << BigInt(e.exp - exp), hi: e.hi << BigInt(e.exp - exp) })).reduce(hull);
  return fit(range, exp);
}

/** The range of all elements of a typed node as mantissas of its type. */
export function rangeOfNode(node: Node): Range {
  assert(node.elements && node.type.elem !== "real", "rangeOfNode: real value");
  const exp = exponent(node.type.elem);
  return node.elements.map((e): Range => ({ lo: shiftFloor(e.lo, e.exp - exp), hi: shiftFloor(e.hi, e.exp - exp) })).reduce(hull);
}

/** The only way to make a Graph. Mistakes are reported with the current layer's place; the value is then a poisoned one, and its uses stay silent. */
export class GraphBuilder {
  private readonly nodes: Node[] = [];
  private readonly poisoned = new Set<number>();
  private readonly layers: { -readonly [K in keyof Layer]: Layer[K] }[] = [];
  private readonly inputs: number[] = [];
  private readonly outputs: GraphOutput[] = [];
  private current = -1;

  constructor(
    private readonly name: string,
    private readonly reporter: Reporter,
  ) {}

  /** Nodes added from now on belong to this layer. */
  beginLayer(name: string, kind: string, at?: Place): number {
    this.current = this.layers.push({ name, kind, value: -1, ...(at ? { at } : {}) }) - 1;
    return this.current;
  }
  /** Continues an earlier layer, or none (−1). */
  resumeLayer(index: number): void {
    this.current = index;
  }
  /** States which value a layer computes. */
  endLayer(value: number, index = this.current): void {
    this.layers[index]!.value = value;
  }

  input(name: string, shape: Shape, to?: Conversion): number {
    return this.add("input", [], { name, shape, type: to?.type, round: to?.round ?? "TRN", overflow: to?.overflow ?? "WRAP" });
  }

  output(name: string, value: number, host?: HostStep): void {
    if (!this.poisoned.has(value)) this.outputs.push({ name, value, ...(host ? { host } : {}) });
  }

  add<K extends OpName>(op: K, operands: readonly number[], attrs: OpAttrs<K>): number {
    if (operands.some((x) => this.poisoned.has(x))) return this.poison();
    const def = opDef(op);
    const args = operands.map((x) => this.nodes[x]!);
    assert(args.every(Boolean) && takesOperands(def, args.length), `${op}: operands ${operands.join(", ")}`);
    const shape = def.shape(args.map((a) => a.type.shape), attrs as never);
    if (typeof shape === "string") {
      this.fail(`${op}: ${shape}`);
      return this.poison();
    }
    const elements = this.elementsOf(op, args, attrs, shape);
    const type: TensorType = { shape, elem: elements ? typeOfElements(elements) : "real" };
    const value = this.push({ op, operands, attrs, type, layer: this.current, ...(elements ? { elements } : {}) } as unknown as Node);
    if (op === "input") this.inputs.push(value);
    return value;
  }

  /** Reports a mistake at the current layer's place. */
  fail(message: string, detail: Detail = {}): void {
    const layer = this.layers[this.current];
    this.reporter.error("QN305", message, { ...(layer ? { at: { ...layer.at, layer: layer.name } } : {}), ...detail });
  }
  poison(): number {
    const value = this.push({ op: "reshape", operands: [], attrs: { shape: [] }, type: { shape: [], elem: "real" }, layer: this.current });
    this.poisoned.add(value);
    return value;
  }
  isPoisoned(value: number): boolean {
    return this.poisoned.has(value);
  }

  node(value: number): Node {
    return this.nodes[value]!;
  }
  get length(): number {
    return this.nodes.length;
  }

  done(): Graph | undefined {
    if (this.reporter.failed || this.poisoned.size > 0) return undefined;
    return { name: this.name, nodes: this.nodes, inputs: this.inputs, outputs: this.outputs, layers: this.layers };
  }

  private push(node: Node): number {
    return this.nodes.push(node) - 1;
  }

  private elementsOf(op: OpName, args: readonly Node[], attrs: unknown, shape: Shape): readonly Interval[] | undefined {
    if (op === "input") {
      const a = attrs as OpAttrs<"input">;
      const { type } = a;
      if (type === undefined) return undefined;
      return Array.from({ length: sizeOf(shape) }, (_, i) => {
        const t = typeAt(type, i, shape.at(-1) ?? 1);
        const r = rangeOf(t);
        return t.width === 0 ? { ...r, exp: 0 } : { ...r, exp: exponent(t) };
      });
    }
    if (args.some((a) => !a.elements) || opDef(op).isReal?.(attrs as never)) return undefined;
    return opDef(op).expand(interval, args.map((a) => ({ shape: a.type.shape, at: a.elements! })), attrs as never);
  }
}

/** What a graph pass does with one node: add its replacement to the builder and return the new value. */
export type Rewrite = (node: Node, operands: readonly number[], builder: GraphBuilder, id: number) => number;

export const copyNode: Rewrite = (node, operands, builder) => builder.add(node.op, operands, node.attrs as never);

/** Rebuilds a graph node by node, keeping layers, inputs and outputs; nodes that no output needs are left out, and layers whose value was such a node lose it. */
export function rewriteGraph(graph: Graph, reporter: Reporter, rewrite: Rewrite): Graph | undefined {
  const builder = new GraphBuilder(graph.name, reporter);
  for (const layer of graph.layers) builder.beginLayer(layer.name, layer.kind, layer.at);
  const live = liveNodes(graph);
  const now = new Int32Array(graph.nodes.length).fill(-1);
  graph.nodes.forEach((node, id) => {
    if (!live[id] && node.op !== "input") return;
    builder.resumeLayer(node.layer);
    now[id] = rewrite(node, node.operands.map((x) => now[x]!), builder, id);
  });
  graph.layers.forEach((layer, i) => {
    if (layer.value >= 0) builder.endLayer(now[layer.value]!, i);
  });
  for (const o of graph.outputs) builder.output(o.name, now[o.value]!, o.host);
  return builder.done();
}

/** 1 for every node that some output depends on. */
export function liveNodes(graph: Graph): Uint8Array {
  const live = new Uint8Array(graph.nodes.length);
  for (const o of graph.outputs) live[o.value] = 1;
  for (let id = graph.nodes.length - 1; id >= 0; id--) if (live[id]) for (const x of graph.nodes[id]!.operands) live[x] = 1;
  return live;
}

/** How often each value is read, outputs included. */
export function useCounts(graph: Graph): Int32Array {
  const uses = new Int32Array(graph.nodes.length);
  for (const node of graph.nodes) for (const x of node.operands) uses[x]!++;
  for (const o of graph.outputs) uses[o.value]!++;
  return uses;
}
