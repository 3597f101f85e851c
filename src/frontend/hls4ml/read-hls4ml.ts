// A Keras or QKeras model as hls4ml 1.3.0 computes it: its files and hls4ml's configuration in, a Graph with every value typed out.
import { didYouMean, type Reporter } from "../../diagnostics.js";
import type { Graph } from "../../ir/graph.js";
import { variablesOf } from "../keras/layers/index.js";
import type { KerasLayer } from "../keras/model.js";
import { openKeras } from "../keras/model-file.js";
import { readKeras } from "../keras/read-keras.js";
import { type HlsConfig, readHlsConfig } from "./config.js";
import { convert } from "./convert.js";
import { emit } from "./emit.js";
import { checkOrder, Fixes } from "./fixes.js";
import type { HlsNetwork } from "./nodes.js";
import { optimize } from "./optimize.js";

export interface HlsSource {
  readonly model: string;
  readonly weights?: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface HlsOptions {
  readonly name: string;
  /** The configuration's name among the files. */
  readonly config: string;
  /** The node of hls4ml, or the layer of Keras, whose result becomes the output. */
  readonly until?: string;
  /** The right value where hls4ml's is known to be wrong. */
  readonly fix: boolean;
}

export async function readHls4ml(source: HlsSource, options: HlsOptions, reporter: Reporter): Promise<Graph | undefined> {
  const file = (name: string) => {
    const bytes = source.files.get(name);
    return bytes ? { name, bytes } : reporter.error("QN100", "the file was not given", { at: { source: name } });
  };
  const model = file(source.model);
  const weights = source.weights === undefined ? undefined : file(source.weights);
  const yaml = file(options.config);
  if (!model || !yaml || reporter.failed) return undefined;
  const config = readHlsConfig(yaml.bytes, yaml.name, reporter);
  const opened = config && openKeras({ model, ...(weights ? { weights } : {}) }, variablesOf, reporter);
  if (opened?.layers.some(isHgq)) {
    reporter.note(
      "QN814",
      "a model of HGQ carries its own types: hls4ml keeps its values bit for bit, and the configuration changes none of them",
      { at: { source: yaml.name } },
    );
    const { name, until } = options;
    return readKeras(source, { name, ...(until === undefined ? {} : { until }) }, reporter);
  }
  const network = opened && convert(opened, config, reporter);
  if (network) checkNames(network, config, reporter);
  const fixes = new Fixes(options.fix);
  const typed = network && cut(optimize(network, config, fixes), options.until, source.model, reporter);
  if (typed) checkOrder(typed, config!);
  return typed && !reporter.failed ? emit(typed, options.name, fixes, reporter) : undefined;
}

/** Layers that the configuration names and the model lacks: hls4ml passes them over in silence. */
function checkNames(network: HlsNetwork, config: HlsConfig, reporter: Reporter): void {
  const names = network.nodes.map((n) => n.name);
  // hls4ml adds `_alpha` and `_scale` layers itself, and writes them into its file; a bare `<layer>_linear` may stand for no node.
  const known = new Set(names.flatMap((n) => [n, `${n}_alpha`, `${n}_scale`, `${n}_linear`]).map((n) => n.toLowerCase()));
  for (const name of config.layerNames) {
    if (known.has(name.toLowerCase())) continue;
    const guess = didYouMean(name, names);
    reporter.warn("QN211", `LayerName \`${name.slice(0, 80)}\`: hls4ml's model has no such layer`, {
      at: { source: config.source },
      help: guess === undefined ? `its layers: ${names.slice(0, 20).join(", ")}` : `did you mean \`${guess}\`?`,
    });
  }
}

const isHgq = ({ module, className }: KerasLayer): boolean => /^hgq(?:[.>]|$)/i.test(module ?? "") || /^hgq>/i.test(className);

/** What the named node needs. */
function cut(network: HlsNetwork, until: string | undefined, source: string, reporter: Reporter): HlsNetwork | undefined {
  if (until === undefined) return network;
  const last = network.nodes.findLast((n) => n.name === until) ?? network.nodes.findLast((n) => n.cx.layer.name === until);
  if (!last) {
    const names = network.nodes.map((n) => n.name);
    const guess = didYouMean(until, names);
    return reporter.error("QN211", `hls4ml's model has no layer \`${until.slice(0, 80)}\``, {
      at: { source },
      help: guess === undefined ? `its layers: ${names.slice(0, 20).join(", ")}` : `did you mean \`${guess}\`?`,
    });
  }
  const needed = new Set([last.name]);
  for (const n of network.nodes.toReversed()) if (needed.has(n.name)) for (const i of n.inputs) needed.add(i);
  return { nodes: network.nodes.filter((n) => needed.has(n.name)), outputs: [{ name: until, node: last.name }] };
}
