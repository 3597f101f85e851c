// The table of op emitters: one row an op.
import { elementwise } from "./elementwise.js";
import type { OpEmitter, PerOp } from "./emitter.js";
import { conv, dense } from "./linear.js";
import { lut } from "./lut.js";
import { movements } from "./movement.js";
import { pools } from "./pool.js";
import { quantize } from "./quantize.js";

/** Inputs are loaded by the host's side, constants are data, a reshaped value lies where its operand lies. */
const inMemory: OpEmitter<"input"> & OpEmitter<"constant"> & OpEmitter<"reshape"> = { kind: "none", emit: () => undefined };

export const emitters: PerOp = {
  input: inMemory,
  constant: inMemory,
  reshape: inMemory,
  ...movements,
  dense,
  conv,
  ...pools,
  ...elementwise,
  quantize,
  lut,
};
