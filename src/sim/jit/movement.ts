// transpose, pad, edgepad, slice, concat, resize: copies of rows, run by run where elements stay neighbours.
import { exponent, type Range } from "../../ir/fixed.js";
import { rangeOfNode } from "./node-range.js";
import type { Node, NodeWith } from "../../ir/graph.js";
import { type MovementName, opDef } from "../../ir/ops/index.js";
import { sizeOf } from "../../ir/tensor.js";
import { type EmitContext, type OpEmitter, operandNodes } from "./emitter.js";
import { type Buffer, rowBytes } from "./memory.js";
import { constantValue, isZero, load } from "./value.js";
import { walk } from "./walk.js";

/** Rows that a turn of the copying loop moves. */
const COPIES = 4;

/** Result elements `to` … are elements `from` … of operand `operand`, or zeros where that is −1. */
interface Run {
  readonly operand: number;
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/** The source of a movement as its longest runs. */
function runsOf(source: Int32Array, sizes: readonly number[]): readonly Run[] {
  const ends: number[] = [];
  for (const size of sizes) ends.push((ends.at(-1) ?? 0) + size);
  const runs: Run[] = [];
  for (let to = 0; to < source.length; ) {
    const first = source[to]!;
    const operand = first < 0 ? -1 : ends.findIndex((e) => first < e);
    const limit = operand < 0 ? 0 : ends[operand]!;
    let length = 1;
    const goesOn = (): boolean => (first < 0 ? source[to + length] === first : source[to + length] === first + length && first + length < limit);
    while (to + length < source.length && goesOn()) length++;
    runs.push({ operand, from: first < 0 ? 0 : first - (ends[operand - 1] ?? 0), to, length });
    to += length;
  }
  return runs;
}

/** Runs that one loop copies: same operand, same length. */
function groupsOf(runs: readonly Run[]): readonly (readonly Run[])[] {
  const groups = new Map<string, Run[]>();
  for (const run of runs) {
    const key = `${run.operand} ${run.length}`;
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  return [...groups.values()];
}

/** What is moved from operand x, in its unit: not all of x's elements need to be. */
function movedRange(node: Node, x: Buffer): Range {
  const r = rangeOfNode(node);
  const type = node.type.elem;
  const shift = type === "real" ? 0 : exponent(type) - x.exp;
  if (shift < 0) return x;
  const [lo, hi] = [r.lo << BigInt(shift), r.hi << BigInt(shift)];
  return { lo: lo > x.lo ? lo : x.lo, hi: hi < x.hi ? hi : x.hi };
}

function emit(node: NodeWith<MovementName>, cx: EmitContext): void {
  const { f, memory, out } = cx;
  const operands = operandNodes(cx.graph, node).map((x) => x.type.shape);
  const source = opDef(node.op).source!(operands, node.attrs as never);
  for (const runs of groupsOf(runsOf(source, operands.map(sizeOf)))) {
    const { operand, length } = runs[0]!;
    const to = { at: runs.map((r) => out.address + r.to * rowBytes(out)) };
    const x = cx.operands[operand];
    if (!x || isZero(rangeOfNode(node))) {
      walk(f, memory, [to], ([o]) => {
        const p = f.copy(o!);
        f.repeat(length, [{ pointer: p, stride: rowBytes(out) }], () => cx.finish(constantValue(f, 0n, out.exp), p));
      });
      continue;
    }
    const range = movedRange(node, x);
    walk(f, memory, [{ at: runs.map((r) => x.address + r.from * rowBytes(x)) }, to], ([i, o]) => {
      const [from, p] = [f.copy(i!), f.copy(o!)];
      const moves = [
        { pointer: from, stride: rowBytes(x) },
        { pointer: p, stride: rowBytes(out) },
      ];
      f.stretch(length, COPIES, moves, () => cx.finish({ ...load(f, x, from), ...range }, p));
    });
  }
}

type Copied = Exclude<MovementName, "reshape">;

const copied = { kind: "kernel", emit } as const;

export const movements: { readonly [K in Copied]: OpEmitter<K> } = {
  transpose: copied,
  pad: copied,
  edgepad: copied,
  slice: copied,
  concat: copied,
  resize: copied,
};
