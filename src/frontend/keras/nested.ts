// Takes nested models apart: every call of one becomes calls of its layers.
import { callKey, type KerasCall, type KerasLayer, type TensorRef } from "./model.js";
import type { Reading } from "./read-layers.js";
import type { Wired } from "./wiring.js";

const tensorKey = (r: TensorRef): string => `${r.tensor} ${callKey(r.layer, r.node)}`;

/** `outer` with the models that some of its layers are put in their place; they have no nested models themselves any more. */
export function inlineNested({ document, reporter, limits }: Reading, outer: Wired, nested: ReadonlyMap<string, Wired>): Wired | undefined {
  const firstNode = firstNodes(outer, nested);
  /** What a nested model's outputs, and its inputs inside, really are. */
  const aliases = new Map<string, TensorRef>();
  const calls: KerasCall[] = [];
  for (const call of outer.calls) {
    const inner = nested.get(call.layer.name);
    if (!inner) calls.push(call);
    else {
      const { layer, inputs } = call;
      if (inputs.length !== inner.inputs.length)
        return reporter.error("QN210", `the model \`${layer.name}\` takes ${inner.inputs.length} inputs and is given ${inputs.length}`, {
          at: document.place(layer.pointer, layer.name),
        });
      const counts = callCounts(inner.calls);
      const moved = (r: TensorRef): TensorRef => ({ ...r, node: r.node + call.node * (counts.get(r.layer) ?? 0) });
      inner.inputs.forEach((r, i) => void aliases.set(tensorKey(moved(r)), inputs[i]!));
      inner.outputs.forEach(
        (r, i) =>
          void aliases.set(tensorKey({ layer: layer.name, node: call.node + (firstNode.get(layer.name) ?? 0), tensor: i }), moved(r)),
      );
      const isInput = new Set(inner.inputs.map((r) => callKey(r.layer, r.node)));
      for (const c of inner.calls)
        if (!isInput.has(callKey(c.layer.name, c.node)))
          calls.push({ layer: c.layer, node: c.node + call.node * counts.get(c.layer.name)!, inputs: c.inputs.map(moved) });
    }
    // Models in models that are called twice each would double without end.
    if (calls.length > limits.layers)
      return reporter.error("QN213", `the nested models make more than ${limits.layers} calls of layers`, { at: document.place("") });
  }
  const resolve = (ref: TensorRef): TensorRef => {
    let at = ref;
    // A chain of aliases is shorter than their number, unless the file has a cycle; sorting then finds it.
    for (let steps = 0; steps <= aliases.size; steps++) {
      const next = aliases.get(tensorKey(at));
      if (!next) break;
      at = next;
    }
    return at;
  };
  return {
    layers: outer.layers.flatMap((l): readonly KerasLayer[] => [l, ...(nested.get(l.name)?.layers ?? [])]),
    calls: calls.map((c) => ({ ...c, inputs: c.inputs.map(resolve) })),
    inputs: outer.inputs,
    outputs: outer.outputs.map(resolve),
  };
}

/** How many calls each layer has in one model. */
function callCounts(calls: readonly KerasCall[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const c of calls) counts.set(c.layer.name, Math.max(counts.get(c.layer.name) ?? 0, c.node + 1));
  return counts;
}

/** Some files count the calls of a nested model from 1, since building it was call 0. Every call is read, so the least number tells. */
function firstNodes(outer: Wired, nested: ReadonlyMap<string, Wired>): ReadonlyMap<string, number> {
  const first = new Map<string, number>();
  for (const r of [...outer.calls.flatMap((c) => c.inputs), ...outer.outputs])
    if (nested.has(r.layer)) first.set(r.layer, Math.min(first.get(r.layer) ?? 1, r.node));
  return first;
}
