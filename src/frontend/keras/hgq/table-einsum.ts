// QEinsumDenseT: a table for each element of the kernel that an equation names; QEinsum: a product of two values by an equation.
import { sizeOf } from "../../../ir/tensor.js";
import { applyActivation } from "../layers/activation.js";
import { type Failed, type LayerContext, type LayerResult, show } from "../layers/context.js";
import { reshaped, transpose } from "../layers/spatial.js";
import type { KerasLayer } from "../model.js";
import { count, type Equation, readEquation, shapeOf } from "./einsum.js";
import { sumRows } from "./linear.js";
import { outputQuantized, readHgqQuantizer } from "./quantizer.js";
import { required, tabulated } from "./table.js";
import { runStages, stagesOf, type TableNorm, tableNorm } from "./table-dense.js";

export const einsumTableVariables = ({ config }: KerasLayer): readonly string[] =>
  config.batch_norm === true
    ? [
        ...(config.bn_scale === false ? [] : ["bn_gamma"]),
        ...(config.bn_center === false ? [] : ["bn_beta"]),
        "moving_mean",
        "moving_variance",
      ]
    : [];

export function qEinsumDenseT(cx: LayerContext): LayerResult | Failed {
  const x = cx.input();
  const e = x === undefined ? undefined : readEquation(cx, cx.shapeOf(x));
  if (x === undefined || !e) return undefined;
  const iq = required(cx, "iq_conf", "iq");
  const oq = readHgqQuantizer(cx, cx.get("toq_conf"), "toq_conf", { path: "toq", unnamed: 0 }, false);
  const stages = iq && oq ? stagesOf(cx, count(e, e.kernel), cx.get("bias_axes") != null && cx.get("batch_norm") !== true) : undefined;
  const summed = [...e.input].filter((l) => !e.output.includes(l)).join("");
  const norm = stages && normOf(cx, e, count(e, summed));
  if (!iq || !oq || !stages || !norm) return undefined;
  const extra = [...e.kernel].filter((l) => !e.input.includes(l)).join("");
  const axes = e.input + extra;
  const flat = reshaped(cx, x, [...shapeOf(e, e.input), ...[...extra].map(() => 1)]);
  const wide = extra === "" ? flat : cx.graph.add("resize", [flat], { factors: [...[...e.input].map(() => 1), ...shapeOf(e, extra)] });
  const pairOf = indexIn(e, axes, e.kernel);
  const channelOf = indexIn(e, e.kernel, norm.axes);
  const network = (pair: number) => (v: number) => norm.apply(runStages(stages, pair, v), channelOf[pair]!);
  const values = tabulated(cx, wide, iq, oq, { key: (i) => pairOf[i]!, f: (i) => network(pairOf[i]!) });
  if (values === undefined) return undefined;
  const kept = [...axes].filter((l) => !summed.includes(l)).join("");
  const moved = transpose(
    cx,
    values,
    [...(kept + summed)].map((l) => axes.indexOf(l)),
  );
  const n = count(e, summed);
  const sums = n === 1 ? moved : sumRows(cx, reshaped(cx, moved, [...shapeOf(e, kept), n]), n);
  const ordered = transpose(
    cx,
    reshaped(cx, sums, shapeOf(e, kept)),
    [...e.output].map((l) => kept.indexOf(l)),
  );
  const result = applyActivation(cx, "activation", ordered, "keras");
  const out = result && !result.host ? outputQuantized(cx, result.value) : undefined;
  return result?.host ? result : out === undefined ? undefined : { value: out };
}

/** For each element over the axes `from`, its element over the axes `to`, all of which are among them. */
function indexIn(e: Equation, from: string, to: string): readonly number[] {
  let index = [0];
  for (const letter of from) {
    const at = to.indexOf(letter);
    const stride = at < 0 ? 0 : sizeOf(shapeOf(e, to.slice(at + 1)));
    index = index.flatMap((base) => Array.from({ length: e.size.get(letter)! }, (_, i) => base + i * stride));
  }
  return index;
}

interface AxesNorm {
  readonly axes: string;
  readonly apply: TableNorm;
}

function normOf(cx: LayerContext, e: Equation, inputs: number): AxesNorm | Failed {
  if (cx.get("batch_norm") !== true) return { axes: "", apply: (y) => y };
  const given = cx.get("normalize_axes") ?? cx.get("bias_axes") ?? [...e.kernel].filter((l) => e.output.includes(l)).join("");
  if (typeof given !== "string" || ![...given].every((l) => e.kernel.includes(l)))
    return cx.error("QN212", `normalize_axes ${show(given)} are not axes of the kernel`, "normalize_axes");
  const shape = shapeOf(e, given);
  const names: Readonly<Record<string, string>> = { gamma: "bn_gamma", beta: "bn_beta" };
  const apply = tableNorm(cx, inputs, sizeOf(shape), (name) => cx.weight(names[name] ?? name, shape)?.values);
  return apply && { axes: given, apply };
}

/** QEinsum of two inputs: products over all axes of both, summed over those that the result lacks. */
export function einsum(cx: LayerContext): LayerResult | Failed {
  const json = cx.get("equation");
  const m = typeof json === "string" ? /^([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)$/.exec(json.replace(/\s/g, "")) : null;
  const [a, b, ...rest] = cx.inputs;
  const wrong = (why: string) => cx.error("QN212", `the equation ${show(json)} ${why}`, "equation", "such as `bij,bjk->bik`");
  if (a === undefined || b === undefined || rest.length > 0 || !m) return wrong("is not one of two inputs");
  const [left, right, out] = [m[1]!, m[2]!, m[3]!];
  if (left[0] !== right[0] || left[0] !== out[0]) return wrong("does not keep the batch axis first");
  const operands = [
    { x: a, letters: left.slice(1) },
    { x: b, letters: right.slice(1) },
  ];
  const size = new Map<string, number>();
  for (const { x, letters } of operands) {
    const shape = cx.shapeOf(x);
    if (letters.length !== shape.length || new Set(letters).size !== letters.length) return wrong("does not fit its inputs");
    for (const [d, l] of [...letters].entries()) {
      if ((size.get(l) ?? shape[d]) !== shape[d]) return wrong(`gives the axis \`${l}\` two sizes`);
      size.set(l, shape[d]!);
    }
  }
  const output = out.slice(1);
  if (new Set(output).size !== output.length || ![...output].every((l) => size.has(l))) return wrong("does not fit its inputs");
  const summed = [...size.keys()].filter((l) => !output.includes(l)).join("");
  const order = output + summed;
  const [p, q] = operands.map(({ x, letters }) =>
    reshaped(
      cx,
      transpose(
        cx,
        x,
        [...order].filter((l) => letters.includes(l)).map((l) => letters.indexOf(l)),
      ),
      [...order].map((l) => (letters.includes(l) ? size.get(l)! : 1)),
    ),
  );
  // An axis that neither operand varies along does not occur: every letter is in one of them.
  const products = cx.mul(p!, q!);
  const kept = [...output].map((l) => size.get(l)!);
  const n = sizeOf([...summed].map((l) => size.get(l)!));
  const rows = reshaped(cx, products, [...kept, n]);
  const target = kept.length === 0 ? [1] : kept;
  return { value: reshaped(cx, n === 1 ? rows : sumRows(cx, rows, n), target) };
}
