// Opens a `.keras` archive (an untrusted zip) with limits checked against the directory before anything is unpacked.
import { inflateSync } from "fflate";
import type { Reporter } from "../../diagnostics.js";

export interface KerasArchive {
  readonly config: Uint8Array;
  readonly weights: Uint8Array | undefined;
  readonly metadata: Uint8Array | undefined;
}

export interface ArchiveLimits {
  readonly bytes: number;
  readonly entries: number;
  readonly unpacked: number;
  readonly ratio: number;
}

export const archiveLimits: ArchiveLimits = { bytes: 512 << 20, entries: 1000, unpacked: 1 << 30, ratio: 1100 };

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

const WANTED = ["config.json", "model.weights.h5", "metadata.json"] as const;

export const isZip = (bytes: Uint8Array): boolean => bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);

/** Reads the three files that a Keras archive is made of; anything suspicious gives one QN104. */
export function readArchive(
  bytes: Uint8Array,
  source: string,
  reporter: Reporter,
  limits: ArchiveLimits = archiveLimits,
): KerasArchive | undefined {
  const refuse = (message: string, help = "save the model again with `model.save('model.keras')`") =>
    reporter.error("QN104", message, { at: { source }, help });
  if (bytes.length > limits.bytes) return refuse(`the archive has ${bytes.length} bytes; the limit is ${limits.bytes}`);
  const entries = directory(bytes, limits.entries);
  if (typeof entries === "string") return refuse(entries);
  const problem = audit(entries, limits);
  if (problem !== undefined) return refuse(problem);
  const files = new Map<string, Uint8Array>();
  for (const name of WANTED) {
    const entry = entries.find((e) => e.name === name);
    if (!entry) continue;
    const data = unpack(bytes, entry);
    if (typeof data === "string") return refuse(data, "the file is damaged: copy it again, or save the model again");
    files.set(name, data);
  }
  const config = files.get("config.json");
  if (!config) return refuse("the archive holds no config.json, so it is not a Keras model");
  return { config, weights: files.get("model.weights.h5"), metadata: files.get("metadata.json") };
}

/** The central directory, or the reason why it cannot be read. */
function directory(bytes: Uint8Array, limit: number): Entry[] | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  if (end === undefined) return "the archive has no end record: it is truncated or not a zip file";
  const [count, size, start] = [view.getUint16(end + 10, true), view.getUint32(end + 12, true), view.getUint32(end + 16, true)];
  if (count === 0xffff || start === 0xffffffff) return "the archive is in the zip64 form, which a model of this size does not need";
  if (view.getUint16(end + 4, true) !== 0) return "the archive spans several disks";
  if (count > limit) return `the archive has ${count} entries; the limit is ${limit}`;
  if (start + size !== end) return "the archive's directory is not where its end record says";
  const entries: Entry[] = [];
  let p = start;
  for (let i = 0; i < count; i++) {
    if (p + 46 > end || view.getUint32(p, true) !== 0x02014b50) return "the archive's directory is damaged";
    const [nameLength, extra, comment] = [view.getUint16(p + 28, true), view.getUint16(p + 30, true), view.getUint16(p + 32, true)];
    if (p + 46 + nameLength + extra + comment > end) return "the archive's directory is damaged";
    const name = decodeName(bytes.subarray(p + 46, p + 46 + nameLength));
    if (name === undefined) return "an entry's name is not valid UTF-8";
    if ((view.getUint16(p + 8, true) & 1) !== 0) return `the entry \`${name}\` is encrypted`;
    // The upper half of the external attributes holds the Unix mode; 0xa000 is a symbolic link.
    if ((view.getUint16(p + 40, true) & 0xf000) === 0xa000) return `the entry \`${name}\` is a symbolic link`;
    entries.push({
      name,
      method: view.getUint16(p + 10, true),
      crc: view.getUint32(p + 16, true),
      packed: view.getUint32(p + 20, true),
      size: view.getUint32(p + 24, true),
      offset: view.getUint32(p + 42, true),
    });
    p += 46 + nameLength + extra + comment;
  }
  return p === end ? entries : "the archive's directory has bytes that no entry owns";
}

function findEnd(view: DataView): number | undefined {
  for (let p = view.byteLength - 22; p >= Math.max(0, view.byteLength - 22 - 0xffff); p--) {
    if (view.getUint32(p, true) === 0x06054b50 && p + 22 + view.getUint16(p + 20, true) === view.byteLength) return p;
  }
  return undefined;
}

function decodeName(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** What must hold of all entries together. */
function audit(entries: readonly Entry[], limits: ArchiveLimits): string | undefined {
  const seen = new Set<string>();
  let total = 0;
  for (const e of entries) {
    // Lower case, because two names that differ in case only are one file on some systems.
    if (seen.has(e.name.toLowerCase())) return `the archive holds \`${e.name}\` twice`;
    seen.add(e.name.toLowerCase());
    if (e.name.startsWith("/") || e.name.includes("\\") || /^[a-z]:/i.test(e.name) || e.name.split("/").includes("..")) {
      return `the entry \`${e.name}\` points outside the archive`;
    }
    total += e.size;
    if (total > limits.unpacked) return `the archive unpacks to more than ${limits.unpacked} bytes`;
    if (e.size > 4096 && e.size > e.packed * limits.ratio)
      return `the entry \`${e.name}\` claims to unpack to ${Math.round(e.size / Math.max(1, e.packed))} times its size`;
  }
  const spans = entries.map((e) => [e.offset, e.offset + 30 + e.packed] as const).sort((a, b) => a[0] - b[0]);
  if (spans.some(([start], i) => i > 0 && start < spans[i - 1]![1])) return "entries of the archive overlap";
  return undefined;
}

/** One entry's bytes, checked against the local header, the size and the CRC; a string is the reason why not. */
function unpack(bytes: Uint8Array, e: Entry): Uint8Array | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = `the entry \`${e.name}\` is damaged`;
  if (e.offset + 30 > bytes.length || view.getUint32(e.offset, true) !== 0x04034b50) return damaged;
  const nameLength = view.getUint16(e.offset + 26, true);
  const start = e.offset + 30 + nameLength + view.getUint16(e.offset + 28, true);
  if (start + e.packed > bytes.length) return damaged;
  if (decodeName(bytes.subarray(e.offset + 30, e.offset + 30 + nameLength)) !== e.name || view.getUint16(e.offset + 8, true) !== e.method) {
    return `the two headers of the entry \`${e.name}\` contradict each other`;
  }
  if (e.method !== 0 && e.method !== 8) return `the entry \`${e.name}\` uses compression method ${e.method}; only deflate is read`;
  const data = e.method === 0 ? bytes.slice(start, start + e.packed) : inflate(bytes.subarray(start, start + e.packed), e.size);
  if (data === undefined || data.length !== e.size) return damaged;
  return crc32(data) === e.crc ? data : `the entry \`${e.name}\` has a wrong checksum`;
}

/** fflate writes into a buffer of the declared size, so a lying header can not make it allocate more. */
function inflate(packed: Uint8Array, size: number): Uint8Array | undefined {
  try {
    return inflateSync(packed, { out: new Uint8Array(size) });
  } catch {
    return undefined;
  }
}

let crcTable: Uint32Array | undefined;

function crc32(data: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
    return n;
  });
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = crcTable[(crc ^ data[i]!) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
