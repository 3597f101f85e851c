// Division by whole numbers, as averages need it: a product with 1/n, so rounded that a following quantizer decides as it would on the exact quotient.
import { exponent } from "../../../ir/fixed.js";
import type { Node } from "../../../ir/graph.js";
import { movements } from "../../../ir/ops/index.js";
import { type Shape, sizeOf, tensorFromNumbers, typeOfTensor } from "../../../ir/tensor.js";
import type { LayerContext } from "./context.js";

/** Every value is m·2^exp with |m| < 2^bits. */
interface Grid {
  readonly exp: number;
  readonly bits: number;
}

/** A following quantizer may have steps this many bits finer than the dividend's. */
const FINER = 12;
const isPo2 = (n: number): boolean => Number.isInteger(Math.log2(n));
const bitsOf = (n: number): number => Math.ceil(Math.log2(n));

/**
 * x / n, where n is one number or one a position. A sum k·2^e of a quantized network is divided by multiplying with 1/n and rounding to steps of
 * 2^(e − ⌈log2 n⌉ − 2 − FINER). k/n is either on every grid of a quantizer's ties or at least 2^(e − FINER)/n away from it, so that the
 * rounding moves no quotient onto or over a tie. Where the steps of x are unknown the factor is float32's 1/n.
 */
export function divide(
  cx: LayerContext,
  x: number,
  { shape, values }: { readonly shape: Shape; readonly values: readonly number[] },
): number {
  if (values.every((n) => n === 1)) return x;
  if (values.every(isPo2))
    return cx.mul(
      x,
      cx.constant(
        tensorFromNumbers(
          shape,
          values.map((n) => 1 / n),
        ),
      ),
    );
  const grid = gridOf(cx, x);
  const extra = bitsOf(Math.max(...values)) + 2 + FINER;
  const precision = grid === undefined ? Number.POSITIVE_INFINITY : grid.bits + extra + 2;
  if (!grid || precision > 50)
    return cx.mul(
      x,
      cx.float(
        shape,
        values.map((n) => 1 / n),
        x,
      ),
    );
  // Within 2^-(precision + 1) of 1/n: the product is less than an eighth of a step off.
  const factor = tensorFromNumbers(
    shape,
    values.map((n) => Math.round(2 ** precision / n) / 2 ** precision),
  );
  const width = grid.bits + extra + 1;
  const to = { signed: true, width, int: width + grid.exp - extra };
  return cx.graph.add("quantize", [cx.mul(x, cx.constant(factor))], { to, round: "RND", overflow: "SAT" });
}

/** The grid on which a value lies by the quantizers before it. */
function gridOf(cx: LayerContext, value: number): Grid | undefined {
  const cone = new Set([value]);
  // Operands come before their readers, so walking the cone in order meets them first.
  for (const id of cone) if (cx.graph.node(id).op !== "quantize") for (const x of cx.graph.node(id).operands) cone.add(x);
  const grids = new Map<number, Grid>();
  for (const id of [...cone].sort((a, b) => a - b)) {
    const grid = gridOfNode(cx.graph.node(id), grids);
    if (grid) grids.set(id, grid);
  }
  return grids.get(value);
}

function gridOfNode(node: Node, grids: ReadonlyMap<number, Grid>): Grid | undefined {
  if (node.op === "quantize") {
    const types = ("per" in node.attrs.to ? node.attrs.to.types : [node.attrs.to]).filter((t) => t.width > 0);
    return union(types.map((t) => ({ exp: exponent(t), bits: t.width })));
  }
  if (node.op === "constant") {
    const type = typeOfTensor(node.attrs.value);
    return node.attrs.value.real ? undefined : { exp: exponent(type), bits: type.width };
  }
  const known = node.operands.flatMap((x) => grids.get(x) ?? []);
  const joined = known.length === node.operands.length ? union(known) : undefined;
  if (!joined) return undefined;
  if (Object.hasOwn(movements, node.op) || node.op === "max" || node.op === "min" || node.op === "maxpool") return joined;
  if (node.op === "add" || node.op === "sub") return { ...joined, bits: joined.bits + 1 };
  if (node.op === "sumpool") return { ...joined, bits: joined.bits + bitsOf(sizeOf(node.attrs.window)) };
  if (node.op === "mul") return { exp: known[0]!.exp + known[1]!.exp, bits: known[0]!.bits + known[1]!.bits };
  return undefined;
}

function union(grids: readonly Grid[]): Grid | undefined {
  if (grids.length === 0) return undefined;
  const exp = Math.min(...grids.map((g) => g.exp));
  return { exp, bits: Math.max(...grids.map((g) => g.bits + g.exp)) - exp };
}
