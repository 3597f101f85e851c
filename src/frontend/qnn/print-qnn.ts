// Graph → .qnn: readable text and an array file beside it, such that reading them gives the identical Graph.
import { printable } from "../../diagnostics.js";
import type { Graph, Node, NodeWith } from "../../ir/graph.js";
import { opDef } from "../../ir/ops/index.js";
import type { Tensor } from "../../ir/tensor.js";
import { formatNpz, type NpyArray } from "../../npy.js";
import type { Body, Expression, Identifier, Item, Statement } from "./ast.js";
import { defaultOf } from "./attribute-defaults.js";
import {
  argument,
  attributes,
  call,
  cast,
  chain,
  decimal,
  id,
  integer,
  list,
  NOWHERE,
  name,
  precisionExpression,
  string,
} from "./build-ast.js";
import { formatTree } from "./format.js";
import { hostLayers } from "./layers.js";
import { WeightArrays } from "./weight-arrays.js";

export interface PrintOptions {
  /** The array file, as the text names it. */
  readonly weightsFile: string;
  /** Lines above the network, without slashes. */
  readonly title?: readonly string[];
  /** What stands beside the network: settings. */
  readonly beside?: readonly Item[];
}

export interface PrintedNetwork {
  readonly text: string;
  /** The .npz; absent where every constant is in the text. */
  readonly weights?: Uint8Array;
}

/** The text, or why this Graph has none. */
export function printQnn(graph: Graph, options: PrintOptions): PrintedNetwork | string {
  const made = new NetworkPrinter(graph).network();
  if (typeof made === "string") return made;
  const { statements, arrays } = made;
  const weights: Statement[] = arrays.size > 0 ? [{ kind: "weights", path: string(options.weightsFile), span: NOWHERE }] : [];
  const body: Body = { kind: "body", statements: [...weights, ...statements], span: NOWHERE };
  const network: Item = { kind: "network", name: id(graph.name), body, span: NOWHERE };
  const title = (options.title ?? []).map((t) => `// ${printable(t)}\n`).join("");
  const text = `${title}${formatTree({ items: [network, ...(options.beside ?? [])], comments: [] })}`;
  return arrays.size > 0 ? { text, weights: formatNpz(arrays) } : { text };
}

/** A node whose expression is written but has no name yet: it stands where it is read, or gets a `let`. */
interface Pending {
  readonly node: number;
  readonly expression: Expression;
  /** Characters, to keep lines readable. */
  readonly size: number;
}

const MAX_INLINE = 60;

class NetworkPrinter {
  /** How often each value is read, counting the layer that has it as its value. */
  private readonly uses: Int32Array;
  private names = new Map<number, string>();
  private readonly taken = new Set<string>();
  private readonly arrays = new WeightArrays();
  private readonly statements: Statement[] = [];
  private target: Statement[] = this.statements;
  private pending: Pending[] = [];
  private layer = "";
  private lost: string | undefined;
  /** Layers whose value only the host computes, and what it computes it from. */
  private readonly hostLayers = new Map<string, number>();

  constructor(private readonly graph: Graph) {
    this.uses = new Int32Array(graph.nodes.length);
    for (const node of graph.nodes) for (const x of node.operands) this.uses[x]!++;
    for (const l of graph.layers) {
      this.taken.add(l.name);
      if (l.value >= 0) this.uses[l.value]!++;
    }
  }

  network(): { readonly statements: readonly Statement[]; readonly arrays: ReadonlyMap<string, NpyArray> } | string {
    const { graph } = this;
    if (this.taken.size < graph.layers.length) return "two of its layers have the same name";
    let at = 0;
    const runTo = (layer: number): void => {
      while (at < graph.nodes.length && graph.nodes[at]!.layer === layer) this.node(at++);
    };
    for (let index = 0; index < graph.layers.length; index++) {
      runTo(-1);
      this.flush();
      const node = graph.nodes[at];
      const problem =
        node?.op === "input" && node.layer === index ? this.input(node, at++, index) : this.layerOf(index, () => runTo(index));
      if (problem !== undefined) return problem;
    }
    runTo(-1);
    this.flush();
    if (this.lost !== undefined) return this.lost;
    if (at < graph.nodes.length) return `node ${at} belongs to a layer that has ended`;
    for (const o of graph.outputs) {
      const value = this.outputValue(o);
      if (!value) return `the output \`${o.name}\` is computed inside a layer that has another value`;
      this.statements.push({
        kind: "output",
        outputs: [{ ...(value.kind === "name" && value.name === o.name ? {} : { name: id(o.name) }), value, span: NOWHERE }],
        span: NOWHERE,
      });
    }
    return { statements: this.statements, arrays: this.arrays.arrays };
  }

  private outputValue({ value: node, host, name: wanted }: Graph["outputs"][number]): Expression | undefined {
    if (host && this.hostLayers.get(wanted) === node) return name(wanted);
    const known = this.graph.layers.find((l) => l.name === wanted)?.value === node ? wanted : this.names.get(node);
    if (known === undefined) return undefined;
    return host ? call(hostLayers[host], [argument(name(known))]) : name(known);
  }

  private input(node: NodeWith<"input">, id_: number, index: number): string | undefined {
    const { name: inputName, shape, type, round, overflow } = node.attrs;
    const layer = this.graph.layers[index]!;
    if (layer.value !== id_ || layer.name !== inputName || layer.kind !== "InputLayer")
      return `the input \`${inputName}\` is not a layer of its own`;
    const typed = type && precisionExpression(type, { round, overflow });
    this.names.set(id_, inputName);
    this.target.push({
      kind: "input",
      name: id(inputName),
      shape: list(shape.map(integer)),
      ...(typed ? { type: typed } : {}),
      span: NOWHERE,
    });
    return undefined;
  }

  private layerOf(index: number, run: () => void): string | undefined {
    const layer = this.graph.layers[index]!;
    const inner: Statement[] = [];
    const outer = new Map(this.names);
    [this.target, this.layer] = [inner, layer.name];
    run();
    const host = layer.value < 0 ? this.graph.outputs.find((o) => o.name === layer.name && o.host !== undefined) : undefined;
    const value = host ? host.value : layer.value;
    const last = this.pending.at(-1);
    if (last?.node === value) this.pending.pop();
    this.flush();
    const known = last?.node === value ? undefined : this.names.get(value);
    [this.target, this.layer] = [this.statements, ""];
    // Names inside a layer end with it.
    this.names = outer;
    if (value < 0 || (last?.node !== value && known === undefined)) return `the layer \`${layer.name}\` has no value of its own`;
    let end = known === undefined ? last!.expression : name(known);
    if (host) {
      end = call(hostLayers[host.host!], [argument(end)]);
      this.hostLayers.set(layer.name, value);
    } else outer.set(value, layer.name);
    const callee = end.kind === "cast" ? end.value : end;
    const implied = inner.length === 0 && callee.kind === "call" ? callee.callee.name : "layer";
    const className: { className?: Identifier } = layer.kind === implied ? {} : { className: id(layer.kind) };
    const body: Expression | Body =
      inner.length === 0 ? end : { kind: "body", statements: [...inner, { kind: "return", value: end, span: NOWHERE }], span: NOWHERE };
    this.target.push({ kind: "layer", name: id(layer.name), ...className, value: body, span: NOWHERE });
    return undefined;
  }

  /** Names everything that has none, in order. */
  private flush(): void {
    for (const p of this.pending) {
      const given = this.fresh();
      this.names.set(p.node, given);
      this.target.push({
        kind: "let",
        name: id(given),
        value: isLiteral(p.expression) ? call("constant", [argument(p.expression, "value")]) : p.expression,
        span: NOWHERE,
      });
    }
    this.pending = [];
  }
  private fresh(): string {
    for (let i = this.taken.size; ; i++) {
      const candidate = `t${i}`;
      if (this.taken.has(candidate)) continue;
      this.taken.add(candidate);
      return candidate;
    }
  }

  private node(index: number): void {
    const node = this.graph.nodes[index]!;
    // Operands that wait for a name must be the last that were computed, in this order: so reading computes them in the same order again.
    const waiting = node.operands.filter((x) => !this.names.has(x));
    const tail = this.pending.slice(this.pending.length - waiting.length);
    const inline =
      waiting.length > 0 &&
      tail.every((p, i) => p.node === waiting[i]) &&
      tail.reduce((n, p) => n + p.size, 0) <= MAX_INLINE &&
      waiting.every((x) => this.uses[x] === 1);
    if (inline) this.pending.length -= waiting.length;
    else if (waiting.length > 0) this.flush();
    const operand = (x: number): Expression =>
      (inline ? tail.find((p) => p.node === x)?.expression : undefined) ?? name(this.names.get(x) ?? "?");
    if (!node.operands.every((x) => this.names.has(x) || inline)) this.lost ??= `node ${index} reads a value inside another layer`;
    const expression = this.expression(node, node.operands.map(operand));
    const inside = inline ? tail.reduce((n, p) => n + p.size, 0) : 0;
    this.pending.push({ node: index, expression, size: inside + 12 });
    const isOutput = this.graph.outputs.some((o) => o.value === index);
    const isLast = this.graph.nodes[index + 1]?.layer !== node.layer;
    if ((this.uses[index]! > 1 || isOutput) && !isLast) this.flush();
  }

  private expression(node: Node, x: readonly Expression[]): Expression {
    if (node.op === "constant") return this.constant(node.attrs.value);
    if (node.op === "add" || node.op === "sub" || node.op === "mul") return this.infix(node.op, x);
    if (node.op === "max" && isZero(x[1])) return call("relu", [argument(x[0]!)]);
    if (node.op === "quantize" && !isLiteral(x[0]!)) return cast(x[0]!, precisionExpression(node.attrs.to, node.attrs));
    const attrs: Readonly<Record<string, unknown>> = { ...node.attrs };
    const shapes = node.operands.map((operand) => this.graph.nodes[operand]!.type.shape);
    const named = Object.entries(opDef(node.op).attrs).flatMap(([key, kind]) => {
      const implied = defaultOf(node.op, key)?.value(shapes, attrs);
      if (implied !== undefined && String(implied) === String(attrs[key])) return [];
      if (kind !== "tensor" && kind !== "tensor?") return [argument(attributes[kind](attrs[key] as never), key)];
      const written = this.arrays.named(this.layer, key, attrs[key] as Tensor | undefined);
      return written ? [argument(written, key)] : [];
    });
    // A literal alone would be moved while compiling.
    const operands = opDef(node.op).source ? x.map((e) => (isLiteral(e) ? call("constant", [argument(e, "value")]) : e)) : x;
    return call(node.op, [...operands.map((e) => argument(e)), ...named]);
  }

  /** `a + b` where reading it computes `a` and `b` in the order of the nodes; a literal on the left is only computed after the right side. */
  private infix(op: "add" | "sub" | "mul", x: readonly Expression[]): Expression {
    if (isLiteral(x[0]!))
      return call(
        op,
        x.map((e) => argument(e)),
      );
    return chain(op, x[0]!, x[1]!);
  }

  private constant(value: Tensor): Expression {
    const plain = !value.real && !value.type;
    const literal = plain && value.shape.length === 0 ? decimal(value) : undefined;
    if (literal) return literal;
    return call("constant", [argument(this.arrays.explicit(this.layer, "value", value), "value")]);
  }
}

/** What is read as a number and only becomes a node where a value is wanted. */
const isLiteral = (e: Expression): boolean =>
  e.kind === "number" ||
  (e.kind === "negate" && isLiteral(e.inner)) ||
  (e.kind === "group" && isLiteral(e.inner)) ||
  (e.kind === "chain" && isLiteral(e.first));
const isZero = (x: Expression | undefined): boolean => x?.kind === "number" && x.text === "0";
