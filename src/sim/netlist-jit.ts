// The netlist as WebAssembly, one 64-bit integer a cell: fast enough to run every build's netlist on all its vectors.
import { loadBinaryen } from "./binaryen.js";
import type { Reporter } from "../diagnostics.js";
import { type CellOf, dispatch, type PerCell } from "../ir/cells.js";
import { fit, MAX_WIDTH, type Range } from "../ir/fixed.js";
import { liveCells, type Netlist } from "../ir/netlist.js";
import type { Mantissas } from "../ir/vectors.js";
import type { Binaryen, Expression } from "./jit/function-builder.js";
import { integerBytes } from "./jit/memory.js";

export interface NetlistSimulator {
  /** inputs[port][sample][element] to outputs of the same form. */
  run(inputs: readonly (readonly Mantissas[])[]): readonly (readonly Mantissas[])[];
}

/** A function computes these many operands for all samples of a batch before the next begins, so that its machine code stays in the cache. V8 takes 7.6 MB a function. */
const OPERANDS_PER_FUNCTION = 2000;
/** Samples of a batch: as many as this many bytes of values hold, within limits. */
const BATCH_BYTES = 1 << 24;
const MAX_BATCH = 128;
const CELL_BYTES = 8;
const PAGE = 65536;

/** The first cell whose value passes 64 bits: signed, or unsigned where it is never negative. */
export const widestCell = (netlist: Netlist): number => netlist.ranges.findIndex((r) => fit(r).width > MAX_WIDTH);

interface CellContext {
  readonly m: import("binaryen").default.Module;
  /** The value of operand k. */
  x(k: number): Expression;
  range(k: number): Range;
  /** Address of a table of 64-bit integers. */
  table(values: readonly bigint[]): number;
}

const c64 = (cx: CellContext, value: bigint): Expression => cx.m.i64.const(BigInt.asIntN(64, value));
const unsigned = (r: Range): boolean => r.hi >= 1n << 63n;
/** x·2^n modulo 2^64. */
const shifted = (cx: CellContext, x: Expression, n: number): Expression =>
  n === 0 ? x : n >= 64 ? c64(cx, 0n) : cx.m.i64.shl(x, c64(cx, BigInt(n)));

/** Operand 0 > operand 1, for any mixture of signed and unsigned values. */
function greater(cx: CellContext): Expression {
  const { i64, i32 } = cx.m;
  const [a, b] = [cx.range(0), cx.range(1)];
  if (!unsigned(a) && !unsigned(b)) return i64.gt_s(cx.x(0), cx.x(1));
  const above = i64.gt_u(cx.x(0), cx.x(1));
  if (a.lo < 0n) return i32.and(i64.ge_s(cx.x(0), c64(cx, 0n)), above);
  return b.lo < 0n ? i32.or(i64.lt_s(cx.x(1), c64(cx, 0n)), above) : above;
}

function product(cx: CellContext, k: number, c: bigint): Expression {
  const factor = BigInt.asIntN(64, c);
  return factor === 1n ? cx.x(k) : cx.m.i64.mul(cx.x(k), c64(cx, factor));
}

/** A tree, so that long sums do not nest deeply. */
function balancedSum(cx: CellContext, terms: readonly Expression[]): Expression {
  if (terms.length === 1) return terms[0]!;
  const half = terms.length >> 1;
  return cx.m.i64.add(balancedSum(cx, terms.slice(0, half)), balancedSum(cx, terms.slice(half)));
}

/** Sums, products and left shifts are computed modulo 2^64; they are exact because the cell's range has at most 64 bits. */
const code: PerCell<Expression, CellContext> = {
  input: (_, cx) => cx.x(0),
  const: ({ attrs }, cx) => c64(cx, attrs.value),
  affine: ({ attrs: { coefficients, bias } }, cx) => {
    const terms = coefficients.flatMap((c, k) => (c === 0n ? [] : [product(cx, k, c)]));
    return balancedSum(cx, bias === 0n && terms.length > 0 ? terms : [...terms, c64(cx, bias)]);
  },
  shadd: ({ attrs: { shift, sub } }, cx) => cx.m.i64[sub ? "sub" : "add"](cx.x(0), shifted(cx, cx.x(1), shift)),
  mul: (_, cx) => cx.m.i64.mul(cx.x(0), cx.x(1)),
  shl: ({ attrs: { shift } }, cx) => {
    if (shift >= 0) return shifted(cx, cx.x(0), shift);
    if (unsigned(cx.range(0))) return shift <= -64 ? c64(cx, 0n) : cx.m.i64.shr_u(cx.x(0), c64(cx, BigInt(-shift)));
    return cx.m.i64.shr_s(cx.x(0), c64(cx, BigInt(Math.min(-shift, 63))));
  },
  max: (_, cx) => cx.m.select(greater(cx), cx.x(0), cx.x(1)),
  min: (_, cx) => cx.m.select(greater(cx), cx.x(1), cx.x(0)),
  mux: (_, cx) => cx.m.select(cx.m.i64.ne(cx.x(0), c64(cx, 0n)), cx.x(1), cx.x(2)),
  wrap: ({ attrs: { width, signed } }, cx) => {
    if (width === 0) return c64(cx, 0n);
    if (width >= 64) return cx.x(0);
    if (!signed) return cx.m.i64.and(cx.x(0), c64(cx, (1n << BigInt(width)) - 1n));
    const unused = (): Expression => c64(cx, BigInt(64 - width));
    return cx.m.i64.shr_s(cx.m.i64.shl(cx.x(0), unused()), unused());
  },
  lut: ({ attrs: { lo, table } }, cx) => {
    const { i64, i32 } = cx.m;
    const index = i32.wrap(i64.sub(cx.x(0), c64(cx, lo)));
    return i64.load(cx.table(table), 8, i32.mul(index, i32.const(CELL_BYTES)));
  },
};

/** A cell wider than 64 bits is reported with its layer (QN301). */
export async function compileNetlist(netlist: Netlist, reporter: Reporter): Promise<NetlistSimulator | undefined> {
  const wide = widestCell(netlist);
  if (wide >= 0) {
    const layer = netlist.layers[netlist.layer[wide]!] ?? "";
    return reporter.error(
      "QN301",
      `%${wide} ${netlist.cells[wide]!.op} has ${fit(netlist.ranges[wide]!).width} bits; the limit is ${MAX_WIDTH}`,
      layer === "" ? {} : { at: { layer } },
    );
  }
  const b = await loadBinaryen();
  const count = netlist.cells.length;
  const batch = Math.max(1, Math.min(MAX_BATCH, Math.floor(BATCH_BYTES / (count * CELL_BYTES))));
  const { instance } = await WebAssembly.instantiate(assemble(b, netlist, batch) as Uint8Array<ArrayBuffer>);
  const exports = instance.exports as unknown as { readonly memory: WebAssembly.Memory; run(samples: number): void };
  const values = new BigInt64Array(exports.memory.buffer, 0, count * batch);
  const outputs = netlist.outputs.map((p) => p.elements.map((id) => ({ id, unsigned: unsigned(netlist.ranges[id]!) })));
  return {
    run: (inputs) => {
      const samples = inputs[0]?.length ?? 1;
      const results: Mantissas[][] = outputs.map(() => []);
      for (let start = 0; start < samples; start += batch) {
        const size = Math.min(batch, samples - start);
        netlist.inputs.forEach((port, k) => {
          for (let s = 0; s < size; s++) {
            const sample = inputs[k]![start + s]!;
            for (let i = 0; i < port.elements.length; i++) values[s * count + port.elements[i]!] = sample[i]!;
          }
        });
        exports.run(size);
        outputs.forEach((port, k) => {
          for (let s = 0; s < size; s++)
            results[k]!.push(port.map((o) => (o.unsigned ? BigInt.asUintN(64, values[s * count + o.id]!) : values[s * count + o.id]!)));
        });
      }
      return results;
    },
  };
}

/** The module: the value of cell i of sample s is the 64-bit integer at 8·(s·cells + i); `run` computes all cells that an output needs. */
function assemble(b: Binaryen, netlist: Netlist, batch: number): Uint8Array {
  const m = new b.Module();
  try {
    m.setMemory(1, 1, null, [], false, false, "0");
    const sampleBytes = netlist.cells.length * CELL_BYTES;
    let next = sampleBytes * batch;
    const segments: { readonly offset: Expression; readonly data: Uint8Array }[] = [];
    const tables = new Map<readonly bigint[], number>();
    const table = (values: readonly bigint[]): number => {
      const known = tables.get(values);
      if (known !== undefined) return known;
      const address = next;
      segments.push({ offset: m.i32.const(address), data: integerBytes(values, 64) });
      next += values.length * CELL_BYTES;
      tables.set(values, address);
      return address;
    };
    const base = (): Expression => m.local.get(0, b.i32);
    const load = (id: number): Expression => m.i64.load(id * CELL_BYTES, 8, base());
    const names: string[] = [];
    let statements: Expression[] = [];
    let operands = 0;
    /** Ends the current function: (address of the first sample, samples), one turn a sample. */
    const flush = (): void => {
      if (statements.length === 0) return;
      const left = m.i32.sub(m.local.get(1, b.i32), m.i32.const(1));
      const turn = [
        ...statements,
        m.local.set(0, m.i32.add(base(), m.i32.const(sampleBytes))),
        m.br("samples", m.local.tee(1, left, b.i32)),
      ];
      const name = `cells${names.length}`;
      names.push(name);
      m.addFunction(name, b.createType([b.i32, b.i32]), b.none, [], m.loop("samples", m.block(null, turn, b.none)));
      statements = [];
      operands = 0;
    };
    const live = liveCells(netlist);
    netlist.cells.forEach((cell, id) => {
      if (!live[id] || cell.op === "input") return;
      const { args } = cell as CellOf<"affine">;
      const cx: CellContext = { m, x: (k) => load(args[k]!), range: (k) => netlist.ranges[args[k]!]!, table };
      statements.push(m.i64.store(id * CELL_BYTES, 8, base(), dispatch(code, cell, cx)));
      operands += args.length + 1;
      if (operands >= OPERANDS_PER_FUNCTION) flush();
    });
    flush();
    const calls = names.map((name) => m.call(name, [m.i32.const(0), m.local.get(0, b.i32)], b.none));
    m.addFunction("run", b.createType([b.i32]), b.none, [], m.block(null, calls, b.none));
    m.addFunctionExport("run", "run");
    const pages = Math.max(1, Math.ceil(next / PAGE));
    m.setMemory(pages, pages, "memory", segments, false, false, "0");
    return m.emitBinary();
  } finally {
    m.dispose();
  }
}
