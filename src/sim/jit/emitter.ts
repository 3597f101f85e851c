// What an op emitter is given and what it provides.
import type { Graph, Node, NodeWith } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import type { FunctionBuilder, Local } from "./function-builder.js";
import type { Buffer, MemoryPlan } from "./memory.js";
import type { Entry } from "./table-fields.js";
import type { Value } from "./value.js";

/** Code for the elements of one node, as one function. */
export interface EmitContext {
  readonly graph: Graph;
  readonly memory: MemoryPlan;
  readonly f: FunctionBuilder;
  readonly operands: readonly Buffer[];
  /** Where the elements go: the node's own buffer, or that of the last of the steps computed along with it. */
  readonly out: Buffer;
  /** Applies those steps and stores the row. `entry` says which channel it is: kernels of kind `channels` give it. */
  finish(v: Value, pointer: Local, offset?: number, entry?: Entry): void;
}

/** A node computed from one operand alone, by the same code for every element or channel: it runs in registers where its operand is made. */
export interface Step {
  readonly operand: number;
  /** Whether the code needs to know the channel, with tables of one entry a channel. */
  readonly perChannel?: boolean;
  apply(f: FunctionBuilder, v: Value, cx: StepContext): Value;
}

export interface StepContext {
  readonly memory: MemoryPlan;
  readonly entry: Entry | undefined;
}

export interface OpEmitter<K extends OpName> {
  /** The node as a step, where it is one. */
  step?(node: NodeWith<K>, graph: Graph): Step | undefined;
  /**
   * `none`: has no code (its value lies in memory already). `kernel`: code that ends in cx.finish, so that steps can follow.
   * `channels`: a kernel whose steps are told the channel. `closed`: code that stores by itself.
   */
  readonly kind: "none" | "kernel" | "channels" | "closed";
  emit(node: NodeWith<K>, cx: EmitContext): void;
}

/** One emitter an op: what a new op must provide. */
export type PerOp = { readonly [K in OpName]: OpEmitter<K> };

export const operandNodes = (graph: Graph, node: Node): readonly Node[] => node.operands.map((x) => graph.nodes[x]!);
