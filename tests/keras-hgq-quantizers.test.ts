// The quantizers of HGQ2 in every mode against their formulas in plain doubles, and what is malformed.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { conf, hgq, kifs, quantized, reals, run, same, widths } from "./support/hgq.js";
import { input, type J, read, sequential, tryRead, weightsFile } from "./support/keras-model.js";

const t = suite("keras hgq quantizers");

t("a quantizer by element, in every mode, also where the input takes its type from it", async () => {
  const n = 12;
  for (const round of ["TRN", "RND", "S_RND"])
    for (const overflow of ["WRAP", "SAT", "SAT_SYM"])
      for (const type of ["kif", "kbi"] as const) {
        const q = { ...kifs(n), k: [1, ...kifs(n - 1).k] };
        const model = sequential(input(n), hgq("Quantizer", "q", { config: conf(type, round, overflow.toLowerCase()) }));
        const graph = await read(model, await weightsFile(widths("q", [1, n], q, type)));
        for (let sample = 0; sample < 40; sample++) {
          const x = reals(n);
          const want = x.map((v, e) => quantized(v, q.k[e]!, q.i[e]!, q.f[e]!, round, overflow));
          assert.equal(run(graph, x), want, `${type} ${round} ${overflow} of ${x}`);
        }
      }
});

t("modes whose input stays real, behind one that types it", async () => {
  const n = 8;
  for (const round of ["RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_INF", "RND_MIN_INF"])
    for (const overflow of ["WRAP", "SAT", "SAT_SYM"]) {
      const q = kifs(n);
      const first = hgq("Quantizer", "p", { config: conf("kif", "TRN", "SAT") });
      const model = sequential(
        input(n),
        first,
        hgq("Quantizer", "q", { config: conf("kif", round, overflow, { scaler: 2, affine: [0.5, 0.25] }) }),
      );
      const graph = await read(model, await weightsFile({ ...widths("p", [1, 1], same(1, 1, 4, 9)), ...widths("q", [1, n], q) }));
      for (let sample = 0; sample < 30; sample++) {
        const x = reals(n);
        const want = x.map((v, e) => quantized(Math.floor(v * 512) / 1024, q.k[e]!, q.i[e]!, q.f[e]!, round, overflow) + 0.25);
        assert.equal(run(graph, x), want, `${round} ${overflow} of ${x}`);
      }
    }
});

t("weights that wrap are only rounded", async () => {
  const iq = { enable_iq: true, iq_conf: conf("kif", "TRN", "SAT"), use_bias: false, units: 1 };
  for (const [more, want] of [
    [{ is_weight: true, trainable: true }, 5.25],
    [{ is_weight: true, trainable: false }, 1.25],
    [{ is_weight: false }, 1.25],
  ] as const) {
    const model = sequential(input(1), hgq("QDense", "d", { ...iq, kq_conf: conf("kif", "RND", "WRAP", more) }));
    const values = {
      "d/kernel": [[1, 1], [5.3]] as const,
      ...widths("d/d_iq", [1, 1], same(1, 1, 4, 4)),
      ...widths("d/d_kq", [1, 1], same(1, 1, 1, 2)),
    };
    assert.equal(run(await read(model, await weightsFile(values)), [1]), [want]);
  }
});

t("malformed quantizers and equations are reported, with the layer's name", async () => {
  const x = (c: J): J => sequential(input(2), hgq("QDense", "d", { units: 1, use_bias: false, iq_conf: c, kq_conf: c }));
  const weights = await weightsFile({
    "d/kernel": [
      [2, 1],
      [1, 2],
    ],
    ...widths("d/d_iq", [1, 2], same(2, 1, 70, 0)),
    ...widths("d/d_kq", [2, 1], same(2, 1, 1, 1)),
  });
  const kif = conf("kif", "RND", "SAT");
  const cases: readonly (readonly [J, string])[] = [
    [x(kif), "QN301"],
    [x(conf("kif", "UP", "SAT")), "QN204"],
    [x(conf("kif", "RND", "WRAP_SM")), "QN204"],
    [x({ config: { q_type: "float" } }), "QN203"],
    [x({ config: { q_type: "kif", round_mode: {}, overflow_mode: [] } }), "QN204"],
    [x(conf("kif", "RND", "SAT", { scaler: 3 })), "QN204"],
    [x([1]), "QN204"],
    [x(conf("kbi", "RND", "SAT")), "QN206"],
    [sequential(input(2), hgq("QEinsumDense", "d", { equation: "ab,bc->ca", output_shape: [1], enable_iq: false })), "QN212"],
    [sequential(input(2), hgq("QGRU", "d", {})), "QN201"],
  ];
  for (const [model, code] of cases) {
    const { graph, reporter } = await tryRead(model, weights);
    assert.not.ok(graph, JSON.stringify(model));
    assert.is(reporter.diagnostics[0]?.code, code, JSON.stringify(reporter.diagnostics[0]));
    assert.is(reporter.diagnostics[0]?.at?.layer, "d");
  }
});

t("widths that no quantizer has are reported, with the layer's name", async () => {
  const model = sequential(input(1), hgq("Quantizer", "q", { config: conf("kif", "RND", "SAT") }));
  const cases: readonly (readonly [readonly [number, number, number], string | undefined])[] = [
    [[1, 3, 4], undefined],
    [[1, -1e9, 4], undefined],
    [[2, 3, 4], "QN208"],
    [[1, Number.NaN, 4], "QN208"],
    [[1, 3, Number.POSITIVE_INFINITY], "QN208"],
    [[1, -1e6, 1e6], "QN301"],
    [[1, 3, 80], "QN301"],
  ];
  for (const [[k, i, f], code] of cases) {
    const { graph, reporter } = await tryRead(model, await weightsFile(widths("q", [1, 1], same(1, k, i, f))));
    assert.is(reporter.diagnostics[0]?.code, code, `${k} ${i} ${f}`);
    assert.is(graph === undefined, code !== undefined);
  }
});

t.run();
