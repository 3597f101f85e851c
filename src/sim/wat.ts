// A WebAssembly module as text, for `--emit wat`.

/** The text form of a valid module. */
export async function watOf(wasm: Uint8Array): Promise<string> {
  const b = (await import("binaryen")).default;
  const module = b.readBinary(wasm);
  try {
    return module.emitText();
  } finally {
    module.dispose();
  }
}
