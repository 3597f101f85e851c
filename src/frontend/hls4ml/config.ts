// hls4ml's configuration file: its YAML in, the precision and the settings of each of its layers out.
import { LineCounter, parseDocument } from "yaml";
import { didYouMean, type Place, type Reporter } from "../../diagnostics.js";
import { fixedPrecision, parsePrecision, type Slot } from "./precision.js";

/** A layer as the configuration names it: its own name, and its hls4ml class. */
export interface Named {
  readonly name: string;
  readonly kind: string;
}

export interface HlsConfig {
  readonly source: string;
  /** The type of a layer's `result`, `weight`, `accum` …: by its name, then its class, then the model; each has `default` for the rest. */
  precision(layer: Named, variable: string): Slot;
  /** A type given beside `Precision`, as `table_t: …`. hls4ml reads a table's type from there only, and ignores one inside `Precision`. */
  direct(layer: Named, variable: string): Slot | undefined;
  /** `Precision: {maximum: …}` of the model, which bounds inferred types. */
  readonly maximum: Slot | undefined;
  setting(layer: Named, key: string): unknown;
  /** Whether the layer's products are added in the order of hls4ml's reuse factor. */
  isReordered(layer: Named): boolean;
  /** Names of the layers that the file sets something for. */
  readonly layerNames: readonly string[];
  /** Names of the model's inputs, where the file lists them. */
  readonly inputNames: readonly string[];
}

type Section = Readonly<Record<string, unknown>>;
const isSection = (v: unknown): v is Section => typeof v === "object" && v !== null && !Array.isArray(v);
const section = (v: unknown): Section => (isSection(v) ? v : {});

/** Keys that only steer hls4ml's own code generation: the numbers do not depend on them. */
const WITHOUT_EFFECT = new Set([
  "ReuseFactor",
  "BramFactor",
  "TraceOutput",
  "Trace",
  "ConvImplementation",
  "PipelineStyle",
  "PipelineInterval",
  "TargetCycles",
  "ParallelizationFactor",
  "Compression",
  "Flows",
  "Algorithm",
]);
const TYPE_KEYS = ["table_t", "exp_table_t", "inv_table_t", "inv_inp_t", "accum_t", "param_t"] as const;
const KNOWN = new Set([
  ...WITHOUT_EFFECT,
  "Precision",
  "Strategy",
  "TableSize",
  "Implementation",
  "Skip",
  "BitExact",
  "SkipOptimizers",
  "Optimizers",
  ...TYPE_KEYS,
]);
const MAX_BYTES = 16 << 20;

/** Reads the file that hls4ml writes (hls4ml_config.yml) or the dictionary of `config_from_keras_model` alone. */
export function readHlsConfig(bytes: Uint8Array, source: string, reporter: Reporter): HlsConfig | undefined {
  if (bytes.length > MAX_BYTES)
    return reporter.error("QN101", `the file has ${bytes.length} bytes; the limit is ${MAX_BYTES}`, { at: { source } });
  const lines = new LineCounter();
  const document = parseDocument(new TextDecoder().decode(bytes), { lineCounter: lines, logLevel: "silent", prettyErrors: false });
  const [wrong] = document.errors;
  if (wrong) {
    const { line, col } = lines.linePos(wrong.pos[0]);
    return reporter.error("QN101", `the file is not YAML: ${wrong.message}`, { at: { source, line, column: col } });
  }
  // An alias expands at most 100 times (the package's own limit), so a small file stays small.
  let root: unknown;
  try {
    root = document.toJS({ maxAliasCount: 100 });
  } catch (e) {
    return reporter.error("QN101", `the file cannot be read: ${(e as Error).message}`, { at: { source } });
  }
  const config = isSection(root) && "HLSConfig" in root ? root.HLSConfig : root;
  if (!isSection(config) || !isSection(config.Model)) {
    return reporter.error("QN812", "the file has no HLSConfig with a `Model` section", {
      at: { source },
      help: "give the hls4ml_config.yml that hls4ml wrote, or the dictionary that `config_from_keras_model` returned, as YAML",
    });
  }
  if (isSection(root) && config !== root) checkTarget(root, { source }, reporter);
  const inputNames = Object.keys(isSection(root) ? section(root.InputShapes) : {});
  return makeConfig(config, inputNames, source, reporter);
}

function makeConfig(config: Section, inputNames: readonly string[], source: string, reporter: Reporter): HlsConfig | undefined {
  const at = { source };
  const model = section(config.Model);
  const byType = lowerKeys(section(config.LayerType));
  const byName = section(config.LayerName);
  const byLowerName = lowerKeys(byName);
  const sections: readonly (readonly [string, Section])[] = [
    ["Model", model],
    ...Object.entries(section(config.LayerType)).map(([n, s]) => [`LayerType ${n}`, section(s)] as const),
    ...Object.entries(byName).map(([n, s]) => [`LayerName ${n}`, section(s)] as const),
  ];
  const unknown = Object.keys(config).filter(
    (k) => !["Model", "LayerType", "LayerName", "Optimizers", "SkipOptimizers", "Flows"].includes(k),
  );
  for (const key of unknown) warnUnknown(key, "HLSConfig", ["Model", "LayerType", "LayerName"]);
  const idle = new Set<string>();
  for (const [where, s] of sections) {
    for (const key of Object.keys(s)) {
      if (WITHOUT_EFFECT.has(key)) idle.add(key);
      else if (!KNOWN.has(key)) warnUnknown(key, where, KNOWN);
    }
    for (const key of TYPE_KEYS.map((k) => k.replace(/_t$/, "")).filter((k) => /table|inv/.test(k)))
      if (isTableIgnored(s, key)) {
        reporter.warn("QN812", `${where}: hls4ml ignores \`${key}\` inside Precision, and its table keeps the default type`, {
          at,
          help: `write \`${key}_t: …\` beside Precision`,
        });
      }
    checkStrategy(s.Strategy, where, at, reporter);
  }
  for (const key of ["Optimizers", "SkipOptimizers", "Flows"])
    if (config[key] !== undefined)
      reporter.error("QN812", `\`${key}\` changes what hls4ml computes, and is not supported`, {
        at,
        help: "remove it from the configuration",
      });
  if (idle.size > 0)
    reporter.note("QN814", `${[...idle].sort().join(", ")}: accepted, and without effect on the numbers`, {
      at,
      help: "`--latency`, `--stage-depth` and `--clock` say how to pipeline",
    });

  function warnUnknown(key: string, where: string, known: Iterable<string>): void {
    const guess = didYouMean(key, known);
    reporter.warn("QN812", `${where}: unknown key \`${key.slice(0, 80)}\`, which hls4ml ignores`, {
      at,
      ...(guess === undefined ? {} : { help: `did you mean \`${guess}\`?` }),
    });
  }

  const parse = (value: unknown, where: string): Slot | undefined => {
    if (value === undefined || value === null) return undefined;
    const parsed = typeof value === "string" ? parsePrecision(value) : { problem: "it is not a text" };
    if (typeof parsed === "object" && "problem" in parsed) {
      reporter.error("QN300", `${where}: the precision ${JSON.stringify(value)?.slice(0, 80)} is not a type: ${parsed.problem}`, { at });
      return fixedPrecision(16, 6);
    }
    return parsed;
  };
  /** A section's type of a variable: from its dictionary, or the one type that stands for all. */
  const typeIn = (s: Section | undefined, variable: string, where: string): Slot | undefined => {
    const precision = s?.Precision;
    return isSection(precision) ? parse(precision[variable], where) : variable === "default" ? parse(precision, where) : undefined;
  };
  const modelDefault = typeIn(model, "default", "Model");
  if (modelDefault === undefined || modelDefault === "auto")
    return reporter.error("QN812", "Model: Precision gives no default type", { at, help: "write `Precision: {default: 'fixed<16,6>'}`" });
  const own = ({ name, kind }: Named, variable: string): Slot | undefined => {
    const [nameSection, typeSection] = [section(byLowerName[name.toLowerCase()]), section(byType[kind.toLowerCase()])];
    const [nameWhere, typeWhere] = [`LayerName ${name}`, `LayerType ${kind}`];
    return (
      typeIn(nameSection, variable, nameWhere) ??
      typeIn(nameSection, "default", nameWhere) ??
      typeIn(typeSection, variable, typeWhere) ??
      typeIn(typeSection, "default", typeWhere)
    );
  };
  // hls4ml takes settings by the exact name.
  const setting = ({ name, kind }: Named, key: string): unknown =>
    section(byName[name])[key] ?? section(section(config.LayerType)[kind])[key];
  return reporter.failed
    ? undefined
    : {
        source,
        layerNames: Object.keys(byName),
        inputNames,
        maximum: typeIn(model, "maximum", "Model"),
        precision: (layer, variable) => own(layer, variable) ?? typeIn(model, variable, "Model") ?? modelDefault,
        direct: (layer, variable) => parse(setting(layer, `${variable}_t`), `LayerName ${layer.name}`),
        setting,
        isReordered: (layer) => /^resource/i.test(String(setting(layer, "Strategy") ?? model.Strategy ?? "")),
      };
}

function checkStrategy(strategy: unknown, where: string, at: Place, reporter: Reporter): void {
  if (strategy === undefined || (typeof strategy === "string" && /^(?:latency|resource|resource_unrolled)$/i.test(strategy))) return;
  const isExact = typeof strategy === "string" && /^(?:distributed_arithmetic|da)$/i.test(strategy);
  const message = isExact
    ? "with distributed arithmetic hls4ml has no accumulator type, which is not supported here"
    : `Strategy is ${JSON.stringify(strategy)}`;
  reporter.error("QN812", `${where}: ${message}`, {
    at,
    help: "hls4ml's other strategies are Latency and Resource; or build without --hls4ml-config, whose sums are exact",
  });
}

/** The numbers are those of the Vivado and Vitis backends with parallel data. */
function checkTarget(root: Section, at: Place, reporter: Reporter): void {
  const { Backend: backend = "Vitis", IOType: io = "io_parallel" } = root;
  if (!["Vivado", "VivadoAccelerator", "Vitis", "VitisAccelerator", "VitisUnified"].includes(String(backend)))
    reporter.warn(
      "QN812",
      `Backend: ${JSON.stringify(backend)?.slice(0, 80)}: its tables differ, and the numbers here are those of Vitis`,
      { at },
    );
  if (io !== "io_parallel")
    reporter.warn("QN812", `IOType: ${JSON.stringify(io)?.slice(0, 80)}: the numbers here are those of io_parallel`, { at });
}

/** Types that hls4ml writes into every configuration, because they are its defaults. */
const TABLE_DEFAULTS = new Set(["fixed<18,8,TRN,WRAP,0>", "fixed<18,8,RND,SAT,0>"]);
const isTableIgnored = (s: Section, key: string): boolean => {
  const given = section(s.Precision)[key];
  return given !== undefined && s[`${key}_t`] === undefined && !TABLE_DEFAULTS.has(String(given).replace(/^ap_|AP_|\s/g, ""));
};

const lowerKeys = (s: Section): Section => Object.fromEntries(Object.entries(s).map(([k, v]) => [k.toLowerCase(), v]));
