// The last steps that the host takes in double precision, after the exact values of the firmware.
import { type HostStep, hostSteps } from "../ir/graph.js";
import type { Shape } from "../ir/tensor.js";
import type { Numbers, OutputPort } from "./engines.js";

/** exp(x − max) / Σ exp(x − max) along the last axis, in double precision. */
export function softmax(x: Float64Array, shape: Shape): Float64Array {
  const channels = shape.at(-1) ?? 1;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += channels) {
    const values = x.subarray(row, row + channels);
    const highest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const powers = values.map((v) => Math.exp(v - highest));
    const sum = powers.reduce((a, b) => a + b, 0);
    y.set(
      powers.map((p) => p / sum),
      row,
    );
  }
  return y;
}

const sigmoid = (x: Float64Array): Float64Array => x.map((v) => 1 / (1 + Math.exp(-v)));

const functions: Readonly<Record<HostStep, (x: Float64Array, shape: Shape) => Float64Array>> = { softmax, sigmoid };

/** The values with the port's last step applied, where it has one. */
export function withHostStep(port: OutputPort, y: Numbers): Numbers {
  const step = hostSteps.find((name) => name === port.host);
  return step && y instanceof Float64Array ? functions[step](y, port.shape) : y;
}
