// The samples of `qnnc sim`: arrays in memory, or large .npy files read a stretch at a time.
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { Reporter } from "../diagnostics.js";
import { sizeOf } from "../ir/tensor.js";
import { MAX_NPY_HEADER, type NpyHeader, npyData, parseNpyHeader } from "../npy.js";
import { type Batch, batchOf, type InputPort, real, type Reals, samplesOf } from "./batch.js";
import { systemReason } from "./file-errors.js";
import { inOrder, readArrays } from "./read-arrays.js";
import type { Session } from "./session.js";

export interface Samples {
  readonly count: number;
  /** The files, for messages. */
  readonly sources: readonly string[];
  /** Samples from…to of every input; undefined after reporting why not. */
  read(from: number, to: number): Batch | undefined;
  close(): void;
}

/** Files from this size on are streamed. */
export const STREAMED_BYTES = 1 << 26;

const isLarge = (path: string): boolean => {
  const stat = path === "-" ? undefined : statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size >= STREAMED_BYTES && /\.npy$/i.test(path);
};

export function openSamples(paths: readonly string[], ports: readonly InputPort[], session: Session): Samples | undefined {
  const { reporter } = session;
  if (paths.length === ports.length && paths.some(isLarge)) {
    const streamed = streamedSamples(paths, ports, reporter);
    if (streamed !== "whole") return streamed;
  }
  const given = readArrays(paths, session);
  const ordered = given && inOrder(given, ports.map((p) => p.name), reporter);
  const batch = ordered && batchOf(ports, ordered, reporter);
  if (!batch) return undefined;
  const sizes = ports.map((p) => sizeOf(p.shape));
  return {
    count: batch.samples,
    sources: ordered.map((g) => g.source),
    read: (from, to) => ({ samples: to - from, inputs: batch.inputs.map((x, i) => x.subarray(from * sizes[i]!, to * sizes[i]!)) }),
    close: () => {},
  };
}

interface OpenFile {
  readonly source: string;
  readonly file: number;
  readonly header: NpyHeader;
}

/** `whole` where a file's order of bytes or axes asks for reading it at once. */
function streamedSamples(paths: readonly string[], ports: readonly InputPort[], reporter: Reporter): Samples | "whole" | undefined {
  const open: OpenFile[] = [];
  const close = (): void => {
    for (const { file } of open) closeSync(file);
  };
  const give = <T>(result: T): T => {
    close();
    return result;
  };
  for (const source of paths) {
    try {
      const file = openSync(source, "r");
      const head = new Uint8Array(MAX_NPY_HEADER);
      const header = parseNpyHeader(head.subarray(0, readSync(file, head, 0, head.length, 0)), source, reporter);
      if (!header) {
        closeSync(file);
        return give(undefined);
      }
      open.push({ source, file, header });
      if (header.fortran || header.bigEndian) return give("whole");
      if (fstatSync(file).size !== header.offset + header.bytes) return give("whole");
    } catch (e) {
      return give(reporter.error("QN100", `cannot read ${source}: ${systemReason(e)}`, { at: { source } }));
    }
  }
  const count = samplesOf(ports, open.map(({ source, header }) => ({ shape: header.shape, source })), reporter);
  if (count === undefined) return give(undefined);
  const part = ({ source, file, header }: OpenFile, from: number, to: number): Reals | undefined => {
    const size = header.bytes / count;
    const body = new Uint8Array((to - from) * size);
    try {
      for (let at = 0; at < body.length; ) {
        const got = readSync(file, body, at, body.length - at, header.offset + from * size + at);
        if (got === 0) return reporter.error("QN105", "the file became shorter while it was read", { at: { source } });
        at += got;
      }
    } catch (e) {
      return reporter.error("QN100", `cannot read ${source}: ${systemReason(e)}`, { at: { source } });
    }
    return real(npyData(header.kind, body.buffer));
  };
  return {
    count,
    sources: paths,
    read: (from, to) => {
      const inputs = open.map((f) => part(f, from, to));
      return inputs.every((x) => x !== undefined) ? { samples: to - from, inputs } : undefined;
    },
    close,
  };
}
