// How a matrix op's operand lies: the buffer as it is, or a copy in pairs of features, each group's image by itself.
import type { FunctionBuilder, Local } from "./function-builder.js";
import { type Geometry, runsOf, shareOf } from "./linear-geometry.js";
import type { Method } from "./linear-method.js";
import { type Buffer, type MemoryPlan, rowBytes } from "./memory.js";
import { load, mapVectors, splat, toLane, type Value } from "./value.js";
import { walk } from "./walk.js";

export interface Layout {
  readonly address: number;
  readonly elementBytes: number;
  /** Elements from one pixel to the next, and from one group's first to the next group's. */
  readonly pixelStep: number;
  readonly groupStep: number;
  /** Bytes that a turn of the inner loop moves on. */
  readonly turnBytes: number;
  /** Bytes from one digit's copy to the next's. */
  readonly limbBytes: number;
}

export const rowLayout = (x: Buffer, g: Geometry): Layout => ({
  address: x.address,
  elementBytes: rowBytes(x),
  pixelStep: g.channels,
  groupStep: shareOf(g),
  turnBytes: rowBytes(x),
  limbBytes: 0,
});

/** Vectors of a pair of rows: the samples of both, side by side. */
const PAIR_BYTES = 32;

/** x − offset in 16 bits: the one number, or its 16-bit digits. */
function limbsOf(f: FunctionBuilder, v: Value, method: Pick<Method, "limbs" | "offset">): readonly Local[] {
  if (method.limbs === 1) {
    if (v.lane === 16) return v.vectors;
    const { offset } = method;
    const moved = mapVectors(f, v, { lo: v.lo - offset, hi: v.hi - offset }, (x) => f.m.i32x4.sub(x, splat(f, 32, offset)));
    return toLane(f, moved, 16).vectors;
  }
  const { m } = f;
  const bytes = v.lane / 8;
  /** Digits l of the lanes of two vectors, one after the other, and again. */
  const digits = (a: Local, b: Local, l: number): Local => {
    const lane = (i: number): number[] => [bytes * i + 2 * l, bytes * i + 2 * l + 1];
    const all = Array.from({ length: 32 / bytes }, (_, i) => lane(i)).flat();
    return f.vector(m.i8x16.shuffle(f.get(a), f.get(b), [...all, ...all].slice(0, 16)));
  };
  return Array.from({ length: method.limbs }, (_, l) => {
    const [a, b, c, d] = v.vectors as [Local, Local, Local, Local];
    const halves = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
    const limb = v.lane === 32 ? digits(a, b, l) : f.vector(m.i8x16.shuffle(f.get(digits(a, b, l)), f.get(digits(c, d, l)), halves));
    // Taking 2^15 off a digit without sign flips its highest bit.
    const moved = (method.offset >> BigInt(16 * l + 15)) & 1n;
    return moved === 1n ? f.vector(m.v128.xor(f.get(limb), splat(f, 16, 1n << 15n))) : limb;
  });
}

/**
 * Copies x − offset in 16 bits: the image of each group by itself, and there (x_e, x_{e+1}) for every second element e.
 * Where a window may begin at an odd element, for every e. Several digits are one such copy each, the highest last.
 */
export function pairLayout(
  f: FunctionBuilder,
  memory: MemoryPlan,
  x: Buffer,
  g: Geometry,
  method: Pick<Method, "limbs" | "offset">,
): Layout {
  const share = shareOf(g);
  const elements = g.pixels * share;
  const { begins } = runsOf(g, share);
  const even = g.starts.every((p) => (p * share) % 2 === 0) && begins.every((b) => b % 2 === 0) && (elements % 2 === 0 || g.groups === 1);
  const step = even ? 2 : 1;
  const row = rowBytes(x);
  const limbBytes = g.groups * Math.ceil(elements / step) * PAIR_BYTES;
  const address = memory.allocate(method.limbs * limbBytes);
  const place = (e: number): number => (Math.floor(e / share) * g.channels + (e % share)) * row;
  const firsts = Array.from({ length: Math.ceil(elements / step) }, (_, i) => i * step);
  const group = f.pointer(x.address);
  const to = f.pointer(address);
  // An odd last element is paired with itself; its partner's weight is 0.
  const columns = [
    { at: firsts.map(place), base: group },
    { at: firsts.map((e) => place(Math.min(e + 1, elements - 1))), base: group },
  ];
  f.repeat(g.groups, [{ pointer: group, stride: share * row }], () =>
    walk(f, memory, columns, (pair) => {
      const [a, b] = pair.map((p) => limbsOf(f, load(f, x, p), method)) as [readonly Local[], readonly Local[]];
      a.forEach((limb, l) => {
        for (const [half, at] of [lowHalves, highHalves].entries())
          f.emit(f.m.v128.store(l * limbBytes + 16 * half, 16, f.get(to), f.m.i8x16.shuffle(f.get(limb), f.get(b[l]!), at)));
      });
      f.set(to, f.m.i32.add(f.get(to), f.m.i32.const(PAIR_BYTES)));
    }),
  );
  return { address, elementBytes: PAIR_BYTES / step, pixelStep: share, groupStep: elements, turnBytes: (2 * PAIR_BYTES) / step, limbBytes };
}

const lowHalves = [0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23];
const highHalves = lowHalves.map((i) => i + 8);
