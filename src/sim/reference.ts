// The reference executions, in exact BigInt arithmetic: the Graph by its ops' meaning, the Netlist by the cell table.
import { assert, InternalError } from "../diagnostics.js";
import { type Exact, exact } from "../ir/arith.js";
import { attrsOf, cellDef } from "../ir/cells.js";
import { exponent, shiftFloor } from "../ir/fixed.js";
import type { Graph } from "../ir/graph.js";
import type { Netlist } from "../ir/netlist.js";
import { opDef } from "../ir/ops/index.js";
import type { Mantissas } from "../ir/vectors.js";

/** Every node's value for one sample; `inputs` follow graph.inputs, as mantissas of each input's type. Values that leave their proven interval are a bug and throw. */
export function evaluateAll(graph: Graph, inputs: readonly Mantissas[]): readonly Mantissas[] {
  const values: (readonly Exact[])[] = [];
  return graph.nodes.map((node, id) => {
    const type = node.type.elem;
    assert(type !== "real" && node.elements, `%${id} ${node.op}: the reference needs typed values`);
    const exp = exponent(type);
    const x = node.operands.map((v) => ({ shape: graph.nodes[v]!.type.shape, at: values[v]! }));
    const input = graph.inputs.indexOf(id);
    const y = input >= 0 ? inputs[input]!.map((m) => ({ m, exp })) : opDef(node.op).expand(exact, x, node.attrs as never);
    values.push(y);
    return y.map((v, i) => {
      const m = shiftFloor(v.m, v.exp - exp);
      const e = node.elements![i]!;
      const inInterval = e.exp >= exp ? m >= e.lo << BigInt(e.exp - exp) && m <= e.hi << BigInt(e.exp - exp) : m === 0n;
      if (!inInterval || shiftFloor(m, exp - v.exp) !== v.m) {
        throw new InternalError(
          `%${id} ${node.op}, element ${i}: ${v.m}·2^${v.exp} is outside its proven range ${e.lo}…${e.hi}·2^${e.exp}`,
        );
      }
      return m;
    });
  });
}

/** The outputs for one sample, in the order of graph.outputs. */
export function evaluate(graph: Graph, inputs: readonly Mantissas[]): readonly Mantissas[] {
  const all = evaluateAll(graph, inputs);
  return graph.outputs.map((o) => all[o.value]!);
}

/** Every cell's value for one sample; `inputs` follow netlist.inputs, as mantissas of each port's type. */
export function interpretAll(netlist: Netlist, inputs: readonly Mantissas[]): readonly bigint[] {
  const flat = inputs.flat();
  const values: bigint[] = [];
  netlist.cells.forEach((c, id) => {
    const y =
      c.op === "input"
        ? flat[c.attrs.index]!
        : cellDef(c.op).eval(
            c.args.map((a) => values[a]!),
            attrsOf(c),
          );
    const r = netlist.ranges[id]!;
    if (y < r.lo || y > r.hi) throw new InternalError(`%${id} ${c.op}: ${y} is outside its range ${r.lo}…${r.hi}`);
    values.push(y);
  });
  return values;
}

/** The outputs for one sample, in the order of netlist.outputs. */
export function interpret(netlist: Netlist, inputs: readonly Mantissas[]): readonly Mantissas[] {
  const all = interpretAll(netlist, inputs);
  return netlist.outputs.map((o) => o.elements.map((e) => all[e]!));
}
