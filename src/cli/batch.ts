// A batch of samples for the simulators: shapes compared with the model's, numbers as floats.
import { printable, type Reporter } from "../diagnostics.js";
import { type Shape, sameShape, sizeOf } from "../ir/tensor.js";
import type { NpyData } from "../npy.js";
import type { GivenArray } from "./read-arrays.js";

export interface InputPort {
  readonly name: string;
  readonly shape: Shape;
}

export type Reals = Float64Array | Float32Array;

export interface Batch {
  readonly samples: number;
  /** inputs[port]: samples × elements. */
  readonly inputs: readonly Reals[];
}

const python = (shape: Shape): string => `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
const expected = (shape: Shape): string => `(n, ${shape.join(", ")})`;

/** What would make the array fit, where that is plain. */
function advice({ shape }: { readonly shape: Shape }, port: InputPort): string {
  if (sameShape(shape, port.shape)) return "this is one sample: add the batch axis, x[None]";
  const samples = shape[0] ?? 0;
  if (shape.length > 0 && sizeOf(shape) === samples * sizeOf(port.shape))
    return `the number of elements fits: x.reshape(${python([samples, ...port.shape])})`;
  return "the first axis counts samples, the others are the shape that the model was trained on";
}

export const real = (data: NpyData): Reals =>
  data instanceof Float64Array || data instanceof Float32Array ? data : Float64Array.from(data as ArrayLike<number | bigint>, Number);

/** How many samples arrays of these shapes hold, or undefined after saying which does not fit (QN500). */
export function samplesOf(ports: readonly InputPort[], given: readonly { readonly shape: Shape; readonly source: string }[], reporter: Reporter): number | undefined {
  given.forEach(({ shape, source }, i) => {
    const port = ports[i]!;
    if (shape.length === 0 || !sameShape(shape.slice(1), port.shape)) {
      reporter.error("QN500", `the array has shape ${python(shape)}, and the input \`${printable(port.name)}\` takes ${expected(port.shape)}`, {
        at: { source },
        help: advice({ shape }, port),
      });
    } else if (shape[0] === 0) {
      reporter.error("QN500", "the array holds no sample", { at: { source } });
    } else if (shape[0] !== given[0]!.shape[0]) {
      reporter.error("QN500", `the array holds ${shape[0]} samples, and the first holds ${given[0]!.shape[0]}`, { at: { source } });
    }
  });
  return reporter.failed ? undefined : (given[0]?.shape[0] ?? 0);
}

/** The arrays as one batch, or undefined after saying which does not fit (QN500). */
export function batchOf(ports: readonly InputPort[], given: readonly GivenArray[], reporter: Reporter): Batch | undefined {
  const samples = samplesOf(ports, given.map(({ array, source }) => ({ shape: array.shape, source })), reporter);
  return samples === undefined ? undefined : { samples, inputs: given.map(({ array }) => real(array.data)) };
}
