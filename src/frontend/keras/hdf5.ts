// Reads an HDF5 file (untrusted bytes) into a plain tree of groups, attributes and numeric datasets. Own code, because a few flipped
// bytes can make the HDF5 C library loop for ever; the work of this reader is bounded by the file's size and the limits.
import type { Reporter } from "../../diagnostics.js";
import { MAX_RATIO, numbers, storedBytes, strings } from "./hdf5-data.js";
import {
  type Cursor,
  damaged,
  dataspace,
  datatype,
  type Link,
  linkMessage,
  type Message,
  objectHeader,
  Refusal,
  superblock,
  symbolTable,
  unsupported,
} from "./hdf5-format.js";

export type Attribute = string | number | readonly string[] | readonly number[];

export interface H5Dataset {
  readonly kind: "dataset";
  readonly shape: readonly number[];
  /** `undefined` where the element type is not a number (flags, strings …): nothing that a layer's weight can be. */
  readonly values: Float32Array | Float64Array | undefined;
}

export interface H5Group {
  readonly kind: "group";
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly children: ReadonlyMap<string, H5Group | H5Dataset>;
}

export interface Hdf5Limits {
  readonly bytes: number;
  readonly elements: number;
  readonly objects: number;
  readonly depth: number;
}

export const hdf5Limits: Hdf5Limits = { bytes: 512 << 20, elements: 1 << 26, objects: 200_000, depth: 32 };

/** Optimizer state is as large as the weights and means nothing to a compiler. */
const SKIP = new Set(["optimizer", "optimizer_weights"]);
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
const OUTSIDE = "qnnc never follows links out of a model file; save the model again";

export const isHdf5 = (bytes: Uint8Array): boolean => SIGNATURE.every((b, i) => bytes[i] === b);

/** Reads the whole tree. Damage, excess and links out of the file give one QN103 and `undefined`. */
export function readHdf5(bytes: Uint8Array, source: string, reporter: Reporter, limits: Hdf5Limits = hdf5Limits): H5Group | undefined {
  const at = { source };
  if (bytes.length > limits.bytes)
    return reporter.error("QN103", `the HDF5 file has ${bytes.length} bytes; the limit is ${limits.bytes}`, { at });
  if (!isHdf5(bytes)) {
    return reporter.error("QN103", bytes.length === 0 ? "the file is empty" : "the file does not start with the HDF5 signature", {
      at,
      help: "write weights with `model.save_weights('weights.h5')` or a whole model with `model.save('model.h5')`",
    });
  }
  try {
    const root = new Walk(bytes, limits).object(superblock(bytes), "the root", 0);
    if (root.kind === "group") return root;
    throw damaged("the root group");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return reporter.error("QN103", `the HDF5 file cannot be read: ${error.message}`, {
      at,
      ...(error.help === undefined ? {} : { help: error.help }),
    });
  }
}

/** The messages that this reader understands, by their numbers in the specification. */
const MESSAGE = {
  dataspace: 1,
  linkInfo: 2,
  datatype: 3,
  link: 6,
  external: 7,
  layout: 8,
  filters: 11,
  attribute: 12,
  symbolTable: 17,
  attributeInfo: 21,
} as const;

class Walk {
  readonly #bytes: Uint8Array;
  readonly #limits: Hdf5Limits;
  #objects = 0;
  #elements = 0;
  /** Addresses of the object headers so far. */
  readonly #seen = new Set<number>();
  constructor(bytes: Uint8Array, limits: Hdf5Limits) {
    this.#bytes = bytes;
    this.#limits = limits;
  }

  object(header: Cursor, name: string, depth: number): H5Group | H5Dataset {
    if (depth > this.#limits.depth) throw new Refusal(`groups nest deeper than ${this.#limits.depth} levels`, "a link may form a cycle");
    this.count();
    if (this.#seen.has(header.pos))
      throw new Refusal(`\`${name}\` is linked twice, perhaps in a cycle`, "Keras writes no such links; save the model again");
    this.#seen.add(header.pos);
    const messages = objectHeader(header);
    const find = (type: number): Message | undefined => messages.find((m) => m.type === type);
    const layout = find(MESSAGE.layout);
    if (layout) return this.dataset(messages, layout, name);
    return { kind: "group", attributes: this.attributes(messages), children: this.children(header, messages, depth) };
  }

  count(): void {
    if (++this.#objects > this.#limits.objects) throw new Refusal(`it holds more than ${this.#limits.objects} objects`);
  }

  children(header: Cursor, messages: readonly Message[], depth: number): Map<string, H5Group | H5Dataset> {
    const children = new Map<string, H5Group | H5Dataset>();
    for (const link of linksOf(messages)) {
      if (depth === 0 && SKIP.has(link.name)) continue;
      if (link.external) throw new Refusal(`\`${link.name}\` is a link into another file`, OUTSIDE);
      if (children.has(link.name)) throw damaged("a group's list of names");
      this.count();
      if (link.address !== undefined) children.set(link.name, this.object(header.at(link.address), link.name, depth + 1));
    }
    return children;
  }

  dataset(messages: readonly Message[], layout: Message, name: string): H5Dataset {
    const [space, type] = [one(messages, MESSAGE.dataspace), one(messages, MESSAGE.datatype)];
    if (messages.some((m) => m.type === MESSAGE.external)) throw new Refusal(`\`${name}\` is stored in other files`, OUTSIDE);
    const shape = dataspace(space.at) ?? [0];
    const elem = datatype(type.at);
    const size = shape.reduce((n, d) => n * d, 1);
    if (!shape.every((d) => Number.isSafeInteger(d)) || !Number.isSafeInteger(size))
      throw new Refusal(`\`${name}\` has an impossible shape`);
    this.#elements += size;
    if (this.#elements > this.#limits.elements) throw new Refusal(`its datasets hold more than ${this.#limits.elements} elements`);
    if (size * elem.size > this.#bytes.length * MAX_RATIO)
      throw new Refusal(`\`${name}\` claims ${size} elements, more than the file can hold`);
    if (elem.kind !== "float" && elem.kind !== "integer") return { kind: "dataset", shape, values: undefined };
    const raw = storedBytes(
      layout,
      messages.find((m) => m.type === MESSAGE.filters),
      shape,
      elem,
    );
    return { kind: "dataset", shape, values: numbers(raw, size, elem) };
  }

  attributes(messages: readonly Message[]): Map<string, Attribute> {
    const found = new Map<string, Attribute>();
    if (messages.some((m) => m.type === MESSAGE.attributeInfo && dense(m))) throw unsupported("dense attribute storage");
    for (const message of messages) {
      if (message.type !== MESSAGE.attribute) continue;
      this.count();
      const [name, value] = this.attribute(message);
      if (value !== undefined) found.set(name, value);
    }
    return found;
  }

  attribute(message: Message): readonly [string, Attribute | undefined] {
    const c = message.at.at(message.at.pos);
    const version = c.u8();
    const flags = c.u8();
    if (message.shared || (version > 1 && (flags & 3) !== 0)) throw unsupported("shared attributes");
    if (version < 1 || version > 3) throw damaged("an attribute");
    const [nameSize, typeSize, spaceSize] = [c.u16(), c.u16(), c.u16()];
    if (version === 3) c.skip(1);
    // Version 1 pads each part to a multiple of 8 bytes.
    const part = (size: number): Cursor => c.at(c.take(version === 1 ? Math.ceil(size / 8) * 8 : size));
    const name = new TextDecoder().decode(part(nameSize).slice(nameSize)).replace(/\0.*$/s, "");
    const type = datatype(part(typeSize));
    const shape = dataspace(part(spaceSize));
    if (!shape) return [name, undefined];
    const size = shape.reduce((n, d) => n * d, 1);
    if (!(size * type.size <= message.size)) throw damaged("an attribute");
    const text = strings(c, size, type);
    if (text) return [name, shape.length === 0 ? text[0]! : text];
    const values = numbers(c.slice(size * type.size), size, type);
    return [name, values && (shape.length === 0 ? values[0]! : [...values])];
  }
}

function one(messages: readonly Message[], type: number): Message {
  const m = messages.find((x) => x.type === type);
  if (!m) throw damaged("a dataset");
  if (m.shared) throw unsupported("committed datatypes");
  return m;
}

function* linksOf(messages: readonly Message[]): Generator<Link> {
  for (const m of messages) {
    if (m.type === MESSAGE.symbolTable) yield* symbolTable(m.at.at(m.at.pos));
    else if (m.type === MESSAGE.link) yield linkMessage(m.at.at(m.at.pos));
    else if (m.type === MESSAGE.linkInfo && dense(m)) throw unsupported("dense group storage");
  }
}

/** Whether a link info or attribute info message points to a fractal heap. */
function dense(m: Message): boolean {
  const c = m.at.at(m.at.pos).skip(1);
  const flags = c.u8();
  c.skip(flags & 1 ? (m.type === MESSAGE.linkInfo ? 8 : 2) : 0);
  return c.offset() !== undefined;
}
