// Reads the graph form of .qir text. Shapes and types are derived again by the builder and compared with what the text states.
import { InternalError, type Reporter } from "../../diagnostics.js";
import { type FixedType, printFixed, sameType } from "../fixed.js";
import { type Graph, GraphBuilder, type HostStep, hostSteps, type TensorType } from "../graph.js";
import { isOpName, opDef, ops, type OpName } from "../ops/index.js";
import { type AttrKind, takesOperands } from "../ops/op.js";
import { printShape, sameShape } from "../tensor.js";
import { graphAttrProblem } from "../verify-attrs.js";
import { readAttr, readFixed, readNatural, readShape, readString } from "./attrs.js";
import { readAttrs, readHeader, readName, readOp, readOperands } from "./lines.js";
import { Scanner } from "./scanner.js";

interface Reference {
  readonly position: number;
  readonly value: string | undefined;
}
interface Header {
  readonly layers: (Reference & { readonly name: string; readonly kind: string })[];
  readonly outputs: (Reference & { readonly name: string; readonly host: HostStep | undefined })[];
}

export function parseGraph(text: string, source: string, reporter: Reporter): Graph | undefined {
  const s = new Scanner(text, source, reporter);
  const builder = new GraphBuilder(readHeader(s, "graph"), reporter);
  const header: Header = { layers: [], outputs: [] };
  const ids = new Map<string, number>();
  while (!s.done) {
    const keyword = s.take(/(?:layer|output)\b/y);
    if (keyword === undefined) readNode(s, builder, ids, header.layers.length);
    else if (ids.size > 0) s.fail(`\`${keyword}\` lines come before the nodes`);
    else readHeaderLine(s, keyword, header, builder);
    s.endLine();
  }
  const resolve = (r: Reference): number => {
    const id = r.value === undefined ? -1 : ids.get(r.value);
    if (id === undefined) s.fail(`${r.value} is not defined`, "QN600", r.position);
    return id ?? -1;
  };
  for (const [i, l] of header.layers.entries()) builder.endLayer(resolve(l), i);
  for (const o of header.outputs) builder.output(o.name, resolve(o), o.host);
  return s.failed ? undefined : builder.done();
}

function readHeaderLine(s: Scanner, keyword: string, header: Header, builder: GraphBuilder): void {
  const { position } = s;
  const name = readString(s);
  if (keyword === "layer") {
    const kind = readString(s);
    header.layers.push({ position, name, kind, value: s.accept("=") ? readName(s) : undefined });
    builder.beginLayer(name, kind);
  } else {
    s.expect("=");
    const value = readName(s);
    header.outputs.push({ position, name, value, host: hostSteps.find((name) => s.accept(name)) });
  }
}

function readNode(s: Scanner, builder: GraphBuilder, ids: Map<string, number>, layers: number): undefined {
  const name = readName(s);
  const { position } = s;
  if (!s.failed && ids.has(name)) s.fail(`${name} is defined twice`);
  s.expect("=");
  const op = readOp(s, Object.keys(ops)) as OpName;
  const operands = readOperands(s);
  const kinds: Readonly<Record<string, AttrKind>> = isOpName(op) ? opDef(op).attrs : {};
  const given = readAttrs(s, kinds, (kind) => readAttr(kind, s));
  s.expect(":");
  const stated: TensorType = { shape: readShape(s), elem: s.take(/real\b/y) === undefined ? readFixed(s) : "real" };
  const layer = s.accept("#") ? readNatural(s) : -1;
  if (s.failed) return undefined;
  const fail = (message: string, code: "QN600" | "QN601" = "QN600"): undefined => s.fail(message, code, position);
  if (layer >= layers) return fail(`there is no layer ${layer}`);
  const attrs: Record<string, unknown> = {};
  for (const [attr, kind] of Object.entries(kinds)) {
    attrs[attr] = given[attr];
    const problem = graphAttrProblem(kind, given[attr]);
    if (problem !== undefined) return fail(given[attr] === undefined ? `${op} needs the attribute \`${attr}\`` : `${attr} ${problem}`);
  }
  const args = operands.map((a) => ids.get(a) ?? -1);
  if (args.includes(-1)) return fail(`${operands[args.indexOf(-1)]} is not defined before ${name}`);
  const def = opDef(op);
  if (!takesOperands(def, args.length)) return fail(`${op} takes ${def.operands.length} operands, and ${args.length} are given`);
  const shape = def.shape(args.map((a) => builder.node(a).type.shape), attrs as never);
  if (typeof shape === "string") return fail(`${op}: ${shape}`);
  if (!sameShape(shape, stated.shape)) return fail(`${name} is stated with shape ${printShape(stated.shape)}, and has ${printShape(shape)}`, "QN601");
  builder.resumeLayer(layer);
  const id = added(() => builder.add(op, args, attrs as never));
  if (typeof id === "string") return fail(`${op}: ${id}`);
  const { elem } = builder.node(id).type;
  if (!sameElem(elem, stated.elem)) return fail(`${name} is stated as ${printElem(stated.elem)}, and follows as ${printElem(elem)}`, "QN601");
  ids.set(name, id);
  return undefined;
}

/** A function of a `lut` may not be finite on the operand's range, which the builder takes for a bug: in a text it is the writer's mistake. */
function added(add: () => number): number | string {
  try {
    return add();
  } catch (e) {
    if (e instanceof InternalError) return e.message;
    throw e;
  }
}

const sameElem = (a: "real" | FixedType, b: "real" | FixedType): boolean => (a === "real" || b === "real" ? a === b : sameType(a, b));
const printElem = (e: "real" | FixedType): string => (e === "real" ? e : printFixed(e));
