// The examples of spec/diagnostics.md are what qnnc prints: each is made again here. UPDATE=1 rewrites them.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Code, codes } from "../src/diagnostic-codes.js";
import { formatNpy, formatNpz } from "../src/npy.js";
import { digits, inProcess, testFolder } from "./support/cli.js";
import { tinyQir } from "./support/tiny.js";

const specPath = fileURLToPath(new URL("../spec/diagnostics.md", import.meta.url));
const golden = fileURLToPath(new URL("./golden/qnn/", import.meta.url));
const cwd = testFolder("diagnostics");

type Layer = { class_name: string; config: Record<string, unknown> };
interface Model {
  config: { layers: Layer[] };
}

const weights = readFileSync(digits.weights);
const original = readFileSync(digits.model, "utf8");
const put = (name: string, content: string | Uint8Array): void => writeFileSync(join(cwd, name), content);
/** net.json and net.h5, with the model changed. */
function net(change: (layers: Layer[], model: Model) => void = () => {}): void {
  const model = JSON.parse(original) as Model;
  change(model.config.layers, model);
  put("net.json", `${JSON.stringify(model, null, 1)}\n`);
  put("net.h5", weights);
}
const layer = (layers: Layer[], name: string): Layer => layers.find((l) => l.config["name"] === name)!;
/** The same network as plain floats. */
const float = (layers: Layer[]): void => {
  for (const l of layers) {
    if (l.class_name !== "QDense") continue;
    l.class_name = "Dense";
    for (const key of Object.keys(l.config)) if (/quantizer|_range$|_constraint$/.test(key)) delete l.config[key];
  }
};
const samples = (name: string, shape: readonly number[], values: readonly number[]): void =>
  put(name, formatNpy({ shape, data: Float64Array.from(values) }));

const check = "check net.json -w net.h5";
const sim = "sim tiny.qir -i x.npy -o y.npy --engine reference";

/** How to provoke each code: files, then a command line. */
const recipes: Partial<Record<Code, () => string>> = {
  QN100: () => "check none.json",
  QN101: () => {
    put("weights.h5", weights);
    return "check weights.h5";
  },
  QN102: () => {
    net();
    put("net.json", '{"class_name": "Sequential", "config": {"__proto__": 1}}\n');
    return check;
  },
  QN103: () => {
    net();
    put("net.h5", weights.subarray(0, 2000));
    return check;
  },
  QN104: () => {
    put("net.keras", "PK\u0003\u0004 and no more");
    return "check net.keras";
  },
  QN105: () => {
    put("x.npy", "1,2,3\n");
    return sim;
  },
  QN106: () => {
    net();
    return "check net.json";
  },
  QN200: () => {
    net((l) => Object.assign(layer(l, "fc1").config, { units: "many" }));
    return check;
  },
  QN201: () => {
    net((l) => Object.assign(layer(l, "fc1"), { class_name: "QDens" }));
    return check;
  },
  QN202: () => {
    net((l) => Object.assign(layer(l, "fc1"), { class_name: "Lambda" }));
    return check;
  },
  QN203: () => {
    net((l) => Object.assign(layer(l, "fc1").config, { kernel_quantizer: "quantized_bit(4)" }));
    return check;
  },
  QN204: () => {
    net((l) => Object.assign(layer(l, "fc1").config, { kernel_quantizer: "quantized_bits(0)" }));
    return check;
  },
  QN205: () => {
    net((l) => Object.assign(layer(l, "fc1").config, { activation: "rellu" }));
    return check;
  },
  QN206: () => {
    net((l) => Object.assign(layer(l, "fc1").config, { name: "fc0" }));
    return check;
  },
  QN207: () => {
    net((l) => Object.assign(layer(l, "fc1").config, { units: 31 }));
    return check;
  },
  QN211: () => {
    net();
    return `${check} --until fc9`;
  },
  QN212: () => {
    net((l) => Object.assign(layer(l, "softmax"), { class_name: "Softmax", config: { name: "softmax", axis: [1, 2] } }));
    return check;
  },
  QN214: () => {
    net((_, model) => Object.assign(model.config, { layers: [] }));
    return check;
  },
  QN215: () => {
    net((l) => Object.assign(layer(l, "relu1").config, { name: "fc1" }));
    return check;
  },
  QN302: () => {
    net(float);
    return check;
  },
  QN303: () => {
    net(float);
    return `${check} --precision fixed<12,3>`;
  },
  QN304: () => {
    net(float);
    return `${check} --precision fixed<8,0>`;
  },
  QN307: () => {
    const x = '%0 = input {name = "x", shape = [1], type = fixed<16,6>, round = RND, overflow = SAT} : [1] fixed<16,6>';
    const y = "%1 = lut %0 {f = tanh(fixed<16,1,RND,SAT>)} : [1] fixed<16,1> #0";
    put("curve.qir", `qir 1 graph "curve"\nlayer "curve" "Activation" = %1\noutput "curve" = %1\n${x}\n${y}\n`);
    return "check curve.qir";
  },
  QN400: () => "tiny.qir --latncy 3 -o firmware",
  QN401: () => "tiny.qir --latency 3 --clock 5 -o firmware",
  QN402: () => "tiny.qir --clock 0.01 --emit netlist",
  QN404: () => {
    mkdirSync(join(cwd, "docs"), { recursive: true });
    put("docs/thesis.txt", "years of work");
    return "tiny.qir -o docs";
  },
  QN500: () => {
    samples("x.npy", [100, 3], new Array(300).fill(0));
    return sim;
  },
  QN501: () => {
    samples(
      "x.npy",
      [100, 2],
      Array.from({ length: 200 }, (_, i) => (i < 12 ? 5 : 0)),
    );
    return sim;
  },
  QN502: () => {
    samples("x.npy", [2, 2], [0, 1, Number.NaN, 1]);
    return sim;
  },
  QN600: () => {
    put("net.qir", tinyQir.replace("[2] fixed<4,2> #0", "[2] #0"));
    return "opt net.qir";
  },
  QN601: () => {
    put("net.qir", tinyQir.replace("fixed<7,4> #1", "fixed<8,4> #1"));
    return "opt net.qir";
  },
  QN701: () => {
    samples("x.npy", [2, 2], [0.5, 1, -1, 0.25]);
    const fc = { shape: [2, 3], data: Float64Array.from([3.25, -0.5, -0.75, 1, 1, -2.5]) };
    put("layers.npz", formatNpz(new Map([["fc", fc]])));
    return "sim tiny.qir -i x.npy --compare layers.npz --engine reference";
  },
  QN814: () => {
    put("model.qnn", 'network n {\n  input x: fixed<4,2>[2]\n  output x\n}\n\nquantize { data: "x.npy", goal: energy, max_loss: 0.5% }\n');
    return "check model.qnn";
  },
  QN815: () => {
    put("model.qnn", "network n { input x: fixed<4,2>[2] output x }\n");
    return "fmt --check model.qnn";
  },
};

/** Codes whose example needs a large or a damaged network; frontend and pass tests raise them. */
const byHand: readonly Code[] = ["QN208", "QN209", "QN210", "QN213", "QN300", "QN301", "QN305", "QN306", "QN403", "QN700"];

/** The first diagnostic of a code as it is printed. */
const rendered = (text: string, code: Code): string | undefined =>
  new RegExp(`^(?:error|warning|note)\\[${code}\\]: .*\\n(?:(?!error\\[|warning\\[|note\\[|\\d+ errors?; ).*\\n)*`, "m").exec(text)?.[0].trimEnd();

const exampleOf = (page: string, code: Code): string =>
  new RegExp(`^## ${code}: [\\s\\S]*?^\`\`\`text\\n([\\s\\S]*?)\\n\`\`\``, "m").exec(page)![1]!;

const examples = suite("examples");

examples("each is printed by a command line", async () => {
  let page = readFileSync(specPath, "utf8");
  put("tiny.qir", tinyQir);
  for (const [code, recipe] of Object.entries(recipes) as [Code, () => string][]) {
    const { stderr } = await inProcess(recipe().split(" "), cwd);
    const now = rendered(stderr, code);
    assert.ok(now !== undefined, `${code} is not raised: ${stderr}`);
    const then = exampleOf(page, code);
    if (process.env["UPDATE"] === "1") page = page.replace(`\`\`\`text\n${then}\n`, () => `\`\`\`text\n${now}\n`);
    else assert.is(then, now, `${code}; UPDATE=1 rewrites spec/diagnostics.md`);
  }
  if (process.env["UPDATE"] === "1") writeFileSync(specPath, page);
});

examples("those of the language are in its golden files", () => {
  const page = readFileSync(specPath, "utf8");
  const texts = readdirSync(golden)
    .filter((f) => f.endsWith(".expect"))
    .map((f) => readFileSync(join(golden, f), "utf8"));
  for (const code of (Object.keys(codes) as Code[]).filter((c) => c.startsWith("QN8") && !Object.hasOwn(recipes, c))) {
    assert.ok(
      texts.some((t) => rendered(t, code) === exampleOf(page, code)),
      `${code}: no tests/golden/qnn/*.expect has the example of spec/diagnostics.md`,
    );
  }
});

examples("no code is forgotten", () => {
  const covered = new Set([...Object.keys(recipes), ...byHand, ...Object.keys(codes).filter((c) => c.startsWith("QN8"))]);
  assert.equal([...covered].sort(), Object.keys(codes).sort());
});

examples.run();
