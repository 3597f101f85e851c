// Random networks made from the op table: every op, attributes by their kind, layers with awkward names; small, so that thousands run in seconds.
import { Reporter } from "../../src/diagnostics.js";
import { type FixedType, fixed, overflows, roundings } from "../../src/ir/fixed.js";
import { type Graph, GraphBuilder, hostSteps } from "../../src/ir/graph.js";
import { type OpAttrs, type OpName, opDef, ops } from "../../src/ir/ops/index.js";
import type { AttrKind, AttrKinds, Precision } from "../../src/ir/ops/op.js";
import { type Shape, sizeOf, type Tensor, tensor, tensorFromNumbers } from "../../src/ir/tensor.js";
import { type UnaryName, unaries } from "../../src/ir/unary.js";

export type Random = (below: number) => number;

/** A small generator of whole numbers in [0, below): the same on every machine. */
export function makeRandom(seed: number): Random {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const pick = <T>(r: Random, all: readonly T[]): T => all[r(all.length)]!;

const names = [
  "dense",
  "fc 1",
  "input",
  "größe",
  "a/b",
  "x:0",
  "`tick`",
  "layer",
  "let",
  "auto",
  "exact",
  "t0",
  "0",
  "ns",
  "weights",
  'q"uote',
  "back\\slash",
  "ternary",
  "relu",
];

const typeOf = (r: Random): FixedType => fixed(1 + r(6), r(9) - 3, r(2) === 0);

function precisionOf(r: Random, shape: Shape): Precision {
  const kind = r(4);
  if (kind > 1) return typeOf(r);
  const count = kind === 0 ? (shape.at(-1) ?? 1) : sizeOf(shape);
  return { per: kind === 0 ? "channel" : "element", types: Array.from({ length: count }, () => typeOf(r)) };
}

function tensorOf(r: Random, shape: Shape): Tensor {
  const size = sizeOf(shape);
  const kind = r(6);
  if (kind === 0)
    return tensor(
      shape,
      r(80) - 60,
      Array.from({ length: size }, () => BigInt(r(1 << 20) - (1 << 19)) << BigInt(r(70))),
    );
  if (kind === 1)
    return tensorFromNumbers(
      shape,
      Array.from({ length: size }, () => (r(2000) - 1000) / 977),
      { real: true },
    );
  if (kind === 2) return tensorFromNumbers(shape, new Float64Array(size));
  if (kind === 3)
    return tensorFromNumbers(
      shape,
      Array.from({ length: size }, () => Math.fround((r(2000) - 1000) / 977)),
    );
  const type = fixed(3 + r(4), 1 + r(3));
  const t = tensor(
    shape,
    type.int - type.width,
    Array.from({ length: size }, () => BigInt(r(8) - 4)),
    { type },
  );
  return kind === 4 ? t : { ...tensorFromNumbers(shape, t.data.map(Number)), type: fixed(6, 6) };
}

/** An argument of each kind that is likely to fit operands of these shapes. */
type Make = { readonly [K in AttrKind]: (r: Random, shapes: readonly Shape[]) => AttrKinds[K] };
const shapesFor = (r: Random, [x = []]: readonly Shape[]): Shape => pick(r, [[x.at(-1) ?? 1, 1 + r(3)], [1 + r(3)], x, []]);
const make: Make = {
  string: (r) => pick(r, names),
  int: (r) => r(3),
  ints: (r, [x = []]) => pick(r, [x, [sizeOf(x)], [1, sizeOf(x)], [2, Math.ceil(sizeOf(x) / 2)]]),
  tensor: (r, s) => tensorOf(r, shapesFor(r, s)),
  "tensor?": (r, s) => (r(2) === 0 ? undefined : tensorOf(r, shapesFor(r, s))),
  precision: (r, [x = []]) => precisionOf(r, x),
  "precision?": (r, [x = []]) => precisionOf(r, x),
  rounding: (r) => pick(r, roundings),
  overflow: (r) => pick(r, overflows),
  unary: (r) => {
    const name = pick(r, Object.keys(unaries) as UnaryName[]);
    // Exponents of po2 are whole; the rest is any number.
    const numbers = (count: number): readonly number[] => Array.from({ length: count }, () => (r(200) - 100) / 64);
    const special: { readonly [K in UnaryName]?: () => readonly number[] } = {
      // Exponents are whole; the rest is any number.
      po2: () => [-3 - r(3), r(3), r(2), r(3)],
      table: () => [...numbers(1), (1 + r(8)) / 4, ...numbers(1 + r(4))],
    };
    const params = special[name]?.() ?? numbers(unaries[name].params.length);
    // Without a type the precision is chosen later.
    return { name, params, ...(r(5) === 0 ? {} : { to: { type: typeOf(r), round: pick(r, roundings), overflow: pick(r, overflows) } }) };
  },
};

/** Attributes of ops that random ones of the right kind would hardly ever fit. */
type Fit = { readonly [K in OpName]?: (r: Random, x: Shape) => OpAttrs<K> };
const windowed = (r: Random, x: Shape): OpAttrs<"maxpool"> => {
  const window = x.slice(r(Math.max(1, x.length - 1)), -1).map((n) => 1 + r(Math.min(n, 3)));
  return { window, strides: r(2) === 0 ? window : window.map(() => 1 + r(2)) };
};
const pads = (r: Random, x: Shape): OpAttrs<"pad"> => ({ pads: x.flatMap(() => [Math.max(0, r(4) - 2), Math.max(0, r(4) - 2)]) });
const fits: Fit = {
  dense: (r, x) => {
    const units = 1 + r(3);
    return { kernel: tensorOf(r, [x.at(-1) ?? 1, units]), bias: r(2) === 0 ? undefined : tensorOf(r, pick(r, [[units], [units], [1]])) };
  },
  conv: (r, x) => {
    const { window, strides } = windowed(r, x);
    const channels = x.at(-1) ?? 1;
    const groups = pick(r, [1, channels]);
    const units = groups * (1 + r(2));
    const kernel = tensorOf(r, [...window, channels / groups, units]);
    return {
      kernel,
      bias: r(2) === 0 ? undefined : tensorOf(r, [units]),
      strides,
      dilations: window.map((w) => (w === 1 ? 1 + r(2) : 1)),
      groups,
    };
  },
  maxpool: windowed,
  sumpool: windowed,
  transpose: (r, x) => {
    const rest = x.map((_, d) => d);
    return { order: r(2) === 0 ? rest.reverse() : x.map(() => rest.splice(r(rest.length), 1)[0]!) };
  },
  pad: pads,
  edgepad: pads,
  slice: (r, x) => {
    const start = x.map((n) => Math.max(0, r(n + 1) - 1));
    return { start, stop: x.map((n, d) => (r(2) === 0 ? n : start[d]! + 1 + r(n - start[d]!))), step: x.map(() => 1 + r(2)) };
  },
  concat: (r, x) => ({ axis: r(3) === 0 ? r(Math.max(1, x.length)) : x.length - 1 }),
  resize: (r, x) => ({ factors: x.map(() => 1 + r(2)) }),
};

const callable = (Object.keys(ops) as OpName[]).filter((n) => n !== "input");

/** Adds one random op over the visible values; undefined where no attributes fitted. */
function addRandom(r: Random, b: GraphBuilder, visible: readonly number[], local: readonly number[]): number | undefined {
  for (let attempt = 0; attempt < 40; attempt++) {
    const op = pick(r, callable);
    const def = opDef(op);
    // The newest values are the likeliest operands: deep networks, not wide ones.
    const names = def.operands.flatMap((name) => (name.endsWith("…") ? new Array<string>(1 + r(3)).fill(name) : [name]));
    const operands = names.map(() => (local.length > 0 && r(3) > 0 ? local.at(-1 - r(Math.min(2, local.length)))! : pick(r, visible)));
    const nodes = operands.map((x) => b.node(x));
    const shapes = nodes.map((n) => n.type.shape);
    const fit = fits[op] as ((r: Random, x: Shape) => Readonly<Record<string, unknown>>) | undefined;
    const attrs = fit
      ? fit(r, shapes[0] ?? [])
      : Object.fromEntries(
          Object.entries(def.attrs).map(([name, kind]) => [name, (make[kind] as (r: Random, s: readonly Shape[]) => unknown)(r, shapes)]),
        );
    const shape = def.shape(shapes, attrs as never);
    const tooWide = nodes.some((n) => n.type.elem !== "real" && n.type.elem.width > (op === "lut" ? 10 : 40));
    if (typeof shape === "string" || sizeOf(shape) > 24 || tooWide) continue;
    return b.add(op, operands, attrs as never);
  }
  return undefined;
}

/** A network of a few inputs, layers and values outside layers, all of which an output may need. */
export function randomNetwork(seed: number): Graph {
  const r = makeRandom(seed);
  const reporter = new Reporter();
  const b = new GraphBuilder(pick(r, ["net", "my net", "größe"]), reporter);
  const free = [...names];
  const takeName = (): string => free.splice(r(free.length), 1)[0]!;
  const visible: number[] = [];
  for (let i = 1 + r(2); i > 0; i--) {
    const name = takeName();
    const index = b.beginLayer(name, "InputLayer");
    const shape = pick(r, [[1 + r(4)], [2, 2], [1, 3], [3, 2, 1]]);
    const isTyped = r(3) > 0;
    const x = b.add("input", [], {
      name,
      shape,
      type: isTyped ? precisionOf(r, shape) : undefined,
      round: isTyped ? pick(r, roundings) : "TRN",
      overflow: isTyped ? pick(r, overflows) : "WRAP",
    });
    b.endLayer(x, index);
    visible.push(x);
  }
  for (let n = 2 + r(5); n > 0; n--) {
    const isLayer = r(4) > 0;
    if (isLayer) b.beginLayer(takeName(), pick(r, ["dense", "QDense", "layer", "relu", "My Layer", "constant"]));
    else b.resumeLayer(-1);
    const local: number[] = [];
    for (let k = isLayer ? r(5) : 1 + r(2); k > 0; k--) {
      const x = addRandom(r, b, [...visible, ...local], local);
      if (x !== undefined) local.push(x);
    }
    if (!isLayer) visible.push(...local);
    else {
      const value = local.length > 0 && r(6) > 0 ? local.at(-1)! : pick(r, [...visible, ...local]);
      b.endLayer(value);
      // What else a layer computes is its own affair.
      if (local.includes(value)) visible.push(value);
    }
  }
  const outputs = new Set([visible.at(-1)!, pick(r, visible)]);
  let serial = 0;
  for (const x of outputs) b.output(r(2) === 0 ? `out ${serial++}` : `o${serial++}`, x, r(4) === 0 ? pick(r, hostSteps) : undefined);
  const graph = b.done();
  if (!graph) throw new Error(`seed ${seed}: ${reporter.diagnostics.map((d) => d.message).join("; ")}`);
  return graph;
}
