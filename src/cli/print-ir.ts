// Either IR as text.
import { printGraph, printNetlist } from "../ir/text/print.js";
import type { Ir } from "../passes/pass.js";

export const printIr = (ir: Ir): string => (ir.kind === "graph" ? printGraph(ir.ir) : printNetlist(ir.ir));
