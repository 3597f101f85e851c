// The .safetensors format: a JSON header of names, types, shapes and offsets, then the numbers. Bytes in, arrays out.
import type { Reporter } from "../../diagnostics.js";
import type { NumericArray } from "./weights.js";

const MAX_HEADER_BYTES = 100 << 20;

/** A half float by its fields: 1 sign, 5 exponent, 10 fraction bits. */
function half(bits: number): number {
  const [sign, e, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (e === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (e === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (e - 15));
}

const readers: Readonly<Record<string, { readonly bytes: number; readonly read: (v: DataView, at: number) => number }>> = {
  F64: { bytes: 8, read: (v, at) => v.getFloat64(at, true) },
  F32: { bytes: 4, read: (v, at) => v.getFloat32(at, true) },
  F16: { bytes: 2, read: (v, at) => half(v.getUint16(at, true)) },
  BF16: {
    bytes: 2,
    read: (v, at) => {
      const word = new DataView(new ArrayBuffer(4));
      word.setUint16(0, v.getUint16(at, true));
      return word.getFloat32(0);
    },
  },
  I32: { bytes: 4, read: (v, at) => v.getInt32(at, true) },
  U32: { bytes: 4, read: (v, at) => v.getUint32(at, true) },
  I16: { bytes: 2, read: (v, at) => v.getInt16(at, true) },
  U16: { bytes: 2, read: (v, at) => v.getUint16(at, true) },
  I8: { bytes: 1, read: (v, at) => v.getInt8(at) },
  U8: { bytes: 1, read: (v, at) => v.getUint8(at) },
  BOOL: { bytes: 1, read: (v, at) => v.getUint8(at) },
};

const isRecord = (v: unknown): v is Readonly<Record<string, unknown>> => typeof v === "object" && v !== null && !Array.isArray(v);
const isNaturals = (v: unknown): v is readonly number[] => Array.isArray(v) && v.every((n) => Number.isSafeInteger(n) && n >= 0);

/** Reads every array; those of a type that qnnc does not read (I64, F8 …) are left out. */
export function parseSafetensors(bytes: Uint8Array, source: string, reporter: Reporter): ReadonlyMap<string, NumericArray> | undefined {
  const fail = (why: string): undefined =>
    reporter.error("QN105", `the .safetensors file is damaged: ${why}`, {
      at: { source },
      help: "write it again with safetensors' save_file",
    });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8) return fail("it is shorter than its header");
  const headerBytes = view.getBigUint64(0, true);
  if (headerBytes > BigInt(Math.min(MAX_HEADER_BYTES, bytes.length - 8))) return fail("the header's length exceeds the file");
  const start = 8 + Number(headerBytes);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
  } catch {
    return fail("the header is not JSON");
  }
  if (!isRecord(header)) return fail("the header is not a JSON object");
  const arrays = new Map<string, NumericArray>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    if (!isRecord(entry) || !isNaturals(entry["shape"]) || !isNaturals(entry["data_offsets"]) || entry["data_offsets"].length !== 2)
      return fail(`the entry \`${name.slice(0, 80)}\` is malformed`);
    const dtype = entry["dtype"];
    const reader = typeof dtype === "string" && Object.hasOwn(readers, dtype) ? readers[dtype] : undefined;
    if (!reader) continue;
    const [from, to] = entry["data_offsets"] as readonly [number, number];
    const count = entry["shape"].reduce((a, b) => a * b, 1);
    if (to > bytes.length - start || to - from !== count * reader.bytes)
      return fail(`the data of \`${name.slice(0, 80)}\` lie outside the file or do not fill its shape`);
    arrays.set(name, {
      shape: entry["shape"],
      values: Float64Array.from({ length: count }, (_, i) => reader.read(view, start + from + i * reader.bytes)),
    });
  }
  return arrays;
}
