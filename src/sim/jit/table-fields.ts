// A table of entries of equal size, made of fields of 16, 32 or 64 bits; code loads a field of the entry that it is pointed to.
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import { integerWriter } from "./memory.js";
import type { Lane } from "./value.js";

/** Where an element's entry is found: ENTRY_UNIT times its number, as a pointer plus a constant. */
export interface Entry {
  readonly pointer: Local;
  readonly offset: number;
}
/** Entries are a multiple of this many bytes. */
export const ENTRY_UNIT = 16;

/** The entry at hand: a field as all lanes of a vector, or as a number without sign (fields of 16 bits). */
export interface EntryAt {
  splat(field: number, lane: Lane): Local;
  number(field: number): Local;
}

/** A field is named by its offset in the entry. */
export class TableFields<Line> {
  private bytes = 0;
  private readonly columns: { readonly at: number; readonly bits: Lane; readonly values: readonly bigint[] }[] = [];

  constructor(private readonly lines: readonly Line[]) {}

  add(bits: Lane, of: (line: Line) => bigint): number {
    const at = Math.ceil((this.bytes * 8) / bits) * (bits / 8);
    this.bytes = at + bits / 8;
    const known = new Map<Line, bigint>();
    const valueOf = (line: Line): bigint => {
      let value = known.get(line);
      if (value === undefined) known.set(line, (value = of(line)));
      return value;
    };
    this.columns.push({ at, bits, values: this.lines.map(valueOf) });
    return at;
  }

  private get entryBytes(): number {
    return Math.max(1, Math.ceil(this.bytes / ENTRY_UNIT)) * ENTRY_UNIT;
  }

  data(): Uint8Array {
    const view = new DataView(new ArrayBuffer(this.entryBytes * this.lines.length));
    for (const { at, bits, values } of this.columns) {
      const put = integerWriter(view, bits);
      for (let i = 0; i < values.length; i++) put(i * this.entryBytes + at, values[i]!);
    }
    return new Uint8Array(view.buffer);
  }

  /** Loads from the entry, where the table lies at this address. */
  at(f: FunctionBuilder, address: number, entry: Entry): EntryAt {
    const { m } = f;
    const scale = this.entryBytes / ENTRY_UNIT;
    const pointer = scale === 1 ? entry.pointer : f.int(m.i32.mul(f.get(entry.pointer), m.i32.const(scale)), false);
    const base = address + entry.offset * scale;
    const load = (field: number, lane: Lane): Expression => {
      const name = ({ 16: "load16_splat", 32: "load32_splat", 64: "load64_splat" } as const)[lane];
      return m.v128[name](base + field, lane / 8, f.get(pointer));
    };
    return {
      splat: (field, lane) => f.vector(load(field, lane)),
      number: (field) => f.int(m.i32.load16_u(base + field, 2, f.get(pointer)), false),
    };
  }
}
