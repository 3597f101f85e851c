// dense: a constant matrix times the last axis, plus a constant bias.
import { printShape } from "../tensor.js";
import { op } from "./op.js";

export const dense = op({
  name: "dense",
  doc: "y[…, j] = Σ_i x[…, i]·kernel[i, j] + bias[j]",
  operands: ["x"],
  attrs: { kernel: "tensor", bias: "tensor?" },
  shape: ([x], { kernel, bias }) => {
    if (kernel.shape.length !== 2) return `the kernel has shape ${printShape(kernel.shape)}; expected [features, units]`;
    const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
    if (x!.length === 0 || x!.at(-1) !== n) return `the kernel takes ${n} features, and x has shape ${printShape(x!)}`;
    if (bias && (bias.shape.length !== 1 || bias.shape[0] !== m)) return `the bias has shape ${printShape(bias.shape)}; expected [${m}]`;
    return [...x!.slice(0, -1), m];
  },
  expand: (k, [x], { kernel, bias }) => {
    const n = kernel.shape[0]!;
    return Array.from({ length: x!.at.length / n }, (_, row) => k.matvec(kernel, x!.at.slice(row * n, row * n + n), bias)).flat();
  },
});
