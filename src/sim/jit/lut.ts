// lut: a table of results in memory, read once a sample.
import { exponent } from "../../ir/fixed.js";
import { sizeOf } from "../../ir/tensor.js";
import { applyUnary, typed } from "../../ir/unary.js";
import type { OpEmitter } from "./emitter.js";
import type { Expression, FunctionBuilder, Local } from "./function-builder.js";
import { type Buffer, rowBytes, SPAN } from "./memory.js";
import { walk } from "./walk.js";

/** Codes of an operand that a table may have. */
export const MAX_TABLE = 1 << 20;

/** Element of a buffer as an index: the low 32 bits suffice, because the table has fewer entries. */
const index = (f: FunctionBuilder, b: Buffer, pointer: Local, sample: number): Expression => {
  const offset = (sample * b.lane) / 8;
  const { m } = f;
  const byLane = {
    16: () => m.i32.load16_s(offset, 2, f.get(pointer)),
    32: () => m.i32.load(offset, 4, f.get(pointer)),
    64: () => m.i32.load(offset, 4, f.get(pointer)),
  };
  return byLane[b.lane]();
};

export const lut: OpEmitter<"lut"> = {
  kind: "closed",
  emit: (node, cx) => {
    const { f, out, memory } = cx;
    const { m } = f;
    const x = cx.operands[0]!;
    const unary = typed(node.attrs.f);
    const shift = exponent(unary.to.type) - out.exp;
    const entry = (code: bigint): bigint => {
      const y = applyUnary(unary, code, x.exp);
      return shift >= 0 ? y << BigInt(shift) : y >> BigInt(-shift);
    };
    const bytes = out.lane / 8;
    const table = memory.integers(
      Array.from({ length: Number(x.hi - x.lo) + 1 }, (_, i) => entry(x.lo + BigInt(i))),
      out.lane,
    );
    const columns = [x, out].map((b) => ({ at: Array.from({ length: sizeOf(node.type.shape) }, (_, i) => b.address + i * rowBytes(b)) }));
    // address = table + (x − lo)·bytes, modulo 2^32.
    const origin = Number(BigInt.asIntN(32, BigInt(table) - x.lo * BigInt(bytes)));
    walk(f, memory, columns, ([from, to]) => {
      for (let s = 0; s < SPAN; s++) {
        const code = index(f, x, from!, x.splat ? 0 : s);
        const address = f.int(m.i32.add(m.i32.mul(code, m.i32.const(bytes)), m.i32.const(origin)), false);
        const at = (): Expression => f.get(address);
        const copy = {
          16: () => m.i32.store16(s * 2, 2, f.get(to!), m.i32.load16_s(0, 2, at())),
          32: () => m.i32.store(s * 4, 4, f.get(to!), m.i32.load(0, 4, at())),
          64: () => m.i64.store(s * 8, 8, f.get(to!), m.i64.load(0, 8, at())),
        };
        f.emit(copy[out.lane]());
      }
    });
  },
};
