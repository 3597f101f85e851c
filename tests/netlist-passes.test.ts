// Netlist passes on random netlists: outputs stay, ranges stay sound, a second run of simplify changes nothing; and each rule on its smallest case.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { cellDef, cells, type CellOp } from "../src/ir/cells.js";
import { fit } from "../src/ir/fixed.js";
import { NetBuilder, type Netlist } from "../src/ir/netlist.js";
import { printNetlist } from "../src/ir/text/print.js";
import { verifyNetlist } from "../src/ir/verify.js";
import { cmvm } from "../src/passes/cmvm.js";
import { narrow } from "../src/passes/narrow.js";
import type { PassContext } from "../src/passes/pass.js";
import { schedule } from "../src/passes/schedule.js";
import { simplify } from "../src/passes/simplify.js";
import { prng } from "../src/sim/prng.js";
import { interpret } from "../src/sim/reference.js";
import { randomInputs, randomNetlist } from "./support/random-netlist.js";

const cx: PassContext = {
  options: { inputType: { type: fit({ lo: 0n, hi: 1n }), round: "TRN", overflow: "WRAP" }, width: 16, maxCells: 1e6, maxTable: 4096, softmax: "host", pipeline: { stages: 3 } },
  reporter: new Reporter(),
};
const run = (pass: { run(n: Netlist, cx: PassContext): Netlist | undefined }, n: Netlist): Netlist => {
  const out = pass.run(n, cx);
  assert.ok(out, "the pass reports an error");
  return out!;
};

const SEEDS = 150;
const SAMPLES = 10;

function sameOutputs(before: Netlist, after: Netlist, seed: number): void {
  const r = prng(seed);
  for (let s = 0; s < SAMPLES; s++) {
    const x = randomInputs(before, r);
    assert.equal(interpret(after, x), interpret(before, x), `seed ${seed}, sample ${s}`);
  }
}

const laws = suite("netlist passes on random netlists");

for (const pass of [simplify, cmvm, narrow, schedule]) {
  laws(`${pass.name} keeps the outputs and the invariants`, () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const n = randomNetlist(seed);
      const after = run(pass, n);
      verifyNetlist(after);
      sameOutputs(n, after, seed);
    }
  });
}

laws("the whole pipeline keeps the outputs and the invariants", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const n = randomNetlist(seed, { cells: 60 });
    let now = n;
    for (const pass of [simplify, cmvm, narrow, simplify, schedule]) {
      now = run(pass, now);
      verifyNetlist(now);
    }
    sameOutputs(n, now, seed);
    assert.not(now.cells.some((c) => c.op === "affine" && c.args.length > 0 && c.attrs.coefficients.length > 1), `seed ${seed}: an affine cell is left`);
  }
});

laws("a second run of simplify changes nothing", () => {
  for (let seed = 0; seed < SEEDS; seed++) {
    const once = run(simplify, randomNetlist(seed, { cells: 60 }));
    assert.is(printNetlist(run(simplify, once)), printNetlist(once), `seed ${seed}`);
  }
});

laws("passes are functions: the same text in gives the same text out", () => {
  for (let seed = 0; seed < 20; seed++) {
    const n = randomNetlist(seed);
    for (const pass of [simplify, cmvm, narrow, schedule]) assert.is(printNetlist(run(pass, n)), printNetlist(run(pass, n)));
  }
});

laws("the random netlists hold every cell", () => {
  const seen = new Set<CellOp>();
  for (let seed = 0; seed < 20; seed++) for (const c of randomNetlist(seed).cells) seen.add(c.op);
  assert.equal([...seen].sort(), (Object.keys(cells) as CellOp[]).sort());
  assert.ok(Object.keys(cells).every((op) => cellDef(op as CellOp)));
});

laws.run();

/** A netlist of s8 inputs a, b, c and one output. */
function net(build: (b: NetBuilder, x: readonly number[]) => number): Netlist {
  const b = new NetBuilder("rule", [""]);
  const x = b.input({ name: "x", shape: [3], type: { signed: true, width: 8, int: 8 } }, Array(3).fill({ lo: -128n, hi: 127n }));
  const y = build(b, x);
  b.output({ name: "y", shape: [1], type: fit(b.range(y)) }, [y]);
  return b.done();
}

const rules = suite("simplify, rule by rule");

type Build = (b: NetBuilder, x: readonly number[]) => number;
const shadd = (b: NetBuilder, x: number, y: number, shift = 0, sub: 0 | 1 = 0): number => b.add("shadd", [x, y], { shift, sub });
const shl = (b: NetBuilder, x: number, shift: number): number => b.add("shl", [x], { shift });

/** The left side simplifies to the same cells as the right side, which is irreducible. */
const RULES: readonly (readonly [string, Build, Build])[] = [
  ["x·2^0 = x", (b, [x]) => shl(b, x!, 0), (_, [x]) => x!],
  ["(x·2^2)·2^3 = x·2^5", (b, [x]) => shl(b, shl(b, x!, 2), 3), (b, [x]) => shl(b, x!, 5)],
  ["(x·2^3) >> 5 = x >> 2", (b, [x]) => shl(b, shl(b, x!, 3), -5), (b, [x]) => shl(b, x!, -2)],
  ["(x >> 1) >> 2 = x >> 3", (b, [x]) => shl(b, shl(b, x!, -1), -2), (b, [x]) => shl(b, x!, -3)],
  ["(x >> 2)·2^2 stays: low bits fell", (b, [x]) => shl(b, shl(b, x!, -2), 2), (b, [x]) => shl(b, shl(b, x!, -2), 2)],
  ["x >> 8 of a nonnegative byte = 0", (b, [x]) => shl(b, b.add("max", [x!, b.constant(0n)], {}), -8), (b) => b.constant(0n)],
  ["x + 0 = x", (b, [x]) => shadd(b, x!, b.constant(0n), 3, 1), (_, [x]) => x!],
  ["0 + y·2^3 = y·2^3", (b, [x]) => shadd(b, b.constant(0n), x!, 3), (b, [x]) => shl(b, x!, 3)],
  ["x − 5·2^2 = x + −20", (b, [x]) => shadd(b, x!, b.constant(5n), 2, 1), (b, [x]) => shadd(b, x!, b.constant(-20n))],
  ["(x + 3) + 4 = x + 7", (b, [x]) => shadd(b, shadd(b, x!, b.constant(3n)), b.constant(4n)), (b, [x]) => shadd(b, x!, b.constant(7n))],
  ["(3 − x) + 4 = 7 − x", (b, [x]) => shadd(b, shadd(b, b.constant(3n), x!, 0, 1), b.constant(4n)), (b, [x]) => shadd(b, b.constant(7n), x!, 0, 1)],
  ["x + x = x·2", (b, [x]) => shadd(b, x!, x!), (b, [x]) => shl(b, x!, 1)],
  ["x − x = 0", (b, [x]) => shadd(b, x!, x!, 0, 1), (b) => b.constant(0n)],
  ["y + x = x + y", (b, [x, y]) => shadd(b, y!, x!), (b, [x, y]) => shadd(b, x!, y!)],
  ["x·5 is affine", (b, [x]) => b.add("mul", [b.constant(5n), x!], {}), (b, [x]) => b.add("affine", [x!], { coefficients: [5n], bias: 0n })],
  ["x·8 = x·2^3", (b, [x]) => b.add("mul", [x!, b.constant(8n)], {}), (b, [x]) => shl(b, x!, 3)],
  ["x·0 = 0", (b, [x]) => b.add("mul", [x!, b.constant(0n)], {}), (b) => b.constant(0n)],
  ["2·x + 3·x − 5·x + 4 = 4", (b, [x]) => b.add("affine", [x!, x!, x!], { coefficients: [2n, 3n, -5n], bias: 4n }), (b) => b.constant(4n)],
  ["−4·x + 3 = 3 − x·2^2", (b, [x]) => b.add("affine", [x!], { coefficients: [-4n], bias: 3n }), (b, [x]) => shadd(b, b.constant(3n), x!, 2, 1)],
  ["0·x + 3·y = 3·y", (b, [x, y]) => b.add("affine", [x!, y!], { coefficients: [0n, 3n], bias: 0n }), (b, [, y]) => b.add("affine", [y!], { coefficients: [3n], bias: 0n })],
  ["max(x, −200) = x", (b, [x]) => b.add("max", [x!, b.constant(-200n)], {}), (_, [x]) => x!],
  ["min(x, −200) = −200", (b, [x]) => b.add("min", [x!, b.constant(-200n)], {}), (b) => b.constant(-200n)],
  ["max(5, max(x, 3)) = max(x, 5)", (b, [x]) => b.add("max", [b.constant(5n), b.add("max", [x!, b.constant(3n)], {})], {}), (b, [x]) => b.add("max", [x!, b.constant(5n)], {})],
  ["1 ? x : y = x", (b, [x, y]) => b.add("mux", [b.constant(-1n), x!, y!], {}), (_, [x]) => x!],
  ["0 ? x : y = y", (b, [x, y]) => b.add("mux", [b.constant(0n), x!, y!], {}), (_, [, y]) => y!],
  ["c ? x : x = x", (b, [x, , c]) => b.add("mux", [c!, x!, x!], {}), (_, [x]) => x!],
  ["s9(x) = x", (b, [x]) => b.add("wrap", [x!], { width: 9, signed: 1 }), (_, [x]) => x!],
  ["u3(s5(x)) = u3(x)", (b, [x]) => b.add("wrap", [b.add("wrap", [x!], { width: 5, signed: 1 })], { width: 3, signed: 0 }), (b, [x]) => b.add("wrap", [x!], { width: 3, signed: 0 })],
  ["u5(s3(x)) stays: the inner wrap drops bits that the outer one reads", (b, [x]) => b.add("wrap", [b.add("wrap", [x!], { width: 3, signed: 1 })], { width: 5, signed: 0 }), (b, [x]) => b.add("wrap", [b.add("wrap", [x!], { width: 3, signed: 1 })], { width: 5, signed: 0 })],
  [
    "max(3·x, 4) + 5 = max(3·x + 5, 9)",
    (b, [x]) => shadd(b, b.add("max", [b.add("affine", [x!], { coefficients: [3n], bias: 0n }), b.constant(4n)], {}), b.constant(5n)),
    (b, [x]) => b.add("max", [b.add("affine", [x!], { coefficients: [3n], bias: 5n }), b.constant(9n)], {}),
  ],
  [
    "min(x + 3, 9) >> 1 = min((x + 3) >> 1, 4)",
    (b, [x]) => shl(b, b.add("min", [shadd(b, x!, b.constant(3n)), b.constant(9n)], {}), -1),
    (b, [x]) => b.add("min", [shl(b, shadd(b, x!, b.constant(3n)), -1), b.constant(4n)], {}),
  ],
  ["a table of one value is that value", (b, [x]) => b.add("lut", [x!], { lo: -128n, table: Array(256).fill(7n) }), (b) => b.constant(7n)],
  [
    "(max(3·x, 0) + 2) >> 2 = max((3·x + 2) >> 2, 0)",
    (b, [x]) => shl(b, shadd(b, b.add("max", [b.add("affine", [x!], { coefficients: [3n], bias: 0n }), b.constant(0n)], {}), b.constant(2n)), -2),
    (b, [x]) => b.add("max", [shl(b, b.add("affine", [x!], { coefficients: [3n], bias: 2n }), -2), b.constant(0n)], {}),
  ],
];

/** The output as an expression, free of cell numbers. */
function expression(n: Netlist, id = n.outputs[0]!.elements[0]!): string {
  const c = n.cells[id]!;
  const attrs = Object.values(c.attrs).map(String);
  return `${c.op}(${[...c.args.map((a) => expression(n, a)), ...attrs].join(" ")})`;
}

for (const [law, left, right] of RULES) {
  rules(law, () => {
    const [before, want] = [net(left), net(right)];
    const after = run(simplify, before);
    assert.is(expression(after), expression(want));
    assert.is(after.cells.length, run(simplify, want).cells.length, "nothing is left over");
    assert.is(expression(run(simplify, want)), expression(want), "the right side is irreducible");
    sameOutputs(before, after, 1);
  });
}

rules("a sum that is read twice is not doubled to take a constant", () => {
  const n = net((b, [x, y]) => {
    const sum = b.add("affine", [x!, y!], { coefficients: [3n, 5n], bias: 0n });
    return b.add("max", [sum, shadd(b, b.add("min", [sum, b.constant(9n)], {}), b.constant(-5n))], {});
  });
  assert.is(expression(run(simplify, n)), expression(n));
});

rules("every rule leaves dead cells out", () => {
  const n = net((b, [x, y]) => {
    shadd(b, x!, y!);
    return shl(b, x!, 1);
  });
  assert.is(run(simplify, n).cells.length, 4);
});

rules("narrow: what feeds a wrap is as wide as the wrap reads", () => {
  const grow: Build = (b, [x, y]) => Array.from({ length: 6 }).reduce<number>((sum) => shadd(b, sum, sum, 2), shadd(b, x!, y!));
  const n = net((b, x) => b.add("wrap", [grow(b, x)], { width: 6, signed: 1 }));
  const widths = (m: Netlist): number[] => m.cells.flatMap((c, id) => (c.op === "shadd" ? [fit(m.ranges[id]!).width] : []));
  assert.ok(Math.max(...widths(run(simplify, n))) > 20);
  const after = run(simplify, run(narrow, n));
  assert.is(widths(after).length, 7);
  assert.ok(Math.max(...widths(after)) <= 9, `${widths(after)}`);
  sameOutputs(n, after, 2);
});

rules.run();
