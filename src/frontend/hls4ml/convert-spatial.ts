// Convolutions, pooling and movements to hls4ml's nodes. Padding counts are Keras's.
import type { Shape } from "../../ir/tensor.js";
import { isArray, type Json } from "../keras/json.js";
import type { Failed } from "../keras/layers/context.js";
import {
  accumOf,
  common,
  type Converting,
  floats,
  type KernelQuantizers,
  kernelAndBias,
  ofQkeras,
  onlyInput,
  type Row,
} from "./converting.js";
import type { Pads, Pooling } from "./nodes.js";

/** A number or a list of `rank` numbers, each from `least` up. */
function sizes(c: Converting, key: string, rank: number, least = 1): readonly number[] | Failed {
  const v: Json | undefined = c.cx.get(key);
  const list = typeof v === "number" ? new Array<number>(rank).fill(v) : isArray(v) ? v : [];
  if (list.length === rank && list.every((n): n is number => typeof n === "number" && Number.isInteger(n) && n >= least && n <= 1 << 16))
    return list as readonly number[];
  return c.cx.error("QN209", `\`${key}\` must be ${rank} whole numbers from ${least} up`, key);
}

/** How many zeros Keras adds before and after an axis of n elements, and how many windows fit. */
function paddingOf(
  padding: Json | undefined,
  n: number,
  window: number,
  stride: number,
): { readonly pad: readonly [number, number]; readonly out: number } | undefined {
  const total = Math.max(window - (n % stride === 0 ? stride : n % stride), 0);
  if (padding === "same") return { pad: [Math.floor(total / 2), total - Math.floor(total / 2)], out: Math.ceil(n / stride) };
  if (padding === "causal") return { pad: [total, 0], out: Math.ceil(n / stride) };
  return padding === "valid" ? { pad: [0, 0], out: Math.ceil((n - window + 1) / stride) } : undefined;
}

function geometry(
  c: Converting,
  x: Shape,
  windowKey: string,
  rank: number,
): { readonly window: readonly number[]; readonly strides: readonly number[]; readonly pads: Pads; readonly at: Shape } | Failed {
  const { cx } = c;
  if (!cx.requires("data_format", ["channels_last"], "train with channels_last, which is Keras' default")) return undefined;
  if (x.length !== rank + 1) return cx.error("QN209", `the layer needs an input with ${rank + 1} axes`);
  const window = sizes(c, windowKey, rank);
  const strides = window && (cx.get("strides") == null ? window : sizes(c, "strides", rank));
  if (!window || !strides) return undefined;
  const padding = cx.get("padding") ?? "valid";
  const axes = window.map((w, d) => paddingOf(padding, x[d]!, w, strides[d]!));
  if (axes.some((a) => !a || a.out < 1)) return cx.error("QN209", "padding, window and strides leave no output", "padding");
  return { window, strides, pads: axes.map((a) => a!.pad), at: axes.map((a) => a!.out) };
}

const conv =
  (rank: 1 | 2, of: KernelQuantizers): Row =>
  (c) => {
    const x = onlyInput(c);
    const filters = c.cx.integer("filters", 1, 1 << 20);
    if (!x || filters === undefined) return undefined;
    const isPlain = [c.cx.get("dilation_rate"), c.cx.get("groups")].every((v) => [v ?? 1].flat().every((n) => n === 1));
    if (!isPlain)
      return c.cx.error(
        "QN212",
        "hls4ml ignores dilation_rate and groups of a convolution",
        "dilation_rate",
        "build without --hls4ml-config",
      );
    const g = geometry(c, x.shape, "kernel_size", rank);
    const kind = rank === 1 ? ("Conv1D" as const) : ("Conv2D" as const);
    const channels = x.shape.at(-1)!;
    const parts = g && kernelAndBias(c, kind, "kernel", [...g.window, channels, filters], filters, of);
    return parts && { kind, ...common(c, kind, [...g.at, filters]), ...parts, accum: accumOf(c, kind), strides: g.strides, pads: g.pads };
  };

const depthwise =
  (rank: 1 | 2, of: KernelQuantizers): Row =>
  (c) => {
    const x = onlyInput(c);
    const multiplier = c.cx.integer("depth_multiplier", 1, 1 << 10);
    if (!x || multiplier === undefined) return undefined;
    const g = geometry(c, x.shape, "kernel_size", rank);
    const kind = rank === 1 ? ("DepthwiseConv1D" as const) : ("DepthwiseConv2D" as const);
    const [channels, units] = [x.shape.at(-1)!, x.shape.at(-1)! * multiplier];
    const parts = g && kernelAndBias(c, kind, "depthwise_kernel", [...g.window, channels, multiplier], units, of);
    if (!parts) return undefined;
    const weight = { ...parts.weight, shape: [...g.window, 1, units] };
    return {
      kind,
      ...common(c, kind, [...g.at, units]),
      bias: parts.bias,
      weight,
      accum: accumOf(c, kind),
      strides: g.strides,
      pads: g.pads,
    };
  };

const pooling =
  (rank: 1 | 2, op: Pooling["op"]): Row =>
  (c) => {
    const x = onlyInput(c);
    const g = x && geometry(c, x.shape, "pool_size", rank);
    const kind = rank === 1 ? ("Pooling1D" as const) : ("Pooling2D" as const);
    return (
      g && {
        kind,
        ...common(c, kind, [...g.at, x.shape.at(-1)!]),
        op,
        accum: accumOf(c, kind),
        window: g.window,
        strides: g.strides,
        pads: g.pads,
      }
    );
  };

const globalPooling =
  (rank: 1 | 2, op: Pooling["op"]): Row =>
  (c) => {
    const x = onlyInput(c);
    const keep = c.cx.flag("keepdims", false);
    if (!x || keep === undefined) return undefined;
    if (x.shape.length !== rank + 1) return c.cx.error("QN209", `the layer needs an input with ${rank + 1} axes`);
    const kind = rank === 1 ? ("GlobalPooling1D" as const) : ("GlobalPooling2D" as const);
    const window = x.shape.slice(0, -1);
    const shape = [...(keep ? window.map(() => 1) : []), x.shape.at(-1)!];
    return {
      kind,
      ...common(c, kind, shape),
      op,
      accum: accumOf(c, kind),
      window,
      strides: window,
      pads: window.map(() => [0, 0] as const),
    };
  };

const zeroPadding =
  (rank: 1 | 2): Row =>
  (c) => {
    const x = onlyInput(c);
    const v = c.cx.get("padding");
    const kind = rank === 1 ? ("ZeroPadding1D" as const) : ("ZeroPadding2D" as const);
    if (!x) return undefined;
    const pairs =
      typeof v === "number"
        ? new Array<Json>(rank).fill([v, v])
        : rank === 1
          ? [v ?? null]
          : isArray(v)
            ? v.map((p) => (typeof p === "number" ? [p, p] : p))
            : [];
    const isPair = (p: Json): p is readonly [number, number] =>
      isArray(p) && p.length === 2 && p.every((n) => typeof n === "number" && Number.isInteger(n) && n >= 0 && n <= 1 << 16);
    if (pairs.length !== rank || !pairs.every(isPair))
      return c.cx.error("QN209", "`padding` must hold counts that are not negative", "padding");
    const pads = pairs as unknown as Pads;
    return {
      kind,
      ...common(
        c,
        kind,
        x.shape.map((n, d) => n + (pads[d]?.[0] ?? 0) + (pads[d]?.[1] ?? 0)),
      ),
      pads,
    };
  };

const upsampling =
  (rank: 1 | 2): Row =>
  (c) => {
    const x = onlyInput(c);
    if (!x || !c.cx.requires("interpolation", ["nearest"])) return undefined;
    const size = sizes(c, "size", rank);
    const factors = size && [...size, 1];
    return (
      factors && {
        kind: "Resize",
        ...common(
          c,
          "Resize",
          x.shape.map((n, d) => n * factors[d]!),
        ),
        factors,
      }
    );
  };

const permute: Row = (c) => {
  const x = onlyInput(c);
  const dims = x && sizes(c, "dims", x.shape.length);
  if (!dims) return undefined;
  if (new Set(dims).size !== dims.length || dims.some((d) => d > dims.length))
    return c.cx.error("QN209", "`dims` must name each axis once", "dims");
  return {
    kind: "Transpose",
    ...common(
      c,
      "Transpose",
      dims.map((d) => x.shape[d - 1]!),
    ),
    order: dims.map((d) => d - 1),
  };
};

export const spatial: Readonly<Record<string, Row>> = {
  Conv1D: conv(1, floats),
  Conv2D: conv(2, floats),
  QConv1D: conv(1, ofQkeras()),
  QConv2D: conv(2, ofQkeras()),
  DepthwiseConv1D: depthwise(1, floats),
  DepthwiseConv2D: depthwise(2, floats),
  QDepthwiseConv2D: depthwise(2, ofQkeras("depthwise_quantizer")),
  MaxPooling1D: pooling(1, "max"),
  MaxPooling2D: pooling(2, "max"),
  AveragePooling1D: pooling(1, "average"),
  AveragePooling2D: pooling(2, "average"),
  GlobalMaxPooling1D: globalPooling(1, "max"),
  GlobalMaxPooling2D: globalPooling(2, "max"),
  GlobalAveragePooling1D: globalPooling(1, "average"),
  GlobalAveragePooling2D: globalPooling(2, "average"),
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  UpSampling1D: upsampling(1),
  UpSampling2D: upsampling(2),
  Permute: permute,
};
