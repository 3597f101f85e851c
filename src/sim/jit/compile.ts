// compileSimulator: Graph → one WebAssembly module that computes the network exactly, SPAN samples at a time. Its interface is spec/simulator.md.
import { loadBinaryen } from "../binaryen.js";
import { assert, type Reporter } from "../../diagnostics.js";
import { exponent, printFixed } from "../../ir/fixed.js";
import type { Graph, Node, NodeWith } from "../../ir/graph.js";
import { sizeOf } from "../../ir/tensor.js";
import { type Binaryen, type Expression, FunctionBuilder, type Local } from "./function-builder.js";
import { emitInput, emitOutput, type Format, formatBytes, formats } from "./host.js";
import { type Buffer, MemoryPlan, SPAN } from "./memory.js";
import { ABI, type PortLayout, type SimulatorModule } from "./module.js";
import { allocate, emitterOf, type Kernel, type Plan, planKernels } from "./plan.js";
import type { Entry } from "./table-fields.js";
import { atExponent, laneFor, store, toLane, type Value } from "./value.js";

export type { PortLayout, SimulatorModule };

/** Host-side buffers take about this many bytes together, so that they stay in the cache. */
const HOST_BYTES = 1 << 18;
const MAX_CAPACITY = 4096;
/** Memory a simulator may take in all. */
const MAX_BYTES = 2 ** 31;

/** Every value of the graph must be typed. Values that pass 64 bits are reported with their layer (QN301). */
export async function compileSimulator(graph: Graph, reporter: Reporter): Promise<SimulatorModule | undefined> {
  // Loading binaryen takes most of a second, so it waits until a simulator is wanted.
  const b = await loadBinaryen();
  const module = new b.Module();
  try {
    module.setFeatures(
      b.Features.SIMD128 | b.Features.BulkMemory | b.Features.BulkMemoryOpt | b.Features.NontrappingFPToInt | b.Features.SignExt,
    );
    // Loads and stores name the memory when they are made; its size and contents are set at the end.
    module.setMemory(1, 1, null, [], false, false, "0");
    return new Compiler(b, module, graph, reporter).compile();
  } finally {
    module.dispose();
  }
}

class Compiler {
  private readonly memory = new MemoryPlan();
  private readonly buffers: (Buffer | undefined)[] = [];
  private readonly plan: Plan;

  constructor(
    private readonly b: Binaryen,
    private readonly module: import("binaryen").default.Module,
    private readonly graph: Graph,
    private readonly reporter: Reporter,
  ) {
    this.plan = planKernels(graph);
  }

  compile(): SimulatorModule | undefined {
    const { graph, module, memory, plan } = this;
    if (!this.allocateAll()) return undefined;
    const names: string[] = [];
    for (const kernel of plan.kernels) {
      const name = `node${kernel.head}`;
      if (!this.emitKernel(kernel, name)) return undefined;
      names.push(name);
    }
    const inputs = graph.inputs.map(
      (id): Port => ({ name: (graph.nodes[id] as NodeWith<"input">).attrs.name, node: graph.nodes[id]!, buffer: this.buffers[id]! }),
    );
    const outputs = graph.outputs.map((o): Port => ({ name: o.name, node: graph.nodes[o.value]!, buffer: this.bufferOf(o.value)! }));
    const capacity = capacityFor([...inputs, ...outputs]);
    const host = (p: Port): PortLayout => layoutOf(p, memory.allocate(capacity * sizeOf(p.node.type.shape) * 8));
    const [inputLayout, outputLayout] = [inputs.map(host), outputs.map(host)];
    this.emitHost(inputs, outputs);
    this.emitRun(names, inputLayout, outputLayout);
    const layout = { name: graph.name, block: SPAN, capacity, inputs: inputLayout, outputs: outputLayout };
    this.emitInterface(layout);
    if (memory.bytes > MAX_BYTES)
      return this.reporter.error("QN213", `the simulator would take ${memory.bytes} bytes of memory; the limit is ${MAX_BYTES}`);
    module.setMemory(
      memory.pages,
      memory.pages,
      "memory",
      memory.segments.map((s) => ({ offset: module.i32.const(s.address), data: s.data })),
      false,
      false,
      "0",
    );
    return { ...layout, wasm: module.emitBinary() };
  }

  private bufferOf(id: number): Buffer | undefined {
    return this.buffers[this.plan.home[id]!];
  }

  private tooWide(id: number, what: string): undefined {
    const node = this.graph.nodes[id]!;
    const layer = this.graph.layers[node.layer];
    const where = layer ? { at: { ...layer.at, layer: layer.name } } : {};
    return this.reporter.error("QN301", `%${id} ${node.op}: ${what} needs more than 64 bits`, {
      ...where,
      help: "quantize the operands of this layer to fewer bits",
    });
  }

  /** Buffers of inputs, constants and whatever a kernel stores. */
  private allocateAll(): boolean {
    const { graph, plan } = this;
    const stored = new Set([...graph.inputs, ...plan.kernels.map((k) => k.end)]);
    return graph.nodes.every((node, id) => {
      assert(node.type.elem !== "real", `compileSimulator: %${id} ${node.op} has no type`);
      const wanted = stored.has(id) || (node.op === "constant" && plan.live[id] === 1);
      this.buffers.push(wanted ? allocate(graph, id, this.memory) : undefined);
      if (wanted && !this.buffers[id]) this.tooWide(id, `the value of type ${printFixed(node.type.elem)}`);
      return !wanted || this.buffers[id] !== undefined;
    });
  }

  private emitKernel(kernel: Kernel, name: string): boolean {
    const { graph, memory } = this;
    const f = new FunctionBuilder(this.b, this.module);
    const node = graph.nodes[kernel.head]!;
    const out = this.buffers[kernel.end]!;
    const finish = (v: Value, pointer: Local, offset = 0, entry?: Entry): void => {
      const y = kernel.steps.reduce((x, step) => step.apply(f, x, { memory, entry }), v);
      laneFor(f, y);
      store(f, toLane(f, atExponent(f, y, out.exp), out.lane), pointer, offset);
    };
    const operands = node.operands.map((x) => this.bufferOf(x)!);
    emitterOf(node).emit(node as never, { graph, memory, f, operands, out, finish });
    f.finish(name);
    if (f.tooWide) this.tooWide(kernel.head, `an intermediate value in ${f.tooWide.lo} … ${f.tooWide.hi}`);
    return f.tooWide === undefined;
  }

  private emitHost(inputs: readonly Port[], outputs: readonly Port[]): void {
    const { b, module, memory } = this;
    const builder = (): FunctionBuilder => new FunctionBuilder(b, module, [b.i32]);
    inputs.forEach((p, i) => {
      for (const format of inputFormats) emitInput(builder(), `input${i}_${format}`, p.node as NodeWith<"input">, p.buffer, memory, format);
    });
    outputs.forEach((p, i) => {
      for (const format of outputFormats)
        emitOutput(builder(), `output${i}_${format}`, sizeOf(p.node.type.shape), p.buffer, memory, format);
    });
  }

  /** qnnc_run(samples, input format, output format) → number of input values outside their types. */
  private emitRun(kernels: readonly string[], inputs: readonly PortLayout[], outputs: readonly PortLayout[]): void {
    const { b, module: m } = this;
    const f = new FunctionBuilder(b, m, [b.i32, b.i32, b.i32]);
    const [samples, from, to] = [0, 1, 2].map((i) => f.parameter(i)) as [Local, Local, Local];
    const [done, outside] = [f.pointer(0), f.pointer(0)];
    const c = (x: number): Expression => m.i32.const(x);
    const at = (p: PortLayout, sample: Expression, format: Format): Expression =>
      m.i32.add(c(p.address), m.i32.mul(sample, c(p.elements * formatBytes[format])));
    const is = (l: Local, format: Format): Expression => m.i32.eq(f.get(l), c(formats[format]));
    const rest = (): Expression => m.i32.and(m.i32.sub(c(0), f.get(samples)), c(SPAN - 1));
    // The last block is filled up with zeros, which lie in every type.
    for (const format of inputFormats) {
      f.if(is(from, format), () => {
        for (const p of inputs)
          f.emit(m.memory.fill(at(p, f.get(samples), format), c(0), m.i32.mul(rest(), c(p.elements * formatBytes[format]))));
      });
    }
    f.if(m.i32.gt_s(f.get(samples), c(0)), () =>
      f.while(() => {
        for (const format of inputFormats) {
          f.if(is(from, format), () => {
            for (const [i, p] of inputs.entries()) {
              const counted = m.call(`input${i}_${format}`, [at(p, f.get(done), format)], b.i32);
              f.set(outside, m.i32.add(f.get(outside), counted));
            }
          });
        }
        for (const name of kernels) f.emit(m.call(name, [], b.none));
        for (const format of outputFormats) {
          f.if(is(to, format), () => {
            for (const [i, p] of outputs.entries()) f.emit(m.call(`output${i}_${format}`, [at(p, f.get(done), format)], b.none));
          });
        }
        f.set(done, m.i32.add(f.get(done), c(SPAN)));
        return m.i32.lt_s(f.get(done), f.get(samples));
      }),
    );
    f.finish("qnnc_run", b.i32, f.get(outside));
    m.addFunctionExport("qnnc_run", "qnnc_run");
  }

  private emitInterface(layout: Omit<SimulatorModule, "wasm">): void {
    const { b, module: m, memory } = this;
    const description = new TextEncoder().encode(JSON.stringify(describe(layout)));
    const constants = {
      qnnc_abi: ABI,
      qnnc_capacity: layout.capacity,
      qnnc_description: memory.data(description),
      qnnc_description_size: description.length,
    };
    for (const [name, value] of Object.entries(constants)) {
      m.addFunction(name, b.none, b.i32, [], m.i32.const(value));
      m.addFunctionExport(name, name);
    }
    for (const [name, ports] of [
      ["qnnc_input", layout.inputs],
      ["qnnc_output", layout.outputs],
    ] as const) {
      const table = memory.integers(
        ports.map((p) => BigInt(p.address)),
        32,
      );
      m.addFunction(name, b.createType([b.i32]), b.i32, [], m.i32.load(table, 4, m.i32.mul(m.local.get(0, b.i32), m.i32.const(4))));
      m.addFunctionExport(name, name);
    }
  }
}

const inputFormats = ["f64", "f32", "i64"] as const;
const outputFormats = ["f64", "i64"] as const;

interface Port {
  readonly name: string;
  readonly node: Node;
  readonly buffer: Buffer;
}

function capacityFor(ports: readonly Port[]): number {
  const sample = ports.reduce((n, p) => n + 8 * sizeOf(p.node.type.shape), 0);
  return Math.min(MAX_CAPACITY, Math.max(1, Math.floor(HOST_BYTES / sample / SPAN)) * SPAN);
}

function layoutOf(p: Port, address: number): PortLayout {
  const type = p.node.type.elem;
  assert(type !== "real", "layoutOf: real");
  return { name: p.name, shape: p.node.type.shape, elements: sizeOf(p.node.type.shape), type, lane: p.buffer.lane, address };
}

/** The text that the module carries for its loaders: spec/simulator.md, "description". */
const describe = (layout: Omit<SimulatorModule, "wasm">) => {
  const port = ({ name, shape, elements, type }: PortLayout) => ({
    name,
    shape,
    elements,
    type: printFixed(type),
    signed: type.signed,
    width: type.width,
    exponent: exponent(type),
  });
  return { abi: ABI, name: layout.name, inputs: layout.inputs.map(port), outputs: layout.outputs.map(port) };
};
