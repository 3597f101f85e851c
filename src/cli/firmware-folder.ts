// The simulator of a folder that qnnc wrote: run without the model. Neither file is trusted: each fact is checked before it is used.
import { join } from "node:path";
import type { Reporter } from "../diagnostics.js";
import { instantiate } from "../sim/simulator.js";
import { compileFastCode, type Engine, type OutputPort, simulatorEngine } from "./engines.js";
import { Damaged, type Json, objects, openModule, parseObject } from "./open-module.js";
import { MAX_MODEL_BYTES, readFile } from "./read-file.js";
import { MANIFEST } from "./write-folder.js";

/** Which last step, if any, the host computes on output k. */
const hostOf = (manifest: Json, k: number): string | undefined => {
  const port = objects(manifest["outputs"])[k];
  return typeof port?.["host"] === "string" ? port["host"] : undefined;
};

export async function firmwareEngine(folder: string, reporter: Reporter): Promise<Engine | undefined> {
  const help = "name a model, or a folder that qnnc wrote";
  const path = join(folder, MANIFEST);
  const bytes = readFile(path, { limit: MAX_MODEL_BYTES, help }, reporter);
  if (!bytes) return undefined;
  let now = path;
  try {
    const manifest = parseObject(bytes);
    const top = manifest["top"];
    if (manifest["generator"] !== "qnnc" || typeof top !== "string" || !/^\w+$/.test(top))
      throw new Damaged("it is not a manifest of qnnc");
    now = join(folder, "sim", `${top}.wasm`);
    const wasm = readFile(now, { limit: MAX_MODEL_BYTES, help: "build the folder again" }, reporter);
    if (!wasm) return undefined;
    compileFastCode();
    const module = await openModule(wasm);
    const outputs = module.outputs.map(({ name, shape, type }, k): OutputPort => {
      const host = hostOf(manifest, k);
      return { name, shape, type, ...(host === undefined ? {} : { host }) };
    });
    const simulator = await instantiate(module);
    return simulatorEngine(simulator, outputs, reporter, () =>
      reporter.error("QN401", "--raw with results of more than 53 bits needs the model", { at: { source: folder } }),
    );
  } catch (e) {
    if (!(e instanceof Damaged)) throw e;
    return reporter.error("QN101", `${now} is damaged: ${e.message}`, { at: { source: now }, help });
  }
}
