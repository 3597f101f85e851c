// The table of op emitters: one row an op.
import { dense } from "./dense.js";
import { elementwise } from "./elementwise.js";
import type { OpEmitter, PerOp } from "./emitter.js";
import { lut } from "./lut.js";
import { quantize } from "./quantize.js";

/** Inputs are loaded by the host's side, constants are data, a reshaped value lies where its operand lies. */
const inMemory: OpEmitter<"input"> & OpEmitter<"constant"> & OpEmitter<"reshape"> = { kind: "none", emit: () => undefined };

export const emitters: PerOp = { input: inMemory, constant: inMemory, reshape: inMemory, dense, ...elementwise, quantize, lut };
