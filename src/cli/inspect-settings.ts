// What a build of a model would be given, and where each setting comes from: its default, a line of the model's file, or the command line.
import type { BuildOptions, Options, Origins } from "../compile.js";
import { printConversion } from "../ir/fixed.js";
import { defaultInputType } from "../passes/assign-precision.js";
import type { Pipelining, SoftmaxMode } from "../passes/pass.js";

export interface SettingRow {
  readonly setting: string;
  readonly value: string;
  readonly from: "default" | "file" | "command line";
  /** Where the file says so. */
  readonly source?: string;
  readonly line?: number;
}

interface Shown {
  readonly setting: string;
  /** The options that decide it, the first of them that is set. */
  readonly keys: readonly (keyof BuildOptions)[];
  /** Undefined where the build has no such setting. */
  value(o: BuildOptions, top: string): string | undefined;
}

const ns = (n: number): string => `${Number(n.toPrecision(6))} ns`;
const pipelining = (p: Pipelining): string =>
  "stages" in p
    ? `exactly ${p.stages} clock cycles`
    : "depth" in p
      ? `at most ${p.depth} adders between registers`
      : `for a clock of ${ns(p.clock)}`;
const clockOf = (o: BuildOptions): number => ("clock" in o.pipeline ? o.pipeline.clock : (o.clockNs ?? 5));

const softmaxTexts: { readonly [M in SoftmaxMode]: string } = {
  host: "by the host",
  table: "by tables",
  argmax: "its argmax",
  none: "left out: logits",
};

const shown: readonly Shown[] = [
  { setting: "top", keys: ["top"], value: (_, top) => top },
  { setting: "until", keys: ["until"], value: (o) => o.until },
  {
    setting: "input type",
    keys: ["inputType"],
    value: (o) =>
      o.inputType
        ? printConversion(o.inputType)
        : o.calibration
          ? `${o.width} bits, from calibration`
          : printConversion(defaultInputType(o.width)),
  },
  {
    setting: "precision",
    keys: ["precision", "width"],
    value: (o) => (o.precision ? printConversion(o.precision) : `${o.width} bits, integer bits from the range`),
  },
  { setting: "entries of a table, at most", keys: ["maxTable"], value: (o) => String(o.maxTable) },
  { setting: "softmax at an output", keys: ["softmax"], value: (o) => softmaxTexts[o.softmax] },
  { setting: "Verilog", keys: ["rtl"], value: (o) => (o.rtl ? "written" : "left out") },
  { setting: "cells, at most", keys: ["maxCells"], value: (o) => String(o.maxCells) },
  { setting: "pipeline", keys: ["pipeline"], value: (o) => pipelining(o.pipeline) },
  { setting: "clock", keys: ["clockNs", "pipeline"], value: (o) => ns(clockOf(o)) },
  { setting: "wrapper", keys: ["wrapper"], value: (o) => (o.wrapper ? "AXI4-Stream" : "none") },
  { setting: "part", keys: ["part"], value: (o) => o.part },
  { setting: "HLS style", keys: ["hlsStyle"], value: (o) => o.hlsStyle },
  { setting: "HLS clock", keys: ["hlsClockNs", "clockNs", "pipeline"], value: (o) => ns(o.hlsClockNs ?? clockOf(o)) },
  { setting: "HLS part", keys: ["hlsPart", "part"], value: (o) => o.hlsPart ?? o.part },
  {
    setting: "test vectors",
    keys: ["vectorsFile", "vectorCount", "seed"],
    value: (o) => o.vectorsFile?.value ?? `${o.vectorCount} random and corner ones, seed ${o.seed}`,
  },
];

export function settingsOf(options: BuildOptions, asked: Options, origins: Origins, top: string): readonly SettingRow[] {
  return shown.flatMap(({ setting, keys, value }): readonly SettingRow[] => {
    const text = value(options, top);
    if (text === undefined) return [];
    const key = keys.find((k) => asked[k] !== undefined || origins[k] !== undefined);
    if (key === undefined) return [{ setting, value: text, from: "default" }];
    const at = asked[key] === undefined ? origins[key] : undefined;
    if (!at) return [{ setting, value: text, from: "command line" }];
    return [
      {
        setting,
        value: text,
        from: "file",
        ...(at.source === undefined ? {} : { source: at.source }),
        ...(at.line === undefined ? {} : { line: at.line }),
      },
    ];
  });
}

export const originText = (row: SettingRow): string => (row.from === "file" ? `${row.source ?? ""}:${row.line ?? 1}` : row.from);
