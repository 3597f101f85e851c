// Loops and the elements that they visit: an array's index is a sum of loop variables times steps.
import { type Shape, sizeOf } from "../../ir/tensor.js";
import type { Index } from "./hls-builder.js";

/** A loop, and by how many elements one pass moves on in each array that it walks through. */
export interface Axis {
  readonly name: string;
  readonly count: number;
  readonly step: Readonly<Record<string, number>>;
}

/** `Σ variable·step + begin` */
export function indexOf(array: string, axes: readonly Axis[], begin = 0): string {
  const terms = axes.flatMap(({ name, count, step }) => {
    const s = count === 1 ? 0 : (step[array] ?? 0);
    return s === 0 ? [] : [s === 1 ? name : `${name} * ${s}`];
  });
  if (begin !== 0 || terms.length === 0) terms.push(String(begin));
  return terms.join(" + ");
}

/** The element of the array that the loops are at. */
export const at = (array: string, axes: readonly Axis[], begin = 0): string => `${array}[${indexOf(array, axes, begin)}]`;

/** The loops of more than one pass. */
export const indicesOf = (axes: readonly Axis[]): readonly Index[] =>
  axes.flatMap(({ name, count }) => (count > 1 ? [[name, count] as const] : []));

/** Elements from one index to the next along each axis of a row-major array. */
export const steps = (shape: Shape): readonly number[] => shape.map((_, d) => sizeOf(shape.slice(d + 1)));

/** Two lists of indices, walked through together, as nested loops from given beginnings; undefined where they are not affine. */
export function affineAxes(y: readonly number[], x: readonly number[]): readonly Axis[] | undefined {
  let [ys, xs] = [y, x];
  const axes: Axis[] = [];
  while (ys.length > 1) {
    const step = { y: ys[1]! - ys[0]!, x: xs[1]! - xs[0]! };
    const follows = (k: number): boolean => ys[k]! - ys[k - 1]! === step.y && xs[k]! - xs[k - 1]! === step.x;
    let count = 2;
    while (count < ys.length && follows(count)) count++;
    // What is affine consists of equal runs: the first ends where it ends at every outer index.
    if (ys.length % count !== 0 || ys.some((_, k) => k % count !== 0 && !follows(k))) return undefined;
    axes.unshift({ name: "", count, step });
    const first = (_: number, k: number): boolean => k % count === 0;
    [ys, xs] = [ys.filter(first), xs.filter(first)];
  }
  return axes.map((a, d) => ({ ...a, name: axes.length === 1 ? "i" : `i${d}` }));
}
