// Every op: exact meaning = lowered netlist, and every value inside its proven interval; exhaustive for quantize over small types.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { exponent, type FixedType, fixed, overflows, rangeOf, roundings } from "../src/ir/fixed.js";
import { type Graph, GraphBuilder, type NodeWith, rangeOfNode } from "../src/ir/graph.js";
import { opDef, ops, type OpName } from "../src/ir/ops/index.js";
import { tensor } from "../src/ir/tensor.js";
import { verifyGraph, verifyNetlist } from "../src/ir/verify.js";
import type { Mantissas } from "../src/ir/vectors.js";
import { cmvm } from "../src/passes/cmvm.js";
import { lowerGraph } from "../src/passes/lower.js";
import { narrow } from "../src/passes/narrow.js";
import { simplify } from "../src/passes/simplify.js";
import { type Prng, prng } from "../src/sim/prng.js";
import { evaluate, interpret } from "../src/sim/reference.js";
import { randomGraph } from "./support/random-graph.js";
import { within } from "./support/random-netlist.js";

/** Mantissas of each input's type, off whose coarser elements the low bits are zero. */
function randomSample(g: Graph, r: Prng): readonly Mantissas[] {
  return g.inputs.map((id) => {
    const node = g.nodes[id]! as NodeWith<"input">;
    const exp = exponent(node.type.elem as FixedType);
    return node.elements!.map((e) => (e.lo === 0n && e.hi === 0n ? 0n : within(r, e) << BigInt(e.exp - exp)));
  });
}

const meaning = suite("ops mean what they lower to");

meaning("random graphs: reference, netlist and optimised netlist agree on every output", () => {
  const seen = new Set<OpName>();
  for (let seed = 0; seed < 120; seed++) {
    const g = randomGraph(seed, { maxWidth: seed % 2 === 0 ? 24 : 60, nodes: 4 + (seed % 13) });
    for (const node of g.nodes) seen.add(node.op);
    verifyGraph(g);
    const n = lowerGraph(g);
    verifyNetlist(n);
    const optimised = [simplify, cmvm, narrow, simplify].reduce((m, pass) => pass.run(m, undefined as never)!, n);
    verifyNetlist(optimised);
    const r = prng(seed);
    for (let s = 0; s < 12; s++) {
      const x = randomSample(g, r);
      const want = evaluate(g, x); // throws where a value leaves its interval
      assert.equal(interpret(n, x), want, `seed ${seed}`);
      assert.equal(interpret(optimised, x), want, `seed ${seed}, optimised`);
    }
  }
  assert.equal([...seen].sort(), (Object.keys(ops) as OpName[]).sort(), "the random graphs hold every op");
});

/** All small types, with exponents on both sides of the source's. */
function smallTypes(): readonly FixedType[] {
  const all: FixedType[] = [];
  for (const signed of [true, false]) for (const width of signed ? [1, 2, 4] : [0, 1, 3]) for (const exp of [-3, -1, 0, 2]) all.push({ signed, width, int: width + exp });
  return all;
}

for (const source of [fixed(5, 4), fixed(4, 4, false), fixed(1, 0), fixed(5, 8)]) {
  meaning(`quantize from ${source.signed ? "fixed" : "ufixed"}<${source.width},${source.int}> to every small type in every mode, every code`, () => {
    const reporter = new Reporter();
    const b = new GraphBuilder("quantize", reporter);
    const x = b.input("x", [1], { type: source, round: "TRN", overflow: "WRAP" });
    const labels: string[] = [];
    for (const type of smallTypes()) {
      for (const round of roundings) {
        for (const overflow of overflows) {
          labels.push(`${type.signed ? "" : "u"}fixed<${type.width},${type.int},${round},${overflow}>`);
          b.output(`y${labels.length}`, b.add("quantize", [x], { to: type, round, overflow }));
        }
      }
    }
    const g = b.done()!;
    const n = lowerGraph(g);
    const simple = simplify.run(n, undefined as never)!;
    verifyNetlist(n);
    const { lo, hi } = rangeOf(source);
    for (let code = lo; code <= hi; code++) {
      const want = evaluate(g, [[code]]);
      const [plain, better] = [interpret(n, [[code]]), interpret(simple, [[code]])];
      want.forEach((y, i) => {
        assert.is(plain[i]![0], y[0], `${code} to ${labels[i]}`);
        assert.is(better[i]![0], y[0], `${code} to ${labels[i]}, simplified`);
      });
    }
  });
}

meaning("intervals of quantize are the tightest for every mode that is monotone", () => {
  const loose: string[] = [];
  for (const source of [fixed(5, 4), fixed(4, 4, false)]) {
    for (const type of smallTypes()) {
      for (const round of roundings) {
        for (const overflow of ["SAT", "SAT_SYM"] as const) {
          const b = new GraphBuilder("q", new Reporter());
          const x = b.input("x", [1], { type: source, round: "TRN", overflow: "WRAP" });
          const y = b.add("quantize", [x], { to: type, round, overflow });
          b.output("y", y);
          const g = b.done()!;
          const values: bigint[] = [];
          for (let code = rangeOf(source).lo; code <= rangeOf(source).hi; code++) values.push(evaluate(g, [[code]])[0]![0]!);
          const r = rangeOfNode(g.nodes[y]!);
          if (!values.includes(r.lo) || !values.includes(r.hi)) loose.push(`${JSON.stringify({ source, type })} ${round} ${overflow}`);
        }
      }
    }
  }
  assert.equal(loose, []);
});

meaning("a constant has its value, whatever its exponent", () => {
  const b = new GraphBuilder("c", new Reporter());
  const x = b.input("x", [3], { type: fixed(4, 4), round: "TRN", overflow: "WRAP" });
  b.output("y", b.add("add", [x, b.add("constant", [], { value: tensor([3], -4, [0n, 8n, -5n]) })], {}));
  const g = b.done()!;
  assert.equal(evaluate(g, [[1n, 2n, 3n]]), [[16n, 40n, 43n]]);
  assert.equal(interpret(lowerGraph(g), [[1n, 2n, 3n]]), [[16n, 40n, 43n]]);
});

meaning("every op states its equation", () => {
  for (const name of Object.keys(ops) as OpName[]) {
    const def = opDef(name);
    assert.is(def.name, name);
    assert.ok(def.doc.length > 4 && !def.doc.includes("\n"), name);
  }
});

meaning.run();

const shapes = suite("ops refuse operands that do not fit");

const attempt = (build: (b: GraphBuilder, x: number) => void): readonly string[] => {
  const reporter = new Reporter();
  const b = new GraphBuilder("bad", reporter);
  b.beginLayer("fc1", "Dense");
  build(b, b.input("x", [2, 3], { type: fixed(8, 4), round: "TRN", overflow: "WRAP" }));
  assert.is(b.done(), undefined);
  return reporter.diagnostics.map((d) => `${d.code} ${d.at?.layer}: ${d.message}`);
};

shapes("each with one diagnostic that names the layer, and nothing after it", () => {
  const cases: readonly (readonly [(b: GraphBuilder, x: number) => void, RegExp])[] = [
    [(b, x) => b.add("dense", [x], { kernel: tensor([2, 2], 0, [1n, 2n, 3n, 4n]), bias: undefined }), /takes 2 features, and x has shape \[2, 3\]/],
    [(b, x) => b.add("dense", [x], { kernel: tensor([3], 0, [1n, 2n, 3n]), bias: undefined }), /expected \[features, units\]/],
    [(b, x) => b.add("dense", [x], { kernel: tensor([3, 1], 0, [1n, 2n, 3n]), bias: tensor([2], 0, [1n, 1n]) }), /the bias has shape \[2\]/],
    [(b, x) => b.add("add", [x, b.add("constant", [], { value: tensor([2], 0, [1n, 1n]) })], {}), /do not broadcast/],
    [(b, x) => b.add("reshape", [x], { shape: [7] }), /6 elements and \[7\] has 7/],
    [(b, x) => b.add("quantize", [x], { to: fixed(65, 4), round: "TRN", overflow: "WRAP" }), /beyond the limit of 64/],
    [(b, x) => b.add("quantize", [x], { to: { per: "channel", types: [fixed(4, 4)] }, round: "TRN", overflow: "WRAP" }), /1 types are given for 3 channels/],
    [(b) => b.input("z", [0]), /positive integer/],
  ];
  for (const [build, message] of cases) {
    const found = attempt((b, x) => {
      build(b, x);
      // A use of the poisoned value stays silent.
      b.output("y", b.add("max", [b.length - 1, x], {}));
    });
    assert.is(found.length, 1, found.join("; "));
    assert.match(found[0]!, message);
    assert.match(found[0]!, /^QN305 fc1: /);
  }
});

shapes.run();
