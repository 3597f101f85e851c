// cmvm: exact on random matrices of every shape and sign, within its budgets of adders, depth and time.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { fit, type Range } from "../src/ir/fixed.js";
import { NetBuilder, type Netlist } from "../src/ir/netlist.js";
import { printNetlist } from "../src/ir/text/print.js";
import { verifyNetlist } from "../src/ir/verify.js";
import { cmvm } from "../src/passes/cmvm.js";
import { digitCount, ones, signedDigits } from "../src/passes/csd.js";
import { adderBits, adderCount, depthOf } from "../src/passes/depth.js";
import { lowerGraph } from "../src/passes/lower.js";
import { simplify } from "../src/passes/simplify.js";
import { type Prng, prng } from "../src/sim/prng.js";
import { interpret } from "../src/sim/reference.js";
import { skip } from "./support/golden.js";
import { randomInputs } from "./support/random-netlist.js";
import { rtlModel } from "./support/rtl-model.js";

const share = (n: Netlist): Netlist => {
  const out = cmvm.run(n, undefined as never)!;
  verifyNetlist(out);
  assert.not(out.cells.some((c) => c.op === "affine"));
  return out;
};

const digits = suite("canonical signed digits");

digits("the digits sum to the number, no two are neighbours, and none is spent in vain", () => {
  for (let c = -5000n; c <= 5000n; c++) {
    const { plus, minus } = signedDigits(c);
    assert.is(plus - minus, c);
    const all = plus | minus;
    assert.is(plus & minus, 0n);
    assert.is(all & (all << 1n), 0n, `${c}`);
    assert.is(digitCount(c), ones(all));
    assert.ok(digitCount(c) <= ones(c < 0n ? -c : c));
  }
  const large = 0x123456789abcdef0123456789n;
  assert.is(signedDigits(large).plus - signedDigits(large).minus, large);
});

digits.run();

/** A netlist of one matrix: column j of `columns` gives output j. */
function matrix(ranges: readonly Range[], columns: readonly { readonly coefficients: readonly bigint[]; readonly bias: bigint }[], sparse: boolean): Netlist {
  const b = new NetBuilder("matrix", [""]);
  const x = b.input({ name: "x", shape: [ranges.length], type: { signed: true, width: 64, int: 64 } }, ranges);
  const y = columns.map(({ coefficients, bias }) => {
    const kept = coefficients.map((c, i) => ({ c, x: x[i]! })).filter(({ c }) => !sparse || c !== 0n);
    return b.add("affine", kept.map((k) => k.x), { coefficients: kept.map((k) => k.c), bias });
  });
  b.output({ name: "y", shape: [y.length], type: { signed: true, width: 600, int: 600 } }, y);
  return b.done();
}

interface Shape {
  readonly rows: number;
  readonly columns: number;
  readonly bits: number;
  /** Probability of a zero. */
  readonly zeros: number;
  /** Largest power of two by which a row or a column is scaled. */
  readonly scale: number;
  readonly sign: "mixed" | "negative" | "positive";
}

function randomMatrix(r: Prng, shape: Shape): Netlist {
  const ranges = Array.from({ length: shape.rows }, (): Range => {
    const hi = r.between(0n, 1n << BigInt(1 + r.below(12)));
    return { lo: r.chance(0.5) ? -r.between(0n, hi) : 0n, hi };
  });
  const rowScale = ranges.map(() => BigInt(r.below(shape.scale + 1)));
  const one = 1n << BigInt(shape.bits - 1);
  const columns = Array.from({ length: shape.columns }, () => {
    const scale = BigInt(r.below(shape.scale + 1));
    const coefficients = rowScale.map((s) => {
      const c = r.chance(shape.zeros) ? 0n : r.between(-one, one - 1n);
      const signed = shape.sign === "mixed" ? c : (c < 0n ? -c : c) * (shape.sign === "negative" ? -1n : 1n);
      return signed << (s + scale);
    });
    return { coefficients, bias: r.chance(0.5) ? 0n : r.between(-300n, 300n) };
  });
  return matrix(ranges, columns, r.chance(0.5));
}

const exactness = suite("cmvm is exact");

const SHAPES: readonly Shape[] = [
  { rows: 1, columns: 1, bits: 10, zeros: 0, scale: 3, sign: "mixed" },
  { rows: 1, columns: 8, bits: 8, zeros: 0.2, scale: 2, sign: "mixed" },
  { rows: 6, columns: 4, bits: 6, zeros: 0.3, scale: 0, sign: "mixed" },
  { rows: 6, columns: 4, bits: 6, zeros: 0.3, scale: 9, sign: "mixed" },
  { rows: 5, columns: 5, bits: 4, zeros: 0, scale: 0, sign: "negative" },
  { rows: 5, columns: 5, bits: 4, zeros: 0, scale: 1, sign: "positive" },
  { rows: 16, columns: 16, bits: 8, zeros: 0.5, scale: 2, sign: "mixed" },
  { rows: 3, columns: 3, bits: 50, zeros: 0.1, scale: 60, sign: "mixed" },
  { rows: 4, columns: 6, bits: 2, zeros: 0.3, scale: 0, sign: "mixed" },
];

for (const shape of SHAPES) {
  exactness(`${shape.rows} x ${shape.columns}, ${shape.bits} bits, ${shape.sign}, scaled to 2^${shape.scale}`, () => {
    for (let seed = 0; seed < 25; seed++) {
      const r = prng(seed);
      const n = randomMatrix(r, shape);
      const after = share(n);
      for (let s = 0; s < 8; s++) {
        const x = randomInputs(n, r);
        assert.equal(interpret(after, x), interpret(n, x), `seed ${seed}`);
      }
    }
  });
}

exactness("no output becomes wider than it was", () => {
  for (let seed = 0; seed < 50; seed++) {
    const n = randomMatrix(prng(seed), SHAPES[2]!);
    const after = share(n);
    n.outputs[0]!.elements.forEach((e, i) => {
      const [before, now] = [fit(n.ranges[e]!), fit(after.ranges[after.outputs[0]!.elements[i]!]!)];
      assert.ok(now.width <= before.width && (before.signed || !now.signed), `seed ${seed}: ${before.width} -> ${now.width}`);
    });
  }
});

exactness("products of products, and operands used at several ranks", () => {
  const b = new NetBuilder("n", ["", "a"]);
  const x = b.input({ name: "x", shape: [2], type: { signed: true, width: 4, int: 4 } }, Array(2).fill({ lo: -8n, hi: 7n }));
  const u = b.add("affine", x, { coefficients: [3n, -5n], bias: 1n });
  const v = b.add("affine", [x[1]!, u], { coefficients: [7n, -11n], bias: 0n });
  const w = b.add("affine", [b.add("max", [v, u], {}), x[0]!, v], { coefficients: [3n, 3n, 3n], bias: -9n });
  b.output({ name: "y", shape: [3], type: { signed: true, width: 20, int: 20 } }, [w, u, v]);
  const n = b.done();
  const after = share(n);
  for (let i = -8n; i < 8n; i++) for (let j = -8n; j < 8n; j++) assert.equal(interpret(after, [[i, j]]), interpret(n, [[i, j]]));
});

exactness("the same input gives the same text", () => {
  const n = randomMatrix(prng(7), SHAPES[6]!);
  assert.is(printNetlist(share(n)), printNetlist(share(n)));
});

exactness.run();

const quality = suite("cmvm shares");

const u4: Range = { lo: 0n, hi: 15n };
const column = (...coefficients: bigint[]) => ({ coefficients, bias: 0n });
const adders = (n: Netlist): number => adderCount(simplify.run(share(n), undefined as never)!);

quality("a pattern that repeats is added once", () => {
  assert.is(adders(matrix([u4, u4, u4], [column(1n, 1n, 1n), column(1n, 1n, -1n)], false)), 3); // x + y once
  assert.is(adders(matrix([u4, u4], [column(1n, -1n), column(-4n, 4n)], false)), 2); // x − y, and its negative ·4
  assert.is(adders(matrix([u4, u4], [column(1n, 3n), column(2n, 6n), column(8n, 24n)], false)), 2); // equal but for shifts
  assert.is(adders(matrix([u4], [column(45n)], false)), 2); // 45 = 5·9
  assert.is(adders(matrix([u4, u4, u4], [column(0n, 4n, 0n)], false)), 0); // a shift
  assert.is(adders(matrix([u4, u4], [column(-1n, -1n)], false)), 2); // 0 − (x + y)
  assert.is(adders(matrix([u4, u4], [{ coefficients: [-1n, -1n], bias: 5n }], false)), 2); // (5 − x) − y
});

quality("a sum of n terms is about log2 n deep", () => {
  for (const n of [2, 3, 8, 31, 100]) {
    const sum = share(matrix(Array(n).fill(u4), [column(...Array<bigint>(n).fill(1n))], false));
    assert.is(depthOf(sum), Math.ceil(Math.log2(n)));
    assert.is(adderCount(sum), n - 1);
  }
});

/** Adders of da4ml 0.6.0 for the four matrices of qkeras_3layer, without its 133 bias additions; its depths are 8, 8, 9, 7. */
const DA4ML_ADDERS = 2388;

quality("the jet tagger 16-64-32-32-5 of 6-bit weights: adders, depth, time", () => {
  const g = rtlModel("qkeras_3layer");
  if (!g) return skip("cmvm of qkeras_3layer: ../shared/golden/rtl is absent");
  const n = lowerGraph(g);
  const before = process.cpuUsage();
  const after = share(n);
  const ms = process.cpuUsage(before).user / 1000;
  const biases = n.cells.filter((c) => c.op === "affine" && c.attrs.bias !== 0n).length;
  const layerAdders = n.layers.map((_, l) => after.cells.filter((c, id) => c.op === "shadd" && after.layer[id] === l).length);
  const inDense = n.layers.reduce((sum, _, l) => sum + (n.cells.some((c, id) => c.op === "affine" && n.layer[id] === l) ? layerAdders[l]! : 0), 0);
  console.log(`  qkeras_3layer: ${inDense} adders in its matrices, ${biases} of them for biases (da4ml ${DA4ML_ADDERS} without biases); whole: ${adderCount(after)} adders, ${adderBits(after)} bits, depth ${depthOf(after)}, ${ms.toFixed(0)} ms`);
  assert.ok(inDense - biases < 1.03 * DA4ML_ADDERS, `${inDense - biases}`);
  assert.ok(ms < 3000, `${ms} ms`);
});

quality("time and size stay bounded on a wide layer: 200 x 64", () => {
  const r = prng(5);
  const n = matrix(Array(200).fill({ lo: 0n, hi: 255n }), Array.from({ length: 64 }, () => column(...Array.from({ length: 200 }, () => r.between(-32n, 31n)))), true);
  const before = process.cpuUsage();
  const after = cmvm.run(n, undefined as never)!;
  const ms = process.cpuUsage(before).user / 1000;
  const x = randomInputs(n, r);
  assert.equal(interpret(after, x), interpret(n, x));
  const naive = n.cells.reduce((sum, c) => (c.op === "affine" ? sum + c.attrs.coefficients.reduce((d, k) => d + digitCount(k), -1) : sum), 0);
  assert.ok(adderCount(after) < 0.5 * naive, `${adderCount(after)} of ${naive}`);
  assert.ok(ms < 15000, `${ms} ms`);
});

quality.run();
