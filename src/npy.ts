// The .npy and .npz array formats (NumPy enhancement proposal 1, versions 1 to 3): bytes in, numbers out, and back. Pickled objects are refused.
import { unzipSync, zipSync } from "fflate";
import type { Reporter } from "./diagnostics.js";

export type NpyData = Float64Array | Float32Array | BigInt64Array | BigUint64Array | Int32Array | Uint32Array | Int16Array | Uint16Array | Int8Array | Uint8Array;

export interface NpyArray {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: NpyData;
}

const kinds = {
  f8: { bytes: 8, make: (b: ArrayBuffer) => new Float64Array(b) },
  f4: { bytes: 4, make: (b: ArrayBuffer) => new Float32Array(b) },
  i8: { bytes: 8, make: (b: ArrayBuffer) => new BigInt64Array(b) },
  u8: { bytes: 8, make: (b: ArrayBuffer) => new BigUint64Array(b) },
  i4: { bytes: 4, make: (b: ArrayBuffer) => new Int32Array(b) },
  u4: { bytes: 4, make: (b: ArrayBuffer) => new Uint32Array(b) },
  i2: { bytes: 2, make: (b: ArrayBuffer) => new Int16Array(b) },
  u2: { bytes: 2, make: (b: ArrayBuffer) => new Uint16Array(b) },
  i1: { bytes: 1, make: (b: ArrayBuffer) => new Int8Array(b) },
  u1: { bytes: 1, make: (b: ArrayBuffer) => new Uint8Array(b) },
  b1: { bytes: 1, make: (b: ArrayBuffer) => new Uint8Array(b) },
} as const;

const isKind = (name: string): name is keyof typeof kinds => Object.hasOwn(kinds, name);

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const help = "write the array with numpy.save, as float32 or float64";

/** What the header of a .npy file says. */
export interface NpyHeader {
  readonly shape: readonly number[];
  readonly kind: keyof typeof kinds;
  readonly bigEndian: boolean;
  readonly fortran: boolean;
  /** Where the numbers begin. */
  readonly offset: number;
  /** How many bytes they take. */
  readonly bytes: number;
}

/** Headers end within this many bytes. */
export const MAX_NPY_HEADER = 65536 + 12;

/** Reads the header; `bytes` need not hold more than that. `source` names the file in diagnostics (QN105). */
export function parseNpyHeader(bytes: Uint8Array, source: string, reporter: Reporter): NpyHeader | undefined {
  const fail = (why: string): undefined => reporter.error("QN105", why, { at: { source }, help });
  if (bytes.length < 10 || MAGIC.some((b, i) => bytes[i] !== b)) return fail("not a .npy file: the magic number is missing");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const major = bytes[6]!;
  if (major < 1 || major > 3) return fail(`unknown .npy version ${major}`);
  const start = major === 1 ? 10 : 12;
  const headerLength = major === 1 ? view.getUint16(8, true) : bytes.length >= 12 ? view.getUint32(8, true) : Number.POSITIVE_INFINITY;
  if (headerLength > 65536 || start + headerLength > bytes.length) return fail("the .npy header is truncated");
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, start + headerLength));
  const descr = /'descr':\s*'([<>|=]?)([a-zA-Z])(\d+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  const dims = /'shape':\s*\(([0-9,\s]*)\)/.exec(header);
  if (!descr || !order || !dims) return fail("the .npy header is malformed, or its dtype is structured or an object");
  const kind = `${descr[2]}${descr[3]}`;
  if (!isKind(kind)) return fail(`dtype ${descr[1]}${kind} is not supported`);
  const shape = dims[1]!.split(",").flatMap((s) => (s.trim() === "" ? [] : [Number(s)]));
  const size = shape.reduce((a, b) => a * b, 1) * kinds[kind].bytes;
  if (!Number.isSafeInteger(size)) return fail(`the header says shape (${shape.join(", ")}), which no file holds`);
  return { shape, kind, bigEndian: descr[1] === ">" && kinds[kind].bytes > 1, fortran: order[1] === "True", offset: start + headerLength, bytes: size };
}

/** Little-endian numbers, row-major; the buffer is taken over. */
export const npyData = (kind: NpyHeader["kind"], body: ArrayBuffer): NpyData => kinds[kind].make(body);

/** Reads one array; `source` names it in diagnostics (QN105). */
export function parseNpy(bytes: Uint8Array, source: string, reporter: Reporter): NpyArray | undefined {
  const header = parseNpyHeader(bytes, source, reporter);
  if (!header) return undefined;
  const { shape, kind, offset } = header;
  if (bytes.length - offset !== header.bytes) {
    const wanted = `${shape.reduce((a, b) => a * b, 1) * kinds[kind].bytes}`;
    return reporter.error("QN105", `the header says shape (${shape.join(", ")}) of ${kind}, and ${bytes.length - offset} bytes follow instead of ${wanted}`, {
      at: { source },
      help,
    });
  }
  const body = bytes.slice(offset);
  const width = kinds[kind].bytes;
  if (header.bigEndian) for (let i = 0; i < body.length; i += width) body.subarray(i, i + width).reverse();
  const data = npyData(kind, body.buffer);
  return { shape, data: header.fortran ? fromFortran(data, shape) : data };
}

function fromFortran(data: NpyData, shape: readonly number[]): NpyData {
  const out = data.slice();
  const position = shape.map(() => 0);
  for (let n = 0; n < out.length; n++) {
    let at = 0;
    for (let d = shape.length - 1; d >= 0; d--) at = at * shape[d]! + position[d]!;
    out[n] = data[at]!;
    for (let d = shape.length - 1; d >= 0 && ++position[d]! === shape[d]; d--) position[d] = 0;
  }
  return out;
}

const codes: Readonly<Record<string, string>> = {
  Float64Array: "<f8",
  Float32Array: "<f4",
  BigInt64Array: "<i8",
  BigUint64Array: "<u8",
  Int32Array: "<i4",
  Uint32Array: "<u4",
  Int16Array: "<i2",
  Uint16Array: "<u2",
  Int8Array: "|i1",
  Uint8Array: "|u1",
};

/** The header of a C-order .npy file of version 1.0, padded to 64 bytes. `data` is any array of its kind. */
export function npyHeader(data: NpyData, shape: readonly number[]): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${codes[data.constructor.name]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64;
  const out = new Uint8Array(length).fill(0x20);
  out.set([...MAGIC, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  out.set(new TextEncoder().encode(text), 10);
  out[length - 1] = 0x0a;
  return out;
}

export function formatNpy({ shape, data }: NpyArray): Uint8Array {
  const header = npyHeader(data, shape);
  const out = new Uint8Array(header.length + data.byteLength);
  out.set(header);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return out;
}

const MAX_NPZ_BYTES = 2 ** 31;

/** Reads every array of an .npz archive, by name. */
export function parseNpz(bytes: Uint8Array, source: string, reporter: Reporter): ReadonlyMap<string, NpyArray> | undefined {
  const out = new Map<string, NpyArray>();
  try {
    let total = 0;
    const entries = unzipSync(bytes, {
      filter: (f) => {
        total += f.originalSize;
        if (total > MAX_NPZ_BYTES) throw new Error("its contents exceed 2 GiB");
        return f.name.endsWith(".npy");
      },
    });
    for (const [name, content] of Object.entries(entries)) {
      const array = parseNpy(content, `${source}:${name}`, reporter);
      if (!array) return undefined;
      out.set(name.slice(0, -4), array);
    }
    return out;
  } catch (e) {
    return reporter.error("QN105", `the .npz archive is damaged: ${e instanceof Error ? e.message : String(e)}`, { at: { source }, help });
  }
}

/** An uncompressed .npz with fixed time stamps, so that equal arrays give equal bytes. */
export function formatNpz(arrays: ReadonlyMap<string, NpyArray>): Uint8Array {
  const entries = Object.fromEntries([...arrays].map(([name, a]) => [`${name}.npy`, formatNpy(a)]));
  return zipSync(entries, { level: 0, mtime: new Date(1980, 0, 1) });
}
