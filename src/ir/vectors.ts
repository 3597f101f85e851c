// Test vectors: samples of every input and the outputs that belong to them, as mantissas of the port types.

/** One sample of one port: mantissas at the exponent of its type, row-major. */
export type Mantissas = readonly bigint[];

export interface Vectors {
  /** Number of samples. */
  readonly count: number;
  /** inputs[port][sample][element], in the order of the module's inputs. */
  readonly inputs: readonly (readonly Mantissas[])[];
  /** outputs[port][sample][element]. */
  readonly outputs: readonly (readonly Mantissas[])[];
}

/** The least and the greatest value seen of each layer, by its name. */
export type Observed = ReadonlyMap<string, { readonly lo: number; readonly hi: number }>;
