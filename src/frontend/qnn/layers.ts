// Layers that are more than one op, one row each: what they take, and the ops that they are. Every op of the op table is a layer without a row here.

import type { OpAttrs, OpName } from "../../ir/ops/index.js";
import { numbersOf, sizeOf, type Tensor, tensorFromNumbers } from "../../ir/tensor.js";
import type { UnaryName } from "../../ir/unary.js";
import type { Checker, Scope } from "./checker.js";
import type { Kind, Kinds } from "./kinds.js";
import { type Rational, rational } from "./rational.js";
import type { Span } from "./source.js";
import { exactTensor } from "./tensors.js";
import type { NodeValue, TypeValue } from "./values.js";

/** A kind of argument, or one with the value that it has where it is left out. */
export type Parameter = Kind | { readonly [K in Kind]: { readonly kind: K; readonly default: Kinds[K] } }[Kind];
type Parameters = Readonly<Record<string, Parameter>>;
type ValueOf<P> = P extends Kind ? Kinds[P] : P extends { readonly kind: infer K extends Kind } ? Kinds[K] : never;
type Arguments<S extends Parameters> = { readonly [N in keyof S]: ValueOf<S[N]> };

/** Adds ops; undefined once an error has been reported. */
export interface Build {
  add<K extends OpName>(op: K, operands: readonly (number | undefined)[], attrs: OpAttrs<K>): number | undefined;
  constant(value: Tensor): number | undefined;
  /** A power of two fraction or whole number. */
  scalar(x: Rational): number | undefined;
  shapeOf(x: number): readonly number[];
  fail(message: string, help?: string): undefined;
}

export interface LayerDef<S extends Parameters = Parameters> {
  /** One line: the equation. */
  readonly doc: string;
  readonly operands: readonly string[];
  readonly attrs: S;
  build(b: Build, x: readonly number[], a: Arguments<S>): number | NodeValue | undefined;
}

const layer = <const S extends Parameters>(definition: LayerDef<S>): LayerDef<S> => definition;
const zero = rational(0n);

const curve = (name: UnaryName) =>
  layer({
    doc: `y = ${name}(x) in the type \`to\`, as an exact table`,
    operands: ["x"],
    attrs: { to: "type" },
    build: (b, [x], { to }: { readonly to: TypeValue }) => b.add("lut", [x], { f: { name, params: [], to: to.conversion } }),
  });

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
  tanh: curve("tanh"),
  sigmoid: curve("sigmoid"),
  exp: curve("exp"),
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
  softmax: layer({
    doc: "y = e^x / Σ e^x; computed by the host from the exact x, so only an output may take it",
    operands: ["x"],
    attrs: {},
    build: (_, [x]) => ({ kind: "value", id: x!, host: "softmax" }),
  }),
} as const;

/** The definition of a layer whose name is only known at run time. */
export const layerDef = (name: string): LayerDef | undefined =>
  Object.hasOwn(layers, name) ? (layers as unknown as Readonly<Record<string, LayerDef>>)[name] : undefined;

/** Sizes that may be written beside a weight, and then have to agree with it: dense(x, units: 64). */
export const sizes: {
  readonly [K in OpName]?: Readonly<
    Record<string, { readonly of: string; readonly doc: string; get(shape: readonly number[]): number | undefined }>
  >;
} = {
  dense: { units: { of: "kernel", doc: "columns of the kernel", get: (shape) => shape.at(-1) } },
};

export function makeBuild(cx: Checker, scope: Scope, span: Span, name: string): Build {
  const build: Build = {
    add: (op, operands, attrs) =>
      operands.every((x) => x !== undefined) ? cx.add(op, operands as readonly number[], attrs, scope, span, name) : undefined,
    constant: (value) => cx.add("constant", [], { value }, scope, span, name),
    scalar: (x) => {
      const t = exactTensor({ shape: [], numbers: [x] });
      return "bad" in t
        ? build.fail("a constant here must have a finite binary expansion", "write a power of two fraction, such as 0.25")
        : build.constant(t);
    },
    shapeOf: (x) => cx.shapeOf(x),
    fail: (message, help) => cx.error("QN806", scope, span, `${name}: ${message}`, help === undefined ? {} : { help }),
  };
  return build;
}
