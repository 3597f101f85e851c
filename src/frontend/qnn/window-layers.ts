// Convolutions, pools and their kin with the words of the field (padding, strides), in one and two dimensions: rows of the table of layers.
import { printShape, type Shape, type Tensor, tensorFromNumbers } from "../../ir/tensor.js";
import { type ArgumentsOf, type Build, layer } from "./layer-def.js";
import type { Padding, Size } from "./kinds.js";
import { rational } from "./rational.js";

type Rank = 1 | 2;
const axes = { 1: "[width, channels]", 2: "[height, width, channels]" } as const;
const kernelAxes = { 1: "width", 2: "height, width" } as const;

/** One number an axis; undefined after reporting a list of another length. */
function perAxis(b: Build, name: string, size: Size, rank: number): readonly number[] | undefined {
  if (typeof size === "number") return new Array<number>(rank).fill(size);
  return size.length === rank ? size : b.fail(`\`${name}\` has ${size.length} numbers for ${rank} spatial ${rank === 1 ? "axis" : "axes"}`);
}

interface Window {
  readonly window: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

const spatialOf = (shape: Shape, rank: number): Shape => shape.slice(-rank - 1, -1);

/** Elements before and after each spatial axis. Same: as many positions as ⌈size / stride⌉, the odd element behind, as TensorFlow pads. */
function padsOf(shape: Shape, padding: Padding, { window, strides, dilations }: Window): readonly number[] {
  const reach = window.map((w, d) => (w - 1) * dilations[d]!);
  if (padding === "causal") return reach.flatMap((r) => [r, 0]);
  return spatialOf(shape, window.length).flatMap((n, d) => {
    const total = padding === "same" ? Math.max((Math.ceil(n / strides[d]!) - 1) * strides[d]! + reach[d]! + 1 - n, 0) : 0;
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
}

/** x with zeros, or its nearest elements, around its spatial axes; x itself where nothing is to add. */
function padded(b: Build, x: number, how: "pad" | "edgepad", pads: readonly number[]): number | undefined {
  const lead = b.shapeOf(x).length - pads.length / 2 - 1;
  // Too few axes: the op behind says so.
  if (lead < 0 || pads.every((n) => n === 0)) return x;
  return b.add(how, [x], { pads: [...new Array<number>(2 * lead).fill(0), ...pads, 0, 0] });
}

const sliding = {
  padding: { kind: "padding", default: "valid" },
  strides: { kind: "size", default: 1 },
  dilations: { kind: "size", default: 1 },
} as const;
type Sliding = ArgumentsOf<typeof sliding>;

function convolve(
  b: Build,
  rank: Rank,
  x: number,
  kernel: Tensor,
  bias: Tensor | undefined,
  groups: number,
  a: Sliding,
): number | undefined {
  const strides = perAxis(b, "strides", a.strides, rank);
  const dilations = perAxis(b, "dilations", a.dilations, rank);
  if (!strides || !dilations) return undefined;
  if (a.padding === "causal" && rank > 1)
    return b.fail("causal padding goes with one dimension", "write `padding: same`, or pad by the op `pad`");
  const window = kernel.shape.slice(0, rank);
  const image = padded(b, x, "pad", padsOf(b.shapeOf(x), a.padding, { window, strides, dilations }));
  return b.add("conv", [image], { kernel, bias, strides, dilations, groups });
}

/** Whether a kernel has `rank` spatial axes and two more. */
function isKernel(b: Build, name: string, kernel: Tensor, rank: Rank, last: string): boolean {
  if (kernel.shape.length === rank + 2) return true;
  b.fail(
    `\`${name}\` has shape ${printShape(kernel.shape)}; expected [${kernelAxes[rank]}, channels, ${last}]`,
    "a kernel of PyTorch is turned by transpose(weight(…), order: […])",
  );
  return false;
}

const conv = (rank: Rank) =>
  layer({
    doc: `conv over ${axes[rank]}, zeros around x as \`padding\` says`,
    operands: ["x"],
    attrs: { kernel: "tensor", bias: "tensor?", ...sliding, groups: { kind: "int", default: 1 } },
    build: (b, [x], a) =>
      isKernel(b, "kernel", a.kernel, rank, "filters") ? convolve(b, rank, x!, a.kernel, a.bias, a.groups, a) : undefined,
  });

/** Keras' kernel […, channels, multiplier] is the grouped one […, 1, channels·multiplier], in this order. */
const grouped = (kernel: Tensor): Tensor => ({
  ...kernel,
  shape: [...kernel.shape.slice(0, -2), 1, kernel.shape.at(-2)! * kernel.shape.at(-1)!],
});

const depthwise = (rank: Rank) =>
  layer({
    doc: `conv of each channel by itself over ${axes[rank]}: conv with groups = channels`,
    operands: ["x"],
    attrs: { depthwise_kernel: "tensor", bias: "tensor?", ...sliding },
    build: (b, [x], a) =>
      isKernel(b, "depthwise_kernel", a.depthwise_kernel, rank, "multiplier")
        ? convolve(b, rank, x!, grouped(a.depthwise_kernel), a.bias, a.depthwise_kernel.shape.at(-2)!, a)
        : undefined,
  });

const separable = (rank: Rank) =>
  layer({
    doc: "a depthwise convolution without a bias, then one whose window is a single position",
    operands: ["x"],
    attrs: { depthwise_kernel: "tensor", pointwise_kernel: "tensor", bias: "tensor?", ...sliding },
    build: (b, [x], a) => {
      if (
        !isKernel(b, "depthwise_kernel", a.depthwise_kernel, rank, "multiplier") ||
        !isKernel(b, "pointwise_kernel", a.pointwise_kernel, rank, "filters")
      )
        return undefined;
      const deep = convolve(b, rank, x!, grouped(a.depthwise_kernel), undefined, a.depthwise_kernel.shape.at(-2)!, a);
      return deep === undefined
        ? undefined
        : convolve(b, rank, deep, a.pointwise_kernel, a.bias, 1, { padding: "valid", strides: 1, dilations: 1 });
    },
  });

const pooling = { window: { kind: "size", default: 2 }, strides: "size?", padding: { kind: "padding", default: "valid" } } as const;

function windowOf(b: Build, rank: Rank, a: ArgumentsOf<typeof pooling>): Window | undefined {
  const window = perAxis(b, "window", a.window, rank);
  const strides = perAxis(b, "strides", a.strides ?? a.window, rank);
  if (!window || !strides) return undefined;
  return a.padding === "causal"
    ? b.fail("a pool has no causal padding", "write `padding: same` or `valid`")
    : { window, strides, dilations: window.map(() => 1) };
}

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

/** x / counts, where `counts` broadcasts. What is no power of two is a float32 factor that waits for a precision. */
function divided(b: Build, x: number | undefined, shape: Shape, counts: readonly number[]): number | undefined {
  const isExact = counts.every(isPowerOfTwo);
  const factors = counts.map((n) => (isExact ? 1 / n : Math.fround(1 / n)));
  const factor =
    shape.length === 0 && isExact
      ? b.scalar(rational(1n, BigInt(counts[0]!)))
      : b.constant(tensorFromNumbers(shape, factors, isExact ? {} : { real: true }));
  return b.add("mul", [x, factor], {});
}

/** How many elements of x each position of a padded window sees: along each axis, then the product. */
function countsAt(
  spatial: Shape,
  { window, strides }: Window,
  pads: readonly number[],
): { readonly shape: Shape; readonly counts: readonly number[] } {
  const along = spatial.map((n, d) =>
    Array.from({ length: Math.floor((n + pads[2 * d]! + pads[2 * d + 1]! - window[d]!) / strides[d]!) + 1 }, (_, p) => {
      const from = p * strides[d]! - pads[2 * d]!;
      return Math.min(n, from + window[d]!) - Math.max(0, from);
    }),
  );
  return { shape: [...along.map((c) => c.length), 1], counts: along.reduce((all, c) => all.flatMap((a) => c.map((n) => a * n)), [1]) };
}

const maxpool = (rank: Rank) =>
  layer({
    doc: `maxpool over ${axes[rank]}; \`same\` pads with the nearest elements, which no maximum sees`,
    operands: ["x"],
    attrs: pooling,
    build: (b, [x], a) => {
      const w = windowOf(b, rank, a);
      return w && b.add("maxpool", [padded(b, x!, "edgepad", padsOf(b.shapeOf(x!), a.padding, w))], w);
    },
  });

const avgpool = (rank: Rank) =>
  layer({
    doc: `y = mean of x under the window, over ${axes[rank]}; what \`same\` pads does not count`,
    operands: ["x"],
    attrs: pooling,
    build: (b, [x], a) => {
      const w = windowOf(b, rank, a);
      if (!w) return undefined;
      const shape = b.shapeOf(x!);
      const pads = padsOf(shape, a.padding, w);
      const sum = b.add("sumpool", [padded(b, x!, "pad", pads)], w);
      const whole = w.window.reduce((n, m) => n * m, 1);
      if (pads.every((n) => n === 0) || sum === undefined) return divided(b, sum, [], [whole]);
      const at = countsAt(spatialOf(shape, rank), w, pads);
      return divided(b, sum, at.shape, at.counts);
    },
  });

/** Over all axes but the channels, which alone are left. */
function pooledWhole(b: Build, x: number, by: "maxpool" | "sumpool"): { readonly value: number | undefined; readonly count: number } {
  const shape = b.shapeOf(x);
  const window = shape.slice(0, -1);
  const pooled = window.length === 0 ? x : b.add(by, [x], { window, strides: window });
  return { value: b.add("reshape", [pooled], { shape: shape.slice(-1) }), count: window.reduce((n, m) => n * m, 1) };
}

const upsample = (rank: Rank) =>
  layer({
    doc: `every element of ${axes[rank]} repeated \`size\` times along its spatial axes`,
    operands: ["x"],
    attrs: { size: { kind: "size", default: 2 } },
    build: (b, [x], { size }) => {
      const factors = perAxis(b, "size", size, rank);
      const lead = b.shapeOf(x!).length - rank - 1;
      if (lead < 0) return b.fail(`x has shape ${printShape(b.shapeOf(x!))}; expected ${axes[rank]}`);
      return factors && b.add("resize", [x], { factors: [...new Array<number>(lead).fill(1), ...factors, 1] });
    },
  });

const zeropad = (rank: Rank) =>
  layer({
    doc: `\`size\` zeros before and behind x along each spatial axis of ${axes[rank]}`,
    operands: ["x"],
    attrs: { size: { kind: "size", default: 1 } },
    build: (b, [x], { size }) => {
      const counts = perAxis(b, "size", size, rank);
      if (b.shapeOf(x!).length < rank + 1) return b.fail(`x has shape ${printShape(b.shapeOf(x!))}; expected ${axes[rank]}`);
      return (
        counts &&
        padded(
          b,
          x!,
          "pad",
          counts.flatMap((n) => [n, n]),
        )
      );
    },
  });

export const windowLayers = {
  conv1d: conv(1),
  conv2d: conv(2),
  depthwise1d: depthwise(1),
  depthwise2d: depthwise(2),
  separable1d: separable(1),
  separable2d: separable(2),
  maxpool1d: maxpool(1),
  maxpool2d: maxpool(2),
  avgpool1d: avgpool(1),
  avgpool2d: avgpool(2),
  global_maxpool: layer({
    doc: "the largest element of each channel",
    operands: ["x"],
    attrs: {},
    build: (b, [x]) => pooledWhole(b, x!, "maxpool").value,
  }),
  global_avgpool: layer({
    doc: "the mean of each channel",
    operands: ["x"],
    attrs: {},
    build: (b, [x]) => {
      const { value, count } = pooledWhole(b, x!, "sumpool");
      return divided(b, value, [], [count]);
    },
  }),
  upsample1d: upsample(1),
  upsample2d: upsample(2),
  zeropad1d: zeropad(1),
  zeropad2d: zeropad(2),
} as const;
