// The C++ of the quantize op: the conversion is that of an ap_fixed type.
import { exponent, type FixedType, printFixed, sameType } from "../../ir/fixed.js";
import type { NodeWith } from "../../ir/graph.js";
import { typeAt } from "../../ir/ops/op.js";
import { sizeOf } from "../../ir/tensor.js";
import { apFixed, storedWidth } from "./cpp-types.js";
import { elemOf, type HlsBuilder, lanesOf } from "./hls-builder.js";
import { pairLoops } from "./hls-pairs.js";

/** The statement that converts one element. */
type Convert = (t: FixedType, y: string, x: string) => string;

/** The elements of each type one after the other. */
function perElement(b: HlsBuilder, id: number, types: readonly FixedType[], convert: Convert): readonly string[] {
  const byType = new Map<string, { readonly type: FixedType; readonly at: number[] }>();
  types.forEach((type, i) => {
    const key = printFixed(type);
    const known = byType.get(key) ?? { type, at: [] };
    known.at.push(i);
    byType.set(key, known);
  });
  return [...byType.values()].flatMap(({ type, at }, k) =>
    pairLoops(b, id, { to: at, from: at, operand: "x", lanes: 1, suffix: `_${k}`, line: (y, x) => convert(type, y, x) }),
  );
}

export function hlsQuantize(node: NodeWith<"quantize">, id: number, b: HlsBuilder): void {
  const { to, round, overflow } = node.attrs;
  const y = b.result(id);
  const size = sizeOf(node.type.shape);
  const channels = node.type.shape.at(-1) ?? 1;
  const from = elemOf(b.graph.nodes[node.operands[0]!]!);
  const convert: Convert = (t, y, x) => {
    if (t.width === 0) return `${y} = 0;`;
    // The headers look for the rounding bit inside the operand: where more bits are dropped than it has, it is widened first.
    const drop = exponent(t) - exponent(from);
    const short = round !== "TRN" && drop > storedWidth(from);
    const held = short ? `${apFixed({ ...from, width: drop, int: from.int + drop - from.width })}(${x})` : x;
    return `${y} = ${apFixed(t, { round, overflow })}(${held});`;
  };
  const types = "per" in to ? to.types : [to];
  const uniform = types.every((t) => sameType(t, types[0]!));
  const perChannel = !uniform && "per" in to && to.per === "channel" && size > channels;
  const lanes = lanesOf(node.type.shape);
  const channel = (array: string, c: number): string => `${array}[row * ${channels} + ${c}]`;
  const perChannelLines = types.map((t, c) => convert(t, channel("y", c), channel("x", c)));
  const ofElements = (): readonly FixedType[] => Array.from({ length: size }, (_, i) => typeAt(to, i, channels));
  const [each, body] = uniform
    ? ["", b.loops([["i", size]], [convert(types[0]!, "y[i]", "x[i]")], { lanes })]
    : perChannel
      ? [", a type for each channel", b.loops([["row", size / channels]], perChannelLines)]
      : [", a type for each element", perElement(b, id, ofElements(), convert)];
  b.op(
    id,
    y,
    [{ name: "x", id: node.operands[0]! }],
    [`${b.describe(node)}: y = overflow(round(x)), ${round} then ${overflow}${each}`],
    body,
  );
}
