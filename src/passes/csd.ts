// Canonical signed digits: the unique sum of ±2^i with no two neighbouring digits, which has the fewest nonzero digits of all.

/** c = Σ_{i ∈ plus} 2^i − Σ_{i ∈ minus} 2^i; the sets as bit masks. */
export interface SignedDigits {
  readonly plus: bigint;
  readonly minus: bigint;
}

/** In 3c − c = 2c every digit of c in canonical form is where the bits of 3c and of c differ. */
export function signedDigits(c: bigint): SignedDigits {
  const triple = 3n * c;
  return { plus: (triple & ~c) >> 1n, minus: (c & ~triple) >> 1n };
}

/** Number of ones of a nonnegative integer. */
export function ones(mask: bigint): number {
  let n = 0;
  for (let rest = mask; rest > 0n; rest >>= 32n) n += ones32(Number(rest & 0xffffffffn));
  return n;
}

/** Number of ones of a 32-bit integer. */
export function ones32(mask: number): number {
  let v = mask - ((mask >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Number of nonzero digits: one more than the adders that a product by `c` takes. */
export const digitCount = (c: bigint): number => {
  const { plus, minus } = signedDigits(c);
  return ones(plus | minus);
};
