// Constant tables: mantissas in the narrowest C++ integer that holds them. Initialisers of ap_fixed objects would need code for every entry
// (g++ takes minutes for some thousands); these need none, are exact at every width, and are read back by the stored bits.
import type { FixedType } from "../../ir/fixed.js";
import { integerLiteral, storedWidth, wrapList } from "./cpp-types.js";

/** Needed once in every file that reads a table. */
export const tableReaders = `/** The value of type T that is stored as the integer m. */
template <class T, class M> inline T from_mantissa(M m) {
#pragma HLS INLINE
  T value;
  value.range(T::width - 1, 0) = ap_int<T::width>(m);
  return value;
}
`;

/** Needed beside `tableReaders` where some table holds more than 64 bits. */
export const wideTableReader = `/** The value of type T that is stored as the N words, lowest first. */
template <class T, int N> inline T from_words(const unsigned long long (&words)[N]) {
#pragma HLS INLINE
  ap_int<64 * N> m = 0;
  for (int k = N - 1; k >= 0; k--) m = (m << 64) | ap_int<64 * N>(ap_uint<64>(words[k]));
  return from_mantissa<T>(m);
}
`;

const natives: readonly (readonly [number, string])[] = [
  [8, "char"],
  [16, "short"],
  [32, "int"],
  [64, "long long"],
];

const isWide = (t: FixedType): boolean => storedWidth(t) > 64;

const WORD = (1n << 64n) - 1n;
function words(m: bigint, count: number): string {
  return `{${Array.from({ length: count }, (_, k) => `${(m >> BigInt(64 * k)) & WORD}ULL`).join(", ")}}`;
}

export interface Table {
  /** The definition, ending in a line break. */
  readonly text: string;
  /** Whether reading it takes `wideTableReader`. */
  readonly wide: boolean;
  /** The C++ expression of the entry at `index`, as a value of `type`. */
  at(type: string, index: string): string;
}

/** A table of values of `t`; a line break after every `row` entries. */
export function table(name: string, t: FixedType, mantissas: readonly bigint[], row = mantissas.length): Table {
  const wide = isWide(t);
  const count = Math.ceil(storedWidth(t) / 64);
  const native = natives.find(([bits]) => storedWidth(t) <= bits)?.[1];
  const items = mantissas.map((m) => (wide ? words(m, count) : integerLiteral(m)));
  const rows = Array.from({ length: Math.ceil(items.length / row) }, (_, r) => wrapList(items.slice(r * row, r * row + row)));
  const type = wide ? "unsigned long long" : `${t.signed ? (native === "char" ? "signed " : "") : "unsigned "}${native}`;
  return {
    text: `static const ${type} ${name}[${items.length}]${wide ? `[${count}]` : ""} = {\n${rows.join(",\n")}};\n`,
    wide,
    at: (as, index) => (wide ? `from_words<${as}>(${name}[${index}])` : `from_mantissa<${as}>(${name}[${index}])`),
  };
}
