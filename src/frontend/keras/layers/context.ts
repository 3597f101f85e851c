// What a layer's importer gets: checked access to the configuration, the weights and the graph under construction.
import type { Code } from "../../../diagnostic-codes.js";
import { didYouMean, type Place, type Reporter } from "../../../diagnostics.js";
import type { GraphBuilder, HostStep } from "../../../ir/graph.js";
import { printShape, type Shape, type Tensor, tensorFromNumbers } from "../../../ir/tensor.js";
import { escapePointer, isArray, type Json } from "../json.js";
import type { KerasLayer, KerasModel, LayerWeights, Weight } from "../model.js";
import { readQuantizer } from "../quantizer-text.js";
import type { Quantizer } from "../quantizers.js";

/** A layer's result: a value of the graph, and the last step that the host still has to take. */
export interface LayerResult {
  readonly value: number;
  readonly host?: HostStep;
}

/** What everything returns that has reported why it could not go on. */
export type Failed = undefined;

export class LayerContext {
  readonly model: KerasModel;
  readonly layer: KerasLayer;
  readonly inputs: readonly number[];
  readonly graph: GraphBuilder;
  readonly reporter: Reporter;
  /** No other layer reads the result: it is the model's output, whose last function the host may take. */
  readonly last: boolean;
  #weights: LayerWeights | undefined;
  constructor(model: KerasModel, layer: KerasLayer, inputs: readonly number[], graph: GraphBuilder, reporter: Reporter, last = false) {
    this.model = model;
    this.layer = layer;
    this.inputs = inputs;
    this.graph = graph;
    this.reporter = reporter;
    this.last = last;
  }

  /** A proxy model of HGQ: the weights of Keras' own layers lie on their grid already. */
  get isProxy(): boolean {
    return this.model.layers.some((l) => l.className === "FixedPointQuantizer");
  }

  place(key?: string): Place {
    return this.model.document.place(
      key === undefined ? this.layer.pointer : `${this.layer.pointer}/${escapePointer(key)}`,
      this.layer.name,
    );
  }

  error(code: Code, message: string, key?: string, help?: string): Failed {
    const at = key !== undefined && this.get(key) === undefined ? this.place() : this.place(key);
    return this.reporter.error(code, message, { at, ...(help === undefined ? {} : { help }) });
  }

  get(key: string): Json | undefined {
    return this.layer.config[key];
  }

  /** The only input of a layer that takes one. */
  input(): number | Failed {
    const [x, ...rest] = this.inputs;
    if (x !== undefined && rest.length === 0) return x;
    return this.error("QN210", `the layer takes one input and is given ${this.inputs.length}`);
  }

  shapeOf(value: number): Shape {
    return this.graph.node(value).type.shape;
  }

  integer(key: string, min: number, max: number): number | Failed {
    const v = this.get(key);
    if (typeof v === "number" && Number.isInteger(v) && v >= min && v <= max) return v;
    return this.error("QN200", `\`${key}\` must be a whole number from ${min} to ${max}, not ${show(v)}`, key);
  }

  number(key: string, fallback: number): number | Failed {
    const v = this.get(key) ?? fallback;
    return typeof v === "number" && Number.isFinite(Math.fround(v))
      ? v
      : this.error("QN200", `\`${key}\` must be a finite number, not ${show(v)}`, key);
  }

  flag(key: string, fallback: boolean): boolean | Failed {
    const v = this.get(key) ?? fallback;
    // Python's 0 and 1 are as good.
    return typeof v === "boolean"
      ? v
      : v === 0 || v === 1
        ? v === 1
        : this.error("QN200", `\`${key}\` must be true or false, not ${show(v)}`, key);
  }

  /** A whole number, or a list of `rank` of them: both forms of kernel_size, strides and their kind. */
  sizes(key: string, rank: number, min: number, max: number, fallback?: Json): readonly number[] | Failed {
    const v = this.get(key) ?? fallback;
    const list = typeof v === "number" ? new Array<Json>(rank).fill(v) : v;
    const fits = (d: Json): d is number => typeof d === "number" && Number.isInteger(d) && d >= min && d <= max;
    if (isArray(list) && list.length === rank && list.every(fits)) return list;
    const what = rank === 1 ? "a whole number" : `${rank} whole numbers`;
    return this.error("QN200", `\`${key}\` must be ${what} from ${min} to ${max}, not ${show(v)}`, key);
  }

  /** The layer must have this option at its default, because nothing here would honour another value. */
  requires(key: string, allowed: readonly Json[], help?: string): boolean {
    const v = this.get(key);
    if (v === undefined || v === null || allowed.includes(v)) return true;
    this.error("QN212", `\`${key}\` = ${show(v)} is not supported`, key, help);
    return false;
  }

  quantizer(key: string): Quantizer | null | Failed {
    return this.quantizerOf(this.get(key), key);
  }

  quantizerOf(json: Json | undefined, key: string): Quantizer | null | Failed {
    const q = readQuantizer(
      json,
      { document: this.model.document, pointer: `${this.layer.pointer}/${key}`, layer: this.layer.name },
      this.reporter,
    );
    if (q && "qnoise_factor" in q && q.qnoise_factor !== 1) {
      return this.error(
        "QN204",
        `${q.name}: qnoise_factor is ${q.qnoise_factor}, so the layer mixes quantized and unquantized values`,
        key,
        "finish the schedule: a network for hardware has qnoise_factor 1",
      );
    }
    return q;
  }

  hasWeight(name: string): boolean {
    this.#weights ??= this.model.weightsOf(this.layer);
    return this.#weights.has(name);
  }

  /** A weight of exactly this shape, all finite; messages say what the file has instead. */
  weight(name: string, shape: Shape): Weight | Failed {
    if (this.model.weightsSource === undefined) {
      return this.error(
        "QN106",
        `the layer \`${this.layer.name}\` has weights, and no weights file is given`,
        undefined,
        "name it with `--weights model_weights.h5`",
      );
    }
    this.#weights ??= this.model.weightsOf(this.layer);
    const weight = this.#weights.get(name);
    const at = { source: this.model.weightsSource, layer: this.layer.name };
    if (!weight) {
      const has = [...this.#weights.keys()];
      const guess = didYouMean(name, has);
      return this.reporter.error("QN206", `the weights file has no \`${name}\` for the layer \`${this.layer.name}\``, {
        at,
        help:
          has.length === 0
            ? "it has nothing for this layer: does the file belong to this model?"
            : guess === undefined
              ? `it has ${has.slice(0, 8).join(", ")}`
              : `it has \`${guess}\``,
      });
    }
    if (weight.shape.length !== shape.length || weight.shape.some((d, i) => d !== shape[i])) {
      return this.reporter.error("QN207", `\`${name}\` has shape ${printShape(weight.shape)}; the layer needs ${printShape(shape)}`, {
        at,
        help: "the weights file is of another model, or the layer's size was edited",
      });
    }
    const bad = weight.values.findIndex((v) => !Number.isFinite(v));
    if (bad < 0) return weight;
    return this.reporter.error("QN208", `\`${name}\` is ${weight.values[bad]} at index ${bad}`, {
      at,
      help: "training diverged: retrain with a lower learning rate or gradient clipping",
    });
  }

  /** A constant value of the graph. */
  constant(value: Tensor): number {
    return this.graph.add("constant", [], { value });
  }
  scalar(x: number): number {
    return this.constant(tensorFromNumbers([], [x]));
  }

  add(a: number, b: number): number {
    return this.graph.add("add", [a, b], {});
  }
  mul(a: number, b: number): number {
    return this.graph.add("mul", [a, b], {});
  }
  max(a: number, b: number): number {
    return this.graph.add("max", [a, b], {});
  }
  min(a: number, b: number): number {
    return this.graph.add("min", [a, b], {});
  }
  /** x·factor, or x itself for 1. */
  scale(x: number, factor: number): number {
    return factor === 1 ? x : this.mul(x, this.scalar(factor));
  }

  /**
   * A factor that the framework holds in float32, such as 1/9. Behind trained floats it waits for a precision as they do; behind quantized
   * values it keeps its 24 bits, so that a following quantizer sees the framework's value to 2^-24 of it.
   */
  float(shape: Shape, values: ArrayLike<number>, x: number): number {
    const data = Float64Array.from(values, Math.fround);
    return this.constant(this.#readsFloats(x) ? realTensor(shape, data) : tensorFromNumbers(shape, data));
  }

  /** Whether the value depends on trained floats without a quantizer in between. */
  #readsFloats(x: number): boolean {
    const seen = new Set([x]);
    for (const id of seen) {
      const node = this.graph.node(id);
      // A table of no stated type waits for a precision, too.
      if (node.op === "lut" && !node.attrs.f.to) return true;
      if (node.op === "quantize" || node.op === "lut") continue;
      if (Object.values(node.attrs).some((a) => typeof a === "object" && "real" in a && a.real)) return true;
      for (const operand of node.operands) seen.add(operand);
    }
    return false;
  }
}

/** A tensor of trained floats, which still wait for a precision. */
export const realTensor = (shape: Shape, values: ArrayLike<number>): Tensor => tensorFromNumbers(shape, values, { real: true });

export const show = (v: Json | undefined): string => {
  if (v === undefined) return "missing";
  if (typeof v === "string") return `"${v.slice(0, 60)}"`;
  if (isArray(v)) return `[${v.slice(0, 8).map(show).join(", ")}]`;
  return typeof v === "object" && v !== null ? "an object" : String(v);
};
