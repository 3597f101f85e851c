// A WebAssembly module as text, for `--emit wat`.
import { loadBinaryen } from "./binaryen.js";

/** The text form of a valid module. */
export async function watOf(wasm: Uint8Array): Promise<string> {
  const b = await loadBinaryen();
  const module = b.readBinary(wasm);
  try {
    return module.emitText();
  } finally {
    module.dispose();
  }
}
