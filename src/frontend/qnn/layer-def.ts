// What a layer that is more than one op is: what it takes, and how it adds the ops that it is.
import type { OpAttrs, OpName } from "../../ir/ops/index.js";
import type { Tensor } from "../../ir/tensor.js";
import type { Checker, Scope } from "./checker.js";
import type { Kind, Kinds } from "./kinds.js";
import type { Rational } from "./rational.js";
import type { Span } from "./source.js";
import { exactTensor } from "./tensors.js";
import type { NodeValue } from "./values.js";

/** A kind of argument, or one with the value that it has where it is left out. */
export type Parameter = Kind | { readonly [K in Kind]: { readonly kind: K; readonly default: Kinds[K] } }[Kind];
export type Parameters = Readonly<Record<string, Parameter>>;
type ValueOf<P> = P extends Kind ? Kinds[P] : P extends { readonly kind: infer K extends Kind } ? Kinds[K] : never;
export type ArgumentsOf<S extends Parameters> = { readonly [N in keyof S]: ValueOf<S[N]> };

/** Adds ops; undefined once an error has been reported. */
export interface Build {
  add<K extends OpName>(op: K, operands: readonly (number | undefined)[], attrs: OpAttrs<K>): number | undefined;
  constant(value: Tensor): number | undefined;
  /** A power of two fraction or whole number. */
  scalar(x: Rational): number | undefined;
  shapeOf(x: number): readonly number[];
  fail(message: string, help?: string): undefined;
}

export interface LayerDef<S extends Parameters = Parameters> {
  /** One line: the equation. */
  readonly doc: string;
  readonly operands: readonly string[];
  readonly attrs: S;
  build(b: Build, x: readonly number[], a: ArgumentsOf<S>): number | NodeValue | undefined;
}

export const layer = <const S extends Parameters>(definition: LayerDef<S>): LayerDef<S> => definition;

export function makeBuild(cx: Checker, scope: Scope, span: Span, name: string): Build {
  const build: Build = {
    add: (op, operands, attrs) =>
      operands.every((x) => x !== undefined) ? cx.add(op, operands as readonly number[], attrs, scope, span, name) : undefined,
    constant: (value) => cx.add("constant", [], { value }, scope, span, name),
    scalar: (x) => {
      const t = exactTensor({ shape: [], numbers: [x] });
      return "bad" in t
        ? build.fail("a constant here must have a finite binary expansion", "write a power of two fraction, such as 0.25")
        : build.constant(t);
    },
    shapeOf: (x) => cx.shapeOf(x),
    fail: (message, help) => cx.error("QN806", scope, span, `${name}: ${message}`, help === undefined ? {} : { help }),
  };
  return build;
}
