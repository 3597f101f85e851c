// schedule: gives every cell a pipeline stage.
//
// Inputs arrive at stage 0. A cell of stage s reads operands of stages p <= s; each passes s − p registers, which the cells that read it share.
// Outputs leave at stage `latency`. With latency L >= 1 the logic lies in stages 0 … L − 1, so that every output comes from a register.
import type { Place } from "../diagnostics.js";
import type { Netlist, Schedule } from "../ir/netlist.js";
import { delayOf, REGISTER_OVERHEAD } from "./delay.js";
import { levelsOf } from "./depth.js";
import { pass, type PassContext, type Pipelining } from "./pass.js";
import { EPSILON, earliestStages, settle } from "./schedule-stages.js";

export const schedule = pass({
  name: "schedule",
  doc: "assigns pipeline stages: exactly N register stages, at most N adders between registers, or a clock period; then moves cells where they cost fewer registers",
  from: "netlist",
  to: "netlist",
  run: (n: Netlist, cx) => {
    const table = scheduleOf(n, cx.options.pipeline, cx);
    return table && { ...n, schedule: table };
  },
});

const help = "allow a slower clock, or make the layer's types narrower";

function scheduleOf(n: Netlist, pipeline: Pipelining, { reporter }: PassContext): Schedule | undefined {
  if ("stages" in pipeline) {
    if (!Number.isInteger(pipeline.stages) || pipeline.stages < 0) return reporter.error("QN402", `${pipeline.stages} is not a number of pipeline stages`);
    return pipeline.stages === 0 ? { stage: n.cells.map(() => 0), latency: 0 } : inStages(n, pipeline.stages);
  }
  if ("depth" in pipeline) {
    if (!Number.isInteger(pipeline.depth) || pipeline.depth < 1) return reporter.error("QN402", `${pipeline.depth} is not a number of adders between registers`);
    return within(n, n.cells.map(levelsOf), pipeline.depth);
  }
  const delays = n.cells.map((_, id) => delayOf(n, id));
  const room = pipeline.clock - REGISTER_OVERHEAD;
  const slowest = delays.reduce((worst, d, id) => (d > delays[worst]! ? id : worst), 0);
  if (n.cells.length > 0 && !(delays[slowest]! <= room + EPSILON)) {
    const layer = n.layers[n.layer[slowest]!] ?? "";
    const at: Place | undefined = layer === "" ? undefined : { layer };
    const needed = (delays[slowest]! + REGISTER_OVERHEAD).toFixed(2);
    return reporter.error("QN402", `a clock period of ${pipeline.clock} ns is too short: one \`${n.cells[slowest]!.op}\` needs ${needed} ns by the delay model`, {
      ...(at ? { at } : {}),
      help,
    });
  }
  return within(n, delays, room);
}

/** As many stages as the bound on the delay of each makes necessary. */
function within(n: Netlist, delays: readonly number[], bound: number): Schedule {
  // One cell may exceed the bound on its own only where it counts levels: an `affine` that was not lowered to adders.
  const limit = delays.reduce((a, b) => Math.max(a, b), bound);
  const { stage, count } = earliestStages(n, delays, limit);
  return { stage: settle(n, delays, limit, stage, count), latency: count };
}

/** Exactly `stages` register stages, with the smallest bound on the delay of a stage for which they suffice. */
function inStages(n: Netlist, stages: number): Schedule {
  const delays = n.cells.map((_, id) => delayOf(n, id));
  let low = delays.reduce((a, b) => Math.max(a, b), 0);
  let high = delays.reduce((a, b) => a + b, 0);
  if (earliestStages(n, delays, low).count <= stages) high = low;
  else {
    // The path delay bounds the search; 2^-20 of it is far below any meaning.
    high = earliestStages(n, delays, Number.POSITIVE_INFINITY).longest;
    for (let step = 0; step < 20; step++) {
      const middle = (low + high) / 2;
      if (earliestStages(n, delays, middle).count <= stages) high = middle;
      else low = middle;
    }
  }
  return { stage: settle(n, delays, high, earliestStages(n, delays, high).stage, stages), latency: stages };
}
