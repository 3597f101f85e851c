// Runs all samples, stretch by stretch, on one simulator or several; the results are taken in the order of the samples.
import { availableParallelism } from "node:os";
import type { Engine, Numbers, RunResult } from "./engines.js";
import type { Samples } from "./samples.js";
import type { Session } from "./session.js";
import { canPool, type Pool, simulatorPool } from "./sim-pool.js";

/** Gets the results of samples from…to; false ends the run. */
export type Take = (outputs: readonly Numbers[], from: number, to: number) => boolean;

export interface RunOptions {
  readonly raw: boolean;
  /** Simulators at once; absent: as many as there are cores, where the samples are worth it. */
  readonly jobs: number | undefined;
}

/** Fewer stretches are done before a second worker has started. */
const WORTH_A_POOL = 8;

function poolFor(engine: Engine, stretches: number, { raw, jobs }: RunOptions, session: Session): Pool | undefined {
  if (!engine.module || raw || !canPool() || stretches < 2) return undefined;
  const wanted = jobs ?? (stretches < WORTH_A_POOL ? 1 : availableParallelism());
  return wanted < 2 ? undefined : simulatorPool(engine.module, Math.min(wanted, stretches), session.reporter);
}

/** How many input values lay outside their types; undefined after reporting what failed. */
export async function runAll(engine: Engine, samples: Samples, options: RunOptions, session: Session, take: Take): Promise<number | undefined> {
  const { stride } = engine;
  const { count } = samples;
  const start = performance.now();
  const pool = poolFor(engine, Math.ceil(count / stride), options, session);
  const flying: { readonly from: number; readonly to: number; readonly result: Promise<RunResult | undefined> }[] = [];
  let outside = 0;
  const land = async (): Promise<boolean> => {
    const { from, to, result } = flying.shift()!;
    const part = await result;
    if (!part || !take(part.outputs, from, to)) return false;
    outside += part.outside;
    const rate = to / ((performance.now() - start) / 1000);
    session.progress(`sample ${to} of ${count}, ${Math.round(rate)}/s, ${Math.ceil((count - to) / rate)} s left`);
    return true;
  };
  try {
    for (let from = 0; from < count; from += stride) {
      const to = Math.min(count, from + stride);
      const batch = samples.read(from, to);
      if (!batch) return undefined;
      const result = pool ? pool.run(batch) : Promise.resolve(engine.run(batch, options.raw));
      // A failure is reported when its turn comes.
      result.catch(() => {});
      flying.push({ from, to, result });
      // A turn of the event loop, so that a signal is seen.
      if (!pool) await new Promise((resolve) => setImmediate(resolve));
      if (flying.length >= (pool ? 2 * availableParallelism() : 1) && !(await land())) return undefined;
    }
    while (flying.length > 0) if (!(await land())) return undefined;
    return outside;
  } finally {
    pool?.close();
  }
}
