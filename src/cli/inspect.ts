// `qnnc inspect`: a table of the layers, with exact types and the counts that decide size and energy; and the settings of a build.
import { typeModel } from "../compile.js";
import { printable } from "../diagnostics.js";
import { printFixed } from "../ir/fixed.js";
import type { Graph, Node } from "../ir/graph.js";
import { printShape, sizeOf, type Tensor, typeOfTensor } from "../ir/tensor.js";
import { buildOptions } from "./build.js";
import type { Handler } from "./commands.js";
import { originText, settingsOf } from "./inspect-settings.js";
import { readSource } from "./source.js";
import { textTable } from "./text-table.js";
import { writeOutput } from "./write-file.js";

interface Row {
  readonly layer: string;
  readonly kind: string;
  /** null: a pass merged the layer into another, or the host computes it. */
  readonly shape: readonly number[] | null;
  readonly kernel: string | null;
  readonly bias: string | null;
  readonly output: string | null;
  /** Values of kernels, biases and constants. */
  readonly parameters: number;
  /** How many of them are zero. */
  readonly zeros: number;
  /** A step that the host computes in floating point. */
  readonly host: string | null;
  /** Multiplications of one sample, by zeros too. */
  readonly macs: number;
}

/** What was trained: kernels, biases, and constants that scale or shift. The bounds of a clamp are none. */
const trainedOf = (node: Node, graph: Graph): readonly Tensor[] => {
  if (node.op === "dense" || node.op === "conv") return [node.attrs.kernel, ...(node.attrs.bias ? [node.attrs.bias] : [])];
  if (node.op !== "mul" && node.op !== "add" && node.op !== "sub") return [];
  return node.operands.flatMap((x) => {
    const operand = graph.nodes[x]!;
    return operand.op === "constant" ? [operand.attrs.value] : [];
  });
};

/** Each result of a dense layer or convolution reads one column of the kernel. */
const macsOf = (node: Node): number => {
  const results = sizeOf(node.type.shape);
  if (node.op === "dense" || node.op === "conv") return (results * sizeOf(node.attrs.kernel.shape)) / node.attrs.kernel.shape.at(-1)!;
  return node.op === "mul" ? results : 0;
};

export function rowsOf(graph: Graph): readonly Row[] {
  const nodesOf = graph.layers.map((): Node[] => []);
  for (const node of graph.nodes) nodesOf[node.layer]?.push(node);
  return graph.layers.map((layer, i) => {
    const nodes = nodesOf[i]!;
    const constants = nodes.flatMap((n) => trainedOf(n, graph));
    const linear = nodes.find((n) => n.op === "dense" || n.op === "conv");
    const result = layer.value < 0 ? undefined : graph.nodes[layer.value]!;
    const type = result?.type.elem;
    return {
      layer: layer.name,
      kind: layer.kind,
      shape: result?.type.shape ?? null,
      kernel: linear ? printFixed(typeOfTensor(linear.attrs.kernel)) : null,
      bias: linear?.attrs.bias ? printFixed(typeOfTensor(linear.attrs.bias)) : null,
      output: type === undefined || type === "real" ? null : printFixed(type),
      parameters: constants.reduce((n, t) => n + t.data.length, 0),
      zeros: constants.reduce((n, t) => n + t.data.filter((m) => m === 0n).length, 0),
      host: (result === undefined && graph.outputs.find((o) => o.name === layer.name)?.host) || null,
      macs: nodes.reduce((n, node) => n + macsOf(node), 0),
    };
  });
}

const numbers = ["parameters", "zeros", "MACs"];

function tableOf(rows: readonly Row[]): string {
  const total = (key: "parameters" | "zeros" | "macs"): string => String(rows.reduce((n, r) => n + r[key], 0));
  const cells = rows.map((r) => [
    printable(r.layer),
    printable(r.kind),
    r.host !== null ? "on the host" : r.shape === null ? "merged" : printShape(r.shape),
    r.kernel ?? "",
    r.bias ?? "",
    r.output ?? "",
    String(r.parameters),
    String(r.zeros),
    String(r.macs),
  ]);
  const sums = ["total", "", "", "", "", "", total("parameters"), total("zeros"), total("macs")];
  return textTable(["layer", "kind", "shape", "kernel", "bias", "output", ...numbers], [...cells, sums], new Set(numbers));
}

export const inspect: Handler = async (args, session) => {
  const asked = buildOptions(args, session);
  const source = await readSource(args, session);
  const typed = source && (await typeModel(source, asked, session.reporter));
  if (!typed) return;
  const layers = rowsOf(typed.graph);
  const settings = settingsOf(typed.options, asked, typed.origins, typed.graph.name);
  const tables = (): string =>
    `${tableOf(layers)}\n${textTable(
      ["setting", "value", "from"],
      settings.map((s) => [s.setting, printable(s.value), printable(originText(s))]),
    )}`;
  await writeOutput(args.flag("json") ? `${JSON.stringify({ layers, settings }, null, 2)}\n` : tables(), session.reporter);
};
