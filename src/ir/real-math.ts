// Elementary functions on integers: values are x·2^−p, and every result states its error. What makes tables the same on every machine.
import { dyadic } from "./fixed.js";

/** √, rounded down. */
export function integerRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((n.toString(16).length * 4 + 2) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

const cached = (f: (p: number) => bigint): ((p: number) => bigint) => {
  const known = new Map<number, bigint>();
  return (p) => {
    const value = known.get(p) ?? f(p);
    known.set(p, value);
    return value;
  };
};

/** Σ ±1/((2k+1)·n^(2k+1)): artanh(1/n), or arctan(1/n) with alternating signs. */
function arc(n: bigint, p: number, alternating: boolean): bigint {
  let power = (1n << BigInt(p)) / n;
  let sum = power;
  for (let k = 3n, sign = alternating ? -1n : 1n; power !== 0n; k += 2n, sign *= alternating ? -1n : 1n) {
    power /= n * n;
    sum += (sign * power) / k;
  }
  return sum;
}

/** ln 2, within 2^(16−p). */
export const ln2 = cached((p) => 18n * arc(26n, p, false) - 2n * arc(4801n, p, false) + 8n * arc(8749n, p, false));
/** √(2/π), within 2^(16−p). */
export const rootOf2ByPi = cached((p) => {
  const pi = 16n * arc(5n, p, true) - 4n * arc(239n, p, true);
  return integerRoot((1n << BigInt(3 * p + 1)) / pi);
});

/** Times that the argument of exp is halved before its series, and the result squared after it. */
const HALVINGS = 8n;

/** e^x = m·2^(k−p) for m near 2^p; relative error below 2^(40−p) for |x| < 2^20. */
export function exponential(x: bigint, p: number): { readonly m: bigint; readonly k: number } {
  const w = BigInt(p);
  let k = x / ln2(p);
  if (x < 0n) k -= 1n;
  const r = (x - k * ln2(p)) >> HALVINGS;
  let term = 1n << w;
  let sum = term;
  for (let n = 1n; term !== 0n; n++) {
    term = ((term * r) >> w) / n;
    sum += term;
  }
  for (let i = 0n; i < HALVINGS; i++) sum = (sum * sum) >> w;
  return { m: sum, k: Number(k) };
}

/** e^−x for x >= 0; absolute error below 2^(40−p). */
export function decay(x: bigint, p: number): bigint {
  if (x >> BigInt(p) > BigInt(p)) return 0n;
  const { m, k } = exponential(-x, p);
  return k <= 0 ? m >> BigInt(-k) : m << BigInt(k);
}

/** ln z for z from ½ to 4, by y ← y + 2·(z − e^y)/(z + e^y), which triples the right digits; absolute error below 2^(44−p). */
export function logarithm(z: bigint, p: number): bigint {
  const w = BigInt(p);
  const start = dyadic(Math.log(Number((z << 53n) >> w) / 2 ** 53));
  const shift = p + start.exp;
  let y = shift >= 0 ? start.m << BigInt(shift) : start.m >> BigInt(-shift);
  for (let bits = 40; bits < p; bits *= 3) {
    const { m, k } = exponential(y, p);
    const e = k >= 0 ? m << BigInt(k) : m >> BigInt(-k);
    y += ((z - e) << (w + 1n)) / (z + e);
  }
  return y;
}

/** Σ x^(2n+1)/(2n+1)!! for x >= 0, which is e^(x²/2)·∫₀ˣ e^(−t²/2) dt; relative error below 2^(20−p). */
export function errorSeries(x: bigint, p: number): bigint {
  const w = BigInt(p);
  const square = (x * x) >> w;
  let term = x;
  let sum = x;
  for (let n = 3n; term !== 0n; n += 2n) {
    term = ((term * square) >> w) / n;
    sum += term;
  }
  return sum;
}
