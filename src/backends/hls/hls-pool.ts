// The C++ of maxpool and sumpool.
import type { NodeWith } from "../../ir/graph.js";
import { opDef } from "../../ir/ops/index.js";
import { sizeOf } from "../../ir/tensor.js";
import { equationText } from "./cpp-types.js";
import { at } from "./hls-axes.js";
import type { HlsBuilder, Value } from "./hls-builder.js";
import { windowAxes, windowCode } from "./hls-windows.js";

interface Accumulation {
  /** The type in which every partial result is exact, or exact modulo its width where the result fits. */
  readonly type: (x: Value, y: Value) => string;
  readonly start: (first: string) => string;
  readonly step: (acc: string, x: string) => string;
}

const accumulations: Readonly<Record<"maxpool" | "sumpool", Accumulation>> = {
  maxpool: { type: (x) => x.type, start: (first) => first, step: (acc, x) => `${acc} = ${x} > ${acc} ? ${x} : ${acc};` },
  sumpool: { type: (_, y) => y.type, start: () => "0", step: (acc, x) => `${acc} += ${x};` },
};

export function hlsPool(node: NodeWith<"maxpool" | "sumpool">, id: number, b: HlsBuilder): void {
  const { window, strides } = node.attrs;
  const input = node.operands[0]!;
  const x = b.graph.nodes[input]!.type.shape;
  const y = b.result(id);
  const { type, start, step } = accumulations[node.op];
  const channels = x.at(-1)!;
  const axes = windowAxes(x, node.type.shape, { window, strides, dilations: window.map(() => 1) }, 1);
  const c = { name: "c", count: channels, step: { x: 1, y: 1, acc: 1 } };
  const acc = at("acc", [c]);
  const code = windowCode(b, {
    ...axes,
    id,
    accumulator: type(b.value(input), y),
    work: sizeOf(window) * channels,
    start: { axes: [c], line: `${acc} = ${start(at("x", [...axes.positions, c]))};` },
    step: { axes: [...axes.taps, c], line: step(acc, at("x", [...axes.positions, ...axes.taps, c])) },
    finish: { axes: [c], line: `${at("y", [...axes.positions, c])} = ${acc};` },
  });
  b.op(id, y, [{ name: "x", id: input }], [`${b.describe(node)}: ${equationText(opDef(node.op).doc)}`], code);
}
