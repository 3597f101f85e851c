// Several simulators at once, each in a worker thread with a module of its own.
import { Worker } from "node:worker_threads";
import { type Diagnostic, InternalError, type Reporter } from "../diagnostics.js";
import type { SimulatorModule } from "../sim/jit/module.js";
import type { Batch } from "./batch.js";
import type { RunResult } from "./engines.js";

export interface PoolReply {
  readonly outputs: readonly Float64Array[] | undefined;
  readonly outside: number;
  readonly diagnostics: readonly Diagnostic[];
}

export interface Pool {
  run(batch: Batch): Promise<RunResult | undefined>;
  close(): void;
}

/** TypeScript sources run without a pool: a worker does not inherit their loader. */
export const canPool = (): boolean => !import.meta.url.endsWith(".ts");

export function simulatorPool(module: SimulatorModule, jobs: number, reporter: Reporter): Pool {
  const free: Worker[] = [];
  const waiting: ((w: Worker) => void)[] = [];
  const workers = Array.from({ length: jobs }, () => new Worker(new URL("./sim-worker.js", import.meta.url), { workerData: module }));
  const release = (w: Worker): void => {
    const next = waiting.shift();
    if (next) next(w);
    else free.push(w);
  };
  const acquire = (): Promise<Worker> => {
    const w = free.pop();
    return w ? Promise.resolve(w) : new Promise((resolve) => waiting.push(resolve));
  };
  for (const w of workers) free.push(w);
  return {
    run: async (batch) => {
      const w = await acquire();
      const reply = await new Promise<PoolReply>((resolve, reject) => {
        const done = (): void => {
          w.off("message", onMessage);
          w.off("error", onError);
        };
        const onMessage = (r: PoolReply): void => {
          done();
          resolve(r);
        };
        const onError = (e: Error): void => {
          done();
          reject(new InternalError(`a simulator's worker failed: ${e.message}`));
        };
        w.on("message", onMessage);
        w.on("error", onError);
        // Copies: a stretch may be a view of an array that others still read.
        const inputs = batch.inputs.map((x) => x.slice());
        w.postMessage({ samples: batch.samples, inputs }, inputs.map((x) => x.buffer as ArrayBuffer));
      });
      release(w);
      reporter.diagnostics.push(...reply.diagnostics);
      return reply.outputs && { outputs: reply.outputs, outside: reply.outside };
    },
    close: () => {
      for (const w of workers) void w.terminate();
    },
  };
}
