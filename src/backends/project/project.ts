// What makes the output a folder that one can work in: Makefile, synthesis scripts and clock constraints.
import type { Netlist, Port } from "../../ir/netlist.js";
import type { Files } from "../../ir/target.js";
import { makefile } from "./makefile.js";
import { constraints, vivadoScript, yosysScript } from "./scripts.js";

export interface ProjectOptions {
  readonly top: string;
  readonly ports: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] };
  /** Absent where no Verilog is written. */
  readonly netlist: Netlist | undefined;
  /** Clock period. */
  readonly clockNs: number;
  /** Whether there is an AXI4-Stream wrapper. */
  readonly wrapper: boolean;
  /** The device that scripts name where the environment names none. */
  readonly part?: string;
}

/** The files refer to those that the other backends write: rtl/, tb/, sim/ and hls/. */
export const project = (options: ProjectOptions): Files =>
  new Map([["Makefile", makefile(options)], ...(options.netlist ? synthesis(options.netlist, options) : [])]);

const synthesis = (netlist: Netlist, { clockNs, part }: ProjectOptions): readonly (readonly [string, string])[] => [
  ["scripts/synth.ys", yosysScript(netlist.name)],
  ["scripts/vivado.tcl", vivadoScript(netlist.name, part)],
  [`constraints/${netlist.name}.xdc`, constraints(netlist, clockNs)],
  [`constraints/${netlist.name}.sdc`, constraints(netlist, clockNs)],
];
