// The grammar of .qnn's items and statements. Spec: spec/language.md.
import type {
  Adjustment,
  BlockItem,
  Body,
  Entry,
  Expression,
  ImportedNetworkItem,
  Item,
  LetStatement,
  NetworkItem,
  OutputStatement,
  Parameter,
  SettingsItem,
  Statement,
} from "./ast.js";
import { ExpressionParser } from "./expression-parser.js";
import * as t from "./tokens.js";

export class QnnParser extends ExpressionParser {
  constructor(skipValidations = true) {
    super(skipValidations);
    this.performSelfAnalysis();
  }

  file = this.RULE("file", (): Item[] => {
    const items: Item[] = [];
    this.MANY(() => {
      const item = this.SUBRULE(this.item);
      if (item) items.push(item);
    });
    return items;
  });

  private item = this.RULE("item", (): Item | undefined =>
    this.OR([
      { ALT: () => this.SUBRULE(this.include) },
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.block) },
      { ALT: () => this.SUBRULE(this.network) },
      { ALT: () => this.SUBRULE(this.settings) },
      { ALT: () => this.SUBRULE(this.vectors) },
    ]),
  );

  private include = this.RULE("include", (): Item | undefined => {
    const start = this.start();
    this.CONSUME(t.Include);
    const path = this.stringOf(this.CONSUME(t.StringToken));
    return { kind: "include", path, span: this.since(start) };
  });

  private vectors = this.RULE("vectors", (): Item | undefined => {
    const start = this.start();
    this.CONSUME(t.Vectors);
    const path = this.stringOf(this.CONSUME(t.StringToken));
    return { kind: "vectors", path, span: this.since(start) };
  });

  private settings = this.RULE("settings", (): SettingsItem | undefined => {
    const start = this.start();
    const head = this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Target);
          return { keyword: "target" as const, name: this.identifierOf(this.CONSUME(t.Name)) };
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Quantize);
          return { keyword: "quantize" as const };
        },
      },
    ]);
    const entries = this.SUBRULE(this.entries);
    return { kind: "settings", ...head, entries, span: this.since(start) };
  });

  private entries = this.RULE(
    "entries",
    (): Entry[] => {
      const entries: Entry[] = [];
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const entry = this.SUBRULE(this.entry);
        if (entry) entries.push(entry);
        this.OPTION(() => this.CONSUME(t.Comma));
      });
      this.CONSUME(t.RightBrace);
      return entries;
    },
    { recoveryValueFunc: () => [] },
  );

  private entry = this.RULE("entry", (): Entry | undefined => {
    const start = this.start();
    const name = this.identifierOf(this.CONSUME(t.Name));
    this.colon();
    const value = this.SUBRULE(this.expression);
    return { name, value, span: this.since(start) };
  });

  private block = this.RULE("block", (): BlockItem | undefined => {
    const start = this.start();
    const parameters: Parameter[] = [];
    this.CONSUME(t.Block);
    const name = this.identifierOf(this.CONSUME(t.Name));
    this.CONSUME(t.LeftParen);
    this.MANY_SEP({
      SEP: t.Comma,
      DEF: () => {
        const parameter = this.SUBRULE(this.parameter);
        if (parameter) parameters.push(parameter);
      },
    });
    this.CONSUME(t.RightParen);
    const body = this.SUBRULE(this.body);
    return { kind: "block", name, parameters, body, span: this.since(start) };
  });

  private parameter = this.RULE("parameter", (): Parameter | undefined => {
    const start = this.start();
    const name = this.identifierOf(this.CONSUME(t.Name));
    const type = this.OPTION(() => {
      this.CONSUME(t.Colon);
      return this.identifierOf(this.CONSUME2(t.Name));
    });
    const fallback = this.OPTION2(() => {
      this.CONSUME(t.Equals);
      return this.SUBRULE(this.expression);
    });
    return { name, ...(type ? { type } : {}), ...(fallback ? { default: fallback } : {}), span: this.since(start) };
  });

  private network = this.RULE("network", (): NetworkItem | ImportedNetworkItem | undefined => {
    const start = this.start();
    this.CONSUME(t.Network);
    const name = this.identifierOf(this.CONSUME(t.Name));
    return this.OR([
      {
        ALT: (): NetworkItem => {
          const body = this.SUBRULE(this.body);
          return { kind: "network", name, body, span: this.since(start) };
        },
      },
      {
        ALT: (): ImportedNetworkItem => {
          this.CONSUME(t.From);
          const format = this.identifierOf(this.CONSUME2(t.Name));
          const model = this.stringOf(this.CONSUME(t.StringToken));
          const weights = this.OPTION(() => {
            this.CONSUME(t.Weights);
            return this.stringOf(this.CONSUME2(t.StringToken));
          });
          const adjustments = this.OPTION2(() => this.SUBRULE(this.adjustments));
          const braces = adjustments !== undefined;
          return {
            kind: "imported-network",
            name,
            format,
            model,
            ...(weights ? { weights } : {}),
            adjustments: adjustments ?? [],
            braces,
            span: this.since(start),
          };
        },
      },
    ]);
  });

  private adjustments = this.RULE(
    "adjustments",
    (): Adjustment[] => {
      const found: Adjustment[] = [];
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const adjustment = this.SUBRULE(this.adjustment);
        if (adjustment) found.push(adjustment);
      });
      this.CONSUME(t.RightBrace);
      return found;
    },
    { recoveryValueFunc: () => [] },
  );

  private adjustment = this.RULE("adjustment", (): Adjustment | undefined => {
    const start = this.start();
    this.CONSUME(t.Layer);
    const layer = this.identifierOf(this.CONSUME(t.Name));
    const entries = this.SUBRULE(this.entries);
    return { layer, entries, span: this.since(start) };
  });

  private body = this.RULE(
    "body",
    (): Body => {
      const start = this.start();
      const statements: Statement[] = [];
      this.CONSUME(t.LeftBrace);
      this.MANY(() => {
        const statement = this.SUBRULE(this.statement);
        if (statement) statements.push(statement);
      });
      this.CONSUME(t.RightBrace);
      return { kind: "body", statements, span: this.since(start) };
    },
    { recoveryValueFunc: (): Body => ({ kind: "body", statements: [], span: { start: 0, end: 0 } }) },
  );

  private statement = this.RULE("statement", (): Statement | undefined =>
    this.OR([
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.layer) },
      { ALT: () => this.SUBRULE(this.inputStatement) },
      { ALT: () => this.SUBRULE(this.output) },
      {
        ALT: (): Statement => {
          const start = this.start();
          this.CONSUME(t.Weights);
          const path = this.stringOf(this.CONSUME(t.StringToken));
          return { kind: "weights", path, span: this.since(start) };
        },
      },
      {
        ALT: (): Statement => {
          const start = this.start();
          this.CONSUME(t.Return);
          const value = this.SUBRULE(this.expression);
          return { kind: "return", value, span: this.since(start) };
        },
      },
    ]),
  );

  private letStatement = this.RULE("letStatement", (): LetStatement | undefined => {
    const start = this.start();
    this.CONSUME(t.Let);
    const name = this.identifierOf(this.CONSUME(t.Name));
    this.CONSUME(t.Equals);
    const value = this.SUBRULE(this.expression);
    return { kind: "let", name, value, span: this.since(start) };
  });

  private layer = this.RULE("layer", (): Statement | undefined => {
    const start = this.start();
    this.CONSUME(t.Layer);
    const name = this.identifierOf(this.CONSUME(t.Name));
    const className = this.OPTION(() => {
      this.CONSUME(t.Colon);
      return this.identifierOf(this.CONSUME2(t.Name));
    });
    const value = this.OR([
      {
        ALT: (): Expression => {
          this.CONSUME(t.Equals);
          return this.SUBRULE(this.expression);
        },
      },
      { ALT: () => this.SUBRULE(this.body) },
    ]);
    return { kind: "layer", name, ...(className ? { className } : {}), value, span: this.since(start) };
  });

  private inputStatement = this.RULE("inputStatement", (): Statement | undefined => {
    const start = this.start();
    this.CONSUME(t.Input);
    const name = this.identifierOf(this.CONSUME(t.Name));
    this.CONSUME(t.Colon);
    const type = this.OPTION(() => this.SUBRULE(this.typePrimary));
    const shape = this.SUBRULE(this.list);
    return { kind: "input", name, ...(type ? { type } : {}), shape, span: this.since(start) };
  });

  private output = this.RULE("output", (): Statement | undefined => {
    const start = this.start();
    const outputs: OutputStatement["outputs"][number][] = [];
    this.CONSUME(t.Output);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        const from = this.start();
        const name = this.OPTION(() => {
          const found = this.identifierOf(this.CONSUME(t.Name));
          this.CONSUME(t.Equals);
          return found;
        });
        const value = this.SUBRULE(this.expression);
        outputs.push({ ...(name ? { name } : {}), value, span: this.since(from) });
      },
    });
    return { kind: "output", outputs, span: this.since(start) };
  });
}

/** One parser serves all files: building it takes longer than parsing. */
export const parser = new QnnParser();
