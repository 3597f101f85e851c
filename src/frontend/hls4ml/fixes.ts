// Where hls4ml 1.3.0 computes a wrong value: each place found and said, or with --fix put right.
import { dyadic } from "../../ir/fixed.js";
import { numbersOf, type Tensor, tensor, tensorFromNumbers, typeOfTensor } from "../../ir/tensor.js";
import type { HlsConfig } from "./config.js";
import { editNodes, type HlsNetwork, type HlsNode, nodeNamed, type Threshold, type Weights } from "./nodes.js";
import { fixedPrecision, fractionBits, type Precision } from "./precision.js";
import { weightTensor } from "./weights.js";

/** Says what is wrong with a node, and what the user can do; or nothing, where it is being fixed. */
export class Fixes {
  constructor(readonly on: boolean) {}
  wrong(node: HlsNode, message: string, help: string): void {
    if (this.on) return;
    const at = { source: node.cx.model.document.source, pointer: node.cx.layer.pointer, layer: node.name };
    node.cx.reporter.warn("QN306", message, { at, help });
  }
}

const FIX = "or build with --fix";

/** The weights' own narrowest type. */
function exactType(w: Weights): Precision {
  const t = typeOfTensor(tensorFromNumbers(w.shape, w.values));
  return t.width === 0 ? fixedPrecision(1, 1, false) : fixedPrecision(t.width, t.int, t.signed);
}

/**
 * Quantized weights that hls4ml's type does not hold: it takes every quantized_bits as signed, and unknown quantizers as fixed<16,6>.
 * Power-of-two weights are held, but no rule infers their accumulator, and their product drops low bits.
 */
export function holdWeights(network: HlsNetwork, fixes: Fixes): HlsNetwork {
  const held = (node: HlsNode, w: Weights, what: string): Weights => {
    if (!w.quantizer || w.type === "auto" || w.type.kind === "xnor") return w;
    if (w.type.kind === "exponent") {
      if ("accum" in node && (node.accum === "auto" || node.result === "auto"))
        fixes.wrong(
          node,
          "hls4ml infers no accumulator for power-of-two weights, and takes the model's default type",
          `give the layer's accum and result a type, ${FIX}`,
        );
      return fixes.on ? { ...w, type: exactType(w) } : w;
    }
    const now = numbersOf(weightTensor(w, w.type));
    const lost = now.findIndex((v, i) => v !== w.values[i]);
    if (lost < 0) return w;
    fixes.wrong(
      node,
      `hls4ml's type of the ${what} does not hold what the quantizer gives: ${w.values[lost]} becomes ${now[lost]}`,
      `use a quantizer with keep_negative=1, ${FIX}`,
    );
    return fixes.on ? { ...w, type: exactType(w) } : w;
  };
  return editNodes(network, (node) =>
    "weight" in node ? [{ ...node, weight: held(node, node.weight, "kernel"), bias: held(node, node.bias, "bias") }] : [node],
  );
}

/**
 * With x' = x or −x, as the scale's sign is, a binary step is |scale|·x' + bias >= 0, and a ternary one compares with ½ and −½ by >.
 * On the grid of x these are comparisons with the least code that satisfies them. hls4ml rounds every threshold down, which is right for
 * > alone, and does not look at the sign.
 */
function exactThreshold(node: Threshold, x: Precision, fixes: Fixes): Threshold {
  const { scale, bias } = node.from;
  const units = scale.values.length;
  const bits = fractionBits(x);
  const zero = scale.values.findIndex((s) => s === 0);
  if (zero >= 0) {
    node.cx.error("QN208", `the scale of channel ${zero} of the batch normalization is 0, so its threshold does not exist`);
    return node;
  }
  /** The t on the grid of x for which x' >= t (binary) or x' > t (ternary) is |scale|·x' + bias >= offset or > offset. */
  const threshold = (offset: number): Tensor => {
    const codes = Array.from({ length: units }, (_, j) => {
      const [s, b, o] = [dyadic(Math.abs(scale.values[j]!)), dyadic(bias.values[j]!), dyadic(offset)];
      const exp = Math.min(s.exp - bits, b.exp, o.exp);
      const [n, d] = [(o.m << BigInt(o.exp - exp)) - (b.m << BigInt(b.exp - exp)), s.m << BigInt(s.exp - bits - exp)];
      const floor = n / d - (n % d < 0n ? 1n : 0n);
      return node.low || n % d === 0n ? floor : floor + 1n;
    });
    return tensor([units], -bits, codes);
  };
  const flip = Array.from(scale.values, (s) => (s < 0 ? -1n : 1n));
  const exact = node.low ? { high: threshold(0.5), low: threshold(-0.5) } : { high: threshold(0) };
  const differs = (w: Weights, t: Tensor): boolean => flip.includes(-1n) || numbersOf(t).some((v, j) => v !== w.values[j]);
  if (!differs(node.high, exact.high) && !(node.low && exact.low && differs(node.low, exact.low))) return node;
  fixes.wrong(
    node,
    "hls4ml rounds the thresholds of the batch normalization down, whatever the step and the sign of its scale",
    `accept it, ${FIX}`,
  );
  if (!fixes.on) return node;
  const weightsOf = (t: Tensor): Weights => {
    const values = Float64Array.from(numbersOf(t));
    const w: Weights = { shape: t.shape, values, unquantized: values, type: "auto" };
    return { ...w, type: exactType(w) };
  };
  return {
    ...node,
    high: weightsOf(exact.high),
    ...(exact.low ? { low: weightsOf(exact.low) } : {}),
    ...(flip.includes(-1n) ? { flip: tensor([units], 0, flip) } : {}),
  };
}

/** Only a saturating accumulator shows in which order products are added. */
export function checkOrder(network: HlsNetwork, config: HlsConfig): void {
  for (const node of network.nodes) {
    if (!("accum" in node && "weight" in node) || node.accum === "auto" || node.accum.overflow === "WRAP" || !config.isReordered(node))
      continue;
    node.cx.reporter.warn(
      "QN812",
      `LayerName ${node.name}: Strategy Resource adds products in another order, which a saturating accumulator may show`,
      {
        at: { source: config.source },
        help: "the order here is that of Latency: use it, or an accumulator that wraps",
      },
    );
  }
}

export const exactThresholds = (network: HlsNetwork, fixes: Fixes): HlsNetwork =>
  editNodes(network, (node) => {
    const x = nodeNamed(network, node.inputs[0]);
    return node.kind === "BatchNormalizationQuantizedTanh" && x ? [exactThreshold(node, x.result as Precision, fixes)] : [node];
  });
