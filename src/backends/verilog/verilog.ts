// The Verilog backend: Netlist → Verilog-2005 that Verilator lints without a warning, Icarus runs and Yosys synthesises.
//
// Timing (the netlist's schedule): inputs arrive at stage 0; a cell of stage s reads an operand of stage p through s − p registers; outputs leave at stage
// `latency`. Without a schedule everything is combinational. Registers form one shared chain a value (v12_r1, v12_r2 …); constants pass none.
// Cells that no output depends on, and values that are always 0, are not written.
import type { Netlist } from "../../ir/netlist.js";
import type { Target } from "../../ir/target.js";
import { axisWrapper } from "./axis.js";
import { coreModule } from "./core.js";
import { testbench } from "./testbench.js";

export { hexVectors } from "./hex-vectors.js";

/** The module's name is the netlist's, its timing the schedule's. */
export interface VerilogOptions {
  /** Whether the AXI4-Stream wrapper is written; by default it is. */
  readonly wrapper?: boolean;
}

export const verilog: Target<Netlist, VerilogOptions> = {
  name: "verilog",
  doc: "pipelined Verilog-2005 with an AXI4-Stream wrapper and a self-checking testbench",
  emit: (netlist, { wrapper = true }) =>
    new Map([
      [`rtl/${netlist.name}.v`, coreModule(netlist)],
      ...(wrapper ? [[`rtl/${netlist.name}_axis.v`, axisWrapper(netlist)] as const] : []),
      [`tb/${netlist.name}_tb.v`, testbench(netlist)],
    ]),
};
