// Statements of networks, blocks and layers, in order.
import { printable } from "../../diagnostics.js";
import { sizeOf } from "../../ir/tensor.js";
import type { Body, InputStatement, LayerStatement, OutputStatement, Statement } from "./ast.js";
import type { Checker, Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { asNode, kinds, wrongKind } from "./kinds.js";
import { placeOf, type Span } from "./source.js";
import { type NodeValue, poison, type Value } from "./values.js";

export type Where = "network" | "block" | "layer";

type Run = {
  readonly [K in Statement["kind"]]: (cx: Checker, scope: Scope, s: Extract<Statement, { kind: K }>, where: Where) => Value | void;
};

const MAX_ELEMENTS = 1 << 20;

const runners: Run = {
  let: (cx, scope, s) => {
    const value = evaluate(cx, scope, s.value);
    cx.define(scope, { name: s.name.name, what: "let", value, defined: { source: scope.source, span: s.name.span }, used: false });
  },
  layer: runLayer,
  input: runInput,
  output: runOutput,
  // Opened before the first statement runs.
  weights: (cx, scope, s, where) => {
    if (where !== "network")
      cx.error("QN813", scope, s.span, "`weights` belongs directly into a network", {
        help: 'a block loads a file of its own with load("file.npz", "key")',
      });
  },
  return: (cx, scope, s, where) => {
    if (where === "network") return cx.error("QN813", scope, s.span, "a network has outputs, not a result", { help: "write `output …`" });
    return evaluate(cx, scope, s.value);
  },
};

/** Runs a body; the value is that of its `return`. */
export function runStatements(cx: Checker, scope: Scope, body: Body, where: Where): Value | undefined {
  for (const [i, s] of body.statements.entries()) {
    if (!cx.step(scope, s.span)) return undefined;
    const value = (runners[s.kind] as (cx: Checker, scope: Scope, s: Statement, where: Where) => Value | void)(cx, scope, s, where);
    if (s.kind !== "return" || where === "network") continue;
    const next = body.statements[i + 1];
    if (next) cx.error("QN813", scope, next.span, "nothing follows `return`");
    return value ?? poison;
  }
  if (where === "network") return undefined;
  return cx.error(
    "QN813",
    scope,
    { start: Math.max(body.span.start, body.span.end - 1), end: body.span.end },
    `the ${where} has no \`return\``,
    { help: `end it with \`return …\`, the value that the ${where} computes` },
  );
}

function nameLayer(cx: Checker, scope: Scope, name: string, span: Span): string {
  const path = `${scope.prefix}${name}`;
  const first = cx.layers.get(path);
  const at = { source: scope.source, span };
  if (!first) cx.layers.set(path, { at });
  else if (!scope.names.has(name)) {
    cx.error("QN804", scope, span, `the layer \`${printable(path)}\` is defined twice`, {
      also: [{ at: placeOf(first.at.source, first.at.span), message: "first defined here" }],
      help:
        scope.calls.length > 0
          ? "call the block as `layer NAME = …`: its layers then have that name before theirs"
          : "give one of them another name",
    });
  }
  return path;
}

function runLayer(cx: Checker, scope: Scope, s: LayerStatement): void {
  const name = s.name.name;
  const path = nameLayer(cx, scope, name, s.name.span);
  const callee = s.value.kind === "cast" ? s.value.value : s.value;
  const className = s.className?.name ?? (callee.kind === "call" ? callee.callee.name : "layer");
  const index = cx.graph.beginLayer(path, className, placeOf(scope.source, s.name.span));
  cx.layerIndices.set(path, index);
  const inner: Scope = { parent: scope, source: scope.source, names: new Map(), layer: path, prefix: `${path}/`, calls: scope.calls };
  const value = s.value.kind === "body" ? (runStatements(cx, inner, s.value, "layer") ?? poison) : evaluate(cx, inner, s.value);
  cx.reportUnused(inner);
  const node = layerValue(cx, inner, value, s);
  if (node && node.host === undefined) cx.graph.endLayer(node.id, index);
  const layer = cx.layers.get(path);
  if (node && layer) layer.value = node;
  cx.graph.resumeLayer(cx.layerIndex(scope.layer));
  cx.define(scope, { name, what: "layer", value: node ?? poison, defined: { source: scope.source, span: s.name.span }, used: false });
}

function layerValue(cx: Checker, scope: Scope, value: Value, s: LayerStatement): NodeValue | undefined {
  if (value.kind === "value") return value;
  const expression = s.value.kind === "body" ? { kind: "missing" as const, span: s.name.span } : s.value;
  return asNode({ cx, scope }, value, expression)?.ok;
}

function runInput(cx: Checker, scope: Scope, s: InputStatement, where: Where): void {
  if (where !== "network")
    return void cx.error("QN813", scope, s.span, "`input` belongs directly into a network", { help: `give the ${where} a parameter` });
  const name = s.name.name;
  const path = nameLayer(cx, scope, name, s.name.span);
  const ask = { cx, scope, name: "shape", span: s.span, index: 0 };
  const shape = kinds.ints.read(ask, s.shape);
  const type = s.type ? evaluate(cx, scope, s.type) : undefined;
  const index = cx.graph.beginLayer(path, "InputLayer", placeOf(scope.source, s.name.span));
  const id = shape && addInput(cx, scope, s, shape.ok, type);
  const value: Value = id === undefined ? poison : { kind: "value", id };
  if (value.kind === "value") {
    cx.graph.endLayer(value.id, index);
    cx.layers.get(path)!.value = value;
  }
  cx.graph.resumeLayer(-1);
  cx.define(scope, { name, what: "input", value, defined: { source: scope.source, span: s.name.span }, used: false });
}

function addInput(cx: Checker, scope: Scope, s: InputStatement, shape: readonly number[], type: Value | undefined): number | undefined {
  if (shape.length === 0 || shape.some((d) => d < 1))
    return cx.error("QN209", scope, s.shape.span, "an input has at least one axis, each of a positive size", {
      help: "such as [16] or [28, 28, 1], without the batch",
    });
  if (sizeOf(shape) > MAX_ELEMENTS)
    return cx.error("QN213", scope, s.shape.span, `the input has ${sizeOf(shape)} elements; the limit is ${MAX_ELEMENTS}`);
  if (type?.kind === "poison") return undefined;
  const name = s.name.name;
  if (!type || (type.kind === "word" && type.word === "auto"))
    return cx.add("input", [], { name, shape, type: undefined, round: "TRN", overflow: "WRAP" }, scope, s.shape.span, "input");
  if (type.kind !== "type" && type.kind !== "types") return wrongKind({ cx, scope, name }, s.type!, type, "of a type, such as fixed<16,6>");
  const { round, overflow, type: one } = type.conversion;
  const to = type.kind === "type" ? one : { per: type.per, types: type.types };
  const expected = type.kind === "type" ? 0 : type.per === "channel" ? shape.at(-1)! : sizeOf(shape);
  if (type.kind === "types" && type.types.length !== expected)
    return cx.error("QN807", scope, s.type!.span, `${type.types.length} types are given for ${expected} ${type.per}s`);
  return cx.add("input", [], { name, shape, type: to, round, overflow }, scope, s.shape.span, "input");
}

function runOutput(cx: Checker, scope: Scope, s: OutputStatement, where: Where): void {
  if (where !== "network")
    return void cx.error("QN813", scope, s.span, "`output` belongs directly into a network", {
      help: "a block and a layer give their value with `return`",
    });
  for (const o of s.outputs) {
    const value = evaluate(cx, scope, o.value);
    const name = o.name?.name ?? (o.value.kind === "name" ? o.value.name : undefined);
    if (name === undefined) {
      cx.error("QN813", scope, o.value.span, "the output has no name", { help: "write `output NAME = …`" });
      continue;
    }
    const first = cx.outputs.get(name);
    if (first)
      cx.error("QN804", scope, o.span, `there are two outputs \`${printable(name)}\``, {
        also: [{ at: placeOf(first.at.source, first.at.span), message: "the first is here" }],
        help: `give it another name: output other = …`,
      });
    const node = value.kind === "value" ? { ok: value } : asNode({ cx, scope }, value, o.value);
    if (!first) cx.outputs.set(name, { at: { source: scope.source, span: o.span }, ...(node ? { value: node.ok } : {}) });
  }
}
