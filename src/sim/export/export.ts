// The simulator as files that run without qnnc: the module, a loader for JavaScript and one for Python. Their contract is spec/simulator.md.
import { assert } from "../../diagnostics.js";
import type { Files } from "../../ir/target.js";
import type { SimulatorModule } from "../jit/module.js";
import { javascriptLoader } from "./javascript.js";
import { pythonLoader } from "./python.js";

/** sim/<top>.wasm, .mjs and .py; `top` is an identifier. */
export function emitSimulator(module: SimulatorModule, top: string): Files {
  assert(/^[A-Za-z_][A-Za-z0-9_]*$/.test(top), `emitSimulator: ${top} is not an identifier`);
  return new Map<string, string | Uint8Array>([
    [`sim/${top}.wasm`, module.wasm],
    [`sim/${top}.mjs`, javascriptLoader(top)],
    [`sim/${top}.py`, pythonLoader(top)],
  ]);
}
