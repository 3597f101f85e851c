// A small seeded random number generator (sfc32): the same sequence on every machine, for vectors and for tests.

export interface Prng {
  /** A uniform integer in 0 … 2^32 − 1. */
  u32(): number;
  /** A uniform integer in 0 … n − 1, for 0 < n <= 2^32; the bias is below n / 2^32. */
  below(n: number): number;
  /** A uniform integer in lo … hi. */
  between(lo: bigint, hi: bigint): bigint;
  pick<T>(items: readonly T[]): T;
  /** True with the given probability. */
  chance(probability: number): boolean;
}

/** Chris Doty-Humphrey's sfc32, seeded through its own mixing. */
export function prng(seed: number): Prng {
  let [a, b, c, d] = [0x9e3779b9 | 0, 0x243f6a88 | 0, seed | 0, 1];
  const u32 = (): number => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  };
  for (let i = 0; i < 16; i++) u32();
  const below = (n: number): number => Math.floor((u32() / 4294967296) * n);
  return {
    u32,
    below,
    between: (lo, hi) => {
      const span = hi - lo + 1n;
      let bits = 0n;
      for (let have = 1n; have < span << 32n; have <<= 32n) bits = (bits << 32n) | BigInt(u32());
      return lo + (bits % span);
    },
    pick: (items) => items[below(items.length)]!,
    chance: (probability) => u32() < probability * 4294967296,
  };
}
