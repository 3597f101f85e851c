// rtl/<top>.v: the netlist as one pipelined module, cell by cell, grouped by the model's layers.
import { assert } from "../../diagnostics.js";
import { type Cell, dispatch } from "../../ir/cells.js";
import { fit } from "../../ir/fixed.js";
import type { Netlist } from "../../ir/netlist.js";
import { bits, commaLines, declared, literal, type Operand, type Signal, slice } from "./bits.js";
import { type CellContext, cellText } from "./cells.js";
import { knownValues } from "./known-values.js";
import { type LookupTable, LookupTables } from "./lookup-tables.js";
import { busWidth, checkNames, describePort, partSelect, portLines } from "./ports.js";

/** A declared signal and the bits of it that written text reads. */
interface Tracked {
  readonly name: string;
  readonly width: number;
  readonly signed: boolean;
  mask: bigint;
}
interface Read {
  readonly of: Tracked;
  readonly mask: bigint;
}

/** A cell as text, before it is known whether anything reads it. */
interface Written {
  readonly expression: string;
  readonly helpers: readonly { readonly name: string; readonly expression: string }[];
  readonly reads: readonly Read[];
  /** Its value depends on an input. */
  readonly dynamic: boolean;
}

/** What a run of cells of one layer adds to the module. */
interface Section {
  readonly layer: number;
  readonly declarations: string[];
  readonly combinational: string[];
  readonly clocked: string[];
  readonly unused: string[];
}

/** Statements in one always block. One block a layer lets event-driven simulators evaluate each cell once a clock, where continuous assignments would
 * propagate every glitch along every path; but Yosys takes time quadratic in a block's length. */
const MAX_BLOCK = 1000;

/** Layer names come from the user: printable ASCII only, and nothing that a comment or a preprocessor could take for its own. */
export const commentSafe = (text: string): string =>
  text
    .slice(0, 80)
    .replace(/[^ -~]/g, (c) => `<${c.charCodeAt(0).toString(16)}>`)
    .replace(/[`\\"]/g, "'")
    .replace(/\*\/|\/\*/g, "* /");

/** A prefix that keeps generated names apart from port names. */
function namePrefix(n: Netlist): string {
  const taken = [...n.inputs, ...n.outputs].map((p) => p.name.toLowerCase());
  let prefix = "";
  while (taken.some((name) => new RegExp(`^${prefix}(v\\d|table\\d|unused\\d|valid$)`).test(name))) prefix += "q_";
  return prefix;
}

/** Writes the cells in order, then finds from the outputs back which are read, which of their bits, and how many clock cycles late. */
class CoreEmitter {
  private readonly prefix: string;
  private readonly latency: number;
  /** delays[cell][k]: the value k registers after the cell. */
  private readonly delays: Tracked[][];
  private readonly written: (Written | undefined)[] = [];
  private readonly buses: readonly Tracked[];
  private readonly places: readonly { readonly bus: Tracked; readonly offset: number; readonly width: number }[];
  private readonly tables: LookupTables;
  private readonly known: readonly (bigint | undefined)[];
  private sinks = 0;

  constructor(private readonly n: Netlist) {
    checkNames(n);
    this.prefix = namePrefix(n);
    this.tables = new LookupTables(`${this.prefix}table`);
    this.latency = n.schedule?.latency ?? 0;
    this.known = knownValues(n);
    this.buses = n.inputs.map((p) => ({ name: p.name, width: busWidth(p), signed: false, mask: 0n }));
    this.places = n.inputs.flatMap((p, k) =>
      p.elements.map((_, i) => ({ bus: this.buses[k]!, offset: i * p.type.width, width: p.type.width })),
    );
    this.delays = n.cells.map(() => []);
  }

  private stage(id: number): number {
    return this.n.schedule?.stage[id] ?? 0;
  }

  /** The value of a cell as stage `at` reads it. What depends on no input passes no register. */
  private operand(id: number, at: number, reads: Read[]): Operand {
    const value = this.known[id];
    if (value !== undefined) return value;
    const delay = this.written[id]!.dynamic ? at - this.stage(id) : 0;
    assert(delay >= 0 && at <= this.latency, `verilog: %${id} of stage ${this.stage(id)} is read at stage ${at} of ${this.latency}`);
    const chain = this.delays[id]!;
    while (chain.length <= delay) {
      const name = `${this.prefix}v${id}${chain.length === 0 ? "" : `_r${chain.length}`}`;
      chain.push({ name, ...fit(this.n.ranges[id]!), mask: 0n });
    }
    return signalOf(chain[delay]!, reads);
  }

  private write(c: Cell, id: number): Written {
    const { width } = fit(this.n.ranges[id]!);
    const helpers: { name: string; expression: string }[] = [];
    const reads: Read[] = [];
    let dynamic = false;
    const cx: CellContext = {
      width,
      range: (arg) => {
        const value = this.known[arg];
        return value === undefined ? this.n.ranges[arg]! : { lo: value, hi: value };
      },
      read: (arg) => {
        dynamic ||= this.written[arg]?.dynamic ?? false;
        return this.operand(arg, this.stage(id), reads);
      },
      input: (index) => {
        const place = this.places[index]!;
        assert(width <= place.width, `verilog: input %${id} does not fit its port`);
        dynamic = true;
        return slice(signalOf(place.bus, reads), place.offset, width);
      },
      helper: (expression) => {
        const name = `${this.prefix}v${id}_s${helpers.length}`;
        helpers.push({ name, expression });
        return name;
      },
      table: (of: LookupTable) => this.tables.name(of),
    };
    const expression = dispatch(cellText, c, cx);
    return { expression, helpers, reads, dynamic };
  }

  /** The output assignments; their reads are where liveness starts. A block, because Icarus takes time quadratic in the length of a wide concatenation. */
  private outputs(): { readonly text: string; readonly isReg: readonly boolean[] } {
    const reads: Read[] = [];
    const ports = this.n.outputs.map((port) => {
      const { width } = port.type;
      if (width === 0) return { isReg: false, text: `  assign ${port.name} = ${literal(0n, 1)};` };
      const elements = port.elements.map((e) => bits(this.operand(e, this.latency, reads), width));
      const isReg = elements.length > 1 && port.elements.some((e) => this.written[e]?.dynamic);
      const select = (i: number): string => `${port.name}${partSelect(i * width, width, busWidth(port))}`;
      const rows = elements.map((text, i) => `${isReg ? "   " : "  assign"} ${select(i)} = ${text};`);
      return { isReg, text: isReg ? `  always @* begin\n${rows.join("\n")}\n  end` : rows.join("\n") };
    });
    for (const { of, mask } of reads) of.mask |= mask;
    return { text: ports.map((p) => p.text).join("\n"), isReg: ports.map((p) => p.isReg) };
  }

  /** Drops registers and cells that nothing reads, and notes which bits the others read. */
  private findReads(): void {
    for (let id = this.n.cells.length - 1; id >= 0; id--) {
      const chain = this.delays[id]!;
      while (chain.length > 0 && chain.at(-1)!.mask === 0n) chain.pop();
      if (chain.length > 0) for (const { of, mask } of this.written[id]!.reads) of.mask |= mask;
      // A value that passes a register is read as a whole by that register.
      for (const x of chain.slice(0, -1)) x.mask = -1n;
    }
  }

  private addCell(id: number, to: Section): void {
    const [value, ...registers] = this.delays[id]!;
    const { expression, helpers, dynamic } = this.written[id]!;
    const { op } = this.n.cells[id]!;
    const { lo, hi } = this.n.ranges[id]!;
    const { name, width, signed } = value!;
    const comment = `// ${op} ${lo}..${hi}${this.latency > 0 ? ` @${this.stage(id)}` : ""}`;
    // `always @*` would never run for a value that never changes.
    const inBlock = dynamic && op !== "input";
    for (const h of helpers) {
      to.declarations.push(`  ${declared(inBlock ? "reg" : "wire", width, true)} ${h.name}${inBlock ? "" : ` = ${h.expression}`};`);
      if (inBlock) to.combinational.push(`    ${h.name} = ${h.expression};`);
    }
    to.declarations.push(`  ${declared(inBlock ? "reg" : "wire", width, signed)} ${name}${inBlock ? "" : ` = ${expression}`};  ${comment}`);
    if (inBlock) to.combinational.push(`    ${name} = ${expression};`);
    if (registers.length > 0) to.declarations.push(`  ${declared("reg", width, signed)} ${registers.map((x) => x.name).join(", ")};`);
    registers.forEach((x, i) => {
      to.clocked.push(`    ${x.name} <= ${(registers[i - 1] ?? value!).name};`);
    });
    for (const x of this.delays[id]!) to.unused.push(...unreadBits(x));
  }

  private sections(): readonly Section[] {
    const all: Section[] = [];
    this.n.cells.forEach((_, id) => {
      if (this.delays[id]!.length === 0) return;
      const layer = this.n.layer[id]!;
      let section = all.at(-1);
      if (!section || section.layer !== layer || section.combinational.length >= MAX_BLOCK) {
        section = { layer, declarations: [], combinational: [], clocked: [], unused: [] };
        all.push(section);
      }
      this.addCell(id, section);
    });
    return all;
  }

  /** Reads bits that nothing else reads, which is how lint tools are told that this is intended. Its name says so to Verilator. */
  private sink(unused: readonly string[]): readonly string[] {
    if (unused.length === 0) return [];
    const name = `${this.prefix}unused${this.sinks++}`;
    return [`  reg ${name};`, `  always @* ${name} = &{`, `    1'b0, ${commaLines(unused, "    ")}`, "  };"];
  }

  private sectionText(s: Section): string {
    const name = this.n.layers[s.layer] ?? "";
    return [
      "",
      `  // ---- ${name === "" ? "inputs and outputs" : `layer "${commentSafe(name)}"`}`,
      ...s.declarations,
      ...(s.combinational.length === 0 ? [] : ["  always @* begin", ...s.combinational, "  end"]),
      ...(s.clocked.length === 0 ? [] : ["  always @(posedge clk) begin", ...s.clocked, "  end"]),
      ...this.sink(s.unused),
    ].join("\n");
  }

  private validity(): string {
    const { latency } = this;
    if (latency === 0) return "  assign out_valid = in_valid;";
    const valid = `${this.prefix}valid`;
    const next = latency === 1 ? "in_valid" : `{${latency === 2 ? `${valid}[0]` : `${valid}[${latency - 2}:0]`}, in_valid}`;
    return [
      `  ${declared("reg", latency, false)} ${valid} = ${literal(0n, latency)};`,
      `  always @(posedge clk) ${valid} <= ${next};`,
      `  assign out_valid = ${latency === 1 ? valid : `${valid}[${latency - 1}]`};`,
    ].join("\n");
  }

  text(): string {
    const { n, latency } = this;
    n.cells.forEach((c, id) => {
      this.written.push(this.known[id] === undefined ? this.write(c, id) : undefined);
    });
    const outputs = this.outputs();
    this.findReads();
    const sections = this.sections().map((s) => this.sectionText(s));
    const idle = [...this.buses.flatMap(unreadBits), ...(latency === 0 ? ["clk"] : [])];
    const tables = this.tables.text();
    return [
      `// ${n.name}: a neural network as a fixed pipeline, generated by qnnc.`,
      `// One sample can enter every clock cycle; its result leaves ${latency === 0 ? "in the same cycle (there are no registers)" : `${latency} cycle${latency === 1 ? "" : "s"} later`}, marked by out_valid.`,
      "// A bus carries its elements side by side, element 0 in the low bits, as mantissas of the type given.",
      "// No reset is needed: the valid bits start at 0, and in_valid = 0 for as many cycles as the latency empties the pipeline.",
      "// Names: v12 is cell %12 of the netlist, v12_r2 its value two clock cycles later. Comments: cell, range of the value, pipeline stage (@).",
      "`default_nettype none",
      `module ${n.name} (`,
      portLines([
        { direction: "input", width: 1, name: "clk" },
        { direction: "input", width: 1, name: "in_valid" },
        ...n.inputs.map((p) => ({ direction: "input" as const, width: busWidth(p), name: p.name, note: describePort(p) })),
        { direction: "output", width: 1, name: "out_valid" },
        ...n.outputs.map((p, k) => ({
          direction: outputs.isReg[k] ? ("output reg" as const) : ("output" as const),
          width: busWidth(p),
          name: p.name,
          note: describePort(p),
        })),
      ]),
      ");",
      ...(tables === "" ? [] : [tables, ""]),
      this.validity(),
      ...sections,
      "",
      outputs.text,
      ...this.sink(idle),
      "endmodule",
      "`default_nettype wire",
      "",
    ].join("\n");
  }
}

const signalOf = (of: Tracked, reads: Read[]): Signal => ({
  name: of.name,
  width: of.width,
  signed: of.signed,
  read: (mask) => void reads.push({ of, mask }),
});

/** Runs of bits that nothing reads, such as those that a rounding drops. */
function unreadBits(x: Tracked): readonly string[] {
  const all = (1n << BigInt(x.width)) - 1n;
  if ((x.mask & all) === all) return [];
  // Bit i at place i; the final 1 closes the last run.
  const read = `${[...(x.mask & all).toString(2).padStart(x.width, "0")].reverse().join("")}1`;
  return [...read.matchAll(/0+/g)].map((run) => slice(signalOf(x, []), run.index, run[0].length));
}

export const coreModule = (netlist: Netlist): string => new CoreEmitter(netlist).text();
