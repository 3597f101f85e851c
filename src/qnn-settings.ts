// What a .qnn file sets beside its network, as options of a build. Whatever is asked for on the command line wins.
import type { HlsStyle } from "./backends/hls/hls.js";
import type { Reporter } from "./diagnostics.js";
import type { QnnSettings } from "./frontend/qnn/read-qnn.js";
import type { Graph } from "./ir/graph.js";
import { type NpyArray, parseNpy, parseNpz } from "./npy.js";
import type { Options, VectorsFile } from "./options.js";
import type { Pipelining } from "./passes/pass.js";
import type { Source } from "./read-model.js";

const isClocked = (p: Pipelining | undefined): boolean => p !== undefined && "clock" in p;

/** The options that the file sets, as far as nothing that is `asked` for decides them; undefined after reporting a contradiction. */
export function wishesOf(settings: QnnSettings, asked: Options, reporter: Reporter): Options | undefined {
  const { verilog = {}, hls = {}, vectors } = settings;
  warnIdle(settings, reporter);
  if (asked.top === undefined && verilog.top && hls.top && verilog.top.value !== hls.top.value) {
    return reporter.error("QN812", "a build has one top module, and the two targets name it differently", {
      at: hls.top.at,
      also: [{ at: verilog.top.at, message: "the other name" }],
      help: "give both the same name, or only one of them a name",
    });
  }
  const top = (verilog.top ?? hls.top)?.value;
  const clock = verilog.clock?.value;
  const own: Pipelining | undefined = verilog.latency ? { stages: verilog.latency.value } : clock === undefined ? undefined : { clock };
  const asksClock = isClocked(asked.pipeline);
  const style: HlsStyle | undefined = hls.style?.value;
  const asksVectors = asked.vectors !== undefined || asked.vectorCount !== undefined || asked.seed !== undefined;
  return {
    ...(top === undefined ? {} : { top }),
    ...(own === undefined ? {} : { pipeline: own }),
    // Stages by number leave the clock to the constraints alone.
    ...(clock === undefined || isClocked(asked.pipeline ?? own) ? {} : { clockNs: clock }),
    ...(hls.clock === undefined || asksClock ? {} : { hlsClockNs: hls.clock.value }),
    ...(style === undefined ? {} : { hlsStyle: style }),
    ...(vectors === undefined || asksVectors ? {} : { vectorsFile: vectors }),
  };
}

/** Settings that are right, and that no backend obeys. */
function warnIdle({ verilog = {}, hls = {} }: QnnSettings, reporter: Reporter): void {
  for (const part of [verilog.part, hls.part])
    if (part)
      reporter.warn("QN814", "`part` has no effect yet: the synthesis scripts take the device from the environment", {
        at: part.at,
        help: `run them with PART=${part.value}`,
      });
  if (verilog.wrapper?.value === false)
    reporter.warn("QN814", "the AXI4-Stream wrapper is always written", { at: verilog.wrapper.at, help: "remove `wrapper: false`" });
}

/** The samples of a `vectors` file in the order of the graph's inputs. */
export function vectorsIn(
  { value: name, at }: VectorsFile,
  { files }: Source,
  graph: Graph,
  reporter: Reporter,
): readonly NpyArray[] | undefined {
  const bytes = files.get(name);
  if (!bytes) return reporter.error("QN100", "there is no such file", { at, help: `it is looked for at ${name}` });
  const inputs = graph.inputs.flatMap((id) => {
    const node = graph.nodes[id];
    return node?.op === "input" ? [node.attrs.name] : [];
  });
  if (!/\.npz$/i.test(name)) {
    const array = parseNpy(bytes, name, reporter);
    if (!array || inputs.length === 1) return array && [array];
    return reporter.error("QN500", `the network has ${inputs.length} inputs, and a .npy holds one array`, {
      at,
      help: "name an .npz whose arrays carry the inputs' names",
    });
  }
  const arrays = parseNpz(bytes, name, reporter);
  const missing = arrays && inputs.filter((input) => !arrays.has(input));
  if (!arrays || !missing) return undefined;
  if (missing.length === 0) return inputs.map((input) => arrays.get(input)!);
  return reporter.error("QN500", `${name} has no array \`${missing[0]}\``, {
    at,
    help: `it has ${[...arrays.keys()].map((k) => `\`${k}\``).join(", ")}`,
  });
}
