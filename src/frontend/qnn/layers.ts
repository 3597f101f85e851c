// Layers that are more than one op, one row each: what they take, and the ops that they are. Every op of the op table is a layer without a row here.
import type { HostStep } from "../../ir/graph.js";
import { numbersOf, sizeOf, type Tensor, tensorFromNumbers } from "../../ir/tensor.js";
import { type UnaryName, unaries, unaryDef } from "../../ir/unary.js";
import { type Build, type LayerDef, layer } from "./layer-def.js";
import type { Kinds, Size } from "./kinds.js";
import { rational } from "./rational.js";
import { windowLayers } from "./window-layers.js";

const zero = rational(0n);

const curve = (name: UnaryName) =>
  layer({
    doc: `${unaryDef(name).doc}, correctly rounded to the type \`to\`; without it, qnnc chooses the type`,
    operands: ["x"],
    attrs: { to: "type?" },
    build: (b, [x], { to }) => b.add("lut", [x], { f: { name, params: [], ...(to ? { to: to.conversion } : {}) } }),
  });

const onHost = (host: HostStep, equation: string) =>
  layer({
    doc: `${equation}; computed by the host from the exact x, so only an output may take it`,
    operands: ["x"],
    attrs: {},
    build: (_, [x]) => ({ kind: "value", id: x!, host }),
  });
/** The layer of each last step that the host takes. */
export const hostLayers: Readonly<Record<HostStep, string>> = { softmax: "softmax", sigmoid: "host_sigmoid" };

/** Every function of the table without parameters is a layer by its own name; those with parameters are written `lut(x, f: step(0, -1, 1) as …)`. */
const curves = Object.fromEntries(
  (Object.keys(unaries) as UnaryName[]).filter((name) => unaryDef(name).params.length === 0).map((name) => [name, curve(name)] as const),
);

const f = Math.fround;

/** Inference of batch normalization in float32, as Keras computes it: x·s + (beta − mean·s), s = gamma / √(variance + epsilon). */
function batchnorm(
  b: Build,
  x: number,
  a: {
    readonly gamma: Tensor | undefined;
    readonly beta: Tensor | undefined;
    readonly mean: Tensor;
    readonly variance: Tensor;
    readonly epsilon: number;
  },
): number | undefined {
  const n = b.shapeOf(x).at(-1) ?? 1;
  for (const [name, t] of Object.entries({ gamma: a.gamma, beta: a.beta, moving_mean: a.mean, moving_variance: a.variance })) {
    if (t && (t.shape.length !== 1 || t.shape[0] !== n))
      return b.fail(`\`${name}\` has shape [${t.shape.join(", ")}], and x has ${n} channels`);
  }
  const [mean, variance] = [numbersOf(a.mean), numbersOf(a.variance)];
  const [gamma, beta] = [a.gamma ? numbersOf(a.gamma) : undefined, a.beta ? numbersOf(a.beta) : undefined];
  const bad = variance.findIndex((v) => !(v + a.epsilon > 0));
  if (bad >= 0)
    return b.fail(
      `the variance of channel ${bad} is ${variance[bad]}: its root does not exist`,
      "the weights are in another order, or the file is damaged",
    );
  const scale = variance.map((v, i) => f((gamma?.[i] ?? 1) * f(1 / Math.sqrt(f(v + f(a.epsilon))))));
  const shift = scale.map((s, i) => f((beta?.[i] ?? 0) - f(mean[i]! * s)));
  const real = (values: readonly number[]): number | undefined => b.constant(tensorFromNumbers([n], values, { real: true }));
  const scaled = b.add("mul", [x, real(scale)], {});
  return b.add("add", [scaled, real(shift)], {});
}

export const layers = {
  relu: layer({ doc: "y = max(x, 0)", operands: ["x"], attrs: {}, build: (b, [x]) => b.add("max", [x, b.scalar(zero)], {}) }),
  relu6: layer({
    doc: "y = min(max(x, 0), 6)",
    operands: ["x"],
    attrs: {},
    build: (b, [x]) => {
      const positive = b.add("max", [x, b.scalar(zero)], {});
      return b.add("min", [positive, b.scalar(rational(6n))], {});
    },
  }),
  leaky_relu: layer({
    doc: "y = max(x, 0) + slope·min(x, 0)",
    operands: ["x"],
    attrs: { slope: { kind: "number", default: rational(1n, 4n) } },
    build: (b, [x], { slope }) => {
      const positive = b.add("max", [x, b.scalar(zero)], {});
      const negative = b.add("min", [x, b.scalar(zero)], {});
      return b.add("add", [positive, b.add("mul", [negative, b.scalar(slope)], {})], {});
    },
  }),
  clip: layer({
    doc: "y = min(max(x, low), high)",
    operands: ["x"],
    attrs: { low: "number", high: "number" },
    build: (b, [x], { low, high }) => {
      const above = b.add("max", [x, b.scalar(low)], {});
      return b.add("min", [above, b.scalar(high)], {});
    },
  }),
  flatten: layer({
    doc: "y has x's elements in one axis",
    operands: ["x"],
    attrs: {},
    build: (b, [x]) => b.add("reshape", [x], { shape: [sizeOf(b.shapeOf(x!))] }),
  }),
  ...curves,
  batchnorm: layer({
    doc: "y = gamma·(x − moving_mean)/√(moving_variance + epsilon) + beta, per channel",
    operands: ["x"],
    attrs: {
      gamma: "tensor?",
      beta: "tensor?",
      moving_mean: "tensor",
      moving_variance: "tensor",
      epsilon: { kind: "number", default: rational(1n, 1000n) },
    },
    build: (b, [x], a) =>
      batchnorm(b, x!, {
        gamma: a.gamma,
        beta: a.beta,
        mean: a.moving_mean,
        variance: a.moving_variance,
        epsilon: Number(a.epsilon.num) / Number(a.epsilon.den),
      }),
  }),
  ...windowLayers,
  softmax: onHost("softmax", "y = e^x / Σ e^x"),
  host_sigmoid: onHost("sigmoid", "y = 1 / (1 + e^−x)"),
} as const;

/** The definition of a layer whose name is only known at run time. */
export const layerDef = (name: string): LayerDef | undefined =>
  Object.hasOwn(layers, name) ? (layers as unknown as Readonly<Record<string, LayerDef>>)[name] : undefined;

/** A size that may be written beside a weight, and then has to agree with it: dense(x, units: 64). */
export interface SizeDef {
  readonly of: string;
  readonly kind: "int" | "size";
  readonly doc: string;
  get(shape: readonly number[]): Kinds["int"] | Size;
}
const last = (of: string, doc: string): SizeDef => ({ of, kind: "int", doc, get: (shape) => shape.at(-1) ?? 1 });
const windowOf = (of: string): SizeDef => ({ of, kind: "size", doc: "spatial size of the kernel", get: (shape) => shape.slice(0, -2) });
const convSizes = { filters: last("kernel", "last axis of the kernel"), window: windowOf("kernel") };
const depthwiseSizes = { multiplier: last("depthwise_kernel", "last axis of the kernel"), window: windowOf("depthwise_kernel") };
const separableSizes = { filters: last("pointwise_kernel", "last axis of the pointwise kernel"), window: windowOf("depthwise_kernel") };

const sizes: Readonly<Record<string, Readonly<Record<string, SizeDef>>>> = {
  dense: { units: last("kernel", "columns of the kernel") },
  conv: convSizes,
  conv1d: convSizes,
  conv2d: convSizes,
  depthwise1d: depthwiseSizes,
  depthwise2d: depthwiseSizes,
  separable1d: separableSizes,
  separable2d: separableSizes,
};
/** By the name of the layer or op. */
export const sizesOf = (name: string): Readonly<Record<string, SizeDef>> => (Object.hasOwn(sizes, name) ? sizes[name]! : {});
