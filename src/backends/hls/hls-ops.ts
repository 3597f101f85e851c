// The C++ of every op: a table, so that tsc names what a new op lacks. Each function states the op's equation.
import { bitLength, exponent, type FixedType, fit, hull, type Range, sameType, shiftFloor, trailingZeros } from "../../ir/fixed.js";
import { type NodeWith, rangeOfNode, type Node } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import { typeAt } from "../../ir/ops/op.js";
import { broadcastIndex, sizeOf, type Shape, type Tensor, typeOfTensor } from "../../ir/tensor.js";
import { applyUnary, printUnary } from "../../ir/unary.js";
import { assert } from "../../diagnostics.js";
import { apFixed, commentText, integerLiteral, storedWidth } from "./cpp-types.js";
import { elemOf, type HlsBuilder } from "./hls-builder.js";

type PerOp = { readonly [K in OpName]: (node: NodeWith<K>, id: number, b: HlsBuilder) => void };

/** Mantissas of a constant at the exponent of `t`. */
function mantissas(value: Pick<Tensor, "data" | "exp">, t: FixedType): readonly bigint[] {
  return value.data.map((m) => {
    if (m === 0n) return 0n;
    const shift = value.exp - exponent(t);
    const scaled = shiftFloor(m, shift);
    const held = t.signed ? BigInt.asIntN(t.width, scaled) : BigInt.asUintN(t.width, scaled);
    assert(held === scaled && shiftFloor(scaled, -shift) === m, `hls: ${m}*2^${value.exp} does not fit ${apFixed(t)}`);
    return scaled;
  });
}

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

function dense(node: NodeWith<"dense">, id: number, b: HlsBuilder): void {
  const { kernel, bias } = node.attrs;
  const [n, m] = [kernel.shape[0]!, kernel.shape[1]!];
  const rows = sizeOf(node.type.shape) / m;
  const x = b.graph.nodes[node.operands[0]!]!;
  const base = b.baseName(id);
  const y = b.result(id);
  const exp = accumulatorExponent(node, x);
  const sums = node.elements!.map((e) => rangeAt(e, exp)).reduce(hull);
  const accumulator = fit(sums, exp);
  const acc = b.typedef(`${base}_acc_t`, accumulator.width === 0 ? { signed: false, width: 1, int: 1 + exp } : accumulator, `sums of ${sums.lo} to ${sums.hi} steps of 2^${exp}`);
  const weightType = typeOfTensor(kernel);
  const weight = b.typedef(`${base}_weight_t`, weightType, `kernel [${n}, ${m}]`);
  const step = (t: FixedType): string => (t.width === 0 ? "all are zero" : `value = entry * 2^${exponent(t)}`);
  const weights = b.table(id, "weights", weightType, mantissas(kernel, weightType), m, `Kernel [${n}, ${m}] as ${apFixed(weightType)}: ${step(weightType)}; a row holds the weights of one input.`);
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
    ...loop([["i", n], ["j", m]], `acc[j] += ${xAt} * ${weights.at(weight, `i * ${m} + j`)};`),
    ...loop([["j", m]], `${yAt} = acc[j];`),
  ];
  const declare = [`  ${acc} acc[${m}];`, ...(b.unroll ? ["#pragma HLS ARRAY_PARTITION variable=acc complete dim=0"] : [])];
  const perRow = rows === 1 ? code : [`  for (int row = 0; row < ${rows}; row++) {`, ...(b.unroll ? ["#pragma HLS UNROLL"] : []), ...code, "  }"];
  b.op(
    id,
    y,
    [{ name: "x", id: node.operands[0]! }],
    [
      `${b.describe(node)}: y[j] = sum_i x[i] * kernel[i, j]${bias ? " + bias[j]" : ""}`,
      `${acc} holds every final sum. Partial sums may wrap: sums modulo 2^${storedWidth(accumulator)} steps are exact wherever the final sum fits.`,
    ],
    [...(b.unroll ? pragmas : []), ...declare, ...perRow],
  );
}

/** The element of an operand of shape `from`: `Σ index·stride` over the loops, one for each axis of `to` longer than 1. */
function broadcastExpression(from: Shape, to: Shape, loops: readonly string[]): string {
  const at = broadcastIndex(from, to);
  const axes = to.map((count, d) => ({ count, step: sizeOf(to.slice(d + 1)) })).filter(({ count }) => count > 1);
  // The index is linear in each loop variable, so its value one step along an axis is that axis's stride.
  const terms = axes.flatMap(({ step }, k) => (at[step] === 0 ? [] : [at[step] === 1 ? loops[k]! : `${loops[k]} * ${at[step]}`]));
  return terms.length === 0 ? "0" : terms.join(" + ");
}

type Binary = "add" | "sub" | "mul" | "max" | "min";

const formulas: Readonly<Record<Binary, (a: string, b: string, y: string) => string>> = {
  add: (a, b, y) => `${y}(${a} + ${b})`,
  sub: (a, b, y) => `${y}(${a} - ${b})`,
  mul: (a, b, y) => `${y}(${a} * ${b})`,
  max: (a, b, y) => `${a} > ${b} ? ${y}(${a}) : ${y}(${b})`,
  min: (a, b, y) => `${a} < ${b} ? ${y}(${a}) : ${y}(${b})`,
};

/** Ops that compare their operands. The headers' simulation of ap_fixed compares a signed and an unsigned number as C does, which is wrong for negative ones. */
const compares: ReadonlySet<Binary> = new Set(["max", "min"]);

/** The signed type that holds every value of a type. */
const asSigned = (t: FixedType): FixedType => (t.signed ? t : { signed: true, width: storedWidth(t) + 1, int: (t.width === 0 ? 1 : t.int) + 1 });

const elementwise =
  <K extends Binary>(op: K, equation: string) =>
  (node: Node, id: number, b: HlsBuilder): void => {
    const y = b.result(id);
    const shape = node.type.shape;
    const flat = node.operands.every((o) => sizeOf(b.graph.nodes[o]!.type.shape) === sizeOf(shape));
    const loops = flat ? [sizeOf(shape)] : shape.filter((count) => count > 1);
    const indices = loops.map((count, d) => [loops.length === 1 ? "i" : `i${d}`, count] as const);
    const indexIn = (s: Shape): string => (flat ? "i" : broadcastExpression(s, shape, indices.map(([name]) => name)));
    const params: { name: string; id: number }[] = [];
    const locals: string[] = [];
    const operands = node.operands.map((o) => b.graph.nodes[o]!);
    const signed = compares.has(op) && operands.some((o) => elemOf(o).signed);
    const [left, right] = operands.map((operand, k) => {
      const name = "ab"[k]!;
      const own = elemOf(operand);
      const t = signed ? asSigned(own) : own;
      if (operand.op !== "constant") {
        params.push({ name, id: node.operands[k]! });
        const element = `${name}[${indexIn(operand.type.shape)}]`;
        return t === own ? element : `${apFixed(t)}(${element})`;
      }
      const type = b.typedef(`${b.baseName(id)}_${name}_t`, t, "constant operand");
      const values = mantissas(operand.attrs.value, own);
      if (values.length === 1 && t.width <= 64) {
        locals.push(`  const ${type} ${name} = from_mantissa<${type}>(${integerLiteral(values[0]!)});`);
        return name;
      }
      const scale = `Operand ${name} as ${apFixed(t)}: value = entry * 2^${exponent(t)}.`;
      return b.table(id, name, t, values, operand.type.shape.at(-1) ?? 1, scale).at(type, indexIn(operand.type.shape));
    });
    b.op(id, y, params, [`${b.describe(node)}: ${equation}`], [...locals, ...b.loops(indices, [`y[${indexIn(shape)}] = ${formulas[op](left!, right!, y.type)};`])]);
  };

function quantize(node: NodeWith<"quantize">, id: number, b: HlsBuilder): void {
  const { to, round, overflow } = node.attrs;
  const y = b.result(id);
  const size = sizeOf(node.type.shape);
  const channels = node.type.shape.at(-1) ?? 1;
  const from = elemOf(b.graph.nodes[node.operands[0]!]!);
  const convert = (t: FixedType, index: string): string => {
    if (t.width === 0) return `y[${index}] = 0;`;
    // The headers look for the rounding bit inside the operand: where more bits are dropped than it has, it is widened first.
    const drop = exponent(t) - exponent(from);
    const short = round !== "TRN" && drop > storedWidth(from);
    const x = short ? `${apFixed({ ...from, width: drop, int: from.int + drop - from.width })}(x[${index}])` : `x[${index}]`;
    return `y[${index}] = ${apFixed(t, { round, overflow })}(${x});`;
  };
  const types = "per" in to ? to.types : [to];
  const uniform = types.every((t) => sameType(t, types[0]!));
  const repeated = !uniform && "per" in to && to.per === "channel" && size > channels;
  const body = uniform
    ? b.loops([["i", size]], [convert(types[0]!, "i")])
    : repeated
      ? b.loops([["row", size / channels]], Array.from({ length: channels }, (_, c) => convert(types[c]!, `row * ${channels} + ${c}`)))
      : Array.from({ length: size }, (_, i) => `  ${convert(typeAt(to, i, channels), String(i))}`);
  b.op(id, y, [{ name: "x", id: node.operands[0]! }], [`${b.describe(node)}: y = overflow(round(x)), ${round} then ${overflow}${uniform ? "" : `, a type for each ${repeated ? "channel" : "element"}`}`], body);
}

/** Tables of more entries than this are split by the ranges of the elements. */
const MAX_TABLE = 1n << 16n;

function lut(node: NodeWith<"lut">, id: number, b: HlsBuilder): void {
  const x = b.graph.nodes[node.operands[0]!]!;
  const { f } = node.attrs;
  const y = b.result(id);
  const [from, to] = [elemOf(x), elemOf(node)];
  const finest = exponent(from);
  /** Entry k belongs to the one code of the range whose low bits, at the range's own exponent, are k; the index is then a slice of the operand. */
  const make = (r: Range, exp: number, suffix: string) => {
    const bits = bitLength(r.hi - r.lo) || 1;
    const entries = new Array<bigint>(2 ** bits).fill(0n);
    for (let code = r.lo; code <= r.hi; code++) {
      entries[Number(BigInt.asUintN(bits, code))] = mantissas({ data: [applyUnary(f, code, exp)], exp: exponent(f.to.type) }, to)[0]!;
    }
    const low = exp - finest;
    const doc = `${commentText(printUnary(f))} of ${r.lo} to ${r.hi} times 2^${exp}, by bits ${bits - 1 + low} to ${low} of the operand; value = entry * 2^${exponent(to)}.`;
    const made = b.table(id, suffix, to, entries, 16, doc);
    return (index: string): string => `y[${index}] = ${made.at(y.type, `x[${index}].range(${bits - 1 + low}, ${low}).to_uint()`)};`;
  };
  const all = rangeOfNode(x);
  const operands = [{ name: "x", id: node.operands[0]! }];
  const doc = [`${b.describe(node)}: y = ${commentText(printUnary(f))}`];
  if (all.hi - all.lo < MAX_TABLE) {
    b.op(id, y, operands, doc, b.loops([["i", sizeOf(node.type.shape)]], [make(all, finest, "table")("i")]));
    return;
  }
  const byRange = new Map<string, (index: string) => string>();
  const lines = x.elements!.map((e, i) => {
    assert(e.hi - e.lo < MAX_TABLE, `hls: a table of ${e.hi - e.lo + 1n} entries`);
    const exp = e.lo === 0n && e.hi === 0n ? finest : e.exp;
    const key = `${e.lo} ${e.hi} ${exp}`;
    const line = byRange.get(key) ?? make(e, exp, `table_${byRange.size}`);
    byRange.set(key, line);
    return `  ${line(String(i))}`;
  });
  b.op(id, y, operands, doc, lines);
}

function constant(node: NodeWith<"constant">, id: number, b: HlsBuilder): void {
  // Elementwise ops write their constant operands themselves.
  if (!b.arrayConstants.has(id)) return;
  const t = elemOf(node);
  const y = b.result(id);
  const values = b.table(id, "values", t, mantissas(node.attrs.value, t), node.type.shape.at(-1) ?? 1, `Constant as ${apFixed(t)}: value = entry * 2^${exponent(t)}.`);
  b.op(id, y, [], [`${b.describe(node)}: y = value`], b.loops([["i", sizeOf(node.type.shape)]], [`y[i] = ${values.at(y.type, "i")};`]));
}

/** Whether an op takes the constant `operand` without an array in the top function. */
export const inlinesConstants = (op: OpName): boolean => Object.hasOwn(formulas, op);

export const hlsOps: PerOp = {
  // The ports are the values.
  input: () => {},
  constant,
  dense,
  add: elementwise("add", "y = a + b"),
  sub: elementwise("sub", "y = a - b"),
  mul: elementwise("mul", "y = a * b"),
  max: elementwise("max", "y = max(a, b)"),
  min: elementwise("min", "y = min(a, b)"),
  quantize,
  lut,
  reshape: (node, id, b) => b.bind(id, b.value(node.operands[0]!)),
};
