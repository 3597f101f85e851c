// Calls of ops and layers: operands by position, attributes by name, each read by its kind. An op that only moves elements takes constants too.
import { sameType } from "../../ir/fixed.js";
import { type OpName, opDef } from "../../ir/ops/index.js";
import { type AttrSpec, type AttrsOf, operandName } from "../../ir/ops/op.js";
import { printShape, type Shape, sizeOf, type Tensor, tensor } from "../../ir/tensor.js";
import { defaultOf } from "./attribute-defaults.js";
import type { CallExpression, Expression } from "./ast.js";
import { bindArguments, type Formal, operandNames } from "./bind.js";
import type { Checker, Scope } from "./checker.js";
import { constantOf } from "./constants.js";
import { evaluate } from "./evaluate.js";
import { type Ask, asNode, isOptional, type Kind, kinds, readArgument } from "./kinds.js";
import { type LayerDef, makeBuild, type Parameter } from "./layer-def.js";
import { sizesOf } from "./layers.js";
import type { NodeValue, TensorValue, Value } from "./values.js";

interface Call {
  readonly cx: Checker;
  readonly scope: Scope;
  readonly x: CallExpression;
}

const askFor = ({ cx, scope, x }: Call, name: string, index = 0): Ask => ({ cx, scope, name, span: x.callee.span, index });

const operandFormals = (names: readonly string[]): readonly Formal[] => names.map((name) => ({ name, positional: true, required: true }));
const sizeFormals = (name: string): readonly Formal[] =>
  Object.keys(sizesOf(name)).map((n) => ({ name: n, positional: false, required: false }));

/** Values of the network; or constants, where every operand is one and the op works on them. */
type Operands =
  { readonly kind: "nodes"; readonly ids: readonly number[] } | { readonly kind: "constants"; readonly from: readonly TensorValue[] };

/** Evaluates operands from left to right; undefined where one failed, after all have been looked at. */
function nodesOf(call: Call, names: readonly string[], bound: ReadonlyMap<string, Expression>): Operands | undefined {
  const ids = names.map((name) => kinds.value.read(askFor(call, name), bound.get(name)!)?.ok);
  return ids.every((v): v is NodeValue => v !== undefined) ? { kind: "nodes", ids: ids.map((v) => v.id) } : undefined;
}

const isConstant = (v: Value): boolean => v.kind === "number" || v.kind === "list" || v.kind === "tensor";

function nodesOrConstantsOf(call: Call, names: readonly string[], bound: ReadonlyMap<string, Expression>): Operands | undefined {
  const { cx, scope } = call;
  const values = names.map((name) => evaluate(cx, scope, bound.get(name)!));
  const list = values.findIndex((v) => v.kind === "list" && v.items.some((item) => item.kind === "value"));
  if (list >= 0)
    return cx.error("QN806", scope, bound.get(names[list]!)!.span, "a list of values of the network is no operand", {
      help: `write them one after the other: ${call.x.callee.name}(a, b)`,
    });
  if (values.every(isConstant)) {
    const from = values.map((v, i): TensorValue | undefined => {
      const t = constantOf(cx, scope, v, bound.get(names[i]!)!);
      return v.kind === "tensor" ? v : t && { kind: "tensor", tensor: t };
    });
    return from.every((t) => t !== undefined) ? { kind: "constants", from } : undefined;
  }
  const ids = values.map((v, i) => asNode({ cx, scope }, v, bound.get(names[i]!)!)?.ok);
  return ids.every((v): v is NodeValue => v !== undefined) ? { kind: "nodes", ids: ids.map((v) => v.id) } : undefined;
}

/** The sizes that the call writes beside its weights agree with them. */
function sizesAgree(call: Call, bound: ReadonlyMap<string, Expression>, values: Readonly<Record<string, unknown>>): boolean {
  const { cx, scope, x } = call;
  let agree = true;
  for (const [name, size] of Object.entries(sizesOf(x.callee.name))) {
    const expression = bound.get(name);
    const wanted = expression && readArgument(size.kind, askFor(call, name), expression)?.ok;
    const weight = values[size.of] as Tensor | undefined;
    if (!expression || wanted === undefined || !weight) continue;
    const has = size.get(weight.shape) ?? 0;
    const isSame =
      typeof has === "number"
        ? has === wanted
        : has.every((n, d) => n === (typeof wanted === "number" ? wanted : wanted[d])) &&
          (typeof wanted === "number" || wanted.length === has.length);
    if (isSame) continue;
    agree = false;
    const show = (n: number | readonly number[]): string => (typeof n === "number" ? String(n) : printShape(n));
    cx.error(
      "QN807",
      scope,
      expression.span,
      `\`${name}\` is ${show(wanted)}, and the ${size.of} of shape ${printShape(weight.shape)} has ${show(has)}`,
      {
        help: `leave \`${name}\` out, or train the layer with this size`,
      },
    );
  }
  return agree;
}

export function callOp(cx: Checker, scope: Scope, x: CallExpression, op: OpName): Value | undefined {
  const call: Call = { cx, scope, x };
  const def = opDef(op);
  const names = operandNames(def.operands, x);
  const attrs = Object.entries(def.attrs);
  const bound = bindArguments(cx, scope, x, [
    ...operandFormals(names),
    ...attrs.map(([name, kind]) => ({ name, positional: false, required: !isOptional(kind) && defaultOf(op, name) === undefined })),
    ...sizeFormals(op),
  ]);
  if (!bound) return undefined;
  const operands = def.source ? nodesOrConstantsOf(call, names, bound) : nodesOf(call, names, bound);
  const shapes = operands?.kind === "constants" ? operands.from.map((v) => v.tensor.shape) : operands?.ids.map((id) => cx.shapeOf(id));
  let index = 0;
  const values: Record<string, unknown> = {};
  let failed = operands === undefined;
  for (const [name, kind] of attrs) {
    const isWeight = kind.startsWith("tensor");
    const expression = bound.get(name);
    const implied = expression ? undefined : defaultOf(op, name);
    if (implied && (failed || !shapes)) continue;
    const answer = implied
      ? { ok: implied.value(shapes!, values) }
      : readArgument(kind, askFor(call, name, isWeight ? index++ : 0), expression);
    if (answer) values[name] = answer.ok;
    else failed = true;
  }
  if (!sizesAgree(call, bound, values) || failed || !operands) return undefined;
  if (operands.kind === "constants") return moved(call, op, operands.from, values);
  const id = cx.add(op, operands.ids, values as never, scope, x.span, op);
  return id === undefined ? undefined : { kind: "value", id };
}

const MAX_CONSTANT = 1 << 24;

/** A constant whose elements are those of others, at the finest of their exponents. */
function moved(
  { cx, scope, x }: Call,
  op: OpName,
  given: readonly TensorValue[],
  values: Readonly<Record<string, unknown>>,
): Value | undefined {
  const from = given.map((v) => v.tensor);
  const def = opDef(op);
  const attrs = values as AttrsOf<AttrSpec>;
  const shapes = from.map((t): Shape => t.shape);
  const shape = def.shape(shapes, attrs);
  if (typeof shape === "string")
    return cx.error(
      "QN807",
      scope,
      x.span,
      `\`${op}\`: ${shape}`,
      from.length === 1 ? { help: `${operandName(def, 0)} is a constant of shape ${printShape(shapes[0]!)}` } : {},
    );
  if (sizeOf(shape) > MAX_CONSTANT)
    return cx.error("QN213", scope, x.span, `the constant has ${sizeOf(shape)} elements; the limit is ${MAX_CONSTANT}`);
  const [first] = from;
  const origin = given.length === 1 ? given[0]!.origin : undefined;
  const exp = from.reduce((e, t) => Math.min(e, t.exp), first!.exp);
  const all = from.flatMap((t) => (t.exp === exp ? t.data : t.data.map((m) => m << BigInt(t.exp - exp))));
  const isReal = from.some((t) => t.real);
  const hasOneType = first!.type !== undefined && from.every((t) => t.type && sameType(t.type, first!.type!));
  const data = Array.from(def.source!(shapes, attrs), (i) => (i < 0 ? 0n : all[i]!));
  const extra = isReal ? ({ real: true } as const) : hasOneType ? { type: first!.type! } : {};
  return { kind: "tensor", tensor: tensor(shape, exp, data, extra), ...(origin === undefined ? {} : { origin }) };
}

const kindOf = (p: Parameter): Kind => (typeof p === "string" ? p : p.kind);

export function callLayer(cx: Checker, scope: Scope, x: CallExpression, def: LayerDef): Value | undefined {
  const call: Call = { cx, scope, x };
  const name = x.callee.name;
  const attrs = Object.entries(def.attrs);
  const bound = bindArguments(cx, scope, x, [
    ...operandFormals(def.operands),
    ...attrs.map(([n, p]) => ({ name: n, positional: false, required: typeof p === "string" && !isOptional(p) })),
    ...sizeFormals(name),
  ]);
  const operands = bound && nodesOf(call, def.operands, bound);
  if (!bound) return undefined;
  const values: Record<string, unknown> = {};
  let index = 0;
  let failed = operands === undefined;
  for (const [n, p] of attrs) {
    const expression = bound.get(n);
    const isWeight = kindOf(p).startsWith("tensor");
    const answer =
      !expression && typeof p !== "string"
        ? { ok: p.default }
        : readArgument(kindOf(p), askFor(call, n, isWeight ? index++ : 0), expression);
    if (answer) values[n] = answer.ok;
    else failed = true;
  }
  if (!sizesAgree(call, bound, values) || failed || operands?.kind !== "nodes") return undefined;
  const result = def.build(makeBuild(cx, scope, x.span, name), operands.ids, values as never);
  return typeof result === "number" ? { kind: "value", id: result } : result;
}
