// Arguments to parameters: one rule for ops, layers, functions, quantizers and blocks.
import { didYouMean, printable } from "../../diagnostics.js";
import type { Argument, CallExpression, Expression } from "./ast.js";
import type { Checker, Scope } from "./checker.js";

export interface Formal {
  readonly name: string;
  /** May be given by position; else only by name. */
  readonly positional: boolean;
  readonly required: boolean;
}

/** The names of the operands of this call: a last `x…` stands for as many as it has, x, x2, x3. */
export function operandNames(operands: readonly string[], x: CallExpression): readonly string[] {
  const last = operands.at(-1);
  if (!last?.endsWith("…")) return operands;
  const more = Math.max(1, x.args.filter((a) => !a.name).length - operands.length + 1);
  return [...operands.slice(0, -1), ...Array.from({ length: more }, (_, i) => `${last.slice(0, -1)}${i === 0 ? "" : i + 1}`)];
}

const list = (names: readonly string[]): string => names.map((n) => `\`${n}\``).join(", ");

/** The arguments by parameter, or undefined after reporting what does not match. */
export function bindArguments(
  cx: Checker,
  scope: Scope,
  call: CallExpression,
  formals: readonly Formal[],
): ReadonlyMap<string, Expression> | undefined {
  const name = call.callee.name;
  const bound = new Map<string, Expression>();
  const positional = formals.filter((f) => f.positional);
  let failed = false;
  let position = 0;
  const fail = (argument: Argument, message: string, help?: string): void => {
    failed = true;
    cx.error("QN805", scope, argument.span, message, help === undefined ? {} : { help });
  };
  for (const argument of call.args) {
    const formal = argument.name ? formals.find((f) => f.name === argument.name!.name) : positional[position++];
    if (!formal && argument.name) {
      const names = formals.map((f) => f.name);
      const guess = didYouMean(argument.name.name, names);
      fail(
        { ...argument, span: argument.name.span },
        `\`${name}\` has no \`${printable(argument.name.name)}\``,
        guess === undefined ? `it takes ${list(names)}` : `did you mean \`${guess}\`?`,
      );
    } else if (!formal) {
      const named = formals.filter((f) => !f.positional);
      fail(
        argument,
        `\`${name}\` takes ${positional.length === 1 ? `one operand, \`${positional[0]!.name}\`` : `${positional.length} operands`}; this is number ${position}`,
        named.length > 0 ? `attributes are given by name: ${named.map((f) => `${f.name}: …`).join(", ")}` : undefined,
      );
    } else if (bound.has(formal.name)) fail(argument, `\`${formal.name}\` is given twice`);
    else bound.set(formal.name, argument.value);
  }
  const missing = formals.filter((f) => f.required && !bound.has(f.name));
  if (missing.length > 0 && !failed) {
    failed = true;
    cx.error("QN805", scope, call.callee.span, `\`${name}\` lacks ${list(missing.map((f) => f.name))}`, {
      help: `write ${name}(${formals
        .filter((f) => f.required)
        .map((f) => (f.positional ? f.name : `${f.name}: …`))
        .join(", ")})`,
    });
  }
  return failed ? undefined : bound;
}
