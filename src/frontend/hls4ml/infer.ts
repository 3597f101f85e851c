// hls4ml's inference of `auto` types: widths that hold the worst case, TRN and WRAP; the model's default where hls4ml knows no rule.
import { fixed, type FixedType } from "../../ir/fixed.js";

import { sizeOf, tensorFromNumbers, typeOfTensor } from "../../ir/tensor.js";
import type { HlsConfig } from "./config.js";
import type { Fixes } from "./fixes.js";
import type {
  Activation,
  BatchNormalization,
  Concatenate,
  Conv,
  Dense,
  HlsNetwork,
  HlsNode,
  Merge,
  Movement,
  NodeKind,
  NodeOf,
  Pooling,
  Weights,
} from "./nodes.js";
import { fixedPrecision, hullType, isNumeric, type Precision, productType, type Slot, sumType } from "./precision.js";

/** A type for every slot of the node, given the types of what it reads. */
type Infer<N extends HlsNode> = (node: N, inputs: readonly Precision[], cx: InferContext) => N;

interface InferContext {
  readonly otherwise: Precision;
  readonly fixes: Fixes;
  /** hls4ml's bound on inferred types: width and integer bits apart. */
  bounded(t: FixedType): Precision;
}

const given = (slot: Slot, otherwise: () => Precision): Precision => (slot === "auto" ? otherwise() : slot);
const typed = (w: Weights, otherwise: Precision): Weights & { readonly type: Precision } => ({
  ...w,
  type: given(w.type, () => otherwise),
});
const plain = (t: FixedType): Precision => fixedPrecision(t.width, t.int, t.signed);
const grown = (t: FixedType, width: number, int: number): FixedType => fixed(t.width + width, t.int + int, t.signed);
const logCeil = (n: number): number => Math.ceil(Math.log2(n));

type Summing = Dense | Conv;

/** n products and a bias; hls4ml counts a bias of zeros too. */
function summing<N extends Summing>(node: N, [x]: readonly Precision[], { otherwise, bounded }: InferContext): N {
  const weight = typed(node.weight, otherwise);
  const bias = typed(node.bias, otherwise);
  const bits = logCeil(sizeOf(weight.shape.slice(0, -1)));
  const sum = (): Precision =>
    isNumeric(x!, weight.type, bias.type)
      ? bounded(sumType(grown(productType(weight.type.type, x!.type), bits, bits), bias.type.type))
      : otherwise;
  return { ...node, weight, bias, accum: given(node.accum, sum), result: given(node.result, sum) };
}

function normalizing(node: BatchNormalization, [x]: readonly Precision[], { otherwise, bounded }: InferContext): BatchNormalization {
  const [scale, bias] = [typed(node.scale, otherwise), typed(node.bias, otherwise)];
  const result = given(node.result, () =>
    isNumeric(x!, scale.type, bias.type) ? bounded(sumType(productType(x!.type, scale.type.type), bias.type.type)) : otherwise,
  );
  return { ...node, scale, bias, result };
}

function pooling(node: Pooling, [x]: readonly Precision[], { otherwise }: InferContext): Pooling {
  const bits = logCeil(sizeOf(node.window));
  const isGlobal = node.kind.startsWith("Global");
  const sum = (): Precision => (isGlobal || !isNumeric(x!) ? otherwise : plain(grown(x!.type, 2 * bits, bits)));
  const accum = given(node.accum, () => (node.op === "max" && !isGlobal ? x! : sum()));
  return { ...node, accum, result: given(node.result, () => (isGlobal ? otherwise : x!)) };
}

const asInput: Infer<Movement> = (node, [x]) => ({ ...node, result: given(node.result, () => x!) });

const same = (a: Precision, b: Precision): boolean => JSON.stringify(a) === JSON.stringify(b);

const merging: Infer<Merge> = (node, [a, b], { otherwise, bounded, fixes }) => {
  const infer = (): Precision => {
    if ((node.op === "maximum" || node.op === "minimum") && same(a!, b!)) return a!;
    if (!isNumeric(a!, b!)) return otherwise;
    if (node.op === "multiply") return bounded(productType(a!.type, b!.type));
    if (node.op === "maximum" || node.op === "minimum") return plain(hullType(a!.type, b!.type));
    const sum = sumType(a!.type, b!.type);
    return bounded({ ...sum, signed: sum.signed || node.op === "subtract" });
  };
  return { ...node, result: given(node.result, infer) };
};

const concatenating: Infer<Concatenate> = (node, [a, b], { otherwise, bounded }) => {
  const infer = (): Precision => {
    if (same(a!, b!)) return a!;
    if (!isNumeric(a!, b!)) return otherwise;
    const [p, q] = [a!, b!].map((t) => (t.kind === "fixed" ? t : plain(t.type)));
    return {
      ...bounded(hullType(a!.type, b!.type)),
      round: p!.round !== "TRN" ? p!.round : q!.round,
      overflow: p!.overflow !== "WRAP" ? p!.overflow : q!.overflow,
    };
  };
  return { ...node, result: given(node.result, infer) };
};

/** The least type of a constant, of at most eight bits beside the sign. */
function constantType(value: number): Precision {
  if (value === 0) return fixedPrecision(1, 1, false);
  const t = typeOfTensor(tensorFromNumbers([], [value]));
  const signed = value < 0;
  return fixedPrecision(Math.min(t.width, 8 + Number(signed)), t.int, signed);
}

/** The type of max(x, 0). */
const withoutSign = ({ type }: Precision): Precision =>
  fixedPrecision(type.width - Number(type.signed), type.int - Number(type.signed), false);

/** hls4ml has no rule for activations, so that a relu behind an inferred sum wraps. */
function activating<N extends Activation>(node: N, [x]: readonly Precision[], { otherwise, fixes }: InferContext): N {
  const kept = node.activation === "relu" && node.result === "auto" && isNumeric(x!) ? withoutSign(x!) : undefined;
  if (kept && kept.type.int > otherwise.type.int - Number(otherwise.type.signed))
    fixes.wrong(
      node,
      `hls4ml infers no type for a relu, and the model's default wraps its ${kept.type.int} integer bits`,
      "give the layer's result a type, or build with --fix",
    );
  const unknown = kept && fixes.on ? kept : otherwise;
  const parameter = node.parameter && {
    ...node.parameter,
    type: given(node.parameter.type, () =>
      node.kind === "ThresholdedReLU" || node.kind === "PReLU" ? x! : constantType(node.parameter!.values[0]!),
    ),
  };
  return { ...node, result: given(node.result, () => unknown), ...(parameter ? { parameter } : {}) };
}

const byDefault = <N extends HlsNode>(node: N, _: readonly Precision[], { otherwise }: InferContext): N => ({
  ...node,
  result: given(node.result, () => otherwise),
});

const rules: { readonly [K in NodeKind]: Infer<NodeOf<K>> } = {
  Input: byDefault,
  Dense: summing,
  Conv1D: summing,
  Conv2D: summing,
  DepthwiseConv1D: summing,
  DepthwiseConv2D: summing,
  BatchNormalization: normalizing,
  ApplyAlpha: normalizing,
  BatchNormalizationQuantizedTanh: byDefault,
  Activation: activating,
  HardActivation: activating,
  LeakyReLU: activating,
  ThresholdedReLU: activating,
  ELU: activating,
  PReLU: activating,
  TernaryTanh: activating,
  Softmax: (node, _, { otherwise }) => ({
    ...node,
    accum: given(node.accum, () => otherwise),
    result: given(node.result, () => otherwise),
  }),
  Pooling1D: pooling,
  Pooling2D: pooling,
  GlobalPooling1D: pooling,
  GlobalPooling2D: pooling,
  Merge: merging,
  Concatenate: concatenating,
  Reshape: asInput,
  ZeroPadding1D: asInput,
  ZeroPadding2D: asInput,
  Resize: asInput,
  Transpose: asInput,
};

export function inferTypes(network: HlsNetwork, config: HlsConfig, fixes: Fixes): HlsNetwork {
  const otherwise = config.precision({ name: "", kind: "" }, "default") as Precision;
  const { maximum } = config;
  const bounded = (t: FixedType): Precision => {
    if (maximum === undefined || maximum === "auto") return plain(t);
    return fixedPrecision(Math.min(t.width, maximum.type.width), Math.min(t.int, maximum.type.int), t.signed);
  };
  const known = new Map<string, Precision>();
  const nodes = network.nodes.map((node) => {
    const inputs = node.inputs.map((name) => known.get(name)!);
    const now = (rules[node.kind] as Infer<HlsNode>)(node, inputs, { otherwise, bounded, fixes });
    known.set(now.name, now.result as Precision);
    return now;
  });
  return { ...network, nodes };
}
