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

const real = (data: NpyData): Reals =>
  data instanceof Float64Array || data instanceof Float32Array ? data : Float64Array.from(data as ArrayLike<number | bigint>, Number);

/** The arrays as one batch, or undefined after saying which does not fit (QN500). */
export function batchOf(ports: readonly InputPort[], given: readonly GivenArray[], reporter: Reporter): Batch | undefined {
  given.forEach(({ array, source }, i) => {
    const port = ports[i]!;
    if (array.shape.length === 0 || !sameShape(array.shape.slice(1), port.shape)) {
      reporter.error(
        "QN500",
        `the array has shape ${python(array.shape)}, and the input \`${printable(port.name)}\` takes ${expected(port.shape)}`,
        { at: { source }, help: advice(array, port) },
      );
    } else if (array.shape[0] === 0) {
      reporter.error("QN500", "the array holds no sample", { at: { source } });
    } else if (array.shape[0] !== given[0]!.array.shape[0]) {
      reporter.error("QN500", `the array holds ${array.shape[0]} samples, and the first holds ${given[0]!.array.shape[0]}`, {
        at: { source },
      });
    }
  });
  if (reporter.failed) return undefined;
  return { samples: given[0]?.array.shape[0] ?? 0, inputs: given.map(({ array }) => real(array.data)) };
}
