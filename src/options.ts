// The options of a build, and their defaults.
import type { HlsStyle } from "./backends/hls/hls.js";
import type { Place } from "./diagnostics.js";
import type { NpyArray } from "./npy.js";
import type { PassOptions } from "./passes/pass.js";
import type { Calibration } from "./sim/calibrate.js";

/** A file of the source that holds test inputs, and where the model names it. */
export interface VectorsFile {
  readonly value: string;
  readonly at: Place;
}

export interface BuildOptions extends PassOptions {
  /** Name of the top module; by default the model file's. */
  readonly top?: string;
  /** The last layer to build; by default the model's outputs. */
  readonly until?: string;
  /** With hls4ml's configuration: the right value where hls4ml's is wrong. */
  readonly fix?: boolean;
  /** Clock period that the tools aim at, in nanoseconds; by default the pipeline's, else 5. */
  readonly clockNs?: number;
  /** The HLS tool's own; by default as for Verilog. */
  readonly hlsClockNs?: number;
  /** Input vectors, one array (samples, …) an input; by default seeded random and corner vectors. */
  readonly vectors?: readonly NpyArray[];
  /** A file of the source that holds them. */
  readonly vectorsFile?: VectorsFile;
  /** Samples whose ranges give inputs and results of float layers their integer bits. */
  readonly calibration?: Calibration;
  readonly vectorCount: number;
  readonly seed: number;
  readonly hlsStyle: HlsStyle;
  /** Whether rtl/ gets an AXI4-Stream wrapper. */
  readonly wrapper: boolean;
  /** The device that the synthesis scripts name where the environment names none. */
  readonly part: string;
  /** The HLS tool's own; by default as for Verilog. */
  readonly hlsPart?: string;
  /** Whether the network is lowered to cells and written as Verilog. */
  readonly rtl: boolean;
}

export const partHelp = "letters, digits, `-`, `_` and `.`, as in xc7a35ticsg324-1L";
/** Whether a synthesis script can hold the name of a device. */
export const isPart = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name);

export const defaultOptions: BuildOptions = {
  width: 16,
  maxTable: 4096,
  softmax: "host",
  pipeline: { clock: 5 },
  maxCells: 1_000_000,
  rtl: true,
  vectorCount: 1000,
  seed: 1,
  hlsStyle: "loops",
  wrapper: true,
  part: "xcvu13p-flga2577-2-e",
};

/** Where the model's file sets an option that nothing asked for decides. */
export type Origins = { readonly [K in keyof BuildOptions]?: Place };

/** What is asked for; anything left out is as the model's file wishes, else the default. */
export type Options = Partial<BuildOptions>;
