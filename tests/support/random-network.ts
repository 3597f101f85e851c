// Random networks made from the op table: every op, attributes by their kind, layers with awkward names; small, so that thousands run in seconds.
import { Reporter } from "../../src/diagnostics.js";
import { type FixedType, fixed, overflows, roundings } from "../../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../../src/ir/graph.js";
import { type OpName, opDef, ops } from "../../src/ir/ops/index.js";
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
    const name = pick(
      r,
      (Object.keys(unaries) as UnaryName[]).filter((n) => n !== "exp"),
    );
    // Exponents of po2 are whole; the rest is any number.
    const params = name === "po2" ? [-3 - r(3), r(3), r(2), r(3)] : unaries[name].params.map(() => (r(200) - 100) / 64);
    return { name, params, to: { type: typeOf(r), round: pick(r, roundings), overflow: pick(r, overflows) } };
  },
};

const callable = (Object.keys(ops) as OpName[]).filter((n) => n !== "input");

/** Adds one random op over the visible values; undefined where no attributes fitted. */
function addRandom(r: Random, b: GraphBuilder, visible: readonly number[], local: readonly number[]): number | undefined {
  for (let attempt = 0; attempt < 40; attempt++) {
    const op = pick(r, callable);
    const def = opDef(op);
    // The newest values are the likeliest operands: deep networks, not wide ones.
    const operands = def.operands.map(() =>
      local.length > 0 && r(3) > 0 ? local.at(-1 - r(Math.min(2, local.length)))! : pick(r, visible),
    );
    const nodes = operands.map((x) => b.node(x));
    const shapes = nodes.map((n) => n.type.shape);
    const attrs = Object.fromEntries(
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
    const shape = pick(r, [[1 + r(4)], [2, 2], [1, 3]]);
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
  for (const x of outputs) b.output(r(2) === 0 ? `out ${serial++}` : `o${serial++}`, x, r(4) === 0 ? "softmax" : undefined);
  const graph = b.done();
  if (!graph) throw new Error(`seed ${seed}: ${reporter.diagnostics.map((d) => d.message).join("; ")}`);
  return graph;
}
