// Reads an HDF5 file (untrusted bytes) into a plain tree of groups, attributes and numeric datasets, through the HDF5 library in WebAssembly.
import type { Entity, Group } from "h5wasm";
import type { Reporter } from "../../diagnostics.js";

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
  readonly attributeBytes: number;
}

export const hdf5Limits: Hdf5Limits = { bytes: 512 << 20, elements: 1 << 26, objects: 200_000, depth: 32, attributeBytes: 64 << 20 };

/** Optimizer state is as large as the weights and means nothing to a compiler. */
const SKIP = new Set(["optimizer", "optimizer_weights"]);
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** No HDF5 filter that this library holds compresses better than deflate's 1032:1. */
const MAX_RATIO = 1100;

export const isHdf5 = (bytes: Uint8Array): boolean => SIGNATURE.every((b, i) => bytes[i] === b);

/** A reason not to go on, thrown and caught inside this file only (the library throws as well). */
class Refusal extends Error {
  readonly help: string | undefined;
  constructor(message: string, help?: string) {
    super(message);
    this.help = help;
  }
}

type Library = typeof import("h5wasm");
let library: Promise<Library> | undefined;

/** Loaded on first use: it takes a third of a second. Its errors become exceptions instead of text on stderr. */
async function load(): Promise<Library> {
  library ??= import("h5wasm").then(async (h5) => {
    (await h5.ready).activate_throwing_error_handler();
    return h5;
  });
  return library;
}

let serial = 0;

/** Reads the whole tree. Damage, excess and links out of the file give one QN103 and `undefined`. */
export async function readHdf5(bytes: Uint8Array, source: string, reporter: Reporter, limits: Hdf5Limits = hdf5Limits): Promise<H5Group | undefined> {
  const at = { source };
  if (bytes.length > limits.bytes) return reporter.error("QN103", `the HDF5 file has ${bytes.length} bytes; the limit is ${limits.bytes}`, { at });
  if (!isHdf5(bytes)) {
    return reporter.error("QN103", bytes.length === 0 ? "the file is empty" : "the file does not start with the HDF5 signature", {
      at,
      help: "write weights with `model.save_weights('weights.h5')` or a whole model with `model.save('model.h5')`",
    });
  }
  const h5 = await load();
  const fs = h5.FS;
  if (!fs) return reporter.error("QN103", "the HDF5 library did not start", { at });
  // A fresh name for each call, so that overlapping reads never see each other's file.
  const name = `/qnnc-${serial++}.h5`;
  let file: InstanceType<Library["File"]> | undefined;
  try {
    fs.writeFile(name, bytes);
    file = new h5.File(name, "r");
    return new Walk(h5, bytes.length, limits).group(file, 0);
  } catch (error) {
    const help = error instanceof Refusal ? error.help : "copy or save the file again; a download that stopped early is the usual cause";
    return reporter.error("QN103", `the HDF5 file cannot be read: ${reason(error)}`, { at, ...(help === undefined ? {} : { help }) });
  } finally {
    quietly(() => file?.close());
    quietly(() => fs.unlink(name));
  }
}

function quietly(action: () => unknown): void {
  try {
    action();
  } catch {
    // Closing a damaged file may fail again; the first failure has been reported.
  }
}

/** The innermost line of the library's error stack says what is wrong; the rest is its own source lines. */
function reason(error: unknown): string {
  if (error instanceof Refusal) return error.message;
  const lines = String(error instanceof Error ? error.message : error).matchAll(/ in (?:H5\w+)\(\): (.+)/g);
  const last = [...lines].at(-1)?.[1];
  return last ?? "its structure is damaged";
}

class Walk {
  readonly #h5: Library;
  readonly #fileBytes: number;
  readonly #limits: Hdf5Limits;
  #objects = 0;
  #elements = 0;
  constructor(h5: Library, fileBytes: number, limits: Hdf5Limits) {
    this.#h5 = h5;
    this.#fileBytes = fileBytes;
    this.#limits = limits;
  }

  group(group: Group, depth: number): H5Group {
    if (depth > this.#limits.depth) throw new Refusal(`groups nest deeper than ${this.#limits.depth} levels`, "a link may form a cycle");
    const children = new Map<string, H5Group | H5Dataset>();
    for (const key of group.keys()) {
      if (depth === 0 && SKIP.has(key)) continue;
      if (++this.#objects > this.#limits.objects) throw new Refusal(`more than ${this.#limits.objects} objects`);
      const child = this.entity(group.get(key), key, depth);
      if (child) children.set(key, child);
    }
    return { kind: "group", attributes: this.attributes(group), children };
  }

  entity(entity: Entity | null, key: string, depth: number): H5Group | H5Dataset | undefined {
    if (entity instanceof this.#h5.ExternalLink) throw new Refusal(`\`${key}\` is a link into another file`, "qnnc never follows links out of a model file; save the model again");
    if (entity instanceof this.#h5.Group) return this.group(entity, depth + 1);
    if (entity instanceof this.#h5.Dataset) return this.dataset(entity, key);
    if (entity === null) throw new Refusal(`\`${key}\` cannot be opened`);
    return undefined;
  }

  dataset(dataset: InstanceType<Library["Dataset"]>, key: string): H5Dataset {
    const meta = dataset.metadata;
    const shape = meta.shape ?? [];
    if (meta.virtual_sources?.length) throw new Refusal(`\`${key}\` is stored in other files`, "qnnc never follows links out of a model file; save the model again");
    const count = shape.reduce((n, d) => n * d, 1);
    if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0) || !Number.isSafeInteger(count)) throw new Refusal(`\`${key}\` has an impossible shape`);
    this.#elements += count;
    if (this.#elements > this.#limits.elements) throw new Refusal(`the datasets hold more than ${this.#limits.elements} elements`);
    if (count * meta.size > this.#fileBytes * MAX_RATIO) throw new Refusal(`\`${key}\` claims ${count} elements, more than the file can hold`);
    // Types 0 and 1 are integers and floats; half floats have no array type in this library.
    const numeric = (meta.type === 0 && meta.size <= 8) || (meta.type === 1 && (meta.size === 4 || meta.size === 8));
    if (!numeric) return { kind: "dataset", shape, values: undefined };
    const value = count === 0 ? new Float32Array() : dataset.value;
    const values = value instanceof Float32Array || value instanceof Float64Array ? value : Float64Array.from(ArrayBuffer.isView(value) ? (value as Int32Array) : [value as number], Number);
    if (values.length !== count) throw new Refusal(`\`${key}\` has ${values.length} elements where its shape says ${count}`);
    return { kind: "dataset", shape, values };
  }

  attributes(group: Group): Map<string, Attribute> {
    const found = new Map<string, Attribute>();
    for (const [name, attribute] of Object.entries(group.attrs)) {
      if (++this.#objects > this.#limits.objects) throw new Refusal(`more than ${this.#limits.objects} objects`);
      const meta = attribute.metadata;
      const count = (attribute.shape ?? []).reduce((n, d) => n * d, 1);
      if (count * meta.size > Math.min(this.#limits.attributeBytes, this.#fileBytes)) throw new Refusal(`the attribute \`${name}\` claims more bytes than the file holds`);
      const value: unknown = attribute.value;
      if (typeof value === "string" || typeof value === "number") found.set(name, value);
      else if (Array.isArray(value) && value.every((v) => typeof v === "string")) found.set(name, value as string[]);
      else if (value instanceof Float64Array || value instanceof Float32Array) found.set(name, [...value]);
    }
    return found;
  }
}
