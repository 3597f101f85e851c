// The parts of the HDF5 file format that Keras writes: superblock, object headers, types, links, heaps. Every read is bounds-checked.
// Specification: "HDF5 File Format Specification Version 3.0"; the names below are its names.

/** Why a file is not read further; thrown and caught inside the HDF5 reader only. */
export class Refusal extends Error {
  readonly help: string | undefined;
  constructor(message: string, help?: string) {
    super(message);
    this.help = help;
  }
}

export const damaged = (what: string): Refusal =>
  new Refusal(`${what} is damaged`, "copy the file again, or save it again; a download that stopped early is the usual cause");
export const unsupported = (what: string): Refusal =>
  new Refusal(
    `it uses ${what}, which Keras does not write`,
    "save the weights again with Keras' `save_weights`, or copy them with h5py's default settings",
  );

/** A position in the file that reads forward; addresses are relative to the start of the file. */
export class Cursor {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  /** Bytes of an address and of a length; the superblock sets them. */
  readonly offsetSize: number;
  readonly lengthSize: number;
  pos: number;
  /** Bytes that may still be read in all: blocks may overlap or be linked many times, so the file's size alone bounds nothing. */
  readonly budget: { left: number };
  constructor(bytes: Uint8Array, pos: number, offsetSize: number, lengthSize: number, budget = { left: 64 * bytes.length + (16 << 20) }) {
    this.budget = budget;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.pos = pos;
    this.offsetSize = offsetSize;
    this.lengthSize = lengthSize;
  }
  at(pos: number): Cursor {
    return new Cursor(this.bytes, pos, this.offsetSize, this.lengthSize, this.budget);
  }
  /** Checks that `n` bytes are left and steps over them. */
  take(n: number): number {
    const start = this.pos;
    if (!(start >= 0 && n >= 0 && start + n <= this.bytes.length)) throw damaged("a record that ends beyond the file");
    this.budget.left -= n;
    if (this.budget.left < 0)
      throw new Refusal("its blocks refer to one another again and again", "the file was made to keep a reader busy; save the model again");
    this.pos += n;
    return start;
  }
  skip(n: number): this {
    this.take(n);
    return this;
  }
  u8(): number {
    return this.bytes[this.take(1)]!;
  }
  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }
  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }
  /** An unsigned number of 1 to 8 bytes; all ones is HDF5's "undefined" and gives undefined. */
  uint(size: number): number | undefined {
    const start = this.take(size);
    let [value, ones] = [0, true];
    for (let i = size - 1; i >= 0; i--) {
      const b = this.bytes[start + i]!;
      ones &&= b === 255;
      value = value * 256 + b;
    }
    return ones ? undefined : value;
  }
  offset(): number | undefined {
    return this.uint(this.offsetSize);
  }
  length(): number {
    return this.uint(this.lengthSize) ?? Number.POSITIVE_INFINITY;
  }
  slice(n: number): Uint8Array {
    const start = this.take(n);
    return this.bytes.subarray(start, start + n);
  }
  signature(text: string): this {
    const got = String.fromCharCode(...this.slice(4));
    if (got !== text) throw damaged(`the ${text} block`);
    return this;
  }
}

export const decode = (bytes: Uint8Array): string => {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
};

/** The root group's object header, as a cursor that knows the file's sizes. */
export function superblock(bytes: Uint8Array): Cursor {
  const c = new Cursor(bytes, 8, 8, 8);
  const version = c.u8();
  if (version > 3) throw unsupported(`superblock version ${version}`);
  if (version < 2) c.skip(4);
  const [offsetSize, lengthSize] = [c.u8(), c.u8()];
  if (![4, 8].includes(offsetSize) || ![4, 8].includes(lengthSize)) throw damaged("the superblock");
  c.skip(version < 2 ? 9 + (version === 1 ? 4 : 0) : 1);
  const s = new Cursor(bytes, c.pos, offsetSize, lengthSize, c.budget);
  const base = s.offset();
  s.offset();
  const end = s.offset();
  if (base !== 0) throw unsupported("a user block");
  if (end === undefined || end > bytes.length)
    throw new Refusal(`it is truncated: ${bytes.length} of ${end ?? "?"} bytes`, "copy the file again: a transfer stopped early");
  if (version < 2) {
    s.offset();
    s.offset();
  }
  const root = s.offset();
  if (root === undefined) throw damaged("the superblock");
  return s.at(root);
}

export interface Message {
  readonly type: number;
  readonly shared: boolean;
  readonly at: Cursor;
  readonly size: number;
}

const MAX_MESSAGES = 65_536;
const CONTINUATION = 0x10;

/** All messages of an object header, through its continuation blocks. */
export function objectHeader(start: Cursor): Message[] {
  const c = start.at(start.pos);
  const messages: Message[] = [];
  const modern = c.bytes[c.pos] === 0x4f;
  let flags = 0;
  const blocks: { pos: number; end: number }[] = [];
  if (modern) {
    if (c.signature("OHDR").u8() !== 2) throw damaged("an object header");
    flags = c.u8();
    c.skip((flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0));
    const size = c.uint(1 << (flags & 3)) ?? 0;
    blocks.push({ pos: c.pos, end: c.pos + size });
  } else {
    if (c.u8() !== 1) throw damaged("an object header");
    c.skip(7);
    const size = c.u32();
    blocks.push({ pos: c.pos + 4, end: c.pos + 4 + size });
  }
  const head = modern ? 4 + (flags & 4 ? 2 : 0) : 8;
  for (let b = 0; b < blocks.length; b++) {
    const { pos, end } = blocks[b]!;
    if (end > c.bytes.length) throw damaged("an object header");
    for (c.pos = pos; c.pos + head <= end; ) {
      if (messages.length >= MAX_MESSAGES) throw damaged("an object header");
      const type = modern ? c.u8() : c.u16();
      const size = c.u16();
      const messageFlags = c.u8();
      c.skip(head - (modern ? 4 : 5));
      if (c.pos + size > end) throw damaged("an object header");
      const message: Message = { type, shared: (messageFlags & 2) !== 0, at: c.at(c.pos), size };
      c.skip(size);
      if (type !== CONTINUATION) {
        messages.push(message);
        continue;
      }
      const [next, length] = [message.at.offset(), message.at.length()];
      if (next === undefined || blocks.length >= MAX_MESSAGES || blocks.some((k) => k.pos === next + (modern ? 4 : 0)))
        throw damaged("an object header");
      if (modern) c.at(next).signature("OCHK");
      blocks.push(modern ? { pos: next + 4, end: next + length - 4 } : { pos: next, end: next + length });
    }
  }
  return messages;
}

export type Kind = "integer" | "float" | "string" | "variable string" | "other";

export interface Datatype {
  readonly kind: Kind;
  readonly size: number;
  readonly signed: boolean;
  readonly littleEndian: boolean;
}

export function datatype(c: Cursor): Datatype {
  const head = c.u8();
  const bits = c.u8() | (c.u8() << 8) | (c.u8() << 16);
  const size = c.u32();
  const type = head & 15;
  const order = { size, signed: (bits & 8) !== 0, littleEndian: (bits & 1) === 0 };
  if (type === 0) return { ...order, kind: [1, 2, 4, 8].includes(size) ? "integer" : "other" };
  if (type === 1) return { ...order, kind: isIeee(c, size) && (bits & 0x40) === 0 ? "float" : "other" };
  if (type === 3) return { ...order, kind: "string" };
  if (type === 9) return { ...order, kind: (bits & 15) === 1 ? "variable string" : "other" };
  return { ...order, kind: "other" };
}

/** The layouts of half, single and double precision; bfloat16 and the like are other types of the same sizes. */
const IEEE: Readonly<Record<number, string>> = { 2: "0,16,10,5,0,10,15", 4: "0,32,23,8,0,23,127", 8: "0,64,52,11,0,52,1023" };
const isIeee = (c: Cursor, size: number): boolean => [c.u16(), c.u16(), c.u8(), c.u8(), c.u8(), c.u8(), c.u32()].join(",") === IEEE[size];

/** Dimensions; a scalar has none; `undefined` is the empty space. */
export function dataspace(c: Cursor): number[] | undefined {
  const version = c.u8();
  const [rank, flags] = [c.u8(), c.u8()];
  if (version < 1 || version > 2 || rank > 32 || flags > 3) throw damaged("a dataspace");
  const type = c.u8();
  if (version === 1) c.skip(4);
  else if (type === 2) return undefined;
  return Array.from({ length: rank }, () => c.length());
}

export interface Link {
  readonly name: string;
  /** Absent for soft links, which are not followed: Keras writes none. */
  readonly address?: number;
  readonly external?: true;
}

export function linkMessage(c: Cursor): Link {
  if (c.u8() !== 1) throw damaged("a link");
  const flags = c.u8();
  const type = flags & 8 ? c.u8() : 0;
  c.skip((flags & 4 ? 8 : 0) + (flags & 16 ? 1 : 0));
  const name = decode(c.slice(c.uint(1 << (flags & 3)) ?? 0));
  if (type === 0) return { name, address: c.offset() ?? Number.NaN };
  return type === 64 ? { name, external: true } : { name };
}

/** The links of an old-style group: a B-tree of symbol table nodes, with the names in a local heap. */
export function* symbolTable(c: Cursor): Generator<Link> {
  const [tree, heap] = [c.offset(), c.offset()];
  if (tree === undefined || heap === undefined) throw damaged("a group");
  const h = c.at(heap).signature("HEAP").skip(4);
  const size = h.length();
  h.length();
  const names = h.at(h.offset() ?? Number.NaN).slice(size);
  for (const [, address] of treeLeaves(c.at(tree), 0, (k) => k.length())) {
    const s = c.at(address).signature("SNOD").skip(2);
    for (let n = s.u16(); n > 0; n--) {
      const [nameOffset, header] = [s.offset() ?? Number.NaN, s.offset()];
      const cache = s.u32();
      s.skip(20);
      if (!(nameOffset < names.length)) throw damaged("a group's list of names");
      const name = decode(names.subarray(nameOffset));
      yield cache === 2 || header === undefined ? { name } : { name, address: header };
    }
  }
}

/** Children of the leaves of a version 1 B-tree, each with the key before it. A node is visited once, whatever its pointers say. */
export function* treeLeaves<K>(root: Cursor, type: number, key: (c: Cursor) => K): Generator<readonly [K, number]> {
  const stack = [root.pos];
  const seen = new Set<number>();
  while (stack.length > 0) {
    const address = stack.pop()!;
    if (seen.has(address)) throw damaged("a B-tree");
    seen.add(address);
    const c = root.at(address).signature("TREE");
    if (c.u8() !== type) throw damaged("a B-tree");
    const level = c.u8();
    const entries = c.u16();
    c.offset();
    c.offset();
    const below: number[] = [];
    for (let i = 0; i < entries; i++) {
      const k = key(c);
      const child = c.offset();
      if (child === undefined) throw damaged("a B-tree");
      if (level === 0) yield [k, child];
      else below.push(child);
    }
    stack.push(...below.reverse());
  }
}

/** A string of variable length: its bytes lie in a global heap collection. */
export function globalHeapString(c: Cursor): string {
  const length = c.u32();
  const [collection, index] = [c.offset(), c.u32()];
  if (length === 0 || collection === undefined || collection === 0) return "";
  const heap = c.at(collection).signature("GCOL").skip(4);
  const end = collection + heap.length();
  while (heap.pos + 8 + c.lengthSize <= end) {
    const id = heap.u16();
    const size = heap.skip(6).length();
    if (id === index) return decode(heap.slice(Math.min(length, size)));
    if (id === 0) break;
    heap.skip(Math.ceil(size / 8) * 8);
  }
  throw damaged("a string");
}
