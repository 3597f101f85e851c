// conv: one constant kernel at every position of a channels-last image of any number of spatial axes. Padding is the op `pad`.
import type { Arith } from "../arith.js";
import { printShape, type Shape, sizeOf, type Tensor, tensor } from "../tensor.js";
import { op } from "./op.js";
import { windowIndex, windowShape } from "./window.js";

/** The columns of one group of units as a tensor of its own, with all leading axes in one; the same object for the same tensor. */
export function splitUnits(t: Tensor, groups: number): readonly Tensor[] {
  const known = parts.get(t);
  if (known?.length === groups) return known;
  const units = t.shape.at(-1)! / groups;
  const lead = t.shape.length === 1 ? [] : [sizeOf(t.shape.slice(0, -1))];
  const made = Array.from({ length: groups }, (_, g) => {
    const data = Array.from({ length: t.data.length / groups }, (_, i) => t.data[Math.floor(i / units) * units * groups + g * units + (i % units)]!);
    return tensor([...lead, units], t.exp, data);
  });
  parts.set(t, made);
  return made;
}
const parts = new WeakMap<Tensor, readonly Tensor[]>();

export interface ConvGeometry {
  /** Kernel sizes, one a spatial axis. */
  readonly window: readonly number[];
  readonly channels: number;
  readonly units: number;
}

export const convGeometry = (kernel: Tensor, groups: number): ConvGeometry => ({
  window: kernel.shape.slice(0, -2),
  channels: kernel.shape.at(-2)! * groups,
  units: kernel.shape.at(-1)!,
});

export const conv = op({
  name: "conv",
  doc: "y[…, p, j] = Σ_{k,i} x[…, p·stride + k·dilation, i]·kernel[k, i, j] + bias[j]; with groups, unit j of group g reads the channels of group g",
  operands: ["x"],
  attrs: { kernel: "tensor", bias: "tensor?", strides: "ints", dilations: "ints", groups: "int" },
  shape: ([x], { kernel, bias, strides, dilations, groups }) => {
    if (kernel.shape.length < 3) return `the kernel has shape ${printShape(kernel.shape)}; expected [spatial…, channels, units]`;
    const { window, channels, units } = convGeometry(kernel, groups);
    if (!Number.isInteger(groups) || groups < 1 || units % groups !== 0) return `${units} units cannot be split into ${groups} groups`;
    if (x!.length === 0 || x!.at(-1) !== channels) return `the kernel takes ${channels} channels, and x has shape ${printShape(x!)}`;
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== units)) return `the bias has shape ${printShape(bias.shape)}; expected [${units}]`;
    const at = windowShape(x!, window, strides, dilations);
    return typeof at === "string" ? at : [...at, units];
  },
  expand: <V>(k: Arith<V>, [x]: readonly { shape: Shape; at: readonly V[] }[], { kernel, bias, strides, dilations, groups }: ConvAttrs) => {
    const { window, channels } = convGeometry(kernel, groups);
    const kernels = splitUnits(kernel, groups);
    const biases = bias && splitUnits(bias, groups);
    const pixels = windowIndex(x!.shape, window, strides, dilations);
    const share = channels / groups;
    return pixels.flatMap((taps) =>
      kernels.flatMap((matrix, g) =>
        k.matvec(matrix, taps.flatMap((pixel) => x!.at.slice(pixel * channels + g * share, pixel * channels + (g + 1) * share)), biases?.[g]),
      ),
    );
  },
});

interface ConvAttrs {
  readonly kernel: Tensor;
  readonly bias: Tensor | undefined;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly groups: number;
}
