// The C++ of every op: a table, so that tsc names what a new op lacks. Each function states the op's equation.
import { exponent } from "../../ir/fixed.js";
import type { NodeWith } from "../../ir/graph.js";
import type { OpName } from "../../ir/ops/index.js";
import { sizeOf } from "../../ir/tensor.js";
import { apFixed } from "./cpp-types.js";
import { elemOf, type HlsBuilder, lanesOf } from "./hls-builder.js";
import { hlsElementwise } from "./hls-elementwise.js";
import { hlsConv, hlsDense } from "./hls-linear.js";
import { hlsLut } from "./hls-lut.js";
import { hlsMovement } from "./hls-movement.js";
import { hlsPool } from "./hls-pool.js";
import { hlsQuantize } from "./hls-quantize.js";
import { mantissas } from "./mantissas.js";

type PerOp = { readonly [K in OpName]: (node: NodeWith<K>, id: number, b: HlsBuilder) => void };

function constant(node: NodeWith<"constant">, id: number, b: HlsBuilder): void {
  // Elementwise ops write their constant operands themselves.
  if (!b.arrayConstants.has(id)) return;
  const t = elemOf(node);
  const y = b.result(id);
  const values = b.table(
    id,
    "values",
    t,
    mantissas(node.attrs.value, t),
    node.type.shape.at(-1) ?? 1,
    `Constant as ${apFixed(t)}: value = entry * 2^${exponent(t)}.`,
  );
  const { shape } = node.type;
  const code = b.loops([["i", sizeOf(shape)]], [`y[i] = ${values.at(y.type, "i")};`], { lanes: lanesOf(shape) });
  b.op(id, y, [], [`${b.describe(node)}: y = value`], code);
}

export const hlsOps: PerOp = {
  // The ports are the values.
  input: () => {},
  constant,
  dense: hlsDense,
  conv: hlsConv,
  maxpool: hlsPool,
  sumpool: hlsPool,
  add: hlsElementwise("add", "y = a + b"),
  sub: hlsElementwise("sub", "y = a - b"),
  mul: hlsElementwise("mul", "y = a * b"),
  max: hlsElementwise("max", "y = max(a, b)"),
  min: hlsElementwise("min", "y = min(a, b)"),
  quantize: hlsQuantize,
  lut: hlsLut,
  // Row-major elements stay where they are.
  reshape: (node, id, b) => b.bind(id, b.value(node.operands[0]!)),
  transpose: hlsMovement,
  pad: hlsMovement,
  edgepad: hlsMovement,
  slice: hlsMovement,
  concat: hlsMovement,
  resize: hlsMovement,
};
