// Which nodes become functions of their own, which run as steps of another, and where every value lies.
import { exponent } from "../../ir/fixed.js";
import { rangeOfNode } from "./node-range.js";
import type { Graph, Node } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import { sizeOf } from "../../ir/tensor.js";
import type { OpEmitter, Step } from "./emitter.js";
import { emitters } from "./emitters.js";
import { type Buffer, type MemoryPlan, rowBytes } from "./memory.js";
import { laneOf } from "./value.js";

/** A node computed by a function of its own, and the steps that follow in registers. */
export interface Kernel {
  readonly head: number;
  readonly steps: Step[];
  /** The node whose value is stored. */
  end: number;
}

export interface Plan {
  readonly kernels: readonly Kernel[];
  /** For each node the node whose buffer it shares: itself unless reshaped. */
  readonly home: readonly number[];
  /** 1 for nodes that an output needs. */
  readonly live: Uint8Array;
}

export const emitterOf = (node: Node): OpEmitter<OpName> => emitters[node.op] as unknown as OpEmitter<OpName>;

/** A step joins the function of its operand where no one else reads the operand. */
export function planKernels(graph: Graph): Plan {
  const live = new Uint8Array(graph.nodes.length);
  const uses = new Int32Array(graph.nodes.length);
  for (const o of graph.outputs) {
    live[o.value] = 1;
    uses[o.value]!++;
  }
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (!live[id]) continue;
    for (const x of graph.nodes[id]!.operands) {
      live[x] = 1;
      uses[x]!++;
    }
  }
  const home: number[] = [];
  const open = new Map<number, Kernel>();
  const kernels: Kernel[] = [];
  graph.nodes.forEach((node, id) => {
    home.push(node.op === "reshape" ? home[node.operands[0]!]! : id);
    const emitter = emitterOf(node);
    if (!live[id] || emitter.kind === "none") return;
    const step = emitter.step?.(node as never, graph);
    const candidate = step && uses[step.operand] === 1 ? open.get(step.operand) : undefined;
    const joined = candidate && (!step?.perChannel || givesChannels(graph, candidate.head, node)) ? candidate : undefined;
    if (step && joined) {
      joined.steps.push(step);
      joined.end = id;
      open.delete(step.operand);
      open.set(id, joined);
      return;
    }
    const kernel: Kernel = { head: id, steps: [], end: id };
    kernels.push(kernel);
    if (emitter.kind === "kernel" || emitter.kind === "channels") open.set(id, kernel);
  });
  return { kernels, home, live };
}

/** Whether the kernel of `head` tells its steps the channels of `node`. */
function givesChannels(graph: Graph, head: number, node: Node): boolean {
  const from = graph.nodes[head]!;
  return emitterOf(from).kind === "channels" && from.type.shape.at(-1) === node.type.shape.at(-1);
}

/** The buffer of a node; undefined where its values pass 64 bits. */
export function allocate(graph: Graph, id: number, memory: MemoryPlan): Buffer | undefined {
  const node = graph.nodes[id]!;
  const type = node.type.elem;
  if (type === "real") return undefined;
  const range = rangeOfNode(node);
  const lane = laneOf(range);
  if (lane === undefined) return undefined;
  const exp = exponent(type);
  const shape = { lane, exp, ...range };
  if (node.op === "constant") {
    const { data, exp: from } = node.attrs.value;
    const mantissas = data.map((m) => (from >= exp ? m << BigInt(from - exp) : m >> BigInt(exp - from)));
    return { ...shape, splat: true, address: memory.integers(mantissas, lane) };
  }
  const bytes = (sizeOf(node.type.shape)) * rowBytes({ lane, splat: false });
  return { ...shape, splat: false, address: memory.allocate(bytes) };
}
