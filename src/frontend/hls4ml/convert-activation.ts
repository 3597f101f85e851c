// Activations as hls4ml names them, whether a layer of their own or part of another.
import { isObject, type Json } from "../keras/json.js";
import type { Failed } from "../keras/layers/context.js";
import type { Quantizer } from "../keras/quantizers.js";
import { common, type Converting, onlyInput, type Row } from "./converting.js";
import type { Activation, HlsNode, Softmax } from "./nodes.js";
import { fixedPrecision, type Precision, type Slot } from "./precision.js";
import { weights } from "./weights.js";

const TABLE = fixedPrecision(18, 8);
const SOFTMAX_TABLE = fixedPrecision(18, 8, true, { round: "RND", overflow: "SAT" });

/** A table's type: hls4ml reads it beside `Precision`, as `table_t`, and ignores one inside. */
function tableType(c: Converting, kind: string, variable: string, otherwise: Precision): Precision {
  const given = c.config.direct({ name: c.name, kind }, variable);
  return given === undefined || given === "auto" ? otherwise : given;
}

function tableSize(c: Converting, kind: string): number | Failed {
  const n = Number(c.config.setting({ name: c.name, kind }, "TableSize") ?? 1024);
  if (Number.isInteger(n) && n >= 2 && n <= 1 << 16 && Number.isInteger(Math.log2(n))) return n;
  return c.cx.reporter.error("QN812", `LayerName ${c.name}: TableSize must be a power of two up to 65536`, {
    at: { source: c.config.source },
  });
}

type Form = Pick<Activation, "kind"> & Partial<Activation>;

const FUNCTIONS = new Set([
  "linear",
  "relu",
  "relu6",
  "relu1",
  "sigmoid",
  "tanh",
  "softplus",
  "softsign",
  "selu",
  "binary_tanh",
  "ternary_tanh",
]);

const slopeOfQkeras = { slope: 0.5, slopeType: fixedPrecision(2, 0, false) };
const hardOfKeras: Form = { kind: "HardActivation", activation: "hard_sigmoid", slope: 0.2, slopeType: fixedPrecision(16, 0, false) };

/** What each quantizer of QKeras is as an activation; hls4ml rounds by the result's type alone. */
function formOfQuantizer(q: Quantizer): Form | string {
  switch (q.name) {
    case "quantized_relu":
      return q.negative_slope !== 0
        ? { kind: "LeakyReLU", activation: "leaky_relu", parameter: scalar(q.negative_slope) }
        : { kind: "Activation", activation: "relu" };
    case "quantized_bits":
      return { kind: "Activation", activation: "linear", rounds: true };
    case "quantized_tanh":
      return q.use_real_tanh
        ? { kind: "Activation", activation: "tanh" }
        : { kind: "HardActivation", activation: "hard_tanh", ...slopeOfQkeras };
    case "quantized_sigmoid":
      return q.use_real_sigmoid
        ? { kind: "Activation", activation: "sigmoid" }
        : { kind: "HardActivation", activation: "hard_sigmoid", ...slopeOfQkeras };
    case "binary":
    case "binary_tanh":
      return { kind: "Activation", activation: "binary_tanh" };
    case "ternary":
      return { kind: "TernaryTanh", activation: "ternary_tanh", slope: q.threshold ?? 0.33 };
    default:
      return `hls4ml does not take ${q.name} as an activation`;
  }
}

const scalar = (x: number) => weights([], [x], "auto");

/** The node of an activation named by a layer's configuration. */
export function activationNode(c: Converting, named: Json): HlsNode | Failed {
  if (typeof named === "string" && !named.includes("(")) return functionNode(c, named);
  const q = c.cx.quantizerOf(named, "activation");
  if (!q) return q === null ? functionNode(c, "linear") : undefined;
  const form = formOfQuantizer(q);
  return typeof form === "string"
    ? c.cx.error(
        "QN205",
        form,
        "activation",
        "quantized_relu, quantized_bits, quantized_tanh, quantized_sigmoid, binary and ternary are taken",
      )
    : finish(c, form);
}

function functionNode(c: Converting, name: string): HlsNode | Failed {
  if (name === "softmax") return softmax(c);
  if (name === "hard_sigmoid") return finish(c, hardOfKeras);
  if (name === "elu") return finish(c, { kind: "ELU", activation: "elu", parameter: scalar(number(c, ["alpha"], 1)) });
  if (name === "leaky_relu")
    return finish(c, { kind: "LeakyReLU", activation: "leaky_relu", parameter: scalar(number(c, ["negative_slope", "alpha"], 0.2)) });
  if (FUNCTIONS.has(name)) return finish(c, { kind: "Activation", activation: name });
  return c.cx.error(
    "QN205",
    `hls4ml has no activation \`${name.slice(0, 80)}\``,
    "activation",
    `it has ${[...FUNCTIONS, "softmax", "hard_sigmoid", "elu", "leaky_relu"].join(", ")}`,
  );
}

const number = (c: Converting, keys: readonly string[], otherwise: number): number => {
  for (const key of keys) {
    const v = c.cx.get(key);
    const plain = isObject(v) && isObject(v.config) ? v.config.value : v;
    if (typeof plain === "number" && Number.isFinite(plain)) return plain;
  }
  return otherwise;
};

/** hls4ml has one class for these, by which `LayerType` names them. */
const PARAMETRIZED = new Set<Activation["kind"]>(["LeakyReLU", "ThresholdedReLU", "ELU"]);

function finish(c: Converting, form: Form): HlsNode | Failed {
  const x = onlyInput(c);
  const kind = PARAMETRIZED.has(form.kind) ? "ParametrizedActivation" : form.kind;
  const size = tableSize(c, kind);
  if (!x || size === undefined) return undefined;
  const type: Slot = c.config.direct({ name: c.name, kind }, "param") ?? c.config.precision({ name: c.name, kind }, "param");
  const parameter = form.parameter && { ...form.parameter, type };
  return {
    activation: "linear",
    ...form,
    ...common(c, kind, x.shape),
    tableSize: size,
    table: tableType(c, kind, "table", TABLE),
    ...(parameter ? { parameter } : {}),
  };
}

const IMPLEMENTATIONS = ["stable", "latency", "legacy", "argmax"] as const;

function softmax(c: Converting): Softmax | Failed {
  const x = onlyInput(c);
  const size = tableSize(c, "Softmax");
  const named = { name: c.name, kind: "Softmax" };
  const implementation = c.config.setting(named, "Implementation") ?? "stable";
  if (!x || size === undefined) return undefined;
  const axis = c.cx.get("axis") ?? -1;
  if (axis !== -1 && axis !== x.shape.length)
    return c.cx.error("QN212", "a softmax along an axis that is not the last is not supported", "axis");
  if (!(IMPLEMENTATIONS as readonly unknown[]).includes(implementation))
    return c.cx.reporter.error("QN812", `LayerName ${c.name}: Implementation must be one of ${IMPLEMENTATIONS.join(", ")}`, {
      at: { source: c.config.source },
    });
  const type = (variable: string): Precision => tableType(c, "Softmax", variable, SOFTMAX_TABLE);
  return {
    kind: "Softmax",
    ...common(c, "Softmax", x.shape),
    implementation: implementation as Softmax["implementation"],
    skip: c.config.setting(named, "Skip") === true,
    tableSize: size,
    table: tableType(c, "Softmax", "table", TABLE),
    expTable: type("exp_table"),
    invTable: type("inv_table"),
    invInput: type("inv_inp"),
    accum: c.config.direct(named, "accum") ?? c.config.precision(named, "accum"),
  };
}

const fromConfig: Row = (c) => activationNode(c, c.cx.get("activation") ?? "linear");

const prelu: Row = (c) => {
  const x = onlyInput(c);
  if (!x || c.cx.requires("shared_axes", []) === false) return undefined;
  const alpha = c.cx.weight("alpha", x.shape);
  return alpha && finish(c, { kind: "PReLU", activation: "prelu", parameter: weights(x.shape, alpha.values, "auto") });
};

const relu: Row = (c) => {
  const { cx } = c;
  const isPlain = ["negative_slope", "threshold"].every((key) => (cx.get(key) ?? 0) === 0) && cx.get("max_value") == null;
  if (!isPlain)
    return cx.error(
      "QN212",
      "hls4ml ignores max_value, negative_slope and threshold of a ReLU layer",
      "max_value",
      "use LeakyReLU, ThresholdedReLU or QActivation, or build without --hls4ml-config",
    );
  return finish(c, { kind: "Activation", activation: "relu" });
};

/** Layers that are nothing but an activation. */
export const activations: Readonly<Record<string, Row>> = {
  Activation: fromConfig,
  QActivation: fromConfig,
  Softmax: softmax,
  ReLU: relu,
  LeakyReLU: (c) =>
    finish(c, { kind: "LeakyReLU", activation: "leaky_relu", parameter: scalar(number(c, ["negative_slope", "alpha"], 0.3)) }),
  ThresholdedReLU: (c) =>
    finish(c, { kind: "ThresholdedReLU", activation: "thresholded_relu", parameter: scalar(number(c, ["theta"], 1)) }),
  ELU: (c) => finish(c, { kind: "ELU", activation: "elu", parameter: scalar(number(c, ["alpha"], 1)) }),
  PReLU: prelu,
};

export const isActivationClass = (className: string): boolean => Object.hasOwn(activations, className);
