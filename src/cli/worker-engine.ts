// Compiles and checks simulators in a worker thread, so that loading binaryen overlaps with the passes.
import { Worker } from "node:worker_threads";
import type { Engine } from "../compile.js";
import { type Diagnostic, InternalError } from "../diagnostics.js";
import type { Graph } from "../ir/graph.js";
import type { Netlist } from "../ir/netlist.js";
import type { Vectors } from "../ir/vectors.js";
import type { SimulatorModule } from "../sim/jit/compile.js";
import type { Mismatch } from "../sim/self-check.js";

export type EngineRequest =
  | { readonly kind: "simulator"; readonly graph: Graph }
  | { readonly kind: "check"; readonly netlist: Netlist; readonly vectors: Vectors };

export type EngineReply =
  | { readonly kind: "simulator"; readonly module: SimulatorModule | undefined; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "check"; readonly mismatch: Mismatch | undefined }
  | { readonly kind: "failed"; readonly message: string; readonly bug: boolean };

/** Starts the worker; it keeps the process alive only while a request is open. TypeScript sources run without one: a worker does not inherit their loader. */
export function workerEngine(): Engine | undefined {
  if (import.meta.url.endsWith(".ts")) return undefined;
  const worker = new Worker(new URL("./engine-worker.js", import.meta.url));
  worker.unref();
  let failure: Error | undefined;
  let open: { readonly resolve: (reply: EngineReply) => void; readonly reject: (e: Error) => void } | undefined;
  worker.on("error", (e) => {
    failure = e;
    open?.reject(e);
  });
  worker.on("message", (reply: EngineReply) => {
    worker.unref();
    if (reply.kind !== "failed") open?.resolve(reply);
    else open?.reject(reply.bug ? new InternalError(reply.message) : new Error(reply.message));
  });

  const ask = (request: EngineRequest): Promise<EngineReply> =>
    new Promise((resolve, reject) => {
      if (failure) return reject(failure);
      open = { resolve, reject };
      worker.ref();
      worker.postMessage(request);
    });

  return {
    async compileSimulator(graph, reporter) {
      const reply = await ask({ kind: "simulator", graph });
      if (reply.kind !== "simulator") throw new InternalError(`the worker answered ${reply.kind}`);
      reporter.diagnostics.push(...reply.diagnostics);
      return reply.module;
    },
    async selfCheck(netlist, vectors) {
      const reply = await ask({ kind: "check", netlist, vectors });
      if (reply.kind !== "check") throw new InternalError(`the worker answered ${reply.kind}`);
      return reply.mismatch;
    },
  };
}
