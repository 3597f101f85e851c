// The simulator at work: real numbers or mantissas in, exact values out, any number of samples.
import { assert, type Reporter } from "../diagnostics.js";
import { type Format, formatBytes, formats } from "./jit/host.js";
import type { PortLayout, SimulatorModule } from "./jit/module.js";

export type Reals = Float64Array | Float32Array;

export interface RealResult {
  /** outputs[port]: samples × elements, row-major. Exact up to 53 bits, beyond that rounded to the nearest double. */
  readonly outputs: readonly Float64Array[];
  /** How many input values lay outside their types, so that an overflow mode applied. */
  readonly outside: number;
}

export interface Simulator {
  readonly module: SimulatorModule;
  /** Real inputs, samples × elements each, converted as the inputs' types say. Numbers that are not finite are reported (QN502). */
  run(inputs: readonly Reals[], samples: number, reporter: Reporter): RealResult | undefined;
  /** The same on mantissas of the port types; a mantissa outside its type is reported (QN500). Unsigned 64-bit mantissas are the same bits. */
  runMantissas(inputs: readonly BigInt64Array[], samples: number, reporter: Reporter): readonly BigInt64Array[] | undefined;
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  qnnc_run(samples: number, inputFormat: number, outputFormat: number): number;
}

export async function instantiate(module: SimulatorModule): Promise<Simulator> {
  const { instance } = await WebAssembly.instantiate(module.wasm as Uint8Array<ArrayBuffer>);
  const exports = instance.exports as unknown as Exports;
  return {
    module,
    run: (inputs, samples, reporter) => {
      if (!fits(module.inputs, inputs, samples, reporter)) return undefined;
      const format: Format = inputs.length > 0 && inputs.every((x) => x instanceof Float32Array) ? "f32" : "f64";
      const outputs = module.outputs.map((p) => new Float64Array(samples * p.elements));
      const outside = runBlocks(
        module,
        exports,
        inputs.map((x) => asFormat(x, format)),
        outputs,
        samples,
        format,
        "f64",
      );
      if (outside > 0 && inputs.some((x, i) => reportNonFinite(x, module.inputs[i]!, reporter))) return undefined;
      return { outputs, outside };
    },
    runMantissas: (inputs, samples, reporter) => {
      if (!fits(module.inputs, inputs, samples, reporter)) return undefined;
      const outputs = module.outputs.map((p) => new BigInt64Array(samples * p.elements));
      const outside = runBlocks(module, exports, inputs, outputs, samples, "i64", "i64");
      if (outside > 0) return reporter.error("QN500", `${outside} input mantissas lie outside the types of their elements`);
      return outputs;
    },
  };
}

type Numbers = Float64Array | Float32Array | BigInt64Array;

const asFormat = (x: Reals, format: Format): Reals => (format === "f64" && x instanceof Float32Array ? Float64Array.from(x) : x);

function fits(ports: readonly PortLayout[], inputs: readonly Numbers[], samples: number, reporter: Reporter): boolean {
  if (inputs.length !== ports.length) {
    reporter.error("QN500", `${inputs.length} inputs are given, and the model has ${ports.length}`);
    return false;
  }
  const bad = ports.findIndex((p, i) => inputs[i]!.length !== samples * p.elements);
  if (bad < 0) return true;
  const { name, elements } = ports[bad]!;
  reporter.error("QN500", `input \`${name}\` takes ${elements} numbers a sample; ${inputs[bad]!.length} are given for ${samples} samples`);
  return false;
}

/** Copies samples in, calls the module, copies results out, `capacity` samples at a time. */
function runBlocks(
  module: SimulatorModule,
  exports: Exports,
  inputs: readonly Numbers[],
  outputs: readonly Numbers[],
  samples: number,
  from: Format,
  to: Format,
): number {
  const { buffer } = exports.memory;
  let outside = 0;
  for (let start = 0; start < samples; start += module.capacity) {
    const count = Math.min(module.capacity, samples - start);
    inputs.forEach((x, i) => {
      const { address, elements } = module.inputs[i]!;
      const bytes = elements * formatBytes[from];
      new Uint8Array(buffer, address).set(new Uint8Array(x.buffer, x.byteOffset + start * bytes, count * bytes));
    });
    outside += exports.qnnc_run(count, formats[from], formats[to]);
    outputs.forEach((y, i) => {
      const { address, elements } = module.outputs[i]!;
      const bytes = elements * formatBytes[to];
      new Uint8Array(y.buffer, y.byteOffset + start * bytes, count * bytes).set(new Uint8Array(buffer, address, count * bytes));
    });
  }
  return outside;
}

function reportNonFinite(x: Reals, port: PortLayout, reporter: Reporter): boolean {
  // A plain loop: half of a data set may lie outside its types, and then every number is looked at.
  let bad = 0;
  while (bad < x.length && x[bad]! - x[bad]! === 0) bad++;
  if (bad === x.length) return false;
  assert(port.elements > 0, "an empty port");
  const [sample, element] = [Math.floor(bad / port.elements), bad % port.elements];
  reporter.error("QN502", `input \`${port.name}\`, sample ${sample}, element ${element} is ${x[bad]}`, {
    help: "give finite numbers only",
  });
  return true;
}
