// A worker of the pool: one simulator, one stretch of samples after another.
import { setFlagsFromString } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import { Reporter } from "../diagnostics.js";
import type { SimulatorModule } from "../sim/jit/module.js";
import { instantiate } from "../sim/simulator.js";
import type { Batch } from "./batch.js";
import type { PoolReply } from "./sim-pool.js";

setFlagsFromString("--no-liftoff");
const simulator = instantiate(workerData as SimulatorModule);

parentPort!.on("message", async (batch: Batch) => {
  const reporter = new Reporter();
  const result = (await simulator).run(batch.inputs, batch.samples, reporter);
  const outputs = result?.outputs;
  const reply: PoolReply = { outputs, outside: result?.outside ?? 0, diagnostics: reporter.diagnostics };
  parentPort!.postMessage(reply, outputs?.map((y) => y.buffer as ArrayBuffer) ?? []);
});
