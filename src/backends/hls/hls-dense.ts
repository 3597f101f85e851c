// The C++ of the dense op: loops over inputs and outputs with one accumulator an output.
import { exponent, type FixedType, fit, hull, type Range, trailingZeros } from "../../ir/fixed.js";
import type { Node, NodeWith } from "../../ir/graph.js";
import { sizeOf, typeOfTensor } from "../../ir/tensor.js";
import { apFixed, storedWidth } from "./cpp-types.js";
import type { HlsBuilder } from "./hls-builder.js";
import { mantissas } from "./mantissas.js";

/** Where `lo … hi` lies at another exponent. */
const rangeAt = (r: Range & { readonly exp: number }, exp: number): Range =>
  r.lo === 0n && r.hi === 0n ? r : { lo: r.lo << BigInt(r.exp - exp), hi: r.hi << BigInt(r.exp - exp) };

/** The finest exponent of any nonzero product or bias of a dense op, and of its results. */
function accumulatorExponent(node: NodeWith<"dense">, x: Node): number {
  const { kernel, bias } = node.attrs;
  const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
  const finestOf = new Array<number>(n).fill(Number.POSITIVE_INFINITY);
  x.elements!.forEach((e, k) => {
    if (e.lo !== 0n || e.hi !== 0n) finestOf[k % n] = Math.min(finestOf[k % n]!, e.exp);
  });
  let exp = Number.POSITIVE_INFINITY;
  kernel.data.forEach((w, k) => {
    if (w !== 0n) exp = Math.min(exp, finestOf[Math.floor(k / m)]! + kernel.exp + trailingZeros(w));
  });
  for (const k of bias?.data ?? []) if (k !== 0n) exp = Math.min(exp, bias!.exp + trailingZeros(k));
  for (const e of node.elements!) if (e.lo !== 0n || e.hi !== 0n) exp = Math.min(exp, e.exp);
  return exp === Number.POSITIVE_INFINITY ? 0 : exp;
}

export function hlsDense(node: NodeWith<"dense">, id: number, b: HlsBuilder): void {
  const { kernel, bias } = node.attrs;
  const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
  const rows = sizeOf(node.type.shape) / m;
  const x = b.graph.nodes[node.operands[0]!]!;
  const base = b.baseName(id);
  const y = b.result(id);
  const exp = accumulatorExponent(node, x);
  const sums = node.elements!.map((e) => rangeAt(e, exp)).reduce(hull);
  const accumulator = fit(sums, exp);
  const acc = b.typedef(
    `${base}_acc_t`,
    accumulator.width === 0 ? { signed: false, width: 1, int: 1 + exp } : accumulator,
    `sums of ${sums.lo} to ${sums.hi} steps of 2^${exp}`,
  );
  const weightType = typeOfTensor(kernel);
  const weight = b.typedef(`${base}_weight_t`, weightType, `kernel [${n}, ${m}]`);
  const step = (t: FixedType): string => (t.width === 0 ? "all are zero" : `value = entry * 2^${exponent(t)}`);
  const weights = b.table(
    id,
    "weights",
    weightType,
    mantissas(kernel, weightType),
    m,
    `Kernel [${n}, ${m}] as ${apFixed(weightType)}: ${step(weightType)}; a row holds the weights of one input.`,
  );
  let start = `${acc}(0)`;
  const pragmas = [`#pragma HLS ARRAY_PARTITION variable=${weights.name} complete dim=0`];
  if (bias) {
    const biasType = typeOfTensor(bias);
    const type = b.typedef(`${base}_bias_t`, biasType, `bias [${m}]`);
    const biases = b.table(id, "biases", biasType, mantissas(bias, biasType), m, `Bias [${m}] as ${apFixed(biasType)}: ${step(biasType)}.`);
    pragmas.push(`#pragma HLS ARRAY_PARTITION variable=${biases.name} complete dim=0`);
    start = biases.at(type, "j");
  }
  const [xAt, yAt] = rows === 1 ? ["x[i]", "y[j]"] : [`x[row * ${n} + i]`, `y[row * ${m} + j]`];
  const loop = (indices: readonly (readonly [string, number])[], line: string): string[] => b.loops(indices, [line], rows === 1 ? 1 : 2);
  const code = [
    ...loop([["j", m]], `acc[j] = ${start};`),
    ...loop(
      [
        ["i", n],
        ["j", m],
      ],
      `acc[j] += ${xAt} * ${weights.at(weight, `i * ${m} + j`)};`,
    ),
    ...loop([["j", m]], `${yAt} = acc[j];`),
  ];
  const declare = [`  ${acc} acc[${m}];`, ...(b.unroll ? ["#pragma HLS ARRAY_PARTITION variable=acc complete dim=0"] : [])];
  const perRow =
    rows === 1 ? code : [`  for (int row = 0; row < ${rows}; row++) {`, ...(b.unroll ? ["#pragma HLS UNROLL"] : []), ...code, "  }"];
  b.op(
    id,
    y,
    [{ name: "x", id: node.operands[0]! }],
    [
      `${b.describe(node)}: y[j] = sum_i x[i] * kernel[i, j]${bias ? " + bias[j]" : ""}`,
      `${acc} holds every final sum. Partial sums may wrap: modulo 2^${storedWidth(accumulator)} steps, a sum that fits comes out exact.`,
    ],
    [...(b.unroll ? pragmas : []), ...declare, ...perRow],
  );
}
