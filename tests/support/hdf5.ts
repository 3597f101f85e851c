// Writes small HDF5 files for tests, and reads files with the HDF5 C library, the oracle of qnnc's own reader.
import type { Dataset, File, Group } from "h5wasm";

/** The bytes of a file that `fill` has written. */
export async function hdf5(fill: (file: File) => void): Promise<Uint8Array> {
  const h5 = await import("h5wasm");
  await h5.ready;
  const file = new h5.File("/test-support.h5", "w");
  fill(file);
  file.flush();
  file.close();
  const bytes = h5.FS!.readFile("/test-support.h5") as Uint8Array;
  h5.FS!.unlink("/test-support.h5");
  return bytes.slice();
}

/** Every object and attribute by its path, as the C library reads them. */
export async function oracle(bytes: Uint8Array): Promise<ReadonlyMap<string, unknown>> {
  const h5 = await import("h5wasm");
  await h5.ready;
  h5.FS!.writeFile("/test-oracle.h5", bytes);
  const file = new h5.File("/test-oracle.h5", "r");
  const found = new Map<string, unknown>();
  const attributes = (of: Group | Dataset, path: string): void => {
    for (const [name, a] of Object.entries(of.attrs)) found.set(`${path}@${name}`, a.value);
  };
  const walk = (group: Group, path: string): void => {
    attributes(group, path);
    for (const key of group.keys()) {
      const child = group.get(key);
      if (child instanceof h5.Group) walk(child, `${path}/${key}`);
      else if (child instanceof h5.Dataset) found.set(`${path}/${key}`, { shape: child.shape, value: child.value });
    }
  };
  walk(file, "");
  file.close();
  h5.FS!.unlink("/test-oracle.h5");
  return found;
}
