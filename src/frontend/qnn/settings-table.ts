// Every setting that a .qnn file may make beside its network: its kind and its meaning, one row each.
import type { Place } from "../../diagnostics.js";

export const styles = ["loops", "rolled", "unrolled"] as const;
export const goals = ["energy", "bits", "ebops", "luts"] as const;
export const budgets = [...goals, "latency"] as const;
export const energyModels = ["qtools-2021", "qtools", "sparse"] as const;
/** In the order true, false: `axis` and `true` write the wrapper. */
export const wrappers = ["axis", "true", "none", "false"] as const;

/** What a setting's value may be. */
export interface SettingKinds {
  /** An identifier: of a module. */
  identifier: string;
  /** A device, as a vendor's tool names it. */
  part: string;
  wrapper: boolean;
  count: number;
  /** Nanoseconds; `200 MHz` is 5. */
  clock: number;
  /** Seconds; `10 m` is 600. */
  duration: number;
  /** Of 1; `0.5%` is 0.005. */
  share: number;
  /** A file of the project, by its key. */
  file: string;
  style: (typeof styles)[number];
  goal: (typeof goals)[number];
  budget: Readonly<Partial<Record<(typeof budgets)[number], number>>>;
  energyModel: (typeof energyModels)[number];
}
export type SettingKind = keyof SettingKinds;
export interface SettingDef<K extends SettingKind = SettingKind> {
  readonly kind: K;
  readonly doc: string;
  /** The block is no use without it. */
  readonly required?: true;
}
const def = <K extends SettingKind>(kind: K, doc: string): SettingDef<K> => ({ kind, doc });

const common = {
  part: def(
    "part",
    "the device, as the vendor's tool names it: the synthesis scripts' own, where the environment variable PART names none",
  ),
  clock: def("clock", "the clock period: `5 ns`, or `200 MHz`"),
  top: def("identifier", "the name of the top module or function"),
};

export const settingsTable = {
  verilog: {
    ...common,
    latency: def("count", "register stages: exactly so many clock cycles"),
    wrapper: def(
      "wrapper",
      "`axis`: an AXI4-Stream wrapper is written beside the core, as by default; `none`: it is not (`true` and `false` say the same)",
    ),
  },
  hls: { ...common, style: def("style", "`loops`, `rolled` or `unrolled`") },
  quantize: {
    data: { ...def("file", "samples to calibrate and train with, .npy or .npz; the block needs them"), required: true },
    labels: def("file", "their labels or targets"),
    goal: def("goal", "what to make small: `energy`, `bits`, `ebops` or `luts`"),
    max_loss: def("share", "the accuracy that may be lost: `0.5%`, or 0.005"),
    min_accuracy: def("share", "the accuracy to keep: `76%`, or 0.76"),
    budget: def("budget", 'bounds on costs that the result keeps: "luts=2000, latency=10"'),
    energy_model: def("energyModel", "how energy is counted: `qtools-2021`, `qtools` or `sparse`, in quotes where there is a dash"),
    time: def("duration", "how long to search: `90 s`, `10 m` or `1 h`"),
    seed: def("count", "the seed of the search"),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, SettingDef>>>>;

export type Section = keyof typeof settingsTable;

/** A value, and where the file says so. */
export interface Setting<T> {
  readonly value: T;
  readonly at: Place;
}
type SectionSettings<S extends Section> = {
  readonly [N in keyof (typeof settingsTable)[S]]?: Setting<
    (typeof settingsTable)[S][N] extends SettingDef<infer K> ? SettingKinds[K] : never
  >;
};
export type QnnSettings = { readonly [S in Section]?: SectionSettings<S> } & { readonly vectors?: Setting<string> };
