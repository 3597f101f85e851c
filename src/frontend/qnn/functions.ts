// Functions over constants and types, computed while compiling: load, weight, mantissas, channels, elements.
import { printable } from "../../diagnostics.js";
import { tensor } from "../../ir/tensor.js";
import type { CallExpression, Expression } from "./ast.js";
import { bindArguments, type Formal } from "./bind.js";
import type { Checker, Scope } from "./checker.js";
import { findKey, missingKey, tensorOfArray } from "./constants.js";
import { evaluate } from "./evaluate.js";
import { kinds } from "./kinds.js";
import { fileOf } from "./paths.js";
import { arrayOfList, exactTensor } from "./tensors.js";
import { describe, type Value } from "./values.js";

interface FunctionDef {
  readonly doc: string;
  readonly formals: readonly Formal[] | "any";
  call(cx: Checker, scope: Scope, call: CallExpression, args: ReadonlyMap<string, Expression>): Value | undefined;
}

const formal = (name: string, required = true): Formal => ({ name, positional: true, required });

function typesOf(per: "channel" | "element"): FunctionDef["call"] {
  return (cx, scope, call) => {
    const found = [];
    for (const argument of call.args) {
      const value = evaluate(cx, scope, argument.value);
      if (value.kind === "type") found.push(value);
      else if (value.kind !== "poison")
        return cx.error("QN806", scope, argument.span, `expected a type, not ${printable(describe(value))}`);
    }
    const [first] = found;
    if (!first || found.length < call.args.length)
      return first ? undefined : cx.error("QN805", scope, call.span, `\`${call.callee.name}\` takes at least one type`);
    const odd = found.findIndex(
      (t) => t.conversion.round !== first.conversion.round || t.conversion.overflow !== first.conversion.overflow,
    );
    if (odd >= 0) return cx.error("QN806", scope, call.args[odd]!.span, "all types of one value have the same rounding and overflow modes");
    return { kind: "types", per, types: found.map((t) => t.conversion.type), conversion: first.conversion };
  };
}

export const functions: Readonly<Record<string, FunctionDef>> = {
  weight: {
    doc: "`weight(key)`: an array of the network's weights files",
    formals: [formal("key")],
    call: (cx, scope, call, args) => {
      const key = kinds.text.read({ cx, scope, name: "key", span: call.span, index: 0 }, args.get("key")!);
      const found = key && findKey(cx, [key.ok]);
      if (!key) return undefined;
      if (!found)
        return cx.error("QN206", scope, args.get("key")!.span, `there is no weight \`${printable(key.ok)}\``, {
          help: missingKey(cx, key.ok),
        });
      const t = tensorOfArray(cx, scope, call.span, found.array, found.origin);
      return t && { kind: "tensor", tensor: t, origin: found.origin };
    },
  },
  load: {
    doc: "`load(file)` or `load(file, key)`: an array of a file that belongs to no network",
    formals: [formal("file"), formal("key", false)],
    call: (cx, scope, call, args) => {
      const path = args.get("file")!;
      if (path.kind !== "string")
        return cx.error("QN806", scope, path.span, "`file` must be a path in quotes", {
          help: "files are found before the source is computed",
        });
      const file = fileOf(cx.files, scope.source, path, cx.reporter);
      const opened = file && cx.loaded.get(file.key);
      if (!opened) return undefined;
      const key = args.has("key") ? kinds.text.read({ cx, scope, name: "key", span: call.span, index: 0 }, args.get("key")!) : { ok: "" };
      if (!key) return undefined;
      const array =
        opened.arrays.get(key.ok) ?? (!args.has("key") && opened.arrays.size === 1 ? [...opened.arrays.values()][0] : undefined);
      if (!array)
        return cx.error("QN206", scope, call.span, `\`${path.value}\` has no array \`${printable(key.ok)}\``, {
          help: `it holds ${[...opened.arrays.keys()].slice(0, 12).map(printable).join(", ")}`,
        });
      const origin = `\`${path.value}\``;
      const t = tensorOfArray(cx, scope, call.span, array, origin);
      return t && { kind: "tensor", tensor: t, origin };
    },
  },
  mantissas: {
    doc: "`mantissas(integers, exp)`: the integers times 2^exp, with exactly this exponent",
    formals: [formal("integers"), formal("exp")],
    call: (cx, scope, call, args) => {
      const expression = args.get("integers")!;
      const value = evaluate(cx, scope, expression);
      const exp = kinds.int.read({ cx, scope, name: "exp", span: call.span, index: 0 }, args.get("exp")!);
      if (!exp || Math.abs(exp.ok) > 2000) return exp && cx.error("QN811", scope, args.get("exp")!.span, "an exponent lies within ±2000");
      const array =
        value.kind === "list" ? arrayOfList(value) : value.kind === "number" ? { shape: [], numbers: [value.number] } : undefined;
      const t = typeof array === "object" ? exactTensor(array) : value.kind === "tensor" ? value.tensor : undefined;
      if (!t || "bad" in t || t.exp < 0)
        return value.kind === "poison"
          ? undefined
          : cx.error("QN806", scope, expression.span, "`integers` must be whole numbers or an array of them");
      return {
        kind: "tensor",
        tensor: tensor(
          t.shape,
          exp.ok,
          t.data.map((m) => m << BigInt(t.exp)),
        ),
      };
    },
  },
  channels: { doc: "`channels(type, …)`: one type per channel, the last axis", formals: "any", call: typesOf("channel") },
  elements: { doc: "`elements(type, …)`: one type per element", formals: "any", call: typesOf("element") },
};

export function callFunction(cx: Checker, scope: Scope, call: CallExpression, def: FunctionDef): Value | undefined {
  if (def.formals === "any") return def.call(cx, scope, call, new Map());
  const args = bindArguments(cx, scope, call, def.formals);
  return args && def.call(cx, scope, call, args);
}
