// Random networks with ReLU and saturating quantizers: what the simulator's benchmarks run.
import { Reporter } from "../src/diagnostics.js";
import { type FixedType, fixed } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { sizeOf, tensor } from "../src/ir/tensor.js";
import { prng } from "../src/sim/prng.js";

export interface BenchNetwork {
  readonly graph: Graph;
  readonly reporter: Reporter;
  /** Multiplications of one sample, zeros included. */
  readonly macs: number;
}

export interface DenseOptions {
  readonly units: readonly number[];
  /** Of weights and activations. */
  readonly bits: number;
  readonly input?: FixedType;
  /** The share of zeros among the weights. */
  readonly zeros?: number;
  readonly activation?: FixedType;
  readonly seed?: number;
}

class Layers {
  readonly reporter = new Reporter();
  readonly builder = new GraphBuilder("bench", this.reporter);
  macs = 0;
  private readonly random;
  constructor(
    private readonly bits: number,
    private readonly activation: FixedType,
    private readonly zeros: number,
    seed: number,
  ) {
    this.random = prng(seed);
    this.builder.beginLayer("network", "Dense");
  }

  private weights(shape: readonly number[]) {
    const limit = 2n ** BigInt(this.bits - 1) - 1n;
    const data = Array.from({ length: sizeOf(shape) }, () => (this.random.chance(this.zeros) ? 0n : this.random.between(-limit, limit)));
    return tensor(shape, -(this.bits - 1), data);
  }
  dense(x: number, units: number): number {
    const n = this.builder.node(x).type.shape.at(-1)!;
    this.macs += n * units;
    return this.builder.add("dense", [x], { kernel: this.weights([n, units]), bias: this.weights([units]) });
  }
  conv(x: number, window: readonly number[], units: number): number {
    const ones = window.map(() => 1);
    const kernel = this.weights([...window, this.builder.node(x).type.shape.at(-1)!, units]);
    const y = this.builder.add("conv", [x], { kernel, bias: this.weights([units]), strides: ones, dilations: ones, groups: 1 });
    this.macs += (sizeOf(kernel.shape) / units) * sizeOf(this.builder.node(y).type.shape);
    return y;
  }
  relu(x: number): number {
    const y = this.builder.add("max", [x, this.builder.add("constant", [], { value: tensor([1], 0, [0n]) })], {});
    return this.builder.add("quantize", [y], { to: this.activation, round: "RND_CONV", overflow: "SAT" });
  }
  done(y: number): BenchNetwork {
    this.builder.output("y", y);
    return { graph: this.builder.done()!, reporter: this.reporter, macs: this.macs };
  }
}

export function denseNetwork({ units, bits, input, zeros = 0, activation, seed = 1 }: DenseOptions): BenchNetwork {
  const l = new Layers(bits, activation ?? fixed(bits, 2, false), zeros, seed);
  let x = l.builder.input("x", [units[0]!], { type: input ?? fixed(16, 6), round: "TRN", overflow: "SAT" });
  units.slice(1).forEach((m, i) => {
    x = l.dense(x, m);
    if (i < units.length - 2) x = l.relu(x);
  });
  return l.done(x);
}

/** The layers of qkeras_mnist_cnn of the golden data: 6-bit weights and activations on 28x28 bytes. */
export function mnistCnn(seed = 1): BenchNetwork {
  const l = new Layers(6, fixed(6, 0, false), 0, seed);
  let x = l.builder.input("x", [28, 28, 1], { type: fixed(8, 0, false), round: "RND", overflow: "SAT" });
  for (let i = 0; i < 2; i++) x = l.builder.add("maxpool", [l.relu(l.conv(x, [3, 3], 16))], { window: [2, 2], strides: [2, 2] });
  return l.done(l.dense(l.builder.add("reshape", [x], { shape: [400] }), 10));
}
