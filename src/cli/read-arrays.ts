// Arrays of samples from .npy and .npz files, put into the order of the model's inputs.
import { printable, type Reporter } from "../diagnostics.js";
import { type NpyArray, parseNpy, parseNpz } from "../npy.js";
import { MAX_VECTOR_BYTES, readFile } from "./read-file.js";
import type { Session } from "./session.js";

export interface GivenArray {
  readonly array: NpyArray;
  /** The file, for messages. */
  readonly source: string;
}

/** One file an input in order, or one archive by name. */
export type GivenArrays =
  | { readonly kind: "ordered"; readonly arrays: readonly GivenArray[] }
  | { readonly kind: "named"; readonly source: string; readonly arrays: ReadonlyMap<string, NpyArray> };

const ZIP_MAGIC = 0x50;

/** Reads `paths`; `-` is standard input. An .npz is known by its content, and has to be the only one. */
export function readArrays(paths: readonly string[], session: Session): GivenArrays | undefined {
  const { reporter, files } = session;
  const contents = paths.map((path) => ({
    source: path === "-" ? "standard input" : path,
    bytes: readFile(path, { limit: MAX_VECTOR_BYTES }, reporter),
  }));
  contents.forEach(({ bytes }, i) => {
    if (bytes) files.set(paths[i]!, bytes);
  });
  const archive = contents.find(({ bytes }) => bytes?.[0] === ZIP_MAGIC);
  if (archive?.bytes && contents.length > 1)
    return reporter.error("QN401", "one .npz holds all inputs, or each input has its .npy", {
      at: { source: archive.source },
      help: "give one or the other",
    });
  if (archive?.bytes) {
    const arrays = parseNpz(archive.bytes, archive.source, reporter);
    return arrays && { kind: "named", source: archive.source, arrays };
  }
  const arrays = contents.flatMap(({ source, bytes }): readonly GivenArray[] => {
    const array = bytes && parseNpy(bytes, source, reporter);
    return array ? [{ array, source }] : [];
  });
  return reporter.failed ? undefined : { kind: "ordered", arrays };
}

const quoted = (names: Iterable<string>): string => Array.from(names, (n) => `\`${printable(n)}\``).join(", ");

/** The arrays in the order of `inputs`; QN500 where they are not those of the model. */
export function inOrder(given: GivenArrays, inputs: readonly string[], reporter: Reporter): readonly GivenArray[] | undefined {
  if (given.kind === "ordered") {
    if (given.arrays.length === inputs.length) return given.arrays;
    return reporter.error(
      "QN500",
      `the model has ${inputs.length} inputs, ${quoted(inputs)}, and ${given.arrays.length} arrays are given`,
      {
        help: "give one .npy for each, in this order, or one .npz whose arrays carry these names",
      },
    );
  }
  const missing = inputs.filter((name) => !given.arrays.has(name));
  if (missing.length > 0) {
    return reporter.error("QN500", `${given.source} has no array ${quoted(missing)}`, {
      at: { source: given.source },
      help: `it has ${quoted(given.arrays.keys())}; name the arrays after the inputs: numpy.savez('x.npz', ${printable(inputs[0] ?? "")}=…)`,
    });
  }
  return inputs.map((name) => ({ array: given.arrays.get(name)!, source: given.source }));
}
