// Test vectors: seeded random and corner samples, or the user's own, with the outputs that the simulator computes.
import { assert, type Reporter } from "../diagnostics.js";
import { type Conversion, convert, dyadic, exponent, type FixedType, type Range, rangeOf, toNumber } from "../ir/fixed.js";
import type { Graph, NodeWith } from "../ir/graph.js";
import { identifiers } from "../ir/names.js";
import { typeAt } from "../ir/ops/op.js";
import { sizeOf } from "../ir/tensor.js";
import type { Mantissas, Vectors } from "../ir/vectors.js";
import type { NpyArray } from "../npy.js";
import { type Prng, prng } from "./prng.js";
import type { Simulator } from "./simulator.js";

export interface VectorOptions {
  readonly count: number;
  readonly seed: number;
  /** Real inputs of shape (samples, …), one array an input: used, all of them, in place of made ones. */
  readonly given?: readonly NpyArray[];
}

/** The legal mantissas of one element, at the exponent of its port: lo … hi in steps of 2^shift. */
interface ElementRange extends Range {
  readonly shift: number;
  readonly type: FixedType;
}

const inputNode = (graph: Graph, id: number): NodeWith<"input"> => graph.nodes[id] as NodeWith<"input">;

function elementRanges(node: NodeWith<"input">): readonly ElementRange[] {
  const { type, shape } = node.attrs;
  const port = node.type.elem;
  assert(type !== undefined && port !== "real", `input ${node.attrs.name}: no type`);
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    const own = typeAt(type, i, shape.at(-1) ?? 1);
    const shift = own.width === 0 ? 0 : exponent(own) - exponent(port);
    const r = rangeOf(own);
    return { lo: r.lo << BigInt(shift), hi: r.hi << BigInt(shift), shift, type: own };
  });
}

type Pattern = (r: ElementRange, i: number, n: number) => bigint;

const step = (r: ElementRange): bigint => (r.hi === 0n && r.lo === 0n ? 0n : 1n << BigInt(r.shift));
const inside = (r: ElementRange, m: bigint): bigint => (m < r.lo ? r.lo : m > r.hi ? r.hi : m);
const onGrid = (r: ElementRange, m: bigint): bigint => (m >> BigInt(r.shift)) << BigInt(r.shift);
const alternating =
  (first: Pattern, second: Pattern): Pattern =>
  (r, i, n) =>
    (i % 2 === 0 ? first : second)(r, i, n);
const low: Pattern = (r) => r.lo;
const high: Pattern = (r) => r.hi;
const zero: Pattern = () => 0n;
const ramp: Pattern = (r, i, n) => onGrid(r, r.lo + ((r.hi - r.lo) * BigInt(i)) / BigInt(Math.max(1, n - 1)));

const corners: readonly Pattern[] = [
  zero,
  low,
  high,
  (r) => inside(r, step(r)),
  (r) => inside(r, -step(r)),
  alternating(low, high),
  alternating(high, low),
  alternating(zero, high),
  ramp,
  (r, i, n) => ramp(r, n - 1 - i, n),
  (r) => onGrid(r, r.hi >> 1n),
  (r) => onGrid(r, r.lo >> 1n),
  (r) => r.hi - step(r),
  (r) => inside(r, r.lo + step(r)),
];

const oneHot =
  (at: number, value: Pattern): Pattern =>
  (r, i, n) =>
    i === at ? value(r, i, n) : 0n;

/** Uniform, of a random magnitude, or an end of the range. */
function randomElement(random: Prng, r: ElementRange): bigint {
  const uniform = (): bigint => onGrid(r, random.between(r.lo, r.hi));
  const kind = random.below(8);
  if (kind < 5) return uniform();
  if (kind < 7) return onGrid(r, uniform() >> BigInt(random.below(Math.max(1, r.type.width))));
  return random.pick([r.lo, r.hi, 0n]);
}

/** Corner samples first (at most half), then random ones: inputs[port][sample][element]. */
export function makeInputs(graph: Graph, count: number, seed: number): readonly (readonly Mantissas[])[] {
  const random = prng(seed);
  const ports = graph.inputs.map((id) => elementRanges(inputNode(graph, id)));
  const longest = ports.reduce((n, p) => Math.max(n, p.length), 0);
  const hot = Array.from({ length: longest }, (_, i) => [oneHot(i, high), oneHot(i, low)]).flat();
  const patterns = [...corners, ...hot].slice(0, Math.ceil(count / 2));
  const samples = Array.from({ length: count }, (_, s) =>
    ports.map((p): Mantissas => {
      const pattern = patterns[s];
      return pattern ? p.map((r, i) => pattern(r, i, p.length)) : p.map((r) => randomElement(random, r));
    }),
  );
  return ports.map((_, k) => samples.map((s) => s[k]!));
}

/** A real number as a mantissa of the conversion's type. */
function mantissaOf(x: number, to: Conversion): bigint {
  const scaled = x * 2 ** -exponent(to.type);
  const r = rangeOf(to.type);
  // An integer within the range needs no rounding and no overflow.
  if (Number.isSafeInteger(scaled) && BigInt(scaled) >= r.lo && BigInt(scaled) <= r.hi && Math.abs(exponent(to.type)) < 1000) {
    const m = BigInt(scaled);
    if (m !== 0n) return convert(m, exponent(to.type), to);
  }
  const d = dyadic(x);
  return convert(d.m, d.exp, to);
}

/** The user's samples converted to the input types. */
export function givenInputs(graph: Graph, given: readonly NpyArray[], reporter: Reporter): readonly (readonly Mantissas[])[] | undefined {
  if (given.length !== graph.inputs.length)
    return reporter.error("QN500", `${given.length} arrays are given, and the model has ${graph.inputs.length} inputs`);
  const samples = given[0]?.shape[0] ?? 0;
  if (samples === 0) return reporter.error("QN500", "the given vectors hold no sample", { help: "give arrays of shape (samples, …)" });
  const ports: (readonly Mantissas[])[] = [];
  for (const [k, array] of given.entries()) {
    const node = inputNode(graph, graph.inputs[k]!);
    const { name, round, overflow } = node.attrs;
    const ranges = elementRanges(node);
    if (array.shape[0] !== samples || array.data.length !== samples * ranges.length) {
      const expected = [samples, ...node.type.shape].join(", ");
      return reporter.error(
        "QN500",
        `input \`${name}\` needs an array of shape (${expected}); the given one has shape (${array.shape.join(", ")})`,
      );
    }
    const reals = Float64Array.from(array.data as ArrayLike<number | bigint>, Number);
    const bad = reals.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0)
      return reporter.error(
        "QN502",
        `input \`${name}\`, sample ${Math.floor(bad / ranges.length)}, element ${bad % ranges.length} is ${reals[bad]}`,
      );
    const sample = (s: number): Mantissas =>
      ranges.map((r, i) => mantissaOf(reals[s * ranges.length + i]!, { type: r.type, round, overflow }) << BigInt(r.shift));
    ports.push(Array.from({ length: samples }, (_, s) => sample(s)));
  }
  return ports;
}

/** Inputs, made or given, and the outputs of the simulator. */
export function makeVectors(graph: Graph, simulator: Simulator, options: VectorOptions, reporter: Reporter): Vectors | undefined {
  const inputs = options.given ? givenInputs(graph, options.given, reporter) : makeInputs(graph, options.count, options.seed);
  const count = inputs?.[0]?.length ?? options.count;
  const outputs =
    inputs &&
    simulator.runMantissas(
      inputs.map((port) => BigInt64Array.from(port.flat())),
      count,
      reporter,
    );
  if (!inputs || !outputs) return undefined;
  const rows = outputs.map((flat, k) => {
    const { elements, type } = simulator.module.outputs[k]!;
    const signed = type.signed || type.width < 64;
    return Array.from({ length: count }, (_, s) =>
      Array.from(flat.subarray(s * elements, (s + 1) * elements), (m) => (signed ? m : BigInt.asUintN(64, m))),
    );
  });
  return { count, inputs, outputs: rows };
}

/** The vectors as real numbers, by port name: arrays of shape (samples, …). Beyond 53 bits a double rounds them. */
export function realVectors(graph: Graph, vectors: Vectors): ReadonlyMap<string, NpyArray> {
  const nodes = [...graph.inputs, ...graph.outputs.map((o) => o.value)].map((id) => graph.nodes[id]!);
  const names = identifiers([...graph.inputs.map((id) => inputNode(graph, id).attrs.name), ...graph.outputs.map((o) => o.name)]);
  const ports = [...vectors.inputs, ...vectors.outputs];
  return new Map(
    nodes.map((node, k): [string, NpyArray] => {
      const type = node.type.elem;
      assert(type !== "real", "realVectors: a real value");
      const exp = exponent(type);
      const data = Float64Array.from(ports[k]!.flat(), (m) => toNumber(m, exp));
      return [names[k]!, { shape: [vectors.count, ...node.type.shape], data }];
    }),
  );
}
