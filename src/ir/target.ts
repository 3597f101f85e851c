// What a backend is: a table-driven translation of one IR into files.
import type { Mantissas } from "./vectors.js";

/** Paths relative to the output folder, with `/`, and their contents. */
export type Files = ReadonlyMap<string, string | Uint8Array>;

export interface Target<IR, Options> {
  readonly name: string;
  readonly doc: string;
  emit(ir: IR, options: Options): Files;
}

export type { Mantissas };
