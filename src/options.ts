// The options of a build, and their defaults.
import type { HlsStyle } from "./backends/hls/hls.js";
import type { Place } from "./diagnostics.js";
import { type Conversion, fixed } from "./ir/fixed.js";
import type { NpyArray } from "./npy.js";
import type { PassOptions } from "./passes/pass.js";

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
  /** Clock period that the tools aim at, in nanoseconds; by default the pipeline's, else 5. */
  readonly clockNs?: number;
  /** The HLS tool's own; by default as for Verilog. */
  readonly hlsClockNs?: number;
  /** Input vectors, one array (samples, …) an input; by default seeded random and corner vectors. */
  readonly vectors?: readonly NpyArray[];
  /** A file of the source that holds them. */
  readonly vectorsFile?: VectorsFile;
  readonly vectorCount: number;
  readonly seed: number;
  readonly hlsStyle: HlsStyle;
}

export const defaultInputType: Conversion = { type: fixed(16, 6), round: "TRN", overflow: "WRAP" };
export const defaultOptions: BuildOptions = {
  inputType: defaultInputType,
  width: 16,
  pipeline: { clock: 5 },
  vectorCount: 1000,
  seed: 1,
  hlsStyle: "loops",
};

/** What is asked for; anything left out is as the model's file wishes, else the default. */
export type Options = Partial<BuildOptions>;
