// assign-precision: gives every real input, weight and layer result a fixed-point type. Values that have one already are left alone.
import type { Reporter } from "../diagnostics.js";
import { bitLength, contains, convert, type Conversion, exponent, fit, fixed, type FixedType, printConversion, printFixed, rangeOf, roundShift } from "../ir/fixed.js";
import { copyNode, type Graph, type GraphBuilder, type Layer, type Node, rangeOfNode, rewriteGraph } from "../ir/graph.js";
import { numbersOf, rangeOfData, type Tensor, tensor, typeOfTensor } from "../ir/tensor.js";
import { isTyped } from "../ir/unary.js";
import { pass, type PassOptions } from "./pass.js";
import { addFunction, typeForObserved, typeForRange } from "./type-functions.js";

/** The type of `width` bits whose integer part just holds the values: exact where they need no more than that. */
export function typeForData(t: Tensor, width: number): FixedType {
  const exactType = typeOfTensor({ shape: t.shape, exp: t.exp, data: t.data });
  if (exactType.width <= width) return exactType;
  const r = rangeOfData(t.data);
  const int = Math.max(bitLength(r.lo), bitLength(r.hi)) + t.exp + (r.lo < 0n ? 1 : 0);
  return { signed: r.lo < 0n, width, int };
}

/** Nearest values in the type, ties to even; what does not fit saturates and is reported. */
function quantizeTensor(t: Tensor, what: string, layer: Layer | undefined, { precision, width }: PassOptions, reporter: Reporter): Tensor {
  const type = precision?.type ?? typeForData(t, width);
  const to: Conversion = { type, round: "RND_CONV", overflow: "SAT" };
  const data = t.data.map((m) => convert(m, t.exp, to));
  const legal = rangeOf(type);
  const outside = t.data.filter((m) => !contains(legal, { lo: roundShift(m, exponent(type) - t.exp, "RND_CONV"), hi: roundShift(m, exponent(type) - t.exp, "RND_CONV") }));
  if (precision && outside.length > 0) {
    const worst = numbersOf({ shape: [], exp: t.exp, data: outside }).reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
    reporter.warn("QN304", `${outside.length} of ${t.data.length} values of the ${what} do not fit ${printFixed(type)} and saturate; the farthest is ${worst}`, {
      ...(layer ? { at: { ...layer.at, layer: layer.name } } : {}),
      help: `${printFixed({ ...typeForData(t, type.width), signed: true })} holds them all`,
    });
  }
  return tensor(t.shape, exponent(type), data, { type });
}

const realParts = (node: Node): boolean =>
  ((node.op === "dense" || node.op === "conv") && (node.attrs.kernel.real || node.attrs.bias?.real)) || (node.op === "constant" && node.attrs.value.real) || (node.op === "lut" && !isTyped(node.attrs.f));

function inputConversion(name: string, { inputType, observed, width }: PassOptions): Conversion {
  const seen = observed?.get(name);
  return inputType ?? (seen ? typeForObserved(seen, width, seen.lo < 0) : defaultInputType(width));
}

/** hls4ml's default of 16 bits, and of more where more are asked for. */
export const defaultInputType = (width: number): Conversion => ({ type: fixed(Math.max(16, width), 6), round: "TRN", overflow: "WRAP" });

function typedCopy(node: Node, operands: readonly number[], builder: GraphBuilder, id: number, layer: Layer | undefined, options: PassOptions, reporter: Reporter): number {
  const quantized = (t: Tensor, what: string): Tensor => (t.real ? quantizeTensor(t, what, layer, options, reporter) : t);
  if (node.op === "input" && node.attrs.type === undefined) {
    return builder.add("input", [], { ...node.attrs, ...inputConversion(node.attrs.name, options) });
  }
  if (node.op === "dense" || node.op === "conv") {
    const weights = { kernel: quantized(node.attrs.kernel, "kernel"), bias: node.attrs.bias && quantized(node.attrs.bias, "bias") };
    return node.op === "dense" ? builder.add("dense", operands, weights) : builder.add("conv", operands, { ...node.attrs, ...weights });
  }
  if (node.op === "constant") return builder.add("constant", [], { value: quantized(node.attrs.value, "constant") });
  if (node.op === "lut" && !isTyped(node.attrs.f)) return addFunction(node.attrs.f, operands[0]!, builder, layer, id, options, reporter);
  return copyNode(node, operands, builder, id);
}

/** Rounds a layer's result to the width that the user allows; exact where it is narrow enough already. */
function quantizeResult(value: number, builder: GraphBuilder, layer: Layer, { precision, width, observed }: PassOptions, reporter: Reporter): number {
  const node = builder.node(value);
  if (builder.isPoisoned(value) || node.type.elem === "real") return value;
  if (precision) {
    const { type, round, overflow } = precision;
    const r = rangeOfNode(node);
    const drop = exponent(type) - exponent(node.type.elem);
    const rounded = { lo: roundShift(r.lo, drop, round), hi: roundShift(r.hi, drop, round) };
    if (!contains(rangeOf(type), rounded)) {
      const needed = fit(rounded, exponent(type));
      reporter.warn("QN303", `the result may leave ${printConversion(precision)}: its proven range needs ${printFixed(needed)}`, {
        at: { ...layer.at, layer: layer.name },
        help: overflow === "WRAP" ? `add integer bits, or saturate: ${printConversion({ ...precision, overflow: "SAT" })}` : "values beyond it saturate; add integer bits if they matter",
      });
    }
    return builder.add("quantize", [value], { to: type, round, overflow });
  }
  if (node.type.elem.width <= width) return value;
  const proven = typeForRange(rangeOfNode(node), exponent(node.type.elem), width);
  const seen = observed?.get(layer.name);
  const own = seen && typeForObserved(seen, width, proven.signed);
  if (own && own.type.int < proven.int) return builder.add("quantize", [value], { ...own, to: own.type });
  return builder.add("quantize", [value], { to: proven, round: "RND", overflow: "WRAP" });
}

/** Values that were never on a grid: computed from trained floats, with no `quantize` of the model in between. */
function unquantized(graph: Graph): Uint8Array {
  const loose = new Uint8Array(graph.nodes.length);
  graph.nodes.forEach((node, id) => {
    if (realParts(node) || (node.op !== "quantize" && node.operands.some((x) => loose[x]))) loose[id] = 1;
  });
  return loose;
}

const multiplies = (node: Node): boolean => node.op === "dense" || node.op === "conv" || node.op === "mul";

export const assignPrecision = pass({
  name: "assign-precision",
  doc: "types real inputs with --input-type; rounds real weights and the results of their layers to --precision, or to --width bits with integer bits from the proven range or from calibration",
  from: "graph",
  to: "graph",
  run(graph: Graph, { options, reporter }) {
    const realLayers = new Set(graph.nodes.flatMap((n) => (realParts(n) && n.layer >= 0 ? [n.layer] : [])));
    const readers = graph.nodes.map((): Node[] => []);
    for (const n of graph.nodes) for (const x of n.operands) readers[x]!.push(n);
    const loose = unquantized(graph);
    const roundedOnce = new Map<number, number>();
    /** A factor of a product: one that is on no grid (a function's result has its own) has `width` bits at most, or products of products would grow without end. */
    const factor = (old: number, value: number, builder: GraphBuilder): number => {
      const node = builder.node(value);
      const working = options.precision?.type.width ?? options.width;
      if (!loose[old] || builder.isPoisoned(value) || node.op === "constant" || node.op === "lut" || node.type.elem === "real" || node.type.elem.width <= working) return value;
      const known = roundedOnce.get(value) ?? builder.add("quantize", [value], { to: typeForRange(rangeOfNode(node), exponent(node.type.elem), working), round: "RND", overflow: "WRAP" });
      roundedOnce.set(value, known);
      return known;
    };
    const isOutput = new Set(graph.outputs.map((o) => o.value));
    /** The layer whose result this node is, if it has to be rounded here: not where only a quantize reads it. */
    const rounds = (id: number): Layer | undefined => {
      const onlyQuantized = !isOutput.has(id) && readers[id]!.length > 0 && readers[id]!.every((r) => r.op === "quantize");
      return onlyQuantized ? undefined : [...realLayers].map((i) => graph.layers[i]!).find((l) => l.value === id);
    };
    if (realLayers.size > 0 && !options.precision && !options.observed) {
      const names = [...realLayers].map((i) => graph.layers[i]!.name);
      const shown = names.length > 4 ? `${names.slice(0, 4).join(", ")} and ${names.length - 4} more` : names.join(", ");
      reporter.warn("QN302", `no precision is given for the float layers ${shown}: weights and results get ${options.width} bits, integer bits from the proven range`, {
        help: "proven ranges are far wider than the data's: `--calibrate X.npy` takes them from samples; or give --precision fixed<W,I> or --width N",
      });
    }
    return rewriteGraph(graph, reporter, (node, operands, builder, id) => {
      const layer = graph.layers[node.layer];
      const factors = multiplies(node) ? operands.map((x, k) => factor(node.operands[k]!, x, builder)) : operands;
      const value = typedCopy(node, factors, builder, id, layer, options, reporter);
      const result = rounds(id);
      return result ? quantizeResult(value, builder, result, options, reporter) : value;
    });
  },
});

