// The typed integer networks of ../shared/golden/rtl as Graphs: dense layers only.
import { InternalError, Reporter } from "../../src/diagnostics.js";
import type { FixedType, Overflow, Rounding } from "../../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../../src/ir/graph.js";
import type { Precision } from "../../src/ir/ops/op.js";
import { tensor } from "../../src/ir/tensor.js";
import { goldenText } from "./golden.js";

interface Formats {
  readonly k: readonly number[];
  readonly i: readonly number[];
  readonly f: readonly number[];
  readonly round: Rounding;
  readonly overflow: Overflow;
}
type RtlLayer =
  | ({ readonly op: "input"; readonly shape: readonly number[] } & Formats)
  | ({ readonly op: "quant" } & Formats)
  | { readonly op: "relu" }
  | {
      readonly op: "dense";
      readonly name: string;
      readonly kernel_f: number;
      readonly kernel_int: readonly (readonly number[])[];
      readonly bias_f: number;
      readonly bias_int: readonly number[];
    };

const typesOf = (l: Formats): Precision => ({
  per: "element",
  types: l.k.map((k, n): FixedType => {
    const [i, f] = [l.i[n]!, l.f[n]!];
    return k + i + f <= 0 ? { signed: false, width: 0, int: 0 } : { signed: k === 1, width: k + i + f, int: k + i };
  }),
});

/** The network, or undefined where the golden file is absent. */
export function rtlModel(name: string): Graph | undefined {
  const text = goldenText(`rtl/${name}/model.json`);
  if (text === undefined) return undefined;
  const { layers } = JSON.parse(text) as { readonly layers: readonly RtlLayer[] };
  const reporter = new Reporter();
  const b = new GraphBuilder(name, reporter);
  let x = -1;
  layers.forEach((l, n) => {
    const layer = b.beginLayer(l.op === "dense" ? l.name : `${l.op}${n}`, l.op);
    if (l.op === "input") x = b.add("input", [], { name: "x", shape: l.shape, type: typesOf(l), round: l.round, overflow: l.overflow });
    else if (l.op === "quant") x = b.add("quantize", [x], { to: typesOf(l), round: l.round, overflow: l.overflow });
    else if (l.op === "relu") x = b.add("max", [x, b.add("constant", [], { value: tensor([], 0, [0n]) })], {});
    else if (l.op === "dense") {
      const kernel = tensor([l.kernel_int.length, l.kernel_int[0]!.length], -l.kernel_f, l.kernel_int.flat().map(BigInt));
      x = b.add("dense", [x], { kernel, bias: tensor([l.bias_int.length], -l.bias_f, l.bias_int.map(BigInt)) });
    } else throw new InternalError(`${name}: layer ${JSON.stringify(l)}`);
    b.endLayer(x, layer);
  });
  b.output("y", x);
  const graph = b.done();
  if (!graph) throw new InternalError(reporter.diagnostics.map((d) => d.message).join("; "));
  return graph;
}
