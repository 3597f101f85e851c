// The state of checking one .qnn model: the Graph under construction, what is in scope, where things were defined.
import type { Code } from "../../diagnostic-codes.js";
import { type Detail, type Place, printable, type Reporter } from "../../diagnostics.js";
import { GraphBuilder } from "../../ir/graph.js";
import { type OpAttrs, type OpName, opDef } from "../../ir/ops/index.js";
import { operandName } from "../../ir/ops/op.js";
import { printShape, type Shape, sameShape, sizeOf } from "../../ir/tensor.js";
import type { BlockItem } from "./ast.js";
import { MAX_ERRORS } from "./parse.js";
import type { FileSet } from "./paths.js";
import { placeOf, type SourceFile, type Span } from "./source.js";
import type { Binding, Location, NodeValue } from "./values.js";
import type { WeightFile } from "./weights.js";

export interface Block {
  readonly item: BlockItem;
  /** The file's own scope: a block sees its constants, not its caller's. */
  readonly scope: Scope;
}

export interface Scope {
  readonly parent?: Scope;
  readonly source: SourceFile;
  readonly names: Map<string, Binding>;
  /** The layer whose weights are meant where none are named. */
  readonly layer?: string;
  /** Stands before the names of layers that begin here. */
  readonly prefix: string;
  /** The calls of blocks that led here, outermost first. */
  readonly calls: readonly { readonly block: string; readonly at: Location }[];
}

/** Something a name in the text stands for, for editors. */
export interface Occurrence {
  readonly at: Location;
  readonly binding?: Binding;
  readonly block?: Block;
  /** A layer or op of the language. */
  readonly builtin?: string;
}

/** An expanded network beyond these is no network for one FPGA. */
const limits = { statements: 50_000, nodes: 200_000, elements: 1 << 22, multiplications: 1 << 28, depth: 32 } as const;

/** Multiplications, or elements compared and added, of one op. */
function workOf(shape: Shape, attrs: unknown): number {
  const { kernel, window } = attrs as { readonly kernel?: { readonly shape: Shape }; readonly window?: Shape };
  return (sizeOf(shape) * (kernel ? sizeOf(kernel.shape) : sizeOf(window ?? [0]))) / (kernel?.shape.at(-1) ?? 1);
}

export class Checker {
  readonly graph: GraphBuilder;
  readonly blocks = new Map<string, Block>();
  readonly weights: WeightFile[] = [];
  readonly layers = new Map<string, { readonly at: Location; value?: NodeValue }>();
  readonly occurrences: Occurrence[] = [];
  /** Which call took which of a layer's weights by name. */
  readonly named = new Map<string, Location>();
  /** Where the shape of a value was decided. */
  private readonly origins = new Map<number, { readonly what: string; readonly at: Location }>();
  private readonly reported = new Set<string>();
  readonly outputs = new Map<string, { readonly at: Location; readonly value?: NodeValue }>();
  /** Files named by `load`, opened beforehand. */
  readonly loaded = new Map<string, WeightFile>();
  /** Constants of included files. */
  readonly library = new Map<string, Binding>();
  readonly layerIndices = new Map<string, number>();
  private statements = 0;
  private elements = 0;
  private work = 0;
  /** Names that statements with syntax errors would define. */
  suspects: ReadonlySet<string> = new Set();
  /** Set once a limit is passed: everything from there on is skipped. */
  exhausted = false;

  constructor(
    name: string,
    readonly files: FileSet,
    readonly reporter: Reporter,
  ) {
    this.graph = new GraphBuilder(name, reporter);
  }

  place(scope: Scope, span: Span): Place {
    return placeOf(scope.source, span, scope.layer);
  }

  /** Reports once for each place, however often the block that holds it is used. */
  private report(level: "error" | "warn", code: Code, scope: Scope, span: Span, message: string, detail: Detail): undefined {
    const key = `${code} ${scope.source.name} ${span.start} ${span.end} ${message}`;
    if (this.exhausted || this.reported.has(key)) return undefined;
    this.reported.add(key);
    if (this.reported.size > MAX_ERRORS) {
      this.exhausted = true;
      return undefined;
    }
    const calls = scope.calls.slice(-3).map((c) => ({ at: placeOf(c.at.source, c.at.span), message: `in the call of \`${c.block}\`` }));
    const also = [...(detail.also ?? []), ...calls.reverse()];
    return this.reporter[level](code, message, {
      at: this.place(scope, span),
      ...(also.length > 0 ? { also } : {}),
      ...(detail.help === undefined ? {} : { help: detail.help }),
    });
  }
  error(code: Code, scope: Scope, span: Span, message: string, detail: Detail = {}): undefined {
    return this.report("error", code, scope, span, message, detail);
  }
  warn(code: Code, scope: Scope, span: Span, message: string, detail: Detail = {}): undefined {
    return this.report("warn", code, scope, span, message, detail);
  }

  /** Counts one statement; false once the network has grown beyond every limit. */
  step(scope: Scope, span: Span): boolean {
    const tooDeep = scope.calls.length > limits.depth;
    if (
      ++this.statements > limits.statements ||
      this.graph.length > limits.nodes ||
      this.elements > limits.elements ||
      this.work > limits.multiplications ||
      tooDeep
    ) {
      this.error(
        "QN800",
        scope,
        span,
        tooDeep ? `blocks are nested deeper than ${limits.depth} calls` : "the network grows beyond what one FPGA can hold",
        { help: "a block that calls another twice doubles at each level" },
      );
      this.exhausted = true;
    }
    return !this.exhausted;
  }

  /** Index in the Graph of the layer with this path; −1 for none. */
  layerIndex(path: string | undefined): number {
    return path === undefined ? -1 : (this.layerIndices.get(path) ?? -1);
  }

  shapeOf(id: number): Shape {
    return this.graph.node(id).type.shape;
  }

  /** Adds a node, or explains with the origins of its operands why they do not fit. */
  add<K extends OpName>(
    op: K,
    operands: readonly number[],
    attrs: OpAttrs<K>,
    scope: Scope,
    span: Span,
    what: string = op,
  ): number | undefined {
    if (operands.some((x) => this.graph.isPoisoned(x)) || this.exhausted) return undefined;
    const shapes = operands.map((x) => this.shapeOf(x));
    const shape = opDef(op).shape(shapes, attrs as never);
    if (typeof shape === "string")
      return this.error("QN807", scope, span, `\`${printable(what)}\`: ${shape}`, {
        also: operands.flatMap((x, i) => this.originNote(x, operandName(opDef(op), i))),
      });
    this.elements += sizeOf(shape);
    this.work += workOf(shape, attrs);
    if (!this.step(scope, span)) return undefined;
    const id = this.graph.add(op, operands, attrs);
    const from = operands.find((x) => sameShape(this.shapeOf(x), shape));
    const origin = from === undefined ? undefined : this.origins.get(from);
    this.origins.set(id, origin ?? { what, at: { source: scope.source, span } });
    return id;
  }

  /** For a message about the shape of a value: where it comes from. */
  originNote(id: number, name: string): readonly { readonly at: Place; readonly message: string }[] {
    const origin = this.origins.get(id);
    if (!origin) return [];
    return [
      {
        at: placeOf(origin.at.source, origin.at.span),
        message: `${name} has shape ${printShape(this.shapeOf(id))}, from \`${printable(origin.what)}\``,
      },
    ];
  }

  /** Puts a name into a scope; a second one of the same name is an error that shows the first. */
  define(scope: Scope, binding: Binding): void {
    const { name, defined } = binding;
    const first = scope.names.get(name);
    this.occurrences.push({ at: defined, binding });
    if (first) {
      this.error("QN804", scope, defined.span, `\`${name}\` is defined twice`, {
        also: [{ at: placeOf(first.defined.source, first.defined.span), message: "first defined here" }],
        help: "give one of them another name",
      });
      return;
    }
    scope.names.set(name, binding);
  }

  /** Warns of what the text defines and nothing reads. */
  reportUnused(scope: Scope): void {
    // After an error a use may not have been seen.
    if (this.reporter.failed) return;
    for (const b of scope.names.values()) {
      if (b.used || b.value.kind === "poison") continue;
      const what = { let: "value", layer: "layer", input: "input", parameter: "parameter" }[b.what];
      this.warn("QN808", scope, b.defined.span, `the ${what} \`${b.name}\` is never used`, {
        help:
          b.value.kind === "value" && scope.calls.length === 0 && scope.layer === undefined && b.what !== "input"
            ? `remove it, or add it to the outputs: output ${b.name}`
            : "remove it",
      });
    }
  }
}
