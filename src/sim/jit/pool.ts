// maxpool, sumpool: at each position a loop over channels, the taps of the window one after the other.
import { exponent } from "../../ir/fixed.js";
import type { NodeWith } from "../../ir/graph.js";
import { rangeOfNode } from "./node-range.js";
import { type EmitContext, type OpEmitter, operandNodes } from "./emitter.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import { windowPixels } from "./linear-geometry.js";
import { rowBytes } from "./memory.js";
import { ENTRY_UNIT, type Entry } from "./table-fields.js";
import { constantValue, extreme, isUnsigned64, isZero, type Lane, laneFor, lanes, load, maxLane, toLane } from "./value.js";
import { walk } from "./walk.js";

type Pool = "maxpool" | "sumpool";

/** A window of at most this many taps is one stretch of code. */
const UNROLLED = 16;

type Instruction = (f: FunctionBuilder, lane: Lane, a: Local, b: Local, unsigned: boolean) => Expression;

/** Sums modulo 2^lane are exact, because the lane holds the whole sum. */
const meaning: Readonly<Record<Pool, Instruction>> = {
  maxpool: (f, lane, a, b, unsigned) => extreme(f, "max", lane, a, b, unsigned),
  sumpool: (f, lane, a, b) => lanes(f, lane).add(f.get(a), f.get(b)),
};

function emit(node: NodeWith<Pool>, cx: EmitContext): void {
  const { f, memory, out } = cx;
  const x = cx.operands[0]!;
  const [row, outRow] = [rowBytes(x), rowBytes(out)];
  const { shape } = operandNodes(cx.graph, node)[0]!.type;
  const channels = shape.at(-1)!;
  const { window, strides } = node.attrs;
  const { starts, taps } = windowPixels(shape, window, strides, window.map(() => 1));
  const type = node.type.elem;
  const r = rangeOfNode(node);
  const shift = type === "real" || isZero(r) ? 0n : BigInt(exponent(type) - x.exp);
  const range = { lo: r.lo << shift, hi: r.hi << shift };
  const lane = maxLane(x.lane, laneFor(f, range));
  const combine = meaning[node.op];
  const unsigned = isUnsigned64(x);
  const tapBytes = (tap: number): number => tap * channels * row;

  const element = (from: Local, to: Local, entry: Entry): void => {
    if (isZero(range)) return cx.finish(constantValue(f, 0n, out.exp), to, 0, entry);
    const at = (pointer: Local, offset: number): readonly Local[] => toLane(f, load(f, x, pointer, offset), lane).vectors;
    const sum = at(from, tapBytes(taps[0]!)).map((v) => f.copy(v));
    const join = (pointer: Local, offset: number): void =>
      f.scope(() => at(pointer, offset).forEach((v, i) => f.set(sum[i]!, combine(f, lane, sum[i]!, v, unsigned))));
    const others = taps.slice(1).map(tapBytes);
    if (others.length < UNROLLED) for (const tap of others) join(from, tap);
    else walk(f, memory, [{ at: others, base: from }], ([tap]) => join(tap!, 0));
    cx.finish({ ...range, exp: x.exp, lane, vectors: sum }, to, 0, entry);
  };
  const columns = [
    { at: starts.map((pixel) => x.address + tapBytes(pixel)) },
    { at: starts.map((_, i) => out.address + i * channels * outRow) },
  ];
  walk(f, memory, columns, ([source, target]) => {
    const [from, to, channel] = [f.copy(source!), f.copy(target!), f.pointer(0)] as const;
    const moves = [
      { pointer: from, stride: row },
      { pointer: to, stride: outRow },
      { pointer: channel, stride: ENTRY_UNIT },
    ];
    f.repeat(channels, moves, () => element(from, to, { pointer: channel, offset: 0 }));
  });
}

export const pools: { readonly [K in Pool]: OpEmitter<K> } = {
  maxpool: { kind: "channels", emit },
  sumpool: { kind: "channels", emit },
};
