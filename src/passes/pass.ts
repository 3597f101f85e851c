// What a pass is, and the runner that verifies after each, dumps and times.
import { assert, type Reporter } from "../diagnostics.js";
import type { Conversion } from "../ir/fixed.js";
import type { Graph } from "../ir/graph.js";
import type { Observed } from "../ir/vectors.js";
import type { Netlist } from "../ir/netlist.js";
import { verifyGraph, verifyNetlist } from "../ir/verify.js";

/** What the user asked for, as far as passes need it. */
export interface PassOptions {
  /** Type of inputs that the model leaves real; absent: `width` bits around what was observed, else fixed<max(16, width),6>. */
  readonly inputType?: Conversion;
  /** What calibration saw of the layers' values. */
  readonly observed?: Observed;
  /** Type of weights and results of layers without a precision of their own; absent: integer bits from the proven range, `width` bits in all. */
  readonly precision?: Conversion;
  readonly width: number;
  /** Entries that one table may have; larger ones are split. */
  readonly maxTable: number;
  /** Who computes a softmax at an output. */
  readonly softmax: SoftmaxMode;
  readonly pipeline: Pipelining;
  /** Cells that one fully parallel design may have, about. */
  readonly maxCells: number;
}

/** `host`: the host, in floating point. `table`: the firmware, by tables. `argmax`: the firmware gives the index of the largest. `none`: nobody; the outputs are the logits. */
export const softmaxModes = ["host", "table", "argmax", "none"] as const;
export type SoftmaxMode = (typeof softmaxModes)[number];

/** `stages`: exactly that many register stages. `depth`: at most that many adders between registers. `clock`: at most that many nanoseconds. */
export type Pipelining = { readonly stages: number } | { readonly depth: number } | { readonly clock: number };

export interface PassContext {
  readonly options: PassOptions;
  readonly reporter: Reporter;
}

export interface IrKinds {
  graph: Graph;
  netlist: Netlist;
}
export type IrKind = keyof IrKinds;

/** Rebuilds an IR without changing what it computes, except where `doc` says so. `undefined` after reporting why it could not. */
export interface Pass<F extends IrKind, T extends IrKind> {
  readonly name: string;
  readonly doc: string;
  readonly from: F;
  readonly to: T;
  run(ir: IrKinds[F], cx: PassContext): IrKinds[T] | undefined;
}

/** Any pass, whatever it takes and gives. */
export type AnyPass = { [F in IrKind]: { [T in IrKind]: Pass<F, T> }[IrKind] }[IrKind];

export const pass = <F extends IrKind, T extends IrKind>(definition: Pass<F, T>): Pass<F, T> => definition;

export type Ir = { readonly kind: "graph"; readonly ir: Graph } | { readonly kind: "netlist"; readonly ir: Netlist };

/** Sees each IR after each pass: for dumps, `--emit ir-after=` and timing. */
export type Observe = (passName: string, after: Ir, before: Ir) => void;

/** Runs passes in order; stops with `undefined` at the first that reports an error. */
export function runPasses(start: Ir, passes: readonly AnyPass[], cx: PassContext, observe?: Observe): Ir | undefined {
  let now = start;
  for (const p of passes) {
    assert(p.from === now.kind, `pass ${p.name} takes a ${p.from}, and the ${now.kind} is at hand`);
    const ir = (p.run as (ir: Graph | Netlist, cx: PassContext) => Graph | Netlist | undefined)(now.ir, cx);
    if (ir === undefined || cx.reporter.failed) return undefined;
    const after = { kind: p.to, ir } as Ir;
    if (after.kind === "graph") verifyGraph(after.ir);
    else verifyNetlist(after.ir);
    observe?.(p.name, after, now);
    now = after;
  }
  return now;
}
