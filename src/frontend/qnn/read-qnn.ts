// The .qnn frontend: a project's files in, a Graph and the settings of the build out. Nothing is read from disk here.
import { didYouMean, printable, Reporter } from "../../diagnostics.js";
import type { Graph } from "../../ir/graph.js";
import type { BlockItem, LetStatement, NetworkItem, SettingsItem, VectorsItem } from "./ast.js";
import { isBuiltin } from "./calls.js";
import { Checker, type Occurrence, type Scope } from "./checker.js";
import { evaluate } from "./evaluate.js";
import { printName } from "./format.js";
import { type FileSet, fileOf, resolvePath } from "./paths.js";
import { keyOf, loadProgram, type Program, type ProgramFile, type Role, referencesOf } from "./program.js";
import { readSettings } from "./settings.js";
import type { QnnSettings, Setting } from "./settings-table.js";
import { placeOf } from "./source.js";
import { runStatements } from "./statements.js";
import { openWeights } from "./weights.js";

export type { FileSet } from "./paths.js";
export type { QnnSettings, Setting } from "./settings-table.js";

export interface QnnOptions {
  /** Name of the graph; by default the network's own. */
  readonly name?: string;
  /** The layer whose result becomes the output; by default the network's outputs. */
  readonly until?: string;
}

export interface QnnModel {
  readonly graph: Graph;
  readonly settings: QnnSettings;
}

/** All that checking finds out, also where there are errors: for editors. */
export interface Analysis {
  readonly program: Program | undefined;
  readonly checker: Checker | undefined;
  readonly graph: Graph | undefined;
  readonly settings: QnnSettings;
  readonly occurrences: readonly Occurrence[];
}

/** Reads a project; `undefined` where a diagnostic says why it cannot. */
export async function readQnn(set: FileSet, options: QnnOptions, reporter: Reporter): Promise<QnnModel | undefined> {
  const { graph, settings } = await analyse(set, options, reporter);
  return graph && !reporter.failed ? { graph, settings } : undefined;
}

/** Files that the project names and `set` does not hold yet, with what they are for. To be called again until it names nothing new; paths that may not be read are left out. */
export async function filesNeeded(set: FileSet): Promise<ReadonlyMap<string, Role>> {
  const program = await loadProgram(set, new Reporter());
  const needed = new Map<string, Role>();
  for (const { source, tree } of program?.files ?? []) {
    for (const { path, role } of referencesOf(tree)) {
      const key = keyOf(set, source, path);
      // A file may be needed twice: one that the network is built from counts first.
      const isAside = role === "vectors" || role === "data";
      if (key !== undefined && !set.files.has(key) && !(isAside && needed.has(key))) needed.set(key, role);
    }
  }
  return needed;
}

/** The blocks beside the network of a project's main file, as they are written. */
export async function settingsItems(set: FileSet): Promise<readonly (SettingsItem | VectorsItem)[]> {
  const program = await loadProgram(set, new Reporter());
  return program?.main.tree.items.filter((i) => i.kind === "settings" || i.kind === "vectors") ?? [];
}

export async function analyse(set: FileSet, options: QnnOptions, reporter: Reporter): Promise<Analysis> {
  const program = await loadProgram(set, reporter);
  if (!program) return { program, checker: undefined, graph: undefined, settings: {}, occurrences: [] };
  const networks = program.main.tree.items.filter((i) => i.kind === "network" || i.kind === "imported-network");
  const network = networks[0];
  const cx = new Checker(options.name ?? network?.name.name ?? "network", set, reporter);
  cx.suspects = new Set(program.files.flatMap((f) => [...(f.tree.suspects ?? [])]));
  const isWhole = !reporter.failed;
  await openLoads(cx, program);
  const scopes = new Map(program.files.map((f) => [f, runFile(cx, f, program)] as const));
  const main = scopes.get(program.main)!;
  const settings = settingsOf(cx, main, program.main);
  for (const extra of networks.slice(1)) {
    cx.error("QN813", main, extra.name.span, "a file holds one network", {
      also: [{ at: placeOf(main.source, network!.name.span), message: "the first is here" }],
      help: "make the other a block, or move it to a file of its own",
    });
  }
  if (!network && isWhole)
    cx.error("QN813", main, { start: 0, end: 1 }, "the file holds no network", { help: "write `network NAME { input … output … }`" });
  const graph =
    network &&
    (network.kind === "network"
      ? await runNetwork(cx, main, network, options)
      : // The frontends of other formats are loaded only where they are asked for.
        await (
          await import("./from-keras.js")
        ).importNetwork(cx, main, network, { ...options, name: options.name ?? network.name.name }, reporter));
  cx.reportUnused(main);
  return { program, checker: cx, graph, settings, occurrences: cx.occurrences };
}

/** Constants and blocks of one file; it sees those of the files that it includes. */
function runFile(cx: Checker, file: ProgramFile, program: Program): Scope {
  const { source, tree } = file;
  const isMain = file === program.main;
  const base: Scope = { source, names: new Map(), prefix: "", calls: [] };
  const included: Scope = { source, names: new Map(cx.library), prefix: "", calls: [] };
  const scope: Scope = { ...base, parent: included };
  for (const item of tree.items) {
    if (item.kind === "block") defineBlock(cx, scope, item);
    else if (item.kind === "let") defineConstant(cx, scope, item);
    else if (!isMain && item.kind !== "include")
      cx.error("QN813", scope, item.span, "an included file holds constants and blocks only", { help: "move this into the main file" });
  }
  if (!isMain) {
    for (const [name, binding] of scope.names) {
      if (!cx.library.has(name)) cx.library.set(name, binding);
    }
  }
  return scope;
}

function defineConstant(cx: Checker, scope: Scope, item: LetStatement): void {
  const value = evaluate(cx, scope, item.value);
  cx.define(scope, { name: item.name.name, what: "let", value, defined: { source: scope.source, span: item.name.span }, used: false });
}

function defineBlock(cx: Checker, scope: Scope, item: BlockItem): void {
  const { name, span } = item.name;
  const first = cx.blocks.get(name);
  if (first)
    cx.error("QN804", scope, span, `the block \`${printable(name)}\` is defined twice`, {
      also: [{ at: placeOf(first.scope.source, first.item.name.span), message: "first defined here" }],
      help: "give one of them another name",
    });
  else if (isBuiltin(name))
    cx.error("QN804", scope, span, `\`${printable(name)}\` is a layer or function of the language`, {
      help: "give the block another name",
    });
  else cx.blocks.set(name, { item, scope });
}

function settingsOf(cx: Checker, scope: Scope, { tree }: ProgramFile): QnnSettings {
  const sections: Record<string, Record<string, Setting<unknown>>> = {};
  for (const item of tree.items) if (item.kind === "settings") readSettings(cx, scope, item satisfies SettingsItem, sections);
  const all = tree.items.filter((i): i is VectorsItem => i.kind === "vectors");
  const [vectors, second] = all;
  if (second)
    cx.error("QN804", scope, second.span, "there are two `vectors`", {
      also: [{ at: placeOf(scope.source, vectors!.span), message: "the first is here" }],
    });
  const found = vectors && resolvePath(cx.files.model, scope.source.name, vectors.path.value);
  if (found && "problem" in found) cx.error("QN810", scope, vectors.path.span, found.problem);
  // The table of settings says which sections and names there are; readSettings has checked them.
  return {
    ...(sections as QnnSettings),
    ...(found && "key" in found ? { vectors: { value: found.key, at: placeOf(scope.source, vectors!.span) } } : {}),
  };
}

/** Opens the files that `load` names, which takes a promise that expressions cannot wait for. */
async function openLoads(cx: Checker, program: Program): Promise<void> {
  for (const { source, tree } of program.files) {
    for (const { path, role } of referencesOf(tree)) {
      const key = role === "array" ? keyOf(cx.files, source, path) : undefined;
      const bytes = key === undefined ? undefined : cx.files.files.get(key);
      if (key === undefined || !bytes || cx.loaded.has(key)) continue;
      const opened = await openWeights(key, bytes, cx.reporter);
      if (opened) cx.loaded.set(key, opened);
    }
  }
}

async function runNetwork(cx: Checker, outer: Scope, item: NetworkItem, options: QnnOptions): Promise<Graph | undefined> {
  const scope: Scope = { parent: outer, source: outer.source, names: new Map(), prefix: "", calls: [] };
  for (const s of item.body.statements) {
    if (s.kind !== "weights") continue;
    const file = fileOf(cx.files, scope.source, s.path, cx.reporter);
    const opened = file && (await openWeights(file.key, file.bytes, cx.reporter));
    if (opened) cx.weights.push(opened);
  }
  runStatements(cx, scope, item.body, "network");
  const outputs = options.until === undefined ? undefined : untilLayer(cx, item, options.until, scope);
  if (options.until === undefined) {
    if (!item.body.statements.some((s) => s.kind === "output") && cx.suspects.size === 0) {
      const last = item.body.statements.findLast((s) => s.kind === "layer");
      cx.error("QN813", scope, item.name.span, "the network has no output", {
        help: last?.kind === "layer" ? `end it with \`output ${printName(last.name.name)}\`` : "end it with `output NAME`",
      });
    }
    cx.reportUnused(scope);
  }
  for (const [name, { value }] of outputs ?? cx.outputs) if (value) cx.graph.output(name, value.id, value.host);
  return cx.graph.done();
}

/** The named layer as the only output. */
function untilLayer(cx: Checker, item: NetworkItem, until: string, scope: Scope): Checker["outputs"] {
  const found = cx.layers.get(until);
  if (found?.value) return new Map([[until, { at: found.at, value: found.value }]]);
  const guess = didYouMean(until, cx.layers.keys());
  if (!found)
    cx.error("QN211", scope, item.name.span, `the network has no layer \`${printable(until.slice(0, 80))}\``, {
      help:
        guess === undefined
          ? `its layers: ${[...cx.layers.keys()].slice(0, 20).map(printable).join(", ")}`
          : `did you mean \`${printable(guess)}\`?`,
    });
  return new Map();
}
