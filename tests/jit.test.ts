// The simulator against the reference: random graphs over all ops, modes and widths, and real inputs against the one conversion rule.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import {
  type Conversion,
  convert,
  dyadic,
  exponent,
  type FixedType,
  fixed,
  overflows,
  printConversion,
  printFixed,
  rangeOf,
  roundings,
  shiftFloor,
  toNumber,
} from "../src/ir/fixed.js";
import { type Graph, GraphBuilder } from "../src/ir/graph.js";
import { sizeOf, tensor } from "../src/ir/tensor.js";
import { compileSimulator } from "../src/sim/jit/compile.js";
import { prng } from "../src/sim/prng.js";
import { evaluate } from "../src/sim/reference.js";
import { makeInputs } from "../src/sim/vectors.js";
import { randomGraph, showGraph } from "./support/random-graph.js";
import { simulatorOf as simulator } from "./support/simulator-of.js";
import { fullTier } from "./support/tools.js";

const SEEDS = Number(process.env["JIT_SEEDS"] ?? (fullTier ? 400 : 100));
const FIRST = Number(process.env["JIT_FIRST"] ?? 1);
const SAMPLES = 21;

const random = suite("jit: random graphs");

random("outputs equal the reference", async () => {
  let nodes = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const graph = randomGraph(seed);
    nodes += graph.nodes.length;
    const sim = await simulator(graph, `seed ${seed}`);
    const inputs = makeInputs(graph, SAMPLES, seed);
    const reporter = new Reporter();
    const outputs = sim.runMantissas(
      inputs.map((p) => BigInt64Array.from(p.flat())),
      SAMPLES,
      reporter,
    );
    assert.ok(outputs, `seed ${seed}: ${JSON.stringify(reporter.diagnostics)}`);
    for (let s = 0; s < SAMPLES; s++) {
      const expected = evaluate(
        graph,
        inputs.map((p) => p[s]!),
      );
      expected.forEach((e, k) => {
        const got = Array.from(outputs![k]!.subarray(s * e.length, (s + 1) * e.length));
        const at = e.findIndex((m, i) => BigInt.asIntN(64, m) !== got[i]);
        if (at >= 0) {
          throw new Error(
            `seed ${seed}, sample ${s}, output ${k} (%${graph.outputs[k]!.value}), element ${at}: ${got[at]} instead of ${e[at]}\ninputs ${inputs.map((p) => p[s]!.join(" ")).join(" | ")}\n${showGraph(graph)}`,
          );
        }
      });
    }
  }
  console.log(`  ${SEEDS} graphs, ${nodes} nodes, ${SAMPLES} samples each`);
});

random.run();

const quantizers = suite("jit: quantize");

/** Ties and their neighbours at every drop, the ends of the range, and random values. */
function telling(type: FixedType, drops: readonly number[], seed: number): bigint[] {
  const r = prng(seed);
  const { lo, hi } = rangeOf(type);
  const ties = drops.flatMap((drop) => {
    if (drop < 1) return [];
    const half = 1n << BigInt(drop - 1);
    return [-3n, -2n, -1n, 0n, 1n, 2n].flatMap((k) => [-1n, 0n, 1n].map((near) => (2n * k + 1n) * half + near));
  });
  const ends = [lo, lo + 1n, hi, hi - 1n, 0n, 1n, -1n, lo / 2n, hi / 2n];
  return [...ends, ...ties, ...Array.from({ length: 20 }, () => r.between(lo, hi))].filter((m) => m >= lo && m <= hi);
}

quantizers("every rounding and overflow mode on ties and ends, operands of 1 to 64 bits", async () => {
  const modes = roundings.flatMap((round) => overflows.map((overflow) => ({ round, overflow })));
  const widths = [1, 2, 5, 8, 15, 16, 17, 24, 31, 32, 33, 47, 63, 64];
  let values = 0;
  for (const [n, width] of widths.entries()) {
    for (const signed of [true, false]) {
      const r = prng(100 * n + (signed ? 1 : 0));
      const from: FixedType = { signed, width, int: width };
      const drops = [-70, -3, 0, 1, 2, 3, Math.ceil(width / 2), width - 1, width, width + 1, 66].filter(() => r.chance(fullTier ? 1 : 0.6));
      const targets = drops.flatMap((drop) => {
        const widths = [0, 1, 2, 7, 8, 16, 31, 32, 64, Math.max(1, width - drop), Math.max(1, width - drop - 1)].filter((w) => w <= 64);
        return Array.from({ length: 2 }, (): FixedType => {
          const w = r.pick(widths);
          return { signed: w > 0 && r.chance(0.6), width: w, int: w === 0 ? 0 : w + drop };
        });
      });
      const conversions = targets.flatMap((type) => modes.map((mode): Conversion => ({ type, ...mode })));
      const b = new GraphBuilder("quantize", new Reporter());
      const x = b.input("x", [1], { type: from, round: "TRN", overflow: "WRAP" });
      for (const [i, { type, round, overflow }] of conversions.entries())
        b.output(`y${i}`, b.add("quantize", [x], { to: type, round, overflow }));
      const graph = b.done()!;
      const sim = await simulator(graph, printFixed(from));
      const xs = telling(from, drops, n);
      const got = sim.runMantissas([BigInt64Array.from(xs)], xs.length, new Reporter())!;
      for (const [i, to] of conversions.entries()) {
        const type = graph.nodes[graph.outputs[i]!.value]!.type.elem;
        if (type === "real") throw new Error("not typed");
        for (const [s, m] of xs.entries()) {
          const expected = BigInt.asIntN(64, shiftFloor(convert(m, 0, to), exponent(to.type) - exponent(type)));
          if (got[i]![s] !== expected)
            throw new Error(`${printFixed(from)} ${m} to ${printConversion(to)}: ${got[i]![s]} instead of ${expected}`);
          values++;
        }
      }
    }
  }
  console.log(`  ${values} values`);
});

quantizers.run();

const reals = suite("jit: real inputs");

/** Doubles around every kind of trouble: ties, neighbours of ties, ends of ranges, huge, tiny, subnormal, negative zero. */
function awkward(to: Conversion, count: number, seed: number): number[] {
  const r = prng(seed);
  const unit = 2 ** exponent(to.type);
  const special = [
    0,
    -0,
    5e-324,
    -5e-324,
    1e308,
    -1e308,
    1e-308,
    -1e-308,
    2 ** 52 * unit,
    -(2 ** 52) * unit,
    2 ** 63 * unit,
    -(2 ** 63) * unit,
    2 ** 64 * unit,
    3 * 2 ** 70 * unit,
  ];
  const near = (x: number): number => x * (1 + (r.below(5) - 2) * 2 ** -52);
  const ends = [-1, 0, 1, 2].map((k) => 2 ** (to.type.width - k));
  return Array.from({ length: count }, (_, i) => {
    if (i < special.length) return special[i]!;
    const kind = r.below(6);
    const integer = Number(r.between(-(1n << 20n), 1n << 20n)) % (r.chance(0.5) ? 9 : 1 << 20);
    if (kind === 0) return near((integer + 0.5) * unit);
    if (kind === 1) return (integer + 0.5) * unit;
    if (kind === 2) return near(r.pick(ends) * (r.chance(0.5) ? -1 : 1)) * unit;
    if (kind === 3) return (r.pick(ends) + r.pick([-1.5, -1, -0.5, 0, 0.5, 1])) * (r.chance(0.5) ? -1 : 1) * unit;
    return (r.u32() / 2 ** 31 - 1) * 2 ** (to.type.int + r.below(4) - 2);
  });
}

/** The rounded mantissa before overflow. */
const rounded = (x: number, { type, round }: Conversion): bigint => {
  const d = dyadic(x);
  return convert(d.m, d.exp, { type: { signed: true, width: 4000, int: 4000 + exponent(type) }, round, overflow: "WRAP" });
};
const mantissa = (x: number, to: Conversion): bigint => {
  const d = dyadic(x);
  return convert(d.m, d.exp, to);
};

reals("conversion equals the one rule, all modes, widths 0 to 64, doubles and floats", async () => {
  const signed = [
    fixed(1, 1),
    fixed(8, 1),
    fixed(16, 6),
    fixed(31, 3),
    fixed(32, 8),
    fixed(33, -2),
    fixed(53, 10),
    fixed(54, 60),
    fixed(64, 32),
    fixed(12, 90),
    fixed(10, -1000),
  ];
  const unsigned = [
    fixed(0, 0, false),
    fixed(1, 0, false),
    fixed(7, 9, false),
    fixed(31, 31, false),
    fixed(32, 0, false),
    fixed(63, 1, false),
    fixed(64, 70, false),
    fixed(20, 1020, false),
  ];
  const modes = roundings.flatMap((round) => overflows.map((overflow) => ({ round, overflow })));
  let values = 0;
  for (const [t, type] of [...signed, ...unsigned].entries()) {
    // One input a mode, all with the same numbers: five elements are whole vectors of doubles and of floats, and one more.
    const b = new GraphBuilder("convert", new Reporter());
    for (const [i, mode] of modes.entries()) b.output(`y${i}`, b.input(`x${i}`, [5], { type, ...mode }));
    const sim = await simulator(b.done()!, JSON.stringify(type));
    const data = awkward({ type, ...modes[0]! }, 90, 100 * t + 7);
    for (const kind of [Float64Array, Float32Array]) {
      const given = kind.from(data).map((v) => (Number.isFinite(v) ? v : 3e38));
      const result = sim.run(
        modes.map(() => given),
        given.length / 5,
        new Reporter(),
      )!;
      let outside = 0;
      modes.forEach((mode, i) => {
        const to: Conversion = { type, ...mode };
        given.forEach((v, k) => {
          const expected = mantissa(v, to);
          if (rounded(v, to) !== expected) outside++;
          const real = toNumber(expected, type.width === 0 ? 0 : exponent(type));
          if (result.outputs[i]![k] !== real)
            throw new Error(`${JSON.stringify(to)} ${kind.name}: ${v} gives ${result.outputs[i]![k]} instead of ${real}`);
        });
        values += given.length;
      });
      assert.is(result.outside, outside, `${JSON.stringify(type)} ${kind.name}: numbers outside`);
    }
  }
  console.log(`  ${values} conversions`);
});

reals("random graphs on real inputs, types per channel and per element", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const graph = randomGraph(seed, { maxWidth: 50 });
    const sim = await simulator(graph, `seed ${seed}`);
    const r = prng(seed);
    const samples = 11;
    const nodes = graph.inputs.map((id) => graph.nodes[id]!);
    const inputs = nodes.map((n) =>
      Float64Array.from({ length: samples * sizeOf(n.type.shape) }, () => (r.u32() / 2 ** 31 - 1) * 2 ** (r.below(12) - 4)),
    );
    const reporter = new Reporter();
    const { outputs } = sim.run(inputs, samples, reporter)!;
    for (let s = 0; s < samples; s++) {
      const mantissas = nodes.map((n, k) => {
        if (n.op !== "input" || n.attrs.type === undefined || n.type.elem === "real") throw new Error("not an input");
        const { type, round, overflow } = n.attrs;
        const exp = exponent(n.type.elem);
        return Array.from({ length: sizeOf(n.type.shape) }, (_, i) => {
          const own = "per" in type ? type.types[type.per === "channel" ? i % n.type.shape.at(-1)! : i]! : type;
          const d = dyadic(inputs[k]![s * sizeOf(n.type.shape) + i]!);
          return own.width === 0 ? 0n : convert(d.m, d.exp, { type: own, round, overflow }) << BigInt(exponent(own) - exp);
        });
      });
      evaluate(graph, mantissas).forEach((e, k) => {
        const type = graph.nodes[graph.outputs[k]!.value]!.type.elem;
        if (type === "real") throw new Error("not typed");
        assert.equal(
          Array.from(outputs[k]!.subarray(s * e.length, (s + 1) * e.length)),
          e.map((m) => toNumber(m, exponent(type))),
          `seed ${seed}, sample ${s}, output ${k}\n${showGraph(graph)}`,
        );
      });
    }
  }
});

const small = (): Graph => {
  const b = new GraphBuilder("small", new Reporter());
  b.output("y", b.input("x", [2], { type: fixed(8, 4), round: "RND", overflow: "SAT" }));
  return b.done()!;
};

reals("numbers that are not finite are reported with their place", async () => {
  const sim = await simulator(small(), "small");
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const reporter = new Reporter();
    const x = new Float64Array(20);
    x[13] = bad;
    assert.is(sim.run([x], 10, reporter), undefined);
    assert.is(reporter.diagnostics[0]?.code, "QN502");
    assert.match(reporter.diagnostics[0]!.message, /`x`, sample 6, element 1/);
  }
});

reals("wrong numbers of inputs and samples, and mantissas outside their type, are reported", async () => {
  const sim = await simulator(small(), "small");
  const codes = (act: (r: Reporter) => unknown): string[] => {
    const reporter = new Reporter();
    assert.is(act(reporter), undefined);
    return reporter.diagnostics.map((d) => d.code);
  };
  assert.equal(
    codes((r) => sim.run([], 1, r)),
    ["QN500"],
  );
  assert.equal(
    codes((r) => sim.run([new Float64Array(3)], 2, r)),
    ["QN500"],
  );
  assert.equal(
    codes((r) => sim.runMantissas([BigInt64Array.of(127n, 128n)], 1, r)),
    ["QN500"],
  );
  assert.equal(sim.runMantissas([BigInt64Array.of(127n, -128n)], 1, new Reporter()), [BigInt64Array.of(127n, -128n)]);
});

reals("more samples than one call takes, and none", async () => {
  const sim = await simulator(small(), "small");
  const samples = sim.module.capacity + 3;
  const x = Float64Array.from({ length: 2 * samples }, (_, i) => (i % 100) / 16);
  assert.equal(sim.run([x], samples, new Reporter())!.outputs[0], x);
  assert.equal(sim.run([new Float64Array(0)], 0, new Reporter()), { outputs: [new Float64Array(0)], outside: 0 });
});

reals.run();

const limits = suite("jit: limits");

limits("a value beyond 64 bits is reported with its layer", async () => {
  const reporter = new Reporter();
  const b = new GraphBuilder("wide", reporter);
  b.beginLayer("first", "Input");
  const x = b.input("x", [1], { type: fixed(64, 32), round: "TRN", overflow: "WRAP" });
  b.beginLayer("too_wide", "Dense");
  b.output("y", b.add("dense", [x], { kernel: tensor([1, 1], 0, [3n]), bias: undefined }));
  assert.is(await compileSimulator(b.done()!, reporter), undefined);
  assert.is(reporter.diagnostics[0]?.code, "QN301");
  assert.is(reporter.diagnostics[0]?.at?.layer, "too_wide");
});

limits("sums and products beyond 64 bits, where only bits below 2^64 are kept", async () => {
  const reporter = new Reporter();
  const b = new GraphBuilder("wide", reporter);
  const x = b.input("x", [3], { type: fixed(60, 30), round: "TRN", overflow: "WRAP" });
  const kernel = tensor([3, 2], -9, [-123456789n, 987654321n, 555n, -77n, 31n, 1n << 30n]);
  const factor = tensor([1], -3, [-1234567n]);
  // One sum for each conversion: a value that several read is stored, and then has to fit.
  const sums = [
    () => b.add("dense", [x], { kernel, bias: tensor([2], -60, [12345n, -1n]) }),
    () => b.add("mul", [x, x], {}),
    () => b.add("mul", [x, b.add("constant", [], { value: factor })], {}),
  ];
  let outputs = 0;
  for (const make of sums) {
    for (const round of ["TRN", "RND", "RND_MIN_INF", "RND_CONV"] as const) {
      for (const [drop, width] of [[0, 64], [1, 63], [20, 32], [20, 44], [63, 1], [-3, 20]] as const) {
        const sum = make();
        const { elem } = b.node(sum).type;
        if (elem === "real") throw new Error("not typed");
        assert.ok(elem.width > 64);
        const to: FixedType = { signed: drop !== 20, width, int: exponent(elem) + drop + width };
        b.output(`y${outputs++}`, b.add("quantize", [sum], { to, round, overflow: "WRAP" }));
      }
    }
  }
  const graph = b.done()!;
  const sim = await simulator(graph, "wide");
  const inputs = makeInputs(graph, 40, 3)[0]!;
  const got = sim.runMantissas([BigInt64Array.from(inputs.flat())], 40, reporter)!;
  for (const [s, sample] of inputs.entries()) {
    evaluate(graph, [sample]).forEach((e, k) =>
      assert.equal(Array.from(got[k]!.subarray(s * e.length, (s + 1) * e.length)), e.map((m) => BigInt.asIntN(64, m)), `output ${k}, sample ${s}`),
    );
  }
});

limits("a sum beyond 64 bits that saturates is reported with its layer", async () => {
  const reporter = new Reporter();
  const b = new GraphBuilder("wide", reporter);
  b.beginLayer("too_wide", "Dense");
  const x = b.input("x", [1], { type: fixed(64, 32), round: "TRN", overflow: "WRAP" });
  const y = b.add("dense", [x], { kernel: tensor([1, 1], 0, [3n]), bias: undefined });
  b.output("y", b.add("quantize", [y], { to: fixed(16, 8), round: "TRN", overflow: "SAT" }));
  assert.is(await compileSimulator(b.done()!, reporter), undefined);
  assert.is(reporter.diagnostics[0]?.code, "QN301");
  assert.is(reporter.diagnostics[0]?.at?.layer, "too_wide");
});

limits("equal graphs give equal bytes", async () => {
  const bytes = async (): Promise<Uint8Array> => (await simulator(randomGraph(77), "77")).module.wasm;
  assert.equal(await bytes(), await bytes());
});

limits.run();
