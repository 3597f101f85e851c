// The functions of the `lut` op against an independent high-precision evaluation: every code of a 10-bit type, and far beyond.
import { gunzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Conversion, convert, fixed, type Rounding, roundings } from "../src/ir/fixed.js";
import { applyUnary, rangeOfUnary, type Unary, type UnaryName, unaries } from "../src/ir/unary.js";
import { golden, skip } from "./support/golden.js";
import { fullTier } from "./support/tools.js";

// Decimal-free reference: numbers are integers over 2^BITS, the series are not those of src/ir/real-math.ts.
const BITS = 320n;
const ONE = 1n << BITS;
const PI = (31415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679n << BITS) / 10n ** 100n;
const mul = (a: bigint, b: bigint): bigint => (a * b) / ONE;
const div = (a: bigint, b: bigint): bigint => (a * ONE) / b;

function exp(x: bigint): bigint {
  if (x < 0n) return div(ONE, exp(-x));
  // e^x = (e^(x/2^40))^(2^40)
  const small = x >> 40n;
  let sum = ONE;
  for (let [n, term] = [1n, small]; term > 0n; n++, term = mul(term, small) / n) sum += term;
  for (let i = 0; i < 40; i++) sum = mul(sum, sum);
  return sum;
}
/** 2·artanh((z − 1)/(z + 1)) after roots bring z near 1. */
function ln(z: bigint): bigint {
  let roots = 0n;
  let y = z;
  for (; y > ONE + (ONE >> 4n) || y < ONE - (ONE >> 4n); roots++) y = sqrt(y);
  const q = div(y - ONE, y + ONE);
  const square = mul(q, q);
  let sum = 0n;
  for (let [n, power] = [1n, q]; power !== 0n; n += 2n, power = mul(power, square)) sum += power / n;
  return (2n * sum) << roots;
}
function sqrt(x: bigint): bigint {
  let [lo, hi] = [0n, (x > ONE ? x : ONE) + 1n];
  while (hi - lo > 1n) {
    const mid = (lo + hi) >> 1n;
    if (mid * mid <= x * ONE) lo = mid;
    else hi = mid;
  }
  return lo;
}
/** 2/√π·Σ (−1)^n·x^(2n+1)/(n!·(2n+1)) */
function erf(x: bigint): bigint {
  const square = mul(x, x);
  let sum = 0n;
  for (let [n, term] = [0n, x]; term !== 0n; n++, term = -mul(term, square) / n) sum += term / (2n * n + 1n);
  return div(2n * sum, sqrt(PI));
}
const half = (x: bigint): bigint => x / 2n;
const sigmoid = (x: bigint): bigint => div(ONE, ONE + exp(-x));
const tanh = (x: bigint): bigint => 2n * sigmoid(2n * x) - ONE;
const softplus = (x: bigint): bigint => ln(ONE + exp(x));
/** A double as an exact quotient of integers. */
const double = (x: number): bigint => (BigInt(Math.round(x * 2 ** 60)) << BITS) >> 60n;
const elu = (x: bigint, alpha: bigint): bigint => (x >= 0n ? x : mul(alpha, exp(x) - ONE));

const references: { readonly [K in UnaryName]?: { readonly f: (x: bigint) => bigint; readonly params?: readonly number[]; readonly from?: bigint } } = {
  linear: { f: (x) => x },
  tanh: { f: tanh },
  sigmoid: { f: sigmoid },
  exp: { f: exp },
  log: { f: ln, from: 1n },
  softplus: { f: softplus },
  softsign: { f: (x) => div(x, ONE + (x < 0n ? -x : x)) },
  elu: { f: (x) => elu(x, double(0.7)), params: [0.7] },
  selu: { f: (x) => mul(double(1.0507009873554805), elu(x, double(1.6732632423543772))) },
  swish: { f: (x) => mul(x, sigmoid(x)) },
  gelu: { f: (x) => half(mul(x, ONE + erf(div(x, sqrt(2n * ONE))))) },
  gelu_tanh: { f: (x) => half(mul(x, ONE + tanh(mul(sqrt(div(2n * ONE, PI)), x + (44715n * mul(mul(x, x), x)) / 1_000_000n)))) },
  mish: { f: (x) => mul(x, tanh(softplus(x))) },
  square: { f: (x) => mul(x, x) },
  sqrt: { f: sqrt, from: 0n },
  rsqrt: { f: (x) => div(ONE, sqrt(x)), from: 1n },
  reciprocal: { f: (x) => div(ONE, x) },
};

/** The reference rounded, or undefined where it is too near a tie to tell. */
function rounded(y: bigint, to: Conversion): bigint | undefined {
  const slack = 1n << (BITS - 240n);
  const [low, high] = [convert(y - slack, -Number(BITS), to), convert(y + slack, -Number(BITS), to)];
  return low === high ? low : undefined;
}

const functions = suite("functions");

for (const [name, { f, params = [], from }] of Object.entries(references)) {
  functions(`${name} is correctly rounded on every code of fixed<10,4>`, () => {
    let ties = 0;
    // The error series takes long: a third of its codes do in the quick tier.
    for (let m = from ?? -512n; m < 512n; m += fullTier || name !== "gelu" ? 1n : 3n) {
      if (name === "reciprocal" && m === 0n) continue;
      const y = f((m << BITS) >> 6n);
      for (const [type, round] of [[fixed(24, 8), "RND_CONV"], [fixed(16, 6), "TRN"], [fixed(8, 2), "RND"], [fixed(40, 12), roundings[Number(m & 3n) + 3]!]] as const) {
        const to: Conversion = { type, round: round as Rounding, overflow: "SAT" };
        const want = rounded(y, to);
        const got = applyUnary({ name: name as UnaryName, params, to }, m, -6);
        if (want === undefined) ties++;
        else assert.is(got, want, `${name}(${Number(m) / 64}) in ${type.width} bits, ${round}`);
      }
    }
    // Exact values lie on a tie or on the grid for some codes; a transcendental function has few of them.
    assert.ok(ties < 8 || ["linear", "softsign", "elu", "selu", "square", "sqrt", "rsqrt", "reciprocal"].includes(name), `${ties} undecided`);
  });
}

functions("every function has a row here or is piecewise constant", () => {
  const others = ["step", "ternary", "po2", "rsqrt_po2", "table"];
  assert.equal([...Object.keys(references), ...others].sort(), Object.keys(unaries).sort());
});

functions("exact values are exact, and tails stay on their side", () => {
  const at = (name: UnaryName, m: bigint, exp: number, round: Rounding, params: readonly number[] = []): bigint =>
    applyUnary({ name, params, to: { type: fixed(12, 6), round, overflow: "SAT" } }, m, exp);
  assert.is(at("exp", 0n, -6, "TRN"), 64n);
  assert.is(at("sigmoid", 0n, -6, "TRN"), 32n);
  assert.is(at("tanh", 0n, -6, "TRN"), 0n);
  assert.is(at("log", 64n, -6, "TRN"), 0n);
  assert.is(at("sqrt", 4n, 0, "TRN"), 128n);
  assert.is(at("rsqrt", 16n, 0, "TRN"), 16n);
  // tanh < 1, swish < x and exp > 0 however far out.
  assert.is(at("tanh", 1000n, 0, "TRN"), 63n);
  assert.is(at("tanh", -1000n, 0, "TRN"), -64n);
  assert.is(at("tanh", -1000n, 0, "TRN_ZERO"), -63n);
  assert.is(at("swish", 20n, 0, "TRN"), 20n * 64n - 1n);
  assert.is(at("swish", 20n, 0, "RND"), 20n * 64n);
  assert.is(at("gelu", 20n, 0, "TRN"), 20n * 64n - 1n);
  assert.is(at("gelu", -20n, 0, "TRN"), -1n);
  assert.is(at("exp", -(1n << 40n), 0, "RND_INF"), 0n);
  assert.is(at("exp", -(1n << 40n), 0, "TRN"), 0n);
  assert.is(at("softplus", 1n << 20n, -10, "TRN"), 2047n);
});

functions("every function has a value everywhere", () => {
  const to: Conversion = { type: fixed(16, 8), round: "RND", overflow: "SAT" };
  for (const name of Object.keys(unaries) as UnaryName[]) {
    const params = unaries[name].params.map((_, i) => i + 1);
    for (const [m, exp] of [[0n, 0], [1n, 900], [-1n, 900], [1n, -900], [-1n, -900], [(1n << 200n) + 1n, -150], [3n, 99_990], [-(1n << 200n) - 1n, -150]] as const) {
      const y = applyUnary({ name, params, to }, m, exp);
      assert.ok(y >= -32768n && y <= 32767n, name);
    }
  }
});

functions("the range by monotone pieces is the range by enumeration", () => {
  for (const name of Object.keys(references) as UnaryName[]) {
    const f: Unary = { name, params: references[name]?.params ?? [], to: { type: fixed(18, 5), round: "RND", overflow: "SAT" } };
    for (const [lo, hi] of [[-400n, 300n], [-90n, -30n], [-20n, 5n], [3n, 200n], [-512n, -400n]] as const) {
      const values = Array.from({ length: Number(hi - lo) + 1 }, (_, i) => applyUnary(f, lo + BigInt(i), -6));
      const want = { lo: values.reduce((a, b) => (a < b ? a : b)), hi: values.reduce((a, b) => (a > b ? a : b)) };
      assert.equal(rangeOfUnary(f, { lo, hi }, -6), want, `${name} ${lo}..${hi}`);
    }
  }
});

functions.run();

const hls4ml = suite("hls4ml's tables");

hls4ml("where its index is exact, its entries of 10 fractional bits are ours, rounded down", async () => {
  const bytes = golden("activations/act.txt.gz");
  if (!bytes) return skip("activations/act.txt.gz: no golden files");
  const lines = gunzipSync(bytes).toString().split("\n");
  for (const name of ["sigmoid", "tanh", "softplus", "softsign"] as const) {
    const head = `${name} fixed<10,4>->fixed<16,6> table1024 fixed<18,8> `;
    const theirs = lines.find((l) => l.startsWith(head))!.slice(head.length).trim().split(" ").map(BigInt);
    assert.is(theirs.length, 1024);
    // Its table of tanh ends at ±4, and those of the others at ±8.
    const end = name === "tanh" ? 256n : 512n;
    const differing = theirs.filter((y, i) => {
      const m = BigInt(i) - 512n;
      return m > -end && m < end && y !== applyUnary({ name, params: [], to: { type: fixed(18, 8), round: "TRN", overflow: "WRAP" } }, m, -6);
    });
    assert.is(differing.length, 0, name);
  }
});

hls4ml.run();
