// What an op emitter is given and what it provides.
import type { Graph, Node, NodeWith } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import type { FunctionBuilder, Local } from "./function-builder.js";
import type { Buffer, MemoryPlan } from "./memory.js";
import type { Value } from "./value.js";

/** Code for the elements of one node, as one function. */
export interface EmitContext {
  readonly graph: Graph;
  readonly memory: MemoryPlan;
  readonly f: FunctionBuilder;
  readonly operands: readonly Buffer[];
  /** Where the elements go: the node's own buffer, or that of the last of the steps computed along with it. */
  readonly out: Buffer;
  /** Applies those steps and stores the row. */
  finish(v: Value, pointer: Local, offset?: number): void;
}

/** A node computed from one operand alone, by the same code for every element: it runs in registers where its operand is made. */
export interface Step {
  readonly operand: number;
  apply(f: FunctionBuilder, v: Value): Value;
}

export interface OpEmitter<K extends OpName> {
  /** The node as a step, where it is one. */
  step?(node: NodeWith<K>, graph: Graph): Step | undefined;
  /** `none`: has no code (its value lies in memory already). `kernel`: code that ends in cx.finish, so that steps can follow. `closed`: code that stores by itself. */
  readonly kind: "none" | "kernel" | "closed";
  emit(node: NodeWith<K>, cx: EmitContext): void;
}

/** One emitter an op: what a new op must provide. */
export type PerOp = { readonly [K in OpName]: OpEmitter<K> };

export const operandNodes = (graph: Graph, node: Node): readonly Node[] => node.operands.map((x) => graph.nodes[x]!);
