// The worker behind `workerEngine`: loads binaryen at once, then answers one request after another.
import { parentPort } from "node:worker_threads";
import { InternalError, Reporter } from "../diagnostics.js";
import { loadBinaryen } from "../sim/binaryen.js";
import { compileSimulator } from "../sim/jit/compile.js";
import { selfCheck } from "../sim/self-check.js";
import type { EngineReply, EngineRequest } from "./worker-engine.js";

async function answer(request: EngineRequest): Promise<EngineReply> {
  if (request.kind === "check") return { kind: "check", mismatch: await selfCheck(request.netlist, request.vectors) };
  const reporter = new Reporter();
  return { kind: "simulator", module: await compileSimulator(request.graph, reporter), diagnostics: reporter.diagnostics };
}

parentPort!.on("message", (request: EngineRequest) => {
  answer(request)
    .catch((e: unknown): EngineReply => {
      const message = e instanceof Error ? (e.stack ?? e.message) : String(e);
      return { kind: "failed", message, bug: e instanceof InternalError };
    })
    .then((reply) => parentPort!.postMessage(reply));
});

await loadBinaryen();
