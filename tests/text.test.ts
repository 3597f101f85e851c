// Textual IR: everything printed parses back to the same text and the same values; malformed text gets a coded diagnostic with a place, and nothing throws.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter } from "../src/diagnostics.js";
import { type CellOp, cells } from "../src/ir/cells.js";
import { fixed, overflows, roundings } from "../src/ir/fixed.js";
import { GraphBuilder } from "../src/ir/graph.js";
import { NetBuilder, type Netlist } from "../src/ir/netlist.js";
import { ops } from "../src/ir/ops/index.js";
import { tensor } from "../src/ir/tensor.js";
import { parseGraph, parseIr, parseNetlist } from "../src/ir/text/parse.js";
import { printGraph, printNetlist } from "../src/ir/text/print.js";
import { unaries } from "../src/ir/unary.js";
import { verifyGraph, verifyNetlist } from "../src/ir/verify.js";
import { cellAttrKinds } from "../src/ir/verify-attrs.js";
import { cmvm } from "../src/passes/cmvm.js";
import { lowerGraph } from "../src/passes/lower.js";
import { schedule } from "../src/passes/schedule.js";
import { simplify } from "../src/passes/simplify.js";
import { skip } from "./support/golden.js";
import { randomGraph } from "./support/random-graph.js";
import { randomNetlist } from "./support/random-netlist.js";
import { rtlModel } from "./support/rtl-model.js";

const options = { inputType: { type: fixed(16, 6), round: "TRN", overflow: "WRAP" }, width: 16, maxCells: 1e6, maxTable: 4096, softmax: "host" } as const;
const scheduled = (n: Netlist, stages: number): Netlist => schedule.run(n, { options: { ...options, pipeline: { stages } }, reporter: new Reporter() })!;

/** Parses, and fails with the diagnostics. */
function parsed<T>(parse: (text: string, source: string, reporter: Reporter) => T | undefined, text: string): T {
  const reporter = new Reporter();
  const ir = parse(text, "test.qir", reporter);
  assert.equal(reporter.diagnostics, []);
  assert.ok(ir);
  return ir!;
}

const trip = suite("text round trip");

trip("netlists, plain and scheduled", () => {
  for (let seed = 0; seed < 60; seed++) {
    const plain = randomNetlist(seed);
    for (const n of [plain, scheduled(plain, 1 + (seed % 5))]) {
      const text = printNetlist(n);
      const back = parsed(parseNetlist, text);
      assert.is(printNetlist(back), text);
      assert.equal(back.cells, n.cells);
      assert.equal(back.ranges, n.ranges);
      assert.equal(back.layer, n.layer);
      assert.equal(back.schedule, n.schedule);
      verifyNetlist(back);
    }
  }
});

trip("graphs", () => {
  for (let seed = 0; seed < 60; seed++) {
    const g = randomGraph(seed);
    verifyGraph(g);
    const text = printGraph(g);
    const back = parsed(parseGraph, text);
    assert.is(printGraph(back), text);
    assert.equal(back.nodes, g.nodes);
    assert.equal([back.inputs, back.outputs, back.layers], [g.inputs, g.outputs, g.layers]);
  }
});

const HOSTILE = ["", 'a"b', "new\nline", "\\", "../../etc", "module", "__proto__", "\u202e\u0000", "// not a comment", "%0 = const", "日本語", "\ud800"];

trip("names of any kind", () => {
  for (const name of HOSTILE) {
    const b = new NetBuilder(name, [name, name]);
    const port = { name, shape: [2], type: fixed(8, 8) };
    b.output(port, b.input(port, [{ lo: -3n, hi: 3n }, { lo: 0n, hi: 0n }]));
    const text = printNetlist(b.done());
    assert.equal(parsed(parseNetlist, text), b.done());

    const reporter = new Reporter();
    const g = new GraphBuilder(name, reporter);
    const layer = g.beginLayer(name, name);
    const x = g.input(name, [2]);
    g.endLayer(x, layer);
    g.output(name, x, "softmax");
    assert.equal(parsed(parseGraph, printGraph(g.done()!)), g.done());
  }
});

trip("real graphs and every kind of attribute", () => {
  const g = new GraphBuilder("real", new Reporter());
  g.beginLayer("fc", "Dense");
  const x = g.input("x", [2, 3], { type: fixed(8, 3), round: "RND", overflow: "SAT" });
  const kernel = tensor([3, 1], -70, [1n, -(2n ** 80n), 3n], { real: true, type: fixed(6, 1) });
  const y = g.add("dense", [x], { kernel, bias: undefined });
  const z = g.add("quantize", [y], { to: { per: "channel", types: [fixed(8, 4, false)] }, round: "RND_CONV", overflow: "SAT_SYM" });
  const f = { name: "po2", params: [-3, 2, 1e-7, 2.5e21], to: { type: fixed(9, -2), round: "TRN", overflow: "WRAP" } } as const;
  g.output("out", g.add("lut", [z], { f }));
  g.output("in", g.input("unquantized", [1]));
  const graph = g.done()!;
  assert.equal(parsed(parseGraph, printGraph(graph)), graph);
});

trip("parseIr tells the two forms apart", () => {
  assert.is(parsed(parseIr, printNetlist(randomNetlist(1))).kind, "netlist");
  assert.is(parsed(parseIr, `// a comment\n\n${printGraph(randomGraph(1))}`).kind, "graph");
});

trip("white space, comments and names are free on input", () => {
  const text = '\n// RUN: qnnc opt\nqir 1 netlist "n"\n\nlayer ""   // the only one\r\ninput "x" [1] fixed<4,4> = %in\n  output "y" [ 1 ] fixed<5,5> = %twice\n%in = input { index=0 } :s4\n%twice = shl %in {shift = 1} : s5 -16..14\n';
  const back = parsed(parseNetlist, text);
  assert.equal(back.cells.map((c) => c.op), ["input", "shl"]);
});

trip("a network of 3,000 cells prints and parses in well under a second", () => {
  const g = rtlModel("qkeras_3layer");
  if (!g) return skip("text of qkeras_3layer: ../shared/golden/rtl is absent");
  const n = scheduled(cmvm.run(lowerGraph(g), { options: { ...options, maxCells: 1e6, pipeline: { stages: 0 } }, reporter: new Reporter() })!, 4);
  const start = performance.now();
  const text = printNetlist(n);
  assert.is(printNetlist(parsed(parseNetlist, text)), text);
  const ms = performance.now() - start;
  assert.ok(ms < 1000, `${ms.toFixed(0)} ms for ${n.cells.length} cells`);
  assert.is(printGraph(parsed(parseGraph, printGraph(g))), printGraph(g));
});

trip.run();

const errors = suite("text diagnostics");

const NET = 'qir 1 netlist "n"\nlayer ""\ninput "x" [2] fixed<4,4> = %0 %1\noutput "y" [1] fixed<6,6> = %2\n%0 = input {index = 0} : s4\n%1 = input {index = 1} : s4\n%2 = shadd %0 %1 {shift = 1, sub = 0} : s6 -24..21\n';
const GRAPH = 'qir 1 graph "g"\nlayer "fc" "Dense" = %1\noutput "y" = %1\n%0 = input {name = "x", shape = [2], type = fixed<4,4>, round = TRN, overflow = WRAP} : [2] fixed<4,4>\n%1 = dense %0 {kernel = [2, 1] 2^0 (1, 2)} : [1] fixed<6,6> #0\n';

/** Text to replace, replacement, code, line and column of the diagnostic, and words of its message. */
type Case = readonly [string, string, "QN600" | "QN601", number, number, RegExp];
const NET_CASES: readonly Case[] = [
  ["qir 1", "qir 2", "QN600", 1, 5, /version 2/],
  ["qir 1", "rir 1", "QN600", 1, 1, /expected `qir`, found `rir`/],
  ['"n"', '"n', "QN600", 1, 15, /string/],
  ['"n"', '"\\x"', "QN600", 1, 15, /escape/],
  ["shadd", "shad", "QN600", 7, 6, /did you mean `shadd`/],
  ["shadd", "toString", "QN600", 7, 6, /unknown operation/],
  ["%0 %1 {shift", "%0 %3 {shift", "QN600", 7, 1, /%3 is not defined/],
  ["%0 %1 {shift", "%0 %2 {shift", "QN600", 7, 1, /%2 is not defined/],
  ["%0 %1 {shift", "%0 {shift", "QN600", 7, 1, /takes 2 operands, and 1/],
  ["shift = 1", "shift = -1", "QN600", 7, 27, /integer in 0/],
  ["shift = 1", "shift = 1.5", "QN600", 7, 27, /an integer/],
  ["shift = 1", "shift = 99999", "QN600", 7, 27, /integer in 0/],
  ["sub = 0", "sub = 2", "QN600", 7, 36, /integer in 0 … 1/],
  ["sub = 0", "sum = 0", "QN600", 7, 30, /unknown attribute `sum`/],
  ["sub = 0", "shift = 0", "QN600", 7, 30, /given twice/],
  [", sub = 0", "", "QN600", 7, 28, /needs the attribute `sub`/],
  ["s6 -24..21", "s6", "QN601", 7, 1, /stated as s6, and follows as s6 -24\.\.21/],
  ["s6 -24..21", "s7 -24..21", "QN601", 7, 49, /not a range of `s7`/],
  ["s6 -24..21", "s6 21..-24", "QN601", 7, 48, /not a range/],
  ["s6 -24..21", "s0", "QN600", 7, 41, /no width/],
  ["s6 -24..21", "s6 -24..21 #3", "QN600", 7, 1, /no layer 3/],
  ["s6 -24..21", "s6 -24..21 @1", "QN600", 7, 1, /latency/],
  ["s6 -24..21", "s6 -24..21 what", "QN600", 7, 52, /end of the line, found `what`/],
  ["fixed<6,6>", "fixed<5,5>", "QN601", 4, 1, /wider than port "y"/],
  ["fixed<4,4>", "fixed<3,3>", "QN601", 3, 1, /%0 is wider than port "x"/],
  ["fixed<4,4>", "fixed<4>", "QN600", 3, 15, /a type such as/],
  ["[2]", "[3]", "QN600", 3, 1, /2 elements/],
  ["= %2\n", "= %9\n", "QN600", 4, 1, /%9 is not defined/],
  ["= %0 %1\n", "= %1 %0\n", "QN600", 5, 1, /next element of the input ports is %1, with index 0/],
  ["= %0 %1\n", "= %0 %2\n", "QN600", 5, 1, /%2 of port "x" is no input cell/],
  ["index = 1", "index = 0", "QN600", 6, 1, /index 1/],
  ["%1 = input", "%0 = input", "QN600", 5, 1, /%1 of port "x" is no input cell/],
  ["%2 = shadd", "%2 = shl %0 {shift = 1} : s5 -16..14\n%2 = shadd", "QN600", 8, 1, /defined twice/],
  ['layer ""\n', "", "QN600", 4, 1, /no layer 0/],
  ["%2 = shadd", "%7 = shadd %0 %1 {shift = 1, sub = 0} : s6 -24..21\n%2 = shadd", "QN600", 8, 1, /%2 is equal to %7/],
  ["%1 = input", 'layer "late"\n%1 = input', "QN600", 6, 1, /come before the cells/],
];
const GRAPH_CASES: readonly Case[] = [
  ["[1] fixed<6,6>", "[1] fixed<7,7>", "QN601", 5, 1, /stated as fixed<7,7>, and follows as fixed<6,6>/],
  ["[1] fixed<6,6>", "[1] real", "QN601", 5, 1, /stated as real/],
  ["[1] fixed<6,6>", "[2] fixed<6,6>", "QN601", 5, 1, /shape \[2\], and has \[1\]/],
  ["[2, 1] 2^0", "[3, 1] 2^0", "QN600", 5, 1, /2 values for shape \[3, 1\]/],
  ["[2, 1] 2^0", "[1, 2] 2^0", "QN600", 5, 1, /takes 1 features/],
  ["{kernel = [2, 1] 2^0 (1, 2)} ", "", "QN600", 5, 1, /needs the attribute `kernel`/],
  ["(1, 2)", "(1, x)", "QN600", 5, 40, /an integer, found `x`/],
  ["(1, 2)", "(1, 2", "QN600", 5, 41, /expected `\)`/],
  ["TRN", "TRUNC", "QN600", 4, 65, /one of TRN/],
  ["dense %0", "dense %0 %0", "QN600", 5, 1, /takes 1 operands/],
  ["dense %0", "dense %4", "QN600", 5, 1, /%4 is not defined/],
  ["#0", "#1", "QN600", 5, 1, /no layer 1/],
  ['"Dense" = %1', '"Dense" = %5', "QN600", 2, 1, /%5 is not defined/],
  ['"y" = %1', '"y" = %5', "QN600", 3, 1, /%5 is not defined/],
  ["shape = [2]", "shape = [0]", "QN600", 4, 1, /positive/],
  ["dense %0 {kernel = [2, 1] 2^0 (1, 2)}", "lut %0 {f = sin(fixed<4,1,TRN,WRAP>)}", "QN600", 5, 18, /one of linear/],
  ["dense %0 {kernel = [2, 1] 2^0 (1, 2)}", "lut %0 {f = tanh(1, fixed<4,1,TRN,WRAP>)}", "QN600", 5, 1, /tanh takes \(\)/],
  ["dense %0 {kernel = [2, 1] 2^0 (1, 2)}", "lut %0 {f = tanh(fixed<4,1,UP,WRAP>)}", "QN600", 5, 41, /rounding mode `UP`/],
];

for (const [label, text, cases, parse] of [
  ["netlist", NET, NET_CASES, parseNetlist],
  ["graph", GRAPH, GRAPH_CASES, parseGraph],
] as const) {
  errors(`${label}: the text is right before each mistake`, () => void parsed<unknown>(parse, text));
  errors(`${label}: every mistake has its code and place`, () => {
    const wrong = cases.flatMap(([from, to, code, line, column, message]) => {
      assert.ok(text.includes(from), from);
      const reporter = new Reporter();
      const ir = parse(text.replace(from, to), "test.qir", reporter);
      const d = reporter.diagnostics[0];
      const good = ir === undefined && reporter.diagnostics.length === 1 && d!.code === code && d!.at?.line === line && d!.at.column === column && message.test(d!.message);
      return good ? [] : [`${from} -> ${to}: ${d?.code} ${d?.at?.line}:${d?.at?.column} ${d?.message}`];
    });
    assert.is(wrong.join("\n"), "");
  });
}

errors("values that would grow without bound are refused", () => {
  const squares = Array.from({ length: 40 }, (_, i) => `%${i + 1} = mul %${i} %${i} : u${2 ** (i + 1) * 4}`).join("\n");
  const reporter = new Reporter();
  assert.is(parseNetlist(`qir 1 netlist "n"\nlayer ""\ninput "x" [1] ufixed<4,4> = %0\n%0 = input {index = 0} : u4\n${squares}\n`, "s", reporter), undefined);
  assert.is(reporter.diagnostics.length, 1);
});

errors("no cut or changed text throws or hangs", () => {
  for (const [text, parse] of [
    [NET, parseNetlist],
    [GRAPH, parseGraph],
    [printNetlist(scheduled(randomNetlist(3), 2)), parseNetlist],
    [printGraph(randomGraph(3)), parseGraph],
  ] as const) {
    const alphabet = '%0=:@#{}[],"fs9-. \n';
    for (let i = 0; i < text.length; i += Math.ceil(text.length / 250)) {
      const mutants = [text.slice(0, i), text.slice(0, i) + text.slice(i + 1), text.slice(0, i) + alphabet[i % alphabet.length] + text.slice(i + 1)];
      for (const mutant of mutants) {
        const reporter = new Reporter();
        const ir = parse(mutant, "s", reporter);
        assert.is(ir === undefined, reporter.failed, mutant);
        for (const d of reporter.diagnostics) assert.ok(d.at?.line !== undefined || d.at?.layer !== undefined, JSON.stringify(d));
      }
    }
  }
});

errors.run();

const documents = suite("spec/ir.md and spec/numerics.md");

const page = (name: string): string => readFileSync(new URL(`../spec/${name}`, import.meta.url), "utf8");
const cellOf = (text: string): string => text.replaceAll("|", "\\|");

documents("every op, cell and function stands in its table with its attributes and its equation", () => {
  const ir = page("ir.md");
  const missing: string[] = [];
  const want = (row: string): unknown => ir.includes(`${row}\n`) || missing.push(row);
  const attrs = (kinds: Readonly<Record<string, string>>): string => Object.entries(kinds).map(([name, kind]) => `\`${name}\` ${kind}`).join(", ") || "none";
  const words = (names: readonly string[]): string => names.map((n) => `\`${n}\``).join(" ") || "none";
  for (const [name, d] of Object.entries(ops)) want(`| \`${name}\` | ${words(d.operands)} | ${attrs(d.attrs)} | ${cellOf(d.doc)} |`);
  for (const [name, d] of Object.entries(cells)) want(`| \`${name}\` | ${d.arity} | ${attrs(cellAttrKinds(name as CellOp))} | ${cellOf(d.doc)} |`);
  for (const [name, d] of Object.entries(unaries)) want(`| \`${name}\` | ${words(d.params)} | ${cellOf(d.doc)} |`);
  assert.is(missing.join("\n"), "", "rows that spec/ir.md lacks");
});

documents("the examples are true: they parse, and print as they stand", () => {
  const examples = [...page("ir.md").matchAll(/```qir\n([\s\S]*?)```/g)].map((m) => m[1]!);
  assert.is(examples.length, 2);
  const [graph, netlist] = examples as [string, string];
  assert.is(printGraph(parsed(parseGraph, graph)), graph);
  const n = parsed(parseNetlist, netlist);
  assert.is(printNetlist(n), netlist);
  const reporter = new Reporter();
  const again = [simplify, cmvm, simplify].reduce((m, pass) => pass.run(m, undefined as never)!, lowerGraph(parsed(parseGraph, graph)));
  assert.equal(reporter.diagnostics, []);
  assert.is(printNetlist(scheduled(again, 2)), netlist, "the netlist is what the passes make of the graph");
});

documents("every rounding and overflow mode has its row", () => {
  const numerics = page("numerics.md");
  for (const mode of [...roundings, ...overflows]) assert.ok(numerics.includes(`\n| \`${mode}\` |`), mode);
});

documents.run();
