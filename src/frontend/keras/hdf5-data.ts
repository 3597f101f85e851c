// The elements of an HDF5 dataset or attribute: contiguous, compact or chunked storage, deflate and shuffle filters, numbers and strings.
import { unzlibSync } from "fflate";
import {
  type Cursor,
  type Datatype,
  damaged,
  decode,
  globalHeapString,
  type Message,
  Refusal,
  treeLeaves,
  unsupported,
} from "./hdf5-format.js";

/** A chunk is unpacked whole, so its size needs a bound of its own. */
const MAX_CHUNK_BYTES = 1 << 28;
/** Deflate can not do better than 1032:1. */
export const MAX_RATIO = 1100;

/** The raw bytes of a dataset in row-major order, from its layout and filter messages. */
export function storedBytes(layout: Message, filters: Message | undefined, shape: readonly number[], type: Datatype): Uint8Array {
  const c = layout.at.at(layout.at.pos);
  const total = shape.reduce((a, b) => a * b, 1) * type.size;
  const version = c.u8();
  if (version !== 3 && version !== 4) throw unsupported(`data layout version ${version}`);
  const kind = c.u8();
  if (kind === 3)
    throw new Refusal("a dataset is stored in other files", "qnnc never follows links out of a model file; save the model again");
  if (kind === 0) return exactly(c.slice(c.u16()), total);
  if (kind === 1) {
    const address = c.offset();
    if (address === undefined) return new Uint8Array(total);
    if (c.length() < total) throw damaged("a dataset");
    return c.at(address).slice(total);
  }
  if (kind !== 2) throw damaged("a dataset");
  if (version === 4) throw unsupported("chunk indexes of HDF5 1.10");
  return chunked(c, filters, shape, type.size, total);
}

function exactly(bytes: Uint8Array, n: number): Uint8Array {
  if (bytes.length < n) throw damaged("a dataset");
  return bytes.subarray(0, n);
}

function chunked(c: Cursor, filters: Message | undefined, shape: readonly number[], size: number, total: number): Uint8Array {
  const rank = c.u8() - 1;
  const tree = c.offset();
  const chunk = Array.from({ length: rank }, () => c.u32());
  if (rank !== shape.length || c.u32() !== size || chunk.some((d) => d === 0)) throw damaged("a dataset");
  const chunkBytes = chunk.reduce((a, b) => a * b, size);
  const count = shape.reduce((n, d, i) => n * Math.ceil(d / chunk[i]!), 1);
  if (chunkBytes > MAX_CHUNK_BYTES || chunkBytes * count > 16 * Math.max(total, 1 << 20))
    throw new Refusal("a dataset's chunks are far larger than the dataset");
  const out = new Uint8Array(total);
  if (tree === undefined) return out;
  const pipeline = filters ? filterPipeline(filters.at) : [];
  let seen = 0;
  const key = (k: Cursor) => {
    const [bytes, mask] = [k.u32(), k.u32()];
    return { bytes, mask, origin: Array.from({ length: rank + 1 }, () => k.uint(8) ?? Number.NaN) };
  };
  for (const [k, address] of treeLeaves(c.at(tree), 1, key)) {
    if (++seen > count) throw damaged("a dataset's list of chunks");
    let data = c.at(address).slice(k.bytes);
    for (const [i, f] of [...pipeline.entries()].reverse()) if ((k.mask & (1 << i)) === 0) data = f(data, chunkBytes);
    place(out, exactly(data, chunkBytes), shape, chunk, k.origin, size);
  }
  return out;
}

type Filter = (data: Uint8Array, chunkBytes: number) => Uint8Array;

/** The inverse of each filter, in the order in which they were applied. */
function filterPipeline(at: Cursor): Filter[] {
  const c = at.at(at.pos);
  const version = c.u8();
  const n = c.u8();
  if (version === 1) c.skip(6);
  else if (version !== 2) throw damaged("a filter list");
  return Array.from({ length: n }, () => {
    const id = c.u16();
    const nameLength = version === 1 || id >= 256 ? c.u16() : 0;
    c.skip(2);
    const values = c.u16();
    c.skip(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength);
    const parameters = Array.from({ length: values }, () => c.u32());
    if (version === 1 && values % 2 === 1) c.skip(4);
    return filterOf(id, parameters);
  });
}

function filterOf(id: number, parameters: readonly number[]): Filter {
  if (id === 1) {
    return (data, chunkBytes) => {
      try {
        return unzlibSync(data, { out: new Uint8Array(chunkBytes) });
      } catch {
        throw damaged("a compressed chunk");
      }
    };
  }
  if (id === 2) return (data) => unshuffle(data, parameters[0] ?? 1);
  // The checksum at the end; qnnc's own checks do not need it.
  if (id === 3) return (data) => data.subarray(0, Math.max(0, data.length - 4));
  throw unsupported(`filter number ${id}`);
}

/** Shuffle stores the first bytes of all elements, then the second bytes, and so on. */
function unshuffle(data: Uint8Array, size: number): Uint8Array {
  if (size < 2) return data;
  const n = Math.floor(data.length / size);
  const out = data.slice();
  for (let b = 0; b < size; b++) for (let i = 0; i < n; i++) out[i * size + b] = data[b * n + i]!;
  return out;
}

/** Copies the part of a chunk that lies inside the dataset, row by row. */
function place(
  out: Uint8Array,
  data: Uint8Array,
  shape: readonly number[],
  chunk: readonly number[],
  origin: readonly number[],
  size: number,
): void {
  const rank = shape.length;
  if (origin.slice(0, rank).some((o, i) => !(o >= 0 && o < shape[i]!))) throw damaged("a dataset's list of chunks");
  if (rank === 0) {
    out.set(data.subarray(0, size));
    return;
  }
  const inside = chunk.map((d, i) => Math.min(d, shape[i]! - origin[i]!));
  const rows = inside.slice(0, -1).reduce((a, b) => a * b, 1);
  const position = new Array<number>(rank - 1).fill(0);
  for (let r = 0; r < rows; r++) {
    let [from, to] = [0, 0];
    for (let d = 0; d < rank - 1; d++) {
      from = (from + position[d]!) * chunk[d + 1]!;
      to = (to + origin[d]! + position[d]!) * shape[d + 1]!;
    }
    out.set(data.subarray(from * size, (from + inside[rank - 1]!) * size), (to + origin[rank - 1]!) * size);
    for (let d = rank - 2; d >= 0 && ++position[d]! === inside[d]; d--) position[d] = 0;
  }
}

/** Raw bytes as numbers; `undefined` where the type is no number that a weight can have. */
export function numbers(raw: Uint8Array, count: number, type: Datatype): Float32Array | Float64Array | undefined {
  if (type.kind !== "float" && type.kind !== "integer") return undefined;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const { size, signed, littleEndian: le } = type;
  if (type.kind === "float") {
    if (size === 4) return Float32Array.from({ length: count }, (_, i) => view.getFloat32(i * 4, le));
    if (size === 8) return Float64Array.from({ length: count }, (_, i) => view.getFloat64(i * 8, le));
    return Float32Array.from({ length: count }, (_, i) => half(view.getUint16(i * 2, le)));
  }
  const read: Readonly<Record<number, (at: number) => number>> = {
    1: (at) => (signed ? view.getInt8(at) : view.getUint8(at)),
    2: (at) => (signed ? view.getInt16(at, le) : view.getUint16(at, le)),
    4: (at) => (signed ? view.getInt32(at, le) : view.getUint32(at, le)),
    8: (at) => Number(signed ? view.getBigInt64(at, le) : view.getBigUint64(at, le)),
  };
  return Float64Array.from({ length: count }, (_, i) => read[size]!(i * size));
}

function half(bits: number): number {
  const [exponent, mantissa, sign] = [(bits >> 10) & 31, bits & 1023, bits & 0x8000 ? -1 : 1];
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

/** Raw bytes as strings, of fixed or variable length. */
export function strings(at: Cursor, count: number, type: Datatype): string[] | undefined {
  const c = at.at(at.pos);
  if (type.kind === "string") return Array.from({ length: count }, () => decode(c.slice(type.size)));
  return type.kind === "variable string" ? Array.from({ length: count }, () => globalHeapString(c)) : undefined;
}
