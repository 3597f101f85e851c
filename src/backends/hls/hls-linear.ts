// The C++ of dense and conv: a constant kernel at every position, one accumulator a unit. A dense layer is a window of no spatial axes.
import { exponent, type FixedType, fit, hull, type Range, trailingZeros } from "../../ir/fixed.js";
import type { Node, NodeWith } from "../../ir/graph.js";
import { printShape, type Tensor, typeOfTensor } from "../../ir/tensor.js";
import { apFixed, storedWidth } from "./cpp-types.js";
import { at, indexOf } from "./hls-axes.js";
import type { HlsBuilder } from "./hls-builder.js";
import { type Windows, wholePositions, windowAxes, windowCode } from "./hls-windows.js";
import { mantissas } from "./mantissas.js";

/** A kernel [taps…, inputs, units] of so many groups: unit j of group g reads the inputs of group g. */
interface Kernel extends Windows {
  readonly kernel: Tensor;
  readonly bias: Tensor | undefined;
  readonly groups: number;
}

const isZero = (r: Range): boolean => r.lo === 0n && r.hi === 0n;

/** Where `lo … hi` lies at another exponent. */
const rangeAt = (r: Range & { readonly exp: number }, exp: number): Range =>
  isZero(r) ? r : { lo: r.lo << BigInt(r.exp - exp), hi: r.hi << BigInt(r.exp - exp) };

/** An exponent no coarser than that of any nonzero product, bias or result. */
function accumulatorExponent(node: Node, x: Node, { kernel, bias, groups }: Kernel): number {
  const [inputs, units] = [kernel.shape.at(-2)!, kernel.shape.at(-1)!];
  const finestOf = new Array<number>(inputs * groups).fill(Number.POSITIVE_INFINITY);
  x.elements!.forEach((e, k) => {
    const channel = k % finestOf.length;
    if (!isZero(e)) finestOf[channel] = Math.min(finestOf[channel]!, e.exp);
  });
  let exp = Number.POSITIVE_INFINITY;
  kernel.data.forEach((w, k) => {
    if (w === 0n) return;
    const group = Math.floor((k % units) / (units / groups));
    const channel = group * inputs + (Math.floor(k / units) % inputs);
    exp = Math.min(exp, finestOf[channel]! + kernel.exp + trailingZeros(w));
  });
  for (const k of bias?.data ?? []) if (k !== 0n) exp = Math.min(exp, bias!.exp + trailingZeros(k));
  for (const e of node.elements!) if (!isZero(e)) exp = Math.min(exp, e.exp);
  return exp === Number.POSITIVE_INFINITY ? 0 : exp;
}

const step = (t: FixedType): string => (t.width === 0 ? "all are zero" : `value = entry * 2^${exponent(t)}`);

function linear(node: Node, id: number, b: HlsBuilder, k: Kernel, equation: string): void {
  const { kernel, bias, groups } = k;
  const [inputs, units] = [kernel.shape.at(-2)!, kernel.shape.at(-1)!];
  const x = b.graph.nodes[node.operands[0]!]!;
  const base = b.baseName(id);
  const y = b.result(id);
  const exp = accumulatorExponent(node, x, k);
  const sums = node.elements!.map((e) => rangeAt(e, exp)).reduce(hull);
  const held = fit(sums, exp);
  const accumulatorType = held.width === 0 ? { signed: false, width: 1, int: 1 + exp } : held;
  const accumulator = b.typedef(`${base}_acc_t`, accumulatorType, `sums of ${sums.lo} to ${sums.hi} steps of 2^${exp}`);

  const shape = printShape(kernel.shape);
  const weightType = typeOfTensor(kernel);
  const weight = b.typedef(`${base}_weight_t`, weightType, `kernel ${shape}`);
  const doc = `Kernel ${shape} as ${apFixed(weightType)}: ${step(weightType)}; a row holds the weights of one input.`;
  const weights = b.table(id, "weights", weightType, mantissas(kernel, weightType), units, doc);

  const axes = windowAxes(x.type.shape, node.type.shape, k, inputs * units);
  const taps = axes.taps.map((a) => ({ ...a, step: { ...a.step, [weights.name]: a.step.weights! } }));
  const i = { name: "i", count: inputs, step: { x: 1, [weights.name]: units } };
  const share = units / groups;
  const g = { name: "g", count: groups, step: { x: inputs, acc: share, [weights.name]: share } };
  const inGroup = { name: "j", count: share, step: { acc: 1, [weights.name]: 1 } };
  const j = { name: "j", count: units, step: { y: 1, acc: 1 } };
  const reduced = [...taps, i, g, inGroup];
  const element = at("x", [...axes.positions, ...reduced]);
  const reduction = { id, positions: axes.positions, work: kernel.data.length };
  const whole = wholePositions(b, reduction);
  const table = (name: string, t: Tensor): readonly string[] => b.split(name, t.shape, whole, "RESHAPE");

  const pragmas = [...table(weights.name, kernel)];
  let start = `${accumulator}(0)`;
  if (bias) {
    const biasType = typeOfTensor(bias);
    const type = b.typedef(`${base}_bias_t`, biasType, `bias [${units}]`);
    const biasDoc = `Bias [${units}] as ${apFixed(biasType)}: ${step(biasType)}.`;
    const biases = b.table(id, "biases", biasType, mantissas(bias, biasType), units, biasDoc);
    pragmas.push(...table(biases.name, bias));
    start = biases.at(type, units === 1 ? "0" : "j");
  }
  const code = windowCode(b, {
    ...reduction,
    taps,
    accumulator,
    start: { axes: [j], line: `${at("acc", [j])} = ${start};` },
    step: {
      axes: reduced,
      line: `${at("acc", reduced)} += ${element} * ${weights.at(weight, indexOf(weights.name, reduced))};`,
    },
    finish: { axes: [j], line: `${at("y", [...axes.positions, j])} = ${at("acc", [j])};` },
  });
  b.op(
    id,
    y,
    [{ name: "x", id: node.operands[0]! }],
    [
      `${b.describe(node)}: ${equation}`,
      `${accumulator} holds every final sum. Partial sums may wrap: modulo 2^${storedWidth(accumulatorType)} steps, ` +
        "a sum that fits comes out exact.",
    ],
    [...pragmas, ...code],
  );
}

export function hlsDense(node: NodeWith<"dense">, id: number, b: HlsBuilder): void {
  const plus = node.attrs.bias ? " + bias[j]" : "";
  linear(node, id, b, { ...node.attrs, groups: 1, window: [], strides: [], dilations: [] }, `y[j] = sum_i x[i] * kernel[i, j]${plus}`);
}

export function hlsConv(node: NodeWith<"conv">, id: number, b: HlsBuilder): void {
  const { kernel, bias, strides, dilations, groups } = node.attrs;
  const times = (list: readonly number[]): string => (list.every((n) => n === 1) ? "" : ` * ${printShape(list)}`);
  const split = groups === 1 ? "" : `; ${groups} groups of channels and units`;
  const plus = bias ? " + bias[j]" : "";
  const equation = `y[p, j] = sum_k,i x[p${times(strides)} + k${times(dilations)}, i] * kernel[k, i, j]${plus}${split}`;
  linear(node, id, b, { ...node.attrs, window: kernel.shape.slice(0, -2) }, equation);
}
