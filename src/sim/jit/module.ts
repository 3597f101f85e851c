// What compileSimulator makes: the module's bytes and where its host finds inputs and outputs.
import type { FixedType } from "../../ir/fixed.js";
import type { Shape } from "../../ir/tensor.js";
import type { Lane } from "./value.js";

/** Version of the binary interface of spec/simulator.md. */
export const ABI = 1;

export interface PortLayout {
  readonly name: string;
  readonly shape: Shape;
  /** Elements of one sample. */
  readonly elements: number;
  /** Mantissas are in units of this type's last bit. */
  readonly type: FixedType;
  /** Bits of a number inside the simulator. */
  readonly lane: Lane;
  /** Where the host writes or reads samples, row-major, 8 bytes an element (4 for 32-bit floats). */
  readonly address: number;
}

export interface SimulatorModule {
  readonly wasm: Uint8Array;
  readonly name: string;
  /** Samples computed together. */
  readonly block: number;
  /** Samples a call of qnnc_run takes at most: a multiple of `block`. */
  readonly capacity: number;
  readonly inputs: readonly PortLayout[];
  readonly outputs: readonly PortLayout[];
}
