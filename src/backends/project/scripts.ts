// Synthesis scripts and clock constraints of a firmware folder.
import type { Netlist } from "../../ir/netlist.js";

/** Yosys: no pads and no clock buffers, because the module is a part of a larger design. */
export const yosysScript = (top: string): string => `# yosys -s scripts/synth.ys, in the folder above
read_verilog rtl/${top}.v
synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top ${top}
tee -q -o build/synth.rpt stat
write_verilog -noattr build/${top}_synth.v
`;

/** Vivado: out of context; IMPLEMENT=1 also places and routes. The environment variable PART names another device. */
export const vivadoScript = (top: string, part = "xcvu13p-flga2577-2-e"): string => `# vivado -mode batch -source scripts/vivado.tcl, in the folder above
set part [expr {[info exists ::env(PART)] ? $::env(PART) : "${part}"}]
file mkdir build/vivado
read_verilog rtl/${top}.v
read_xdc -mode out_of_context constraints/${top}.xdc
synth_design -top ${top} -part $part -mode out_of_context -flatten_hierarchy full
if {[info exists ::env(IMPLEMENT)] && $::env(IMPLEMENT) ne "0"} {
  opt_design
  place_design
  phys_opt_design
  route_design
}
report_utilization -file build/vivado/utilization.rpt
report_timing_summary -file build/vivado/timing.rpt
write_checkpoint -force build/vivado/${top}.dcp
`;

/** Clock, and inputs and outputs as if registers stood right before and behind the module. Without registers the clock is a virtual one. */
export function constraints(n: Netlist, clockNs: number): string {
  const combinational = (n.schedule?.latency ?? 0) === 0;
  const bus = (p: { readonly name: string; readonly elements: readonly number[]; readonly type: { readonly width: number } }): string =>
    p.elements.length * p.type.width > 1 ? `${p.name}[*]` : p.name;
  return `# Clock of ${n.name}: ${clockNs.toFixed(3)} ns${combinational ? " for the whole way, which has no registers" : ""}
create_clock -name clk -period ${clockNs.toFixed(3)}${combinational ? "" : " [get_ports clk]"}
set_input_delay -clock clk 0 [get_ports {in_valid ${n.inputs.map(bus).join(" ")}}]
set_output_delay -clock clk 0 [get_ports {out_valid ${n.outputs.map(bus).join(" ")}}]
`;
}
