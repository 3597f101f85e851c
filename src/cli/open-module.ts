// Opens a compiled simulator that comes from a file: it is not trusted, each fact is checked before it is used.
import { parseConversion } from "../ir/fixed.js";
import { sizeOf } from "../ir/tensor.js";
import { ABI, type PortLayout, type SimulatorModule } from "../sim/jit/module.js";

export type Json = Readonly<Record<string, unknown>>;
const isObject = (x: unknown): x is Json => typeof x === "object" && x !== null && !Array.isArray(x);

/** A fact of the module, or of the manifest beside it, is not as it must be. */
export class Damaged extends Error {}

export function parseObject(bytes: Uint8Array): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Damaged("its description is not JSON");
  }
  if (!isObject(value)) throw new Damaged("its description is not a JSON object");
  return value;
}

export const objects = (value: unknown): readonly Json[] => {
  if (!Array.isArray(value) || !value.every(isObject)) throw new Damaged("its description lists no ports");
  return value;
};

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly count: (name: string, argument?: number) => number;
}

async function exportsOf(wasm: Uint8Array): Promise<Exports> {
  const bytes = new Uint8Array(wasm);
  if (!WebAssembly.validate(bytes)) throw new Damaged("it is not a WebAssembly module");
  const module = new WebAssembly.Module(bytes);
  if (WebAssembly.Module.imports(module).length > 0) throw new Damaged("it asks for imports, and qnnc's modules need none");
  const { exports } = await WebAssembly.instantiate(module);
  const { memory } = exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new Damaged("it exports no memory");
  const count = (name: string, argument?: number): number => {
    const f = exports[`qnnc_${name}`];
    if (typeof f !== "function") throw new Damaged(`it does not export qnnc_${name}`);
    return Number(f(argument)) >>> 0;
  };
  return { memory, count };
}

function layoutOf(port: Json, address: number, bytes: number, capacity: number): PortLayout {
  const type = parseConversion(String(port["type"]));
  const shape = port["shape"];
  if (typeof type === "string" || !Array.isArray(shape) || !shape.every((d) => Number.isInteger(d) && d > 0))
    throw new Damaged("a port has no type or no shape");
  const elements = sizeOf(shape as number[]);
  if (address + capacity * elements * 8 > bytes) throw new Damaged("a port lies outside the memory");
  return { name: String(port["name"]), shape: shape as number[], elements, type: type.type, lane: 64, address };
}

/** What the module says of itself. */
export async function openModule(wasm: Uint8Array): Promise<SimulatorModule> {
  const { memory, count } = await exportsOf(wasm);
  const size = memory.buffer.byteLength;
  const [at, length] = [count("description"), count("description_size")];
  if (count("abi") !== ABI) throw new Damaged(`it has version ${count("abi")} of the interface, and this qnnc has ${ABI}`);
  if (at + length > size) throw new Damaged("its description lies outside the memory");
  const description = parseObject(new Uint8Array(memory.buffer, at, length));
  const capacity = count("capacity");
  if (capacity < 1) throw new Damaged("its capacity is 0");
  const ports = (list: unknown, address: string): readonly PortLayout[] =>
    objects(list).map((p, i) => layoutOf(p, count(address, i), size, capacity));
  const [inputs, outputs] = [ports(description["inputs"], "input"), ports(description["outputs"], "output")];
  return { wasm, name: String(description["name"]), block: 1, capacity, inputs, outputs };
}
