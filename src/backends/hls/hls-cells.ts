// The Netlist as straight-line C++ over ap_int: one variable a cell, a table keyed by cell. Shifts and adders take the place of products.
// Law: where a line computes modulo 2^W of its variable's type, the result is exact because the cell's proven range fits that type.
import { dispatch, type PerCell } from "../../ir/cells.js";
import { bitLength, type FixedType, fit } from "../../ir/fixed.js";
import { type Netlist, typeOfCell } from "../../ir/netlist.js";
import { rangeOfData } from "../../ir/tensor.js";
import { type Table, table } from "./cpp-tables.js";
import { apInt, commentText, integerLiteral, storedWidth } from "./cpp-types.js";

interface CellContext {
  readonly id: number;
  /** The C++ type of the cell's variable. */
  readonly type: string;
  /** Its width in bits, at least 1. */
  readonly width: number;
  /** The input element that belongs to an index over all inputs. */
  readonly inputs: readonly string[];
  /** A table with these entries, defined before the function. */
  readonly table: (entries: readonly bigint[]) => Table;
  readonly name: (id: number) => string;
  readonly typeOf: (id: number) => FixedType;
}

const integer = (m: bigint): string => {
  const type = apInt(fit({ lo: m, hi: m }));
  if (bitLength(m) <= 63) return `${type}(${integerLiteral(m)})`;
  // No literal has more than 64 bits: high part, then 32 bits at a time.
  return `${type}((${type}(${integer(m >> 32n)}) << 32) | ${type}(${integerLiteral(m & 0xffffffffn)}))`;
};

const value = (text: string): readonly string[] => [text];

/** The initial value of the cell's variable, then the terms that are added to it. */
const cellValues: PerCell<readonly string[], CellContext> = {
  input: (c, cx) => value(`${cx.inputs[c.attrs.index]}.range(${cx.width - 1}, 0)`),
  const: (c) => value(integer(c.attrs.value)),
  affine: (c, cx) => [integer(c.attrs.bias), ...c.args.map((a, i) => `${integer(c.attrs.coefficients[i]!)} * ${cx.name(a)}`)],
  shadd: (c, cx) => {
    const [a, b] = c.args.map(cx.name);
    const { shift, sub } = c.attrs;
    const term = shift === 0 ? b : `(${cx.type}(${b}) << ${shift})`;
    return value(`${a} ${sub ? "-" : "+"} ${term}`);
  },
  mul: (c, cx) => value(c.args.map(cx.name).join(" * ")),
  shl: (c, cx) => {
    const [a] = c.args.map(cx.name);
    const { shift } = c.attrs;
    return value(shift > 0 ? `${cx.type}(${a}) << ${shift}` : shift < 0 ? `${a} >> ${-shift}` : a!);
  },
  max: (c, cx) => value(choose(cx, compare(cx, ">", c.args), c.args)),
  min: (c, cx) => value(choose(cx, compare(cx, "<", c.args), c.args)),
  mux: (c, cx) => value(choose(cx, `${cx.name(c.args[0]!)} != 0`, c.args.slice(1))),
  wrap: (c, cx) =>
    value(c.attrs.width === 0 ? "0" : `${apInt({ signed: c.attrs.signed === 1, width: c.attrs.width })}(${cx.name(c.args[0]!)})`),
  lut: (c, cx) => {
    const { lo, table: entries } = c.attrs;
    const bits = bitLength(BigInt(entries.length - 1)) || 1;
    const made = cx.table(entries);
    const a = cx.name(c.args[0]!);
    const index = `ap_uint<${bits}>(${lo === 0n ? a : `${a} - ${integer(lo)}`}).to_uint()`;
    return value(made.at(cx.type, index));
  },
};

const choose = (cx: CellContext, condition: string, args: readonly number[]): string => {
  const [a, b] = args.map(cx.name);
  return `${condition} ? ${cx.type}(${a}) : ${cx.type}(${b})`;
};

/** The headers' ap_int compares a signed and an unsigned number as C does, which is wrong for negative ones: both are made signed. */
function compare(cx: CellContext, sign: ">" | "<", args: readonly number[]): string {
  const types = args.map(cx.typeOf);
  const mixed = types.some((t) => t.signed) && types.some((t) => !t.signed);
  const [a, b] = args.map((arg, k) =>
    mixed && !types[k]!.signed ? `${apInt({ signed: true, width: storedWidth(types[k]!) + 1 })}(${cx.name(arg)})` : cx.name(arg),
  );
  return `${a} ${sign} ${b}`;
}

export interface NetlistCode {
  /** Table definitions that stand before the function. */
  readonly tables: readonly string[];
  /** Whether they need `wideTableReader`. */
  readonly wideTables: boolean;
  /** Statements that read the input ports and write the output ports. */
  readonly body: readonly string[];
}

/** The statements of a function with one array parameter a port; `inputs` and `outputs` are the parameters' names. */
export function netlistCode(n: Netlist, inputs: readonly string[], outputs: readonly string[]): NetlistCode {
  const tables = new Map<string, Table>();
  const tableOf = (entries: readonly bigint[]): Table => {
    const key = entries.join();
    const made = tables.get(key) ?? table(`table_${tables.size}`, fit(rangeOfData(entries)), entries, 16);
    tables.set(key, made);
    return made;
  };
  const elements = n.inputs.flatMap((p, k) => p.elements.map((_, i) => `${inputs[k]}[${i}]`));
  // Where a port is named v12, the variables are vv12, and so on.
  let prefix = "v";
  while ([...inputs, ...outputs].some((port) => port.startsWith(prefix))) prefix += "v";
  const name = (id: number): string => `${prefix}${id}`;
  const body: string[] = [];
  let layer = -1;
  n.cells.forEach((c, id) => {
    const t = typeOfCell(n, id);
    const cx = {
      id,
      type: apInt(t),
      width: storedWidth(t),
      inputs: elements,
      table: tableOf,
      name,
      typeOf: (a: number) => typeOfCell(n, a),
    };
    const [first, ...terms] = dispatch(cellValues, c, cx);
    const now = n.layer[id]!;
    if (now !== layer && n.layers[now] !== "") body.push(`  // ${commentText(n.layers[now]!)}`);
    layer = now;
    body.push(`  ${terms.length === 0 ? "const " : ""}${cx.type} ${name(id)} = ${first};`, ...terms.map((t) => `  ${name(id)} += ${t};`));
  });
  n.outputs.forEach((p, k) => {
    const w = storedWidth(p.type);
    const port = apInt(p.type);
    body.push(...p.elements.map((e, i) => `  ${outputs[k]}[${i}].range(${w - 1}, 0) = ${port}(${name(e)});`));
  });
  const made = [...tables.values()];
  return { tables: made.map((t) => t.text), wideTables: made.some((t) => t.wide), body };
}
