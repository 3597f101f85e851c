// The two sweeps of scheduling: as early as the bound allows, then later where that saves registers.
import { fit } from "../ir/fixed.js";
import { liveCells, type Netlist } from "../ir/netlist.js";

/** Slack of comparisons between sums of delays. */
export const EPSILON = 1e-9;

export interface Earliest {
  readonly stage: Int32Array;
  /** Stages used, at least 1. */
  readonly count: number;
  /** The longest sum of delays within a stage. */
  readonly longest: number;
}

/** Each cell as early as its operands allow, where no path within a stage is longer than `bound`, and `bound` is at least every delay. */
export function earliestStages(n: Netlist, delays: readonly number[], bound: number): Earliest {
  const stage = new Int32Array(n.cells.length);
  const ready = new Float64Array(n.cells.length);
  let count = 1;
  let longest = 0;
  n.cells.forEach((c, id) => {
    let [s, t] = [0, 0];
    for (const a of c.args) {
      if (stage[a]! > s) [s, t] = [stage[a]!, ready[a]!];
      else if (stage[a] === s) t = Math.max(t, ready[a]!);
    }
    const delay = delays[id]!;
    if (t + delay > bound + EPSILON && t > 0) [s, t] = [s + 1, 0];
    stage[id] = s;
    ready[id] = t + delay;
    count = Math.max(count, s + 1);
    longest = Math.max(longest, ready[id]!);
  });
  return { stage, count, longest };
}

/**
 * Moves cells later, consumers first, where that saves register bits: a move shortens the cell's own delay line by its width a stage and lengthens those of
 * operands that nothing else reads so late. Legal because a cell moves only to stages where the path from it to the stage's end stays within the bound, and
 * what it reads still stands earlier.
 */
export function settle(n: Netlist, delays: readonly number[], bound: number, earliest: Int32Array, latency: number): number[] {
  const stage = Int32Array.from(earliest);
  const widths = n.ranges.map((r) => fit(r).width);
  const live = liveCells(n);
  const users: number[][] = n.cells.map(() => []);
  n.cells.forEach((c, id) => {
    if (live[id]) for (const a of new Set(c.args)) users[a]!.push(id);
  });
  const isOutput = new Uint8Array(n.cells.length);
  for (const port of n.outputs) for (const e of port.elements) isOutput[e] = 1;
  /** Delay from the start of each cell to the end of its stage, over cells of the same stage. */
  const tail = Float64Array.from(delays);
  const lastUse = (id: number, except: number): number => users[id]!.reduce((s, u) => (u === except ? s : Math.max(s, stage[u]!)), isOutput[id] ? latency : stage[id]!);
  const tailAt = (id: number, s: number): number => delays[id]! + users[id]!.reduce((t, u) => (stage[u] === s ? Math.max(t, tail[u]!) : t), 0);
  for (let id = n.cells.length - 1; id >= 0; id--) {
    const c = n.cells[id]!;
    if (c.op === "const" || !live[id]) continue;
    if (c.op !== "input") {
      const latest = Math.min(latency - 1, users[id]!.reduce((s, u) => Math.min(s, stage[u]!), latency));
      const operands = [...new Set(c.args)].filter((a) => n.cells[a]!.op !== "const").map((a) => ({ width: widths[a]!, until: lastUse(a, id) }));
      let best = stage[id]!;
      let bestCost = 0;
      for (let s = best + 1; s <= latest; s++) {
        if (tailAt(id, s) > bound + EPSILON) continue;
        const longer = operands.reduce((bits, o) => bits + o.width * Math.max(0, s - Math.max(o.until, earliest[id]!)), 0);
        const cost = longer - widths[id]! * (s - earliest[id]!);
        if (cost < bestCost) [best, bestCost] = [s, cost];
      }
      stage[id] = best;
    }
    tail[id] = tailAt(id, stage[id]!);
  }
  // Cells that no output needs did not hold their operands back; they follow them.
  n.cells.forEach((c, id) => {
    if (!live[id]) for (const a of c.args) if (n.cells[a]!.op !== "const") stage[id] = Math.max(stage[id]!, stage[a]!);
  });
  return [...stage];
}

/** Flip-flops that delay lines take: a value passes one register a stage up to its last reader; constants pass none. Not counted: the valid bit. */
export function registerBits(n: Netlist): number {
  if (!n.schedule) return 0;
  const { stage, latency } = n.schedule;
  const until = Int32Array.from(stage);
  n.cells.forEach((c, id) => {
    for (const a of c.args) until[a] = Math.max(until[a]!, stage[id]!);
  });
  for (const port of n.outputs) for (const e of port.elements) until[e] = latency;
  return n.cells.reduce((bits, c, id) => (c.op === "const" ? bits : bits + fit(n.ranges[id]!).width * (until[id]! - stage[id]!)), 0);
}
