// lower: Graph → Netlist. Every op is expanded with wires in place of numbers; this file holds the wire arithmetic and nothing about ops.
import { assert } from "../diagnostics.js";
import type { Arith, Interval } from "../ir/arith.js";
import { contains, type Conversion, exponent, hull, type Range, rangeOf, type Rounding, shiftFloor, trailingZeros } from "../ir/fixed.js";
import type { Graph, GraphOutput, Node, NodeWith } from "../ir/graph.js";
import { identifiers } from "../ir/names.js";
import { NetBuilder, type Netlist, type Port } from "../ir/netlist.js";
import { sizeOf } from "../ir/tensor.js";
import { opDef } from "../ir/ops/index.js";
import { applyUnary, printUnary } from "../ir/unary.js";
import { keepWidth } from "./keep-width.js";
import { pass } from "./pass.js";

/** A cell whose value is worth 2^exp a step. */
interface Wire {
  readonly id: number;
  readonly exp: number;
}

/** Tables beyond this many entries are refused before lowering. */
export const MAX_TABLE = 1 << 16;

function wires(b: NetBuilder): Arith<Wire> {
  /** The elements of a tensor mostly share one table. */
  const tables = new Map<string, readonly bigint[]>();
  /** Numbers the matrix-vector products. */
  let products = 0;
  const isZero = (w: Wire): boolean => b.range(w.id).lo === 0n && b.range(w.id).hi === 0n;
  const constant = (m: bigint, exp: number): Wire => {
    const z = m === 0n ? 0 : trailingZeros(m);
    return { id: b.constant(m >> BigInt(z)), exp: m === 0n ? 0 : exp + z };
  };
  /** The same value at a finer exponent. */
  const align = (w: Wire, exp: number): number => {
    assert(w.exp >= exp || isZero(w), `align: ${w.exp} < ${exp}`);
    return w.exp === exp || isZero(w) ? w.id : b.add("shl", [w.id], { shift: w.exp - exp });
  };
  const aligned = (x: Wire, y: Wire, op: "max" | "min" | "mux", c?: number): Wire => {
    const exp = isZero(x) ? y.exp : isZero(y) ? x.exp : Math.min(x.exp, y.exp);
    const [ax, ay] = [align(x, exp), align(y, exp)];
    return { id: op === "mux" ? b.add("mux", [c!, ax, ay], {}) : b.add(op, [ax, ay], {}), exp };
  };
  const shadd = (x: Wire, y: Wire, sub: 0 | 1): Wire => {
    if (y.exp >= x.exp) return { id: b.add("shadd", [x.id, y.id], { shift: y.exp - x.exp, sub }), exp: x.exp };
    if (sub === 0) return shadd(y, x, 0);
    return { id: b.add("shadd", [align(x, y.exp), y.id], { shift: 0, sub }), exp: y.exp };
  };

  /** x / 2^drop rounded, for drop > 0. */
  const rounded = (x: number, drop: number, mode: Rounding): number => {
    const half = 1n << BigInt(drop - 1);
    const floor = (y: number): number => b.add("shl", [y], { shift: -drop });
    const plus = (y: number, k: bigint): number => (k === 0n ? y : b.add("shadd", [y, b.constant(k)], { shift: 0, sub: 0 }));
    /** 1 for negative x, else 0. */
    const negative = (): number => {
      const r = b.range(x);
      const width = Math.max((-r.lo).toString(2).length, r.hi.toString(2).length);
      return b.add("wrap", [b.add("shl", [x], { shift: -width })], { width: 1, signed: 0 });
    };
    const byMode: Record<Rounding, () => number> = {
      TRN: () => floor(x),
      RND: () => floor(plus(x, half)),
      // An odd floor rounds ties up, an even one down: add the floor's last bit to x + half − 1.
      RND_CONV: () => floor(b.add("shadd", [plus(x, half - 1n), b.add("wrap", [floor(x)], { width: 1, signed: 0 })], { shift: 0, sub: 0 })),
      RND_MIN_INF: () => floor(plus(x, half - 1n)),
      RND_ZERO: () => floor(b.add("shadd", [plus(x, half - 1n), negative()], { shift: 0, sub: 0 })),
      RND_INF: () => floor(b.add("shadd", [plus(x, half), negative()], { shift: 0, sub: 1 })),
      // Negative x: floor((x + 2^drop − 1) / 2^drop) = ceil(x / 2^drop).
      TRN_ZERO: () => {
        const sign = negative();
        return floor(b.add("shadd", [b.add("shadd", [x, sign], { shift: drop, sub: 0 }), sign], { shift: 0, sub: 1 }));
      },
    };
    return byMode[mode]();
  };

  const clamp = (x: number, r: Range): number => {
    const have = b.range(x);
    const low = have.hi > r.hi ? b.add("min", [x, b.constant(r.hi)], {}) : x;
    return have.lo < r.lo ? b.add("max", [low, b.constant(r.lo)], {}) : low;
  };

  const overflowed = (x: number, { type, overflow }: Conversion): number => {
    const r = rangeOf(type);
    const symmetric = overflow === "SAT_SYM" && type.signed && type.width > 1;
    const legal = symmetric ? { lo: -r.hi, hi: r.hi } : r;
    if (contains(legal, b.range(x))) return x;
    if (type.width === 0) return b.constant(0n);
    if (overflow === "WRAP") return b.add("wrap", [x], { width: type.width, signed: type.signed ? 1 : 0 });
    if (overflow !== "SAT_ZERO") return clamp(x, legal);
    // x − lo has bits above `width` exactly when x is out of range.
    const offset = b.add("shadd", [x, b.constant(-r.lo)], { shift: 0, sub: 0 });
    const outside = b.add("shl", [offset], { shift: -type.width });
    // Where the mux passes x on, x is in range; the wrap states it.
    return b.add("wrap", [b.add("mux", [outside, b.constant(0n), x], {})], { width: type.width, signed: type.signed ? 1 : 0 });
  };

  return {
    constant,
    add: (x, y) => (isZero(x) ? y : isZero(y) ? x : shadd(x, y, 0)),
    sub: (x, y) => (isZero(y) ? x : shadd(isZero(x) ? { id: x.id, exp: y.exp } : x, y, 1)),
    mul: (x, y) => {
      const [cx, cy] = [b.cell(x.id), b.cell(y.id)];
      const by = (w: Wire, k: bigint, exp: number): Wire => (k === 0n ? constant(0n, 0) : { id: b.add("affine", [w.id], { coefficients: [k], bias: 0n }), exp: w.exp + exp });
      if (cy.op === "const") return by(x, cy.attrs.value, y.exp);
      if (cx.op === "const") return by(y, cx.attrs.value, x.exp);
      return { id: b.add("mul", [x.id, y.id], {}), exp: x.exp + y.exp };
    },
    max: (x, y) => aligned(x, y, "max"),
    min: (x, y) => aligned(x, y, "min"),
    matvec: (kernel, x, bias) => {
      products++;
      const product = products;
      const m = kernel.shape[1]!;
      const live = x.flatMap((w, i) => (isZero(w) ? [] : [{ w, i }]));
      return Array.from({ length: m }, (_, j) => {
        const terms = live.flatMap(({ w, i }) => {
          const c = kernel.data[i * m + j]!;
          if (c === 0n) return [];
          const z = trailingZeros(c);
          return [{ id: w.id, c: c >> BigInt(z), exp: w.exp + kernel.exp + z }];
        });
        const k = bias?.data[j] ?? 0n;
        const kz = k === 0n ? 0 : trailingZeros(k);
        const exps = [...terms.map((t) => t.exp), ...(k === 0n ? [] : [bias!.exp + kz])];
        if (terms.length === 0) return constant(k, bias?.exp ?? 0);
        const exp = exps.reduce((p, q) => Math.min(p, q));
        const coefficients = terms.map((t) => t.c << BigInt(t.exp - exp));
        const biasAt = k === 0n ? 0n : (k >> BigInt(kz)) << BigInt(bias!.exp + kz - exp);
        return { id: b.add("affine", terms.map((t) => t.id), { coefficients, bias: biasAt, product }), exp };
      });
    },
    quantize: (x, to) => {
      const drop = exponent(to.type) - x.exp;
      if (isZero(x)) return x;
      if (drop > 0) return { id: overflowed(rounded(x.id, drop, to.round), to), exp: exponent(to.type) };
      const r = b.range(x.id);
      const atType = { lo: shiftFloor(r.lo, -drop), hi: shiftFloor(r.hi, -drop) };
      const legal = rangeOf(to.type);
      const fits = contains(to.overflow === "SAT_SYM" && to.type.signed && to.type.width > 1 ? { lo: -legal.hi, hi: legal.hi } : legal, atType);
      return fits ? x : { id: overflowed(align(x, exponent(to.type)), to), exp: exponent(to.type) };
    },
    lut: (x, f) => {
      const { lo, hi } = b.range(x.id);
      assert(hi - lo < BigInt(MAX_TABLE), `lut: a table of ${hi - lo + 1n} entries`);
      const key = `${lo},${hi},${x.exp},${printUnary(f)}`;
      const table = tables.get(key) ?? Array.from({ length: Number(hi - lo) + 1 }, (_, i) => applyUnary(f, lo + BigInt(i), x.exp));
      tables.set(key, table);
      return { id: b.add("lut", [x.id], { lo, table }), exp: exponent(f.to.type) };
    },
  };
}

/** The names of the module's buses: inputs, then outputs. */
export function portNames(graph: Graph): { readonly inputs: readonly string[]; readonly outputs: readonly string[] } {
  const names = identifiers([...graph.inputs.map((i) => (graph.nodes[i] as NodeWith<"input">).attrs.name), ...graph.outputs.map((o) => o.name)]);
  return { inputs: names.slice(0, graph.inputs.length), outputs: names.slice(graph.inputs.length) };
}

/** The module's buses, of a typed graph. */
export function portsOf(graph: Graph): { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] } {
  const names = portNames(graph);
  const port = (value: number, name: string): Port => {
    const { shape, elem } = graph.nodes[value]!.type;
    assert(elem !== "real", "portsOf: a real value");
    return { name, shape, type: elem };
  };
  return {
    inputs: graph.inputs.map((id, i) => port(id, names.inputs[i]!)),
    outputs: graph.outputs.map((o, i) => port(o.value, names.outputs[i]!)),
  };
}

function inputWires(node: Node, name: string, b: NetBuilder): readonly Wire[] {
  const type = node.type.elem;
  assert(type !== "real" && node.elements, "lower: a real input");
  const exp = exponent(type);
  const shift = (r: { exp: number }): number => Math.max(0, r.exp - exp);
  const ranges = node.elements.map((r) => ({ lo: r.lo << BigInt(shift(r)), hi: r.hi << BigInt(shift(r)) }));
  const ids = b.input({ name, shape: node.type.shape, type }, ranges);
  // The low bits of a coarser element are zero on the bus: dropping them is exact.
  return node.elements.map((r, i) => (shift(r) === 0 ? { id: ids[i]!, exp } : { id: b.add("shl", [ids[i]!], { shift: -shift(r) }), exp: r.exp }));
}

function outputPort(graph: Graph, o: GraphOutput, name: string, values: readonly Wire[], b: NetBuilder): void {
  const node = graph.nodes[o.value]!;
  const type = node.type.elem;
  assert(type !== "real", "lower: a real output");
  const exp = exponent(type);
  const zero = (w: Wire): boolean => hull(b.range(w.id), { lo: 0n, hi: 0n }).lo === 0n && b.range(w.id).hi === 0n;
  const elements = values.map((w) => (w.exp === exp || zero(w) ? w.id : b.add("shl", [w.id], { shift: w.exp - exp })));
  b.output({ name, shape: node.type.shape, type }, elements);
}

/** The wire, no wider than the graph's analysis proves: cells in between, such as those of a rounding, may derive less. */
function bounded(b: NetBuilder, w: Wire, { lo, hi, exp }: Interval): Wire {
  const shift = exp - w.exp;
  return { id: keepWidth(b, w.id, { lo: -shiftFloor(-lo, shift), hi: shiftFloor(hi, shift) }), exp: w.exp };
}

/** About how many cells a node becomes: a multiplication by a nonzero constant, a tap of a pool or an element each count as one. */
export function cellsOf(node: Node): number {
  const elements = sizeOf(node.type.shape);
  switch (node.op) {
    case "dense":
    case "conv":
      return (elements / node.type.shape.at(-1)!) * node.attrs.kernel.data.reduce((n, w) => (w === 0n ? n : n + 1), 0);
    case "maxpool":
    case "sumpool":
      return elements * sizeOf(node.attrs.window);
    case "input":
    case "constant":
      return 0;
    default:
      return opDef(node.op).source ? 0 : elements;
  }
}

/** Every value of the graph must be typed; every table within MAX_TABLE. */
export function lowerGraph(graph: Graph): Netlist {
  const b = new NetBuilder(graph.name, ["", ...graph.layers.map((l) => l.name)]);
  const k = wires(b);
  const names = portNames(graph);
  const values: (readonly Wire[])[] = [];
  graph.nodes.forEach((node, id) => {
    b.layer = node.layer + 1;
    if (node.op === "input") {
      values.push(inputWires(node, names.inputs[graph.inputs.indexOf(id)]!, b));
    } else {
      const x = node.operands.map((v) => ({ shape: graph.nodes[v]!.type.shape, at: values[v]! }));
      values.push(opDef(node.op).expand(k, x, node.attrs as never).map((w, i) => bounded(b, w, node.elements![i]!)));
    }
  });
  graph.outputs.forEach((o, i) => outputPort(graph, o, names.outputs[i]!, values[o.value]!, b));
  return b.done();
}

export const lower = pass({
  name: "lower",
  doc: "expands every op into integer cells, constant matrix-vector products into `affine` cells; refuses networks too large to be fully parallel (--max-cells)",
  from: "graph",
  to: "netlist",
  run(graph: Graph, { options, reporter }) {
    const cells = graph.nodes.map(cellsOf);
    const total = cells.reduce((a, b) => a + b, 0);
    if (total <= options.maxCells) return lowerGraph(graph);
    const perLayer = graph.layers.map((_, i) => graph.nodes.reduce((n, node, id) => (node.layer === i ? n + cells[id]! : n), 0));
    const largest = perLayer.indexOf(Math.max(...perLayer));
    const layer = graph.layers[largest];
    return reporter.error("QN403", `fully parallel, the network needs about ${total} cells, and --max-cells allows ${options.maxCells}`, {
      ...(layer ? { at: { ...layer.at, layer: layer.name } } : {}),
      help: `this layer is the largest, with ${perLayer[largest] ?? total}: prune it or make it smaller; or build without Verilog (--no-rtl): the simulator and the HLS code run networks of any size by loops`,
    });
  },
});
