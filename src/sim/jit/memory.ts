// The linear memory of a simulator: addresses handed out in order, constant data as segments.
import type { Lane } from "./value.js";

/** Where the elements of a value lie: each element is a row of SPAN samples, or one number for all samples. */
export interface Buffer {
  readonly address: number;
  readonly lane: Lane;
  /** One number an element, the same for every sample. */
  readonly splat: boolean;
  /** Mantissas of the elements are within lo … hi at this exponent. */
  readonly lo: bigint;
  readonly hi: bigint;
  readonly exp: number;
}

/** Samples computed together. */
export const SPAN = 8;

/** Bytes from one element to the next. */
export const rowBytes = (b: Pick<Buffer, "lane" | "splat">): number => (b.splat ? b.lane / 8 : (b.lane / 8) * SPAN);

const PAGE = 65536;

export class MemoryPlan {
  readonly segments: { readonly address: number; readonly data: Uint8Array }[] = [];
  /** Address 0 stays unused. */
  private next = 16;

  allocate(bytes: number): number {
    const address = this.next;
    this.next = (this.next + bytes + 15) & ~15;
    return address;
  }
  data(bytes: Uint8Array): number {
    const address = this.allocate(bytes.length);
    this.segments.push({ address, data: bytes });
    return address;
  }
  /** Data that contain their own address. */
  reserve(at: (address: number) => Uint8Array): number {
    return this.data(at(this.next));
  }
  /** Constant integers, reduced to the lane: two's complement. */
  integers(values: readonly bigint[], lane: Lane): number {
    return this.data(integerBytes(values, lane));
  }
  get bytes(): number {
    return this.next;
  }
  get pages(): number {
    return Math.ceil(this.next / PAGE);
  }
}

/** Writes integers modulo 2^lane, little-endian. */
export function integerWriter(view: DataView, lane: Lane): (at: number, v: bigint) => void {
  if (lane === 64) return (at, v) => view.setBigInt64(at, BigInt.asIntN(64, v), true);
  if (lane === 32) return (at, v) => view.setInt32(at, Number(BigInt.asIntN(32, v)), true);
  return (at, v) => view.setInt16(at, Number(BigInt.asIntN(16, v)), true);
}

/** Little-endian integers modulo 2^lane. */
export function integerBytes(values: readonly bigint[], lane: Lane): Uint8Array {
  const view = new DataView(new ArrayBuffer((values.length * lane) / 8));
  const put = integerWriter(view, lane);
  for (let i = 0; i < values.length; i++) put((i * lane) / 8, values[i]!);
  return new Uint8Array(view.buffer);
}
