// The C++ of the quantize op: the conversion is that of an ap_fixed type.
import { exponent, type FixedType, sameType } from "../../ir/fixed.js";
import type { NodeWith } from "../../ir/graph.js";
import { typeAt } from "../../ir/ops/op.js";
import { sizeOf } from "../../ir/tensor.js";
import { apFixed, storedWidth } from "./cpp-types.js";
import { elemOf, type HlsBuilder } from "./hls-builder.js";

export function hlsQuantize(node: NodeWith<"quantize">, id: number, b: HlsBuilder): void {
  const { to, round, overflow } = node.attrs;
  const y = b.result(id);
  const size = sizeOf(node.type.shape);
  const channels = node.type.shape.at(-1) ?? 1;
  const from = elemOf(b.graph.nodes[node.operands[0]!]!);
  const convert = (t: FixedType, index: string): string => {
    if (t.width === 0) return `y[${index}] = 0;`;
    // The headers look for the rounding bit inside the operand: where more bits are dropped than it has, it is widened first.
    const drop = exponent(t) - exponent(from);
    const short = round !== "TRN" && drop > storedWidth(from);
    const x = short ? `${apFixed({ ...from, width: drop, int: from.int + drop - from.width })}(x[${index}])` : `x[${index}]`;
    return `y[${index}] = ${apFixed(t, { round, overflow })}(${x});`;
  };
  const types = "per" in to ? to.types : [to];
  const uniform = types.every((t) => sameType(t, types[0]!));
  const repeated = !uniform && "per" in to && to.per === "channel" && size > channels;
  const body = uniform
    ? b.loops([["i", size]], [convert(types[0]!, "i")])
    : repeated
      ? b.loops(
          [["row", size / channels]],
          Array.from({ length: channels }, (_, c) => convert(types[c]!, `row * ${channels} + ${c}`)),
        )
      : Array.from({ length: size }, (_, i) => `  ${convert(typeAt(to, i, channels), String(i))}`);
  const each = uniform ? "" : `, a type for each ${repeated ? "channel" : "element"}`;
  b.op(
    id,
    y,
    [{ name: "x", id: node.operands[0]! }],
    [`${b.describe(node)}: y = overflow(round(x)), ${round} then ${overflow}${each}`],
    body,
  );
}
