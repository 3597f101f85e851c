// The C++ of the elementwise ops: one loop, or one for each axis where an operand is broadcast; constants are written in.
import { exponent, type FixedType } from "../../ir/fixed.js";
import type { Node } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import { broadcastIndex, type Shape, sizeOf } from "../../ir/tensor.js";
import { apFixed, integerLiteral, storedWidth } from "./cpp-types.js";
import { elemOf, type HlsBuilder, lanesOf } from "./hls-builder.js";
import { mantissas } from "./mantissas.js";

/** The element of an operand of shape `from`: `Σ index·stride` over the loops, one for each axis of `to` longer than 1. */
function broadcastExpression(from: Shape, to: Shape, loops: readonly string[]): string {
  const at = broadcastIndex(from, to);
  const axes = to.map((count, d) => ({ count, step: sizeOf(to.slice(d + 1)) })).filter(({ count }) => count > 1);
  // The index is linear in each loop variable, so its value one step along an axis is that axis's stride.
  const terms = axes.flatMap(({ step }, k) => (at[step] === 0 ? [] : [at[step] === 1 ? loops[k]! : `${loops[k]} * ${at[step]}`]));
  return terms.length === 0 ? "0" : terms.join(" + ");
}

type Binary = "add" | "sub" | "mul" | "max" | "min";

const formulas: Readonly<Record<Binary, (a: string, b: string, y: string) => string>> = {
  add: (a, b, y) => `${y}(${a} + ${b})`,
  sub: (a, b, y) => `${y}(${a} - ${b})`,
  mul: (a, b, y) => `${y}(${a} * ${b})`,
  max: (a, b, y) => `${a} > ${b} ? ${y}(${a}) : ${y}(${b})`,
  min: (a, b, y) => `${a} < ${b} ? ${y}(${a}) : ${y}(${b})`,
};

/** Ops that compare their operands. The headers compare a signed and an unsigned number as C does, which is wrong for negative ones. */
const compares: ReadonlySet<Binary> = new Set(["max", "min"]);

/** The signed type that holds every value of a type. */
const asSigned = (t: FixedType): FixedType =>
  t.signed ? t : { signed: true, width: storedWidth(t) + 1, int: (t.width === 0 ? 1 : t.int) + 1 };

export const hlsElementwise =
  <K extends Binary>(op: K, equation: string) =>
  (node: Node, id: number, b: HlsBuilder): void => {
    const y = b.result(id);
    const shape = node.type.shape;
    const flat = node.operands.every((o) => sizeOf(b.graph.nodes[o]!.type.shape) === sizeOf(shape));
    const loops = flat ? [sizeOf(shape)] : shape.filter((count) => count > 1);
    const indices = loops.map((count, d) => [loops.length === 1 ? "i" : `i${d}`, count] as const);
    const indexIn = (s: Shape): string =>
      flat
        ? "i"
        : broadcastExpression(
            s,
            shape,
            indices.map(([name]) => name),
          );
    const params: { name: string; id: number }[] = [];
    const locals: string[] = [];
    const operands = node.operands.map((o) => b.graph.nodes[o]!);
    const signed = compares.has(op) && operands.some((o) => elemOf(o).signed);
    const [left, right] = operands.map((operand, k) => {
      const name = "ab"[k]!;
      const own = elemOf(operand);
      const t = signed ? asSigned(own) : own;
      if (operand.op !== "constant") {
        params.push({ name, id: node.operands[k]! });
        const element = `${name}[${indexIn(operand.type.shape)}]`;
        return t === own ? element : `${apFixed(t)}(${element})`;
      }
      const type = b.typedef(`${b.baseName(id)}_${name}_t`, t, "constant operand");
      const values = mantissas(operand.attrs.value, own);
      if (values.length === 1 && t.width <= 64) {
        locals.push(`  const ${type} ${name} = from_mantissa<${type}>(${integerLiteral(values[0]!)});`);
        return name;
      }
      const scale = `Operand ${name} as ${apFixed(t)}: value = entry * 2^${exponent(t)}.`;
      return b.table(id, name, t, values, operand.type.shape.at(-1) ?? 1, scale).at(type, indexIn(operand.type.shape));
    });
    b.op(
      id,
      y,
      params,
      [`${b.describe(node)}: ${equation}`],
      [...locals, ...b.loops(indices, [`y[${indexIn(shape)}] = ${formulas[op](left!, right!, y.type)};`], { lanes: lanesOf(shape) })],
    );
  };

/** Whether an op takes the constant `operand` without an array in the top function. */
export const inlinesConstants = (op: OpName): boolean => Object.hasOwn(formulas, op);
