// manifest.json: what a firmware folder is, for tools and for the next build.
import { printFixed } from "./ir/fixed.js";
import type { Graph } from "./ir/graph.js";
import type { Netlist, Port } from "./ir/netlist.js";
import { sizeOf } from "./ir/tensor.js";
import type { Files } from "./ir/target.js";

export interface ManifestPort {
  readonly name: string;
  /** The name in the source model. */
  readonly source: string;
  readonly shape: readonly number[];
  readonly type: string;
  /** Width of the bus: elements times the width of one. */
  readonly bits: number;
  /** A last step that the host computes in floating point. */
  readonly host?: string;
}

export interface Manifest {
  readonly generator: "qnnc";
  readonly version: string;
  readonly top: string;
  /** Clock cycles from in_valid to out_valid, and between two samples; null where no Verilog is built. */
  readonly latency: number | null;
  readonly ii: 1 | null;
  readonly inputs: readonly ManifestPort[];
  readonly outputs: readonly ManifestPort[];
  readonly vectors: number;
  /** SHA-256 of each source file, by its name without folders. */
  readonly sources: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** SHA-256 of every other file of this folder, by path. */
  readonly files: Readonly<Record<string, string>>;
}

async function sha256(content: string | Uint8Array): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : new Uint8Array(content);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
}

async function hashAll(files: Iterable<readonly [string, string | Uint8Array]>): Promise<Record<string, string>> {
  const entries = await Promise.all(Array.from(files, async ([name, content]) => [name, await sha256(content)] as const));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const port = (p: Port, source: string, host?: string): ManifestPort => ({
  name: p.name,
  source,
  shape: p.shape,
  type: printFixed(p.type),
  bits: sizeOf(p.shape) * p.type.width,
  ...(host === undefined ? {} : { host }),
});

export interface ManifestParts {
  readonly version: string;
  readonly graph: Graph;
  readonly ports: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] };
  readonly netlist: Netlist | undefined;
  readonly vectors: number;
  readonly sources: ReadonlyMap<string, Uint8Array>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly files: Files;
}

export async function makeManifest({ version, graph, ports, netlist, vectors, sources, options, files }: ManifestParts): Promise<Manifest> {
  const inputName = (i: number): string => {
    const node = graph.nodes[graph.inputs[i]!]!;
    return node.op === "input" ? node.attrs.name : "";
  };
  return {
    generator: "qnnc",
    version,
    top: graph.name,
    latency: netlist ? (netlist.schedule?.latency ?? 0) : null,
    ii: netlist ? 1 : null,
    inputs: ports.inputs.map((p, i) => port(p, inputName(i))),
    outputs: ports.outputs.map((p, i) => port(p, graph.outputs[i]!.name, graph.outputs[i]!.host)),
    vectors,
    sources: await hashAll(Array.from(sources, ([name, bytes]) => [name.replace(/^.*[\\/]/, ""), bytes] as const)),
    options,
    files: await hashAll(files),
  };
}
