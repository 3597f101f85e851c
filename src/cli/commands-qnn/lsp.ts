// `qnnc lsp`: the language server of .qnn on standard input and output. What it answers comes from frontend/qnn/editor.ts.
import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  CompletionItemKind,
  createConnection,
  DiagnosticSeverity,
  type Diagnostic as LspDiagnostic,
  type Location as LspLocation,
  ProposedFeatures,
  type Range,
  TextDocumentSyncKind,
  TextDocuments,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { type Diagnostic, type Level, type Place, Reporter } from "../../diagnostics.js";
import { type Completion, completionsAt, definitionAt, hoverAt } from "../../frontend/qnn/editor.js";
import { formatTree } from "../../frontend/qnn/format.js";
import { parseQnn } from "../../frontend/qnn/parse.js";
import { type Analysis, analyse, filesNeeded } from "../../frontend/qnn/read-qnn.js";
import { lineAt, lineStart } from "../../frontend/qnn/source.js";
import type { Location } from "../../frontend/qnn/values.js";
import type { Handler } from "../commands.js";

const MAX_FILE_BYTES = 2 ** 28;
const severities: Readonly<Record<Level, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  note: DiagnosticSeverity.Information,
};
const kinds: Readonly<Record<Completion["kind"], CompletionItemKind>> = {
  value: CompletionItemKind.Variable,
  function: CompletionItemKind.Function,
  attribute: CompletionItemKind.Property,
  keyword: CompletionItemKind.Keyword,
};

/** Files as they are on disk, read again only when they change. */
class DiskFiles {
  private readonly known = new Map<string, { readonly stamp: string; readonly bytes: Uint8Array }>();
  read(path: string): Uint8Array | undefined {
    const stat = existsSync(path) ? statSync(path) : undefined;
    if (!stat?.isFile() || stat.size > MAX_FILE_BYTES) return undefined;
    const stamp = `${stat.mtimeMs} ${stat.size}`;
    const before = this.known.get(path);
    if (before?.stamp === stamp) return before.bytes;
    const bytes = new Uint8Array(readFileSync(path));
    this.known.set(path, { stamp, bytes });
    return bytes;
  }
}

const rangeOf = (p: Place): Range => {
  const line = Math.max(0, (p.line ?? 1) - 1);
  const character = Math.max(0, (p.column ?? 1) - 1);
  return { start: { line, character }, end: { line, character: character + (p.length ?? 1) } };
};
const uriOf = (path: string): string => pathToFileURL(path).href;
const locationOf = ({ source, span }: Location): LspLocation => {
  const position = (offset: number) => ({ line: lineAt(source, offset), character: offset - lineStart(source, lineAt(source, offset)) });
  return { uri: uriOf(source.name), range: { start: position(span.start), end: position(span.end) } };
};

/** A message as the editor shows it; what is about another file stands at the top of this one. */
function toLsp(d: Diagnostic, path: string): LspDiagnostic {
  const isHere = d.at?.source === path && d.at.line !== undefined;
  const also = (d.also ?? []).filter((n) => n.at.source !== undefined);
  return {
    severity: severities[d.level],
    code: d.code,
    source: "qnnc",
    message: [
      isHere || d.at?.source === undefined ? d.message : `${d.at.source}: ${d.message}`,
      ...(d.help === undefined ? [] : [`help: ${d.help}`]),
    ].join("\n"),
    range: isHere ? rangeOf(d.at!) : rangeOf({}),
    relatedInformation: also.map((n) => ({ location: { uri: uriOf(n.at.source!), range: rangeOf(n.at) }, message: n.message })),
  };
}

export const lsp: Handler = async () => {
  const connection = createConnection(ProposedFeatures.all, process.stdin, process.stdout);
  const documents = new TextDocuments(TextDocument);
  const disk = new DiskFiles();
  const analyses = new Map<string, { readonly version: number; readonly result: Promise<Analysis> }>();

  /** The open text of a file, else what is on disk. */
  const bytesOf = (path: string): Uint8Array | undefined => {
    const open = documents.get(uriOf(path));
    return open ? new TextEncoder().encode(open.getText()) : disk.read(path);
  };
  const check = async (document: TextDocument): Promise<Analysis> => {
    const path = fileURLToPath(document.uri);
    const files = new Map<string, Uint8Array>([[path, new TextEncoder().encode(document.getText())]]);
    const tried = new Set<string>();
    for (;;) {
      const needed = [...(await filesNeeded({ model: path, files }))].filter(([key]) => !tried.has(key));
      if (needed.length === 0) break;
      for (const [key, role] of needed) {
        tried.add(key);
        const bytes = role === "vectors" || role === "data" ? undefined : bytesOf(key);
        if (bytes) files.set(key, bytes);
      }
    }
    const reporter = new Reporter();
    const analysis = await analyse({ model: path, files }, {}, reporter);
    // A file of blocks alone is no network, and no mistake while it is open.
    const isLibrary =
      analysis.program?.main.tree.items.every((i) => i.kind === "block" || i.kind === "let" || i.kind === "include") ?? false;
    const shown = reporter.diagnostics.filter((d) => !(isLibrary && (d.code === "QN813" || d.code === "QN808")));
    if (documents.get(document.uri)?.version === document.version)
      await connection.sendDiagnostics({ uri: document.uri, version: document.version, diagnostics: shown.map((d) => toLsp(d, path)) });
    return analysis;
  };
  const analysisOf = (uri: string): Promise<Analysis> | undefined => {
    const document = documents.get(uri);
    if (!document || !/^file:/.test(uri)) return undefined;
    const known = analyses.get(uri);
    if (known?.version === document.version) return known.result;
    const result = check(document);
    analyses.set(uri, { version: document.version, result });
    return result;
  };

  connection.onInitialize(() => ({
    capabilities: {
      textDocumentSync: TextDocumentSyncKind.Incremental,
      hoverProvider: true,
      definitionProvider: true,
      documentFormattingProvider: true,
      completionProvider: { triggerCharacters: ["(", ",", "{", " "] },
    },
    serverInfo: { name: "qnnc" },
  }));
  documents.onDidChangeContent(({ document }) => void analysisOf(document.uri));
  documents.onDidClose(({ document }) => {
    analyses.delete(document.uri);
    void connection.sendDiagnostics({ uri: document.uri, diagnostics: [] });
  });
  connection.onHover(async ({ textDocument, position }) => {
    const [document, analysis] = [documents.get(textDocument.uri), await analysisOf(textDocument.uri)];
    const hover = document && analysis && hoverAt(analysis, fileURLToPath(document.uri), document.offsetAt(position));
    return hover ? { contents: { kind: "markdown", value: hover.text }, range: locationOf(hover.at).range } : null;
  });
  connection.onDefinition(async ({ textDocument, position }) => {
    const [document, analysis] = [documents.get(textDocument.uri), await analysisOf(textDocument.uri)];
    const found = document && analysis && definitionAt(analysis, fileURLToPath(document.uri), document.offsetAt(position));
    return found ? locationOf(found) : null;
  });
  connection.onCompletion(async ({ textDocument, position }) => {
    const [document, analysis] = [documents.get(textDocument.uri), await analysisOf(textDocument.uri)];
    if (!document || !analysis) return [];
    return completionsAt(analysis, document.getText(), document.offsetAt(position)).map((c) => ({
      label: c.label,
      kind: kinds[c.kind],
      detail: c.detail,
    }));
  });
  connection.onDocumentFormatting(async ({ textDocument }) => {
    const document = documents.get(textDocument.uri);
    if (!document) return [];
    const text = document.getText();
    const reporter = new Reporter();
    const tree = await parseQnn({ name: textDocument.uri, text }, reporter);
    // A text with syntax errors is left as it is.
    if (!tree || reporter.failed) return [];
    return [{ range: { start: { line: 0, character: 0 }, end: document.positionAt(text.length) }, newText: formatTree(tree, text) }];
  });
  documents.listen(connection);
  connection.listen();
  await new Promise<void>((resolve) => connection.onExit(resolve));
};
