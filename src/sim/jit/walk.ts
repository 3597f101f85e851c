// A loop over elements: pointers that advance by strides where the addresses are regular, else by a table of addresses in memory.
import type { FunctionBuilder, Local } from "./function-builder.js";
import type { MemoryPlan } from "./memory.js";

/** The address of each turn, in bytes; relative to `base` where given. */
export interface Column {
  readonly at: readonly number[];
  readonly base?: Local;
}

const strideOf = (at: readonly number[]): number | undefined => {
  const stride = at.length > 1 ? at[1]! - at[0]! : 0;
  return at.every((a, i) => a === at[0]! + i * stride) ? stride : undefined;
};

/**
 * The same where turn i is channel i mod `channels`, which the body is told as `unit` times its number.
 * Rows whose addresses advance alike are a loop over rows around a loop over channels.
 */
export function walkChannels(
  f: FunctionBuilder,
  memory: MemoryPlan,
  columns: readonly Column[],
  channels: number,
  unit: number,
  body: (pointers: readonly Local[], channel: Local) => void,
): void {
  const count = columns[0]!.at.length;
  const strides = columns.map((c) => rowStride(c.at, channels));
  if (strides.some((s) => s === undefined)) {
    const channel: Column = { at: Array.from({ length: count }, (_, i) => (i % channels) * unit) };
    walk(f, memory, [...columns, channel], (pointers) => body(pointers.slice(0, -1), pointers.at(-1)!));
    return;
  }
  const rows = columns.map((c): Column => ({ ...c, at: c.at.filter((_, i) => i % channels === 0) }));
  walk(f, memory, rows, (starts) => {
    const cursors = starts.map((p, i) => ({ pointer: f.copy(p), stride: strides[i]! }));
    const channel = f.pointer(0);
    f.repeat(channels, [...cursors, { pointer: channel, stride: unit }], () =>
      body(
        cursors.map((c) => c.pointer),
        channel,
      ),
    );
  });
}

/** The stride within rows of that many entries, where it is the same in all. */
function rowStride(at: readonly number[], row: number): number | undefined {
  const stride = row > 1 ? at[1]! - at[0]! : 0;
  return at.every((a, i) => i % row === 0 || a === at[i - 1]! + stride) ? stride : undefined;
}

/** Runs the body once a row of the columns, with a pointer a column. */
export function walk(f: FunctionBuilder, memory: MemoryPlan, columns: readonly Column[], body: (pointers: readonly Local[]) => void): void {
  const { m } = f;
  const count = columns[0]!.at.length;
  const based = (c: Column, address: number): Local => {
    const pointer = f.pointer(address);
    if (c.base) f.set(pointer, m.i32.add(f.get(pointer), f.get(c.base)));
    return pointer;
  };
  const strides = columns.map((c) => strideOf(c.at));
  f.scope(() => {
    if (strides.every((s) => s !== undefined)) {
      const pointers = columns.map((c) => based(c, c.at[0]!));
      f.repeat(
        count,
        pointers.map((pointer, i) => ({ pointer, stride: strides[i]! })),
        () => body(pointers),
      );
      return;
    }
    const rows = new Int32Array(count * columns.length);
    for (const [k, c] of columns.entries()) for (const [i, a] of c.at.entries()) rows[i * columns.length + k] = a;
    const table = f.pointer(memory.data(new Uint8Array(rows.buffer)));
    f.repeat(count, [{ pointer: table, stride: 4 * columns.length }], () => {
      const pointers = columns.map((c, k) => {
        const entry = m.i32.load(4 * k, 4, f.get(table));
        return f.int(c.base ? m.i32.add(entry, f.get(c.base)) : entry, false);
      });
      body(pointers);
    });
  });
}
