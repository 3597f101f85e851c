// The exact integers behind constants.
import { assert } from "../../diagnostics.js";
import { exponent, type FixedType, shiftFloor } from "../../ir/fixed.js";
import type { Tensor } from "../../ir/tensor.js";
import { apFixed } from "./cpp-types.js";

/** Mantissas of a constant at the exponent of `t`. */
export function mantissas(value: Pick<Tensor, "data" | "exp">, t: FixedType): readonly bigint[] {
  return value.data.map((m) => {
    if (m === 0n) return 0n;
    const shift = value.exp - exponent(t);
    const scaled = shiftFloor(m, shift);
    const held = t.signed ? BigInt.asIntN(t.width, scaled) : BigInt.asUintN(t.width, scaled);
    assert(held === scaled && shiftFloor(scaled, -shift) === m, `hls: ${m}*2^${value.exp} does not fit ${apFixed(t)}`);
    return scaled;
  });
}
