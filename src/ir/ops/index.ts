// The op registry. A new op is one file and one word here; tsc then lists the emitters that must learn it.
import { constant } from "./constant.js";
import { conv } from "./conv.js";
import { dense } from "./dense.js";
import { add, max, min, mul, sub } from "./elementwise.js";
import { input } from "./input.js";
import { lut } from "./lut.js";
import { concat, edgepad, pad, reshape, resize, slice, transpose } from "./movement.js";
import type { AttrSpec, AttrsOf, OpDef } from "./op.js";
import { maxpool, sumpool } from "./pool.js";
import { quantize } from "./quantize.js";

const arithmetic = { dense, conv, maxpool, sumpool, add, sub, mul, max, min, quantize, lut } as const;
export const movements = { reshape, transpose, pad, edgepad, slice, concat, resize } as const;
export const ops = { input, constant, ...arithmetic, ...movements } as const;

export type OpName = keyof typeof ops;
export type MovementName = keyof typeof movements;
export type OpAttrs<K extends OpName> = AttrsOf<(typeof ops)[K]["attrs"]>;

/** The definition of an op whose name is only known at run time. */
export const opDef = (name: OpName): OpDef<AttrSpec> => ops[name] as unknown as OpDef<AttrSpec>;
export const isOpName = (name: string): name is OpName => Object.hasOwn(ops, name);
