// Dense and convolution: products and partial sums in the accumulator's type (reference: numerics of hls4ml, §3.4).
import { exponent } from "../../ir/fixed.js";
import type { GraphBuilder } from "../../ir/graph.js";
import { sizeOf, type Tensor, tensor } from "../../ir/tensor.js";
import { biasIn, cast, constant, gridOf, isOnceEnough, product, reshape, shapeOf, signed, sumLast, times, transposed } from "./emitting.js";
import type { Emit } from "./emit.js";
import type { Conv, Dense, Weights } from "./nodes.js";
import { integerPrecision, type Precision } from "./precision.js";
import { weightTensor } from "./weights.js";

interface Sum {
  readonly weight: Weights;
  readonly bias: Weights;
  readonly accum: Precision;
}

const typeOf = (w: Weights): Precision => w.type as Precision;

/** Whether a matrix product followed by one conversion gives what hls4ml's loop gives: no product loses bits, no partial sum saturates. */
function isExact(b: GraphBuilder, x: number, kernel: Tensor, bias: Tensor, accum: Precision): boolean {
  if (gridOf(b, x) + kernel.exp < exponent(accum.type)) return false;
  if (accum.overflow === "WRAP") return true;
  const elements = b.node(x).elements ?? [];
  const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
  // One bound for all positions: input i over all rows.
  const inputs = Array.from({ length: n }, (_, i) => {
    let [lo, hi] = [0, 0];
    for (let k = i; k < elements.length; k += n) {
      const e = elements[k]!;
      lo = Math.min(lo, Number(e.lo) * 2 ** e.exp);
      hi = Math.max(hi, Number(e.hi) * 2 ** e.exp);
    }
    return { lo, hi };
  });
  const column = (j: number) => {
    const v = Number(bias.data[j]!) * 2 ** bias.exp;
    return [
      ...inputs.map(({ lo, hi }, i) => {
        const w = Number(kernel.data[i * m + j]!) * 2 ** kernel.exp;
        return w >= 0 ? { lo: lo * w, hi: hi * w } : { lo: hi * w, hi: lo * w };
      }),
      { lo: v, hi: v },
    ];
  };
  return isOnceEnough(
    Array.from({ length: m }, (_, j) => column(j)),
    accum,
  );
}

/** [n, …] as a matrix. */
const matrix = (t: Tensor): Tensor =>
  tensor([sizeOf(t.shape.slice(0, -1)), t.shape.at(-1)!], t.exp, t.data, t.type ? { type: t.type } : {});

/** Every element of a typed value has an interval of its own, about 100 bytes. */
const MAX_PRODUCTS = 1 << 21;

/** x[…, n] times a kernel of n rows. */
function sums(b: GraphBuilder, x: number, xType: Precision, { weight, bias, accum }: Sum): number {
  const start = biasIn(bias, typeOf(bias), accum);
  const type = typeOf(weight);
  const data = signed(b, x, xType);
  if (type.kind !== "exponent") {
    const kernel = matrix(weightTensor(weight, type));
    if (isExact(b, data, kernel, start, accum)) return cast(b, b.add("dense", [data], { kernel, bias: start }), accum);
  }
  const shape = shapeOf(b, x);
  const count = sizeOf(shape) * weight.shape.at(-1)!;
  if (count > MAX_PRODUCTS) {
    const help = `give \`accum\` as many fractional bits as data and weights have together, and let it wrap; the limit is ${MAX_PRODUCTS}`;
    b.fail(`the accumulator rounds or saturates, so each of its ${count} products would be an element of its own`, { help });
    return b.poison();
  }
  const row = reshape(b, x, [...shape.slice(0, -1), 1, shape.at(-1)!]);
  const products = product(b, { x: row, xType, weight, type }, (t) => transposed(matrix(t)));
  return sumLast(b, cast(b, products, accum), accum, start);
}

/** Binary data and binary weights: the sum counts agreements, and the result is 2·count − n. */
function agreements(b: GraphBuilder, x: number, { weight, bias, accum }: Sum, result: Precision): number {
  const kernel = matrix(weightTensor(weight, typeOf(weight)));
  const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
  const start = biasIn(bias, typeOf(bias), accum);
  // a == w is a for w = +1 and 1 − a for w = −1.
  const negatives = Array.from({ length: m }, (_, j) => kernel.data.reduce((sum, w, i) => sum + (i % m === j && w < 0n ? 1n : 0n), 0n));
  const offset = tensor(
    [m],
    start.exp,
    start.data.map((v, j) => v + (negatives[j]! << BigInt(-start.exp))),
  );
  const count = cast(b, b.add("dense", [x], { kernel, bias: offset }), accum);
  const balance = b.add("sub", [times(b, count, 2), constant(b, tensor([], 0, [BigInt(n)]))], {});
  return cast(b, cast(b, balance, integerPrecision(Math.ceil(Math.log2(n)) + 2)), result);
}

export const emitDense: Emit<Dense> = ({ b, inputs: [x], types: [xType], node, result }) => {
  const sum = { weight: node.weight, bias: node.bias, accum: node.accum as Precision };
  if (xType!.kind === "xnor" && typeOf(node.weight).kind === "xnor") return agreements(b, x!, sum, result);
  return cast(b, sums(b, x!, xType!, sum), result);
};

/** The data under each tap of the kernel, one value [positions…, channels] a tap, in the kernel's order. */
function taps(b: GraphBuilder, padded: number, node: Conv): readonly number[] {
  const window = node.weight.shape.slice(0, -2);
  const at = node.shape.slice(0, -1);
  const shape = shapeOf(b, padded);
  return Array.from({ length: sizeOf(window) }, (_, k) => {
    const offset = window.map((_, d) => Math.floor(k / sizeOf(window.slice(d + 1))) % window[d]!);
    const stop = offset.map((o, d) => o + (at[d]! - 1) * node.strides[d]! + 1);
    return b.add("slice", [padded], { start: [...offset, 0], stop: [...stop, shape.at(-1)!], step: [...node.strides, 1] });
  });
}

export function padded(b: GraphBuilder, x: number, pads: readonly (readonly [number, number])[]): number {
  return pads.every(([before, after]) => before === 0 && after === 0) ? x : b.add("pad", [x], { pads: [...pads.flat(), 0, 0] });
}

export const emitConv: Emit<Conv> = ({ b, inputs: [x], types: [xType], node, result }) => {
  const accum = node.accum as Precision;
  const type = typeOf(node.weight);
  const data = padded(b, x!, node.pads);
  if (type.kind !== "exponent" && type.kind !== "xnor" && xType!.kind !== "xnor") {
    const kernel = weightTensor(node.weight, type);
    const bias = biasIn(node.bias, typeOf(node.bias), accum);
    if (accum.overflow === "WRAP" && gridOf(b, data) + kernel.exp >= exponent(accum.type)) {
      const dilations = node.strides.map(() => 1);
      return cast(b, cast(b, b.add("conv", [data], { kernel, bias, strides: node.strides, dilations, groups: 1 }), accum), result);
    }
  }
  const columns = b.add("concat", taps(b, data, node), { axis: node.shape.length - 1 });
  return cast(b, sums(b, columns, xType!, { weight: node.weight, bias: node.bias, accum }), result);
};

/** One kernel a channel: a sum over taps, each product in the accumulator's type. */
export const emitDepthwise: Emit<Conv> = ({ b, inputs: [x], types: [xType], node, result }) => {
  const accum = node.accum as Precision;
  const units = node.shape.at(-1)!;
  const repeat = units / shapeOf(b, x!).at(-1)!;
  const factors = [...node.shape.slice(0, -1).map(() => 1), repeat];
  let sum = constant(b, biasIn(node.bias, typeOf(node.bias), accum));
  taps(b, padded(b, x!, node.pads), node).forEach((tap, k) => {
    const weight = { ...node.weight, shape: [units], values: node.weight.values.slice(k * units, (k + 1) * units) };
    const each = repeat === 1 ? tap : b.add("resize", [tap], { factors });
    const term = cast(
      b,
      product(b, { x: each, xType: xType!, weight, type: typeOf(weight) }, (t) => t),
      accum,
    );
    const next = b.add("add", [term, sum], {});
    sum = accum.overflow === "WRAP" ? next : cast(b, next, accum);
  });
  return cast(b, cast(b, sum, accum), result);
};
