// Seeded random graphs: all ops, rounding and overflow modes, widths and exponents at their extremes, several inputs and outputs.
import { Reporter } from "../../src/diagnostics.js";
import { interval } from "../../src/ir/arith.js";
import { type Conversion, exponent, type FixedType, overflows, roundings } from "../../src/ir/fixed.js";
import { type Graph, GraphBuilder, type Node, rangeOfNode, typeOfElements } from "../../src/ir/graph.js";
import { type OpAttrs, type OpName, opDef } from "../../src/ir/ops/index.js";
import type { Precision } from "../../src/ir/ops/op.js";
import { type Shape, sizeOf, type Tensor, tensor } from "../../src/ir/tensor.js";
import type { Unary } from "../../src/ir/unary.js";
import { type Prng, prng } from "../../src/sim/prng.js";

export interface RandomGraphOptions {
  /** No value is wider, nor are operands once brought to a common exponent. */
  readonly maxWidth?: number;
  /** Nodes to try beside inputs. */
  readonly nodes?: number;
}

/** A graph, equal for equal seeds. Every value is typed. */
export function randomGraph(seed: number, options: RandomGraphOptions = {}): Graph {
  const random = prng(seed);
  const maxWidth = options.maxWidth ?? 64;
  const reporter = new Reporter();
  const b = new GraphBuilder(`random_${seed}`, reporter);
  b.beginLayer("net", "Random");
  const maker = new Maker(random, b, maxWidth);
  const inputs = 1 + random.below(3);
  for (let i = 0; i < inputs; i++) maker.input(`x${i}`);
  const nodes = options.nodes ?? 3 + random.below(10);
  for (let i = 0; i < nodes; i++) maker.node();
  // Everything that nothing reads is an output, so that no node is idle; and one more value at random.
  const read = new Set<number>();
  for (let id = 0; id < b.length; id++) for (const x of b.node(id).operands) read.add(x);
  for (let id = 0; id < b.length; id++) if (!read.has(id)) b.output(`y${id}`, id);
  b.output("z", random.below(b.length));
  b.endLayer(maker.last);
  const graph = b.done();
  if (!graph) throw new Error(`seed ${seed}: ${JSON.stringify(reporter.diagnostics)}`);
  return graph;
}

class Maker {
  last = 0;
  constructor(
    private readonly random: Prng,
    private readonly b: GraphBuilder,
    private readonly maxWidth: number,
  ) {}

  input(name: string): void {
    const { random } = this;
    const image = (): number[] => [...Array.from({ length: 1 + random.below(3) }, () => 1 + random.below(5)), 1 + random.below(4)];
    const shape = random.chance(0.6) ? [1 + random.below(9)] : random.chance(0.5) ? [1 + random.below(3), 1 + random.below(4)] : image();
    const narrow = random.chance(0.6) ? 8 : this.maxWidth;
    const type = this.precision(shape, () => this.type(narrow));
    this.last = this.b.add("input", [], { name, shape, type, round: random.pick(roundings), overflow: random.pick(overflows) });
    // Mixed exponents may need more bits together than each alone.
    if (this.widthOf(this.last) > this.maxWidth) {
      throw new Error("unreachable: types of one input share an exponent range");
    }
  }

  node(): void {
    const makers = [
      () => this.dense(),
      () => this.binary(),
      () => this.withConstant(),
      () => this.relu(),
      () => this.quantize(),
      () => this.quantize(),
      () => this.lut(),
      () => this.reshape(),
      () => this.conv(),
      () => this.conv(),
      () => this.pool(),
      () => this.movement(),
    ];
    const x = this.random.chance(0.6) ? this.last : this.random.below(this.b.length);
    this.x = x;
    this.random.pick(makers)();
  }
  private x = 0;

  private get operand(): Node {
    return this.b.node(this.x);
  }
  private widthOf(id: number): number {
    const t = this.b.node(id).type.elem;
    return t === "real" ? 0 : t.width;
  }
  private exponentOf(node: Node): number {
    return node.type.elem === "real" ? 0 : exponent(node.type.elem);
  }

  private type(maxWidth: number, around?: number): FixedType {
    const { random } = this;
    const corner = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 53, 54, 63, 64].filter((w) => w <= maxWidth);
    const width = random.chance(0.3) ? random.pick(corner) : 1 + random.below(maxWidth);
    const signed = width > 0 && random.chance(0.6);
    const lsb = (around ?? -random.below(8)) + random.below(7) - 3;
    return { signed, width, int: width === 0 ? 0 : width + (random.chance(0.03) ? random.below(200) - 100 : lsb) };
  }

  /** One type, or types per channel or element near one another, so that their union stays within the limit. */
  private precision(shape: Shape, one: () => FixedType): Precision {
    const { random } = this;
    const first = one();
    const kind = random.below(4);
    if (kind < 2) return first;
    const count = kind === 2 ? (shape.at(-1) ?? 1) : sizeOf(shape);
    const types = Array.from({ length: count }, (): FixedType => {
      if (random.chance(0.1)) return { signed: false, width: 0, int: 0 };
      const width = Math.max(1, first.width - random.below(Math.max(1, Math.min(first.width, 6))));
      const drop = random.below(first.width - width + 1);
      return { signed: first.signed, width, int: first.int - drop };
    });
    return { per: kind === 2 ? "channel" : "element", types };
  }

  /** Adds the node unless its value, or its operands at a common exponent, pass the limit. */
  private tryAdd<K extends OpName>(op: K, operands: readonly number[], attrs: OpAttrs<K>, extra = 0): boolean {
    const args = operands.map((id) => this.b.node(id));
    const shape = opDef(op).shape(
      args.map((a) => a.type.shape),
      attrs as never,
    );
    if (typeof shape === "string") throw new Error(`${op}: ${shape}`);
    const elements = opDef(op).expand(
      interval,
      args.map((a) => ({ shape: a.type.shape, at: a.elements! })),
      attrs as never,
    );
    const together =
      op === "mul" || op === "dense" || op === "conv" ? 0 : typeOfElements(args.flatMap((a) => a.elements!)).width + (args.length > 1 ? 1 : 0);
    if (typeOfElements(elements).width > this.maxWidth || together > this.maxWidth + 1 || extra > this.maxWidth) return false;
    this.last = this.b.add(op, operands, attrs);
    return true;
  }

  private integers(count: number, bits: number, zeros = 0.25): bigint[] {
    const limit = 1n << BigInt(bits);
    return Array.from({ length: count }, () => (this.random.chance(zeros) ? 0n : this.random.between(-limit, limit)));
  }
  private constantTensor(shape: Shape, around: number): Tensor {
    const { random } = this;
    const bits = random.pick([1, 3, 5, 8, 12, 20, 30]);
    return tensor(shape, around + random.below(9) - 5, this.integers(sizeOf(shape), bits));
  }

  private dense(): void {
    const { random, operand } = this;
    const n = operand.type.shape.at(-1);
    if (n === undefined) return;
    const m = 1 + random.below(9);
    const bits = random.pick([1, 2, 4, 6, 8, 14, 15, 16, 20, 28]);
    const kernel = tensor([n, m], -random.below(8), this.integers(n * m, bits, random.pick([0.25, 0.9])));
    const bias = random.chance(0.7) ? this.constantTensor([m], this.exponentOf(operand) + kernel.exp + random.below(4)) : undefined;
    this.tryAdd("dense", [this.x], { kernel, bias }, this.widthOf(this.x) + bits + 1 + Math.ceil(Math.log2(n)));
  }

  private readonly binaries = ["add", "sub", "mul", "max", "min"] as const;

  private binary(): void {
    const { random, operand } = this;
    const shapes = (id: number): boolean =>
      typeof opDef("add").shape([operand.type.shape, this.b.node(id).type.shape], {} as never) !== "string";
    const others = Array.from({ length: this.b.length }, (_, id) => id).filter(shapes);
    const other = random.pick(others);
    const op = random.pick(this.binaries);
    this.tryAdd(
      op,
      random.chance(0.5) ? [this.x, other] : [other, this.x],
      {},
      op === "mul" ? this.widthOf(this.x) + this.widthOf(other) : 0,
    );
  }

  private withConstant(): void {
    const { random, operand } = this;
    const full = operand.type.shape;
    const shape = random.pick([[], [1], full.slice(-1), full]);
    const value = this.constantTensor(shape, this.exponentOf(operand));
    const before = this.last;
    const c = this.b.add("constant", [], { value });
    this.last = before;
    const op = random.pick(this.binaries);
    this.tryAdd(op, random.chance(0.7) ? [this.x, c] : [c, this.x], {}, op === "mul" ? this.widthOf(this.x) + this.widthOf(c) : 0);
  }

  private relu(): void {
    const c = this.b.add("constant", [], { value: tensor([1], 0, [0n]) });
    this.tryAdd("max", [this.x, c], {});
  }

  private quantize(): void {
    const { random, operand } = this;
    const widest = random.chance(0.7) ? 12 : this.maxWidth;
    // Targets whose exponent is near the operand's, or where the operand's bits are mostly dropped.
    const around = this.exponentOf(operand) + (random.chance(0.5) ? random.below(Math.max(1, this.widthOf(this.x))) : 0);
    const to = this.precision(operand.type.shape, () => this.type(widest, around));
    this.tryAdd("quantize", [this.x], { to, round: random.pick(roundings), overflow: random.pick(overflows) });
  }

  private lut(): void {
    const { random } = this;
    if (this.widthOf(this.x) > 10) {
      const to = { signed: random.chance(0.5), width: 2 + random.below(6), int: 1 + random.below(4) };
      if (!this.tryAdd("quantize", [this.x], { to, round: "RND", overflow: "SAT" })) return;
      this.x = this.last;
    }
    const r = rangeOfNode(this.operand);
    const largest = Math.max(Math.abs(Number(r.lo)), Math.abs(Number(r.hi))) * 2 ** this.exponentOf(this.operand);
    if (r.hi - r.lo > 4096n || largest > 100) return;
    const conversion: Conversion = {
      type: this.type(random.chance(0.8) ? 10 : 40, -6),
      round: random.pick(roundings),
      overflow: random.pick(overflows),
    };
    const f = random.pick<Unary>([
      { name: "tanh", params: [], to: conversion },
      { name: "sigmoid", params: [], to: conversion },
      { name: "exp", params: [], to: conversion },
      { name: "step", params: [0.5, -1, 1], to: conversion },
      { name: "ternary", params: [0.25, 0.5], to: conversion },
      { name: "swish", params: [], to: conversion },
      { name: "reciprocal", params: [], to: conversion },
      { name: "rsqrt_po2", params: [], to: conversion },
      { name: "table", params: [-1, 0.375, 0.5, -2, 1, 0.25], to: conversion },
    ]);
    this.tryAdd("lut", [this.x], { f });
  }

  private reshape(): void {
    const size = sizeOf(this.operand.type.shape);
    const rows = this.random.pick(Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0));
    this.tryAdd("reshape", [this.x], { shape: this.random.chance(0.3) ? [size] : [rows, size / rows] });
  }

  /** A window that fits some of the last axes before the channels; undefined where there is none. */
  private window(): { readonly window: number[]; readonly strides: number[]; readonly dilations: number[] } | undefined {
    const { random, operand } = this;
    const { shape } = operand.type;
    if (shape.length < 2) return undefined;
    const rank = 1 + random.below(Math.min(3, shape.length - 1));
    const window: number[] = [];
    const dilations: number[] = [];
    for (const n of shape.slice(-rank - 1, -1)) {
      const size = 1 + random.below(Math.min(n, 3));
      window.push(size);
      dilations.push(size === 1 ? 1 + random.below(3) : 1 + random.below(Math.floor((n - 1) / (size - 1))));
    }
    return { window, dilations, strides: window.map(() => 1 + random.below(3)) };
  }

  private conv(): void {
    const { random, operand } = this;
    const at = this.window();
    const channels = operand.type.shape.at(-1);
    if (!at || channels === undefined) return;
    const { window, ...steps } = at;
    const groups = random.pick([1, 1, channels, ...[2, 3].filter((g) => channels % g === 0)]);
    const units = groups * (1 + random.below(groups > 1 ? 3 : 6));
    const bits = random.pick([1, 2, 4, 6, 8, 14, 15, 16, 20, 28]);
    const shape = [...window, channels / groups, units];
    const kernel = tensor(shape, -random.below(8), this.integers(sizeOf(shape), bits, random.pick([0.25, 0.9])));
    const bias = random.chance(0.7) ? this.constantTensor([units], this.exponentOf(operand) + kernel.exp + random.below(4)) : undefined;
    const terms = sizeOf(shape) / units;
    this.tryAdd("conv", [this.x], { kernel, bias, groups, ...steps }, this.widthOf(this.x) + bits + 1 + Math.ceil(Math.log2(terms)));
  }

  private pool(): void {
    const at = this.window();
    if (!at) return;
    const { shape } = this.operand.type;
    // Pools have no dilation: the window may be as large as the axis.
    const window = this.random.chance(0.3) ? shape.slice(-at.window.length - 1, -1) : at.window;
    this.tryAdd(this.random.pick(["maxpool", "sumpool"]), [this.x], { window, strides: at.strides });
  }

  private movement(): void {
    const { random, operand } = this;
    const { shape } = operand.type;
    const small = sizeOf(shape) < 150;
    const pads = (): { readonly pads: number[] } => ({ pads: shape.flatMap(() => [random.below(small ? 3 : 1), random.below(2)]) });
    const makers = [
      () => {
        const order = shape.map((_, d) => d);
        for (let d = order.length - 1; d > 0; d--) {
          const other = random.below(d + 1);
          [order[d], order[other]] = [order[other]!, order[d]!];
        }
        this.tryAdd("transpose", [this.x], { order });
      },
      () => this.tryAdd("pad", [this.x], pads()),
      () => this.tryAdd("edgepad", [this.x], pads()),
      () => {
        const start = shape.map((n) => random.below(n));
        const stop = shape.map((n, d) => start[d]! + 1 + random.below(n - start[d]!));
        this.tryAdd("slice", [this.x], { start, stop, step: shape.map(() => 1 + random.below(3)) });
      },
      () => this.concat(),
      () => this.concat(),
      () => this.tryAdd("resize", [this.x], { factors: shape.map(() => 1 + random.below(small ? 3 : 1)) }),
    ];
    random.pick(makers)();
  }

  /** Operands of any type whose shapes differ along the axis at most. */
  private concat(): void {
    const { random, operand } = this;
    const { shape } = operand.type;
    if (shape.length === 0) return;
    const axis = random.below(shape.length);
    const fits = (id: number): boolean => typeof opDef("concat").shape([shape, this.b.node(id).type.shape], { axis } as never) !== "string";
    const others = Array.from({ length: this.b.length }, (_, id) => id).filter(fits);
    const operands = [this.x, ...Array.from({ length: random.below(3) }, () => random.pick(others))];
    if (operands.reduce((n, id) => n + sizeOf(this.b.node(id).type.shape), 0) < 300) this.tryAdd("concat", operands, { axis });
  }
}

/** A graph as text, for failure messages. */
export const showGraph = (graph: Graph): string =>
  graph.nodes
    .map((n, id) => {
      const attrs = JSON.stringify(n.attrs, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v));
      const t = n.type.elem;
      return `%${id} = ${n.op} ${n.operands.map((x) => `%${x}`).join(" ")} ${attrs.length > 400 ? `${attrs.slice(0, 400)}…` : attrs} : [${n.type.shape}] ${t === "real" ? t : `${t.signed ? "s" : "u"}${t.width}@${exponent(t)}`}`;
    })
    .join("\n");
