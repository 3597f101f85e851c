// Binary and ternary dense layers and activations of the networks in hls4ml's examples, whose classes come from keras-binary and keras-ternary.
import { tensorFromNumbers } from "../../../ir/tensor.js";
import { applyActivation } from "./activation.js";
import { type Failed, type LayerContext, type LayerResult, show } from "./context.js";
import { affine, biasOf } from "./kernel.js";

const MAX_UNITS = 1 << 20;
const f = Math.fround;

/** x > 0 gives 1, else −1: 2·rnd(clip(x/2 + ½, 0, 1)) − 1 with halves to even. */
const binarize = (x: number): number => (x > 0 ? 1 : -1);
const ternarize = (x: number): number => (x > 0.5 ? 1 : x <= -0.5 ? -1 : 0);

/** H·level(W/H); `H` is a number, or `Glorot` for √(1.5/(inputs + units)). */
const levelDense =
  (level: (x: number) => number) =>
  (cx: LayerContext): LayerResult | Failed => {
    const x = cx.input();
    const units = cx.integer("units", 1, MAX_UNITS);
    if (x === undefined || units === undefined) return undefined;
    const features = cx.shapeOf(x).at(-1)!;
    const weight = cx.weight("kernel", [features, units]);
    const bias = biasOf(cx, "keras", units);
    const given = cx.get("H") ?? 1;
    const scale = given === "Glorot" ? f(Math.sqrt(1.5 / (features + units))) : given;
    if (typeof scale !== "number" || !(scale > 0))
      return cx.error("QN200", `\`H\` must be a positive number or "Glorot", not ${show(given)}`, "H");
    if (!weight || bias === undefined) return undefined;
    const levels = tensorFromNumbers(
      weight.shape,
      Float64Array.from(weight.values, (w) => level(f(w / scale))),
    );
    // √ factors are no power of two and multiply the sums.
    const kernel =
      scale === 1 ? { value: levels } : { value: levels, scale: tensorFromNumbers([units], new Array<number>(units).fill(f(scale))) };
    return applyActivation(
      cx,
      "activation",
      affine(cx, kernel, bias, (k, b) => cx.graph.add("dense", [x], { kernel: k, bias: b })),
      "keras",
    );
  };

export const binaryDense = levelDense(binarize);
export const ternaryDense = levelDense(ternarize);
