// What makes the output a folder that one can work in: Makefile, synthesis scripts and clock constraints.
import type { Netlist } from "../../ir/netlist.js";
import type { Files } from "../../ir/target.js";
import { makefile } from "./makefile.js";
import { constraints, vivadoScript, yosysScript } from "./scripts.js";

export interface ProjectOptions {
  readonly netlist: Netlist;
  /** Clock period. */
  readonly clockNs: number;
}

/** The files refer to those that the other backends write: rtl/, tb/, sim/ and hls/. */
export const project = ({ netlist, clockNs }: ProjectOptions): Files =>
  new Map([
    ["Makefile", makefile(netlist)],
    ["scripts/synth.ys", yosysScript(netlist.name)],
    ["scripts/vivado.tcl", vivadoScript(netlist.name)],
    [`constraints/${netlist.name}.xdc`, constraints(netlist, clockNs)],
    [`constraints/${netlist.name}.sdc`, constraints(netlist, clockNs)],
  ]);
