// What every row of the table of layers shares: its context, the parts common to all nodes, and kernels with their quantizers.
import type { Shape } from "../../ir/tensor.js";
import type { Failed, LayerContext } from "../keras/layers/context.js";
import type { HlsConfig } from "./config.js";
import type { HlsNode, WeightQuantizer } from "./nodes.js";
import type { Slot } from "./precision.js";
import { noBias, weights } from "./weights.js";

/** What a row gets: one call of a layer, and the nodes that it reads. */
export interface Converting {
  readonly cx: LayerContext;
  readonly config: HlsConfig;
  readonly name: string;
  readonly inputs: readonly HlsNode[];
}

/** The parts that all nodes share. */
export function common(c: Converting, kind: string, shape: Shape, name = c.name) {
  const result = c.config.precision({ name, kind }, "result");
  return { name, inputs: c.inputs.map((n) => n.name), shape, result, cx: c.cx };
}

/** A type given beside `Precision` wins over one inside. */
export const accumOf = (c: Converting, kind: string, name = c.name): Slot =>
  c.config.direct({ name, kind }, "accum") ?? c.config.precision({ name, kind }, "accum");

export function onlyInput(c: Converting): HlsNode | Failed {
  return c.inputs.length === 1 ? c.inputs[0] : c.cx.error("QN210", `the layer takes one input and is given ${c.inputs.length}`);
}

export type Row = (c: Converting) => HlsNode | Failed;

export type KernelQuantizers = (
  c: Converting,
) => { readonly kernel: WeightQuantizer | null; readonly bias: WeightQuantizer | null } | Failed;
export const floats: KernelQuantizers = () => ({ kernel: null, bias: null });
export const signs: KernelQuantizers = () => ({ kernel: { name: "sign" }, bias: { name: "sign" } });
export const ternaries: KernelQuantizers = () => ({ kernel: { name: "ternary-half" }, bias: { name: "ternary-half" } });
/** Unlike QKeras, hls4ml takes a quantizer without alpha as it stands. */
export const ofQkeras =
  (kernelKey = "kernel_quantizer"): KernelQuantizers =>
  ({ cx }) => {
    const [kernel, bias] = [cx.quantizer(kernelKey), cx.quantizer("bias_quantizer")];
    return kernel === undefined || bias === undefined ? undefined : { kernel, bias };
  };

/** Kernel and bias of a layer, each through its quantizer. */
export function kernelAndBias(c: Converting, kind: string, key: string, shape: Shape, units: number, of: KernelQuantizers) {
  const useBias = c.cx.flag("use_bias", true);
  const quantizers = of(c);
  const kernel = c.cx.weight(key, shape);
  const bias = useBias ? c.cx.weight("bias", [units]) : undefined;
  if (!quantizers || !kernel || useBias === undefined || (useBias && !bias)) return undefined;
  const type = (variable: string): Slot => c.config.precision({ name: c.name, kind }, variable);
  if (quantizers.kernel?.name === "bernoulli") return c.cx.error("QN203", "bernoulli draws new random weights for every inference", key);
  const parts = {
    weight: weights(shape, kernel.values, type("weight"), quantizers.kernel ?? undefined, "kernel"),
    bias: bias ? weights([units], bias.values, type("bias"), quantizers.bias ?? undefined, "bias") : noBias(units),
  };
  const bad = [...parts.weight.values, ...parts.bias.values].find((v) => !Number.isFinite(v));
  return bad === undefined ? parts : c.cx.error("QN208", `a quantizer turns a weight into ${bad}`, key);
}
