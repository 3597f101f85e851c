// The pass pipelines of a build, in order, each with its reason.
import { assignPrecision } from "./assign-precision.js";
import { checkLimits } from "./check-limits.js";
import { cmvm } from "./cmvm.js";
import { foldBatchnorm } from "./fold-batchnorm.js";
import { lower } from "./lower.js";
import { narrow } from "./narrow.js";
import type { AnyPass } from "./pass.js";
import { schedule } from "./schedule.js";
import { simplify } from "./simplify.js";
import { softmaxOutputs } from "./softmax-outputs.js";
import { splitProducts } from "./split-products.js";
import { splitTables } from "./split-tables.js";

/** Real or partly typed Graph → Graph in which every value has a fixed-point type. */
export const graphPipeline: readonly AnyPass[] = [
  foldBatchnorm, // before precision is assigned: a folded scale costs no bits
  softmaxOutputs, // before precision: its sums and tables are typed with the rest
  assignPrecision,
  splitTables, // operands have ranges now
  checkLimits, // what the simulator and every backend may then rely on
];

/** Typed Graph → scheduled Netlist. */
export const netlistPipeline: readonly AnyPass[] = [
  lower,
  simplify, // constants and identities out of the way of sharing
  cmvm,
  narrow, // saturations and wraps that the final ranges show to be idle
  splitProducts, // on final widths
  simplify,
  schedule, // last: any later pass would drop the stages
];

/** Every pass by name, for `qnnc passes` and `qnnc opt`. */
export const allPasses: readonly AnyPass[] = [...new Set([...graphPipeline, ...netlistPipeline])];
