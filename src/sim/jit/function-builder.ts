// Builds one WebAssembly function: statements in order, locals that are reused after their scope, counted loops.
import type binaryen from "binaryen";
import type { Range } from "../../ir/fixed.js";

export type Binaryen = typeof binaryen;
export type Expression = binaryen.ExpressionRef;

/** A local variable of the function. */
export interface Local {
  readonly index: number;
  readonly type: binaryen.Type;
}

/** A pointer that moves by `stride` bytes a turn. */
export interface Cursor {
  readonly pointer: Local;
  readonly stride: number;
}

export class FunctionBuilder {
  readonly m: binaryen.Module;
  /** The first range that no lane holds; the compiler then reports the layer and drops the module. */
  tooWide: Range | undefined;
  private statements: Expression[] = [];
  private readonly types: binaryen.Type[] = [];
  private readonly pools = new Map<binaryen.Type, { readonly all: Local[]; used: number }>();
  private labels = 0;

  constructor(
    readonly b: Binaryen,
    module: binaryen.Module,
    private readonly parameters: readonly binaryen.Type[] = [],
  ) {
    this.m = module;
  }

  emit(statement: Expression): void {
    this.statements.push(statement);
  }

  parameter(index: number): Local {
    return { index, type: this.parameters[index]! };
  }
  local(type: binaryen.Type): Local {
    let pool = this.pools.get(type);
    if (!pool) this.pools.set(type, (pool = { all: [], used: 0 }));
    if (pool.used === pool.all.length) pool.all.push({ index: this.parameters.length + this.types.push(type) - 1, type });
    return pool.all[pool.used++]!;
  }
  get(l: Local): Expression {
    return this.m.local.get(l.index, l.type);
  }
  set(l: Local, value: Expression): void {
    this.emit(this.m.local.set(l.index, value));
  }
  /** A new vector variable with this value. */
  vector(value: Expression): Local {
    const l = this.local(this.b.v128);
    this.set(l, value);
    return l;
  }
  /** A new i32 variable with this value. */
  int(value: Expression | number, constant = typeof value === "number"): Local {
    const l = this.local(this.b.i32);
    this.set(l, constant ? this.m.i32.const(value) : value);
    return l;
  }
  pointer(address: number): Local {
    return this.int(address, true);
  }
  copy(l: Local): Local {
    const c = this.local(l.type);
    this.set(c, this.get(l));
    return c;
  }

  /** Locals made inside are free again afterwards. */
  scope<T>(body: () => T): T {
    const before = new Map([...this.pools].map(([type, pool]) => [type, pool.used]));
    const result = body();
    for (const [type, pool] of this.pools) pool.used = before.get(type) ?? 0;
    return result;
  }

  /** The body `count` times; the cursors move after each turn, also after the last. */
  repeat(count: number, cursors: readonly Cursor[], body: () => void): void {
    if (count === 0) return;
    if (count === 1) {
      this.scope(body);
      this.advance(cursors);
      return;
    }
    const { m } = this;
    const turns = this.pointer(count);
    this.while(() => {
      this.scope(body);
      this.advance(cursors);
      this.set(turns, m.i32.sub(this.get(turns), m.i32.const(1)));
      return this.get(turns);
    });
  }

  /** As repeat, for bodies that fill the registers. */
  stretch(count: number, copies: number, cursors: readonly Cursor[], body: () => void): void {
    if (count === 0) return;
    const [first] = cursors as readonly [Cursor];
    const end = this.int(this.m.i32.add(this.get(first.pointer), this.m.i32.const(count * first.stride)), false);
    this.until(end, Math.min(copies, count), cursors, body, count > copies);
  }

  /**
   * The body at least once, until the first cursor is at `end`: `copies` of it in a loop, with a way out after each.
   * V8 gathers the loads of a basic block at its head; the ways out keep each copy a block of its own.
   */
  until(end: Local, copies: number, cursors: readonly Cursor[], body: () => void, again = true): void {
    const { m } = this;
    const [first] = cursors as readonly [Cursor];
    this.block((leave) => {
      const turns = (): Expression => {
        for (let copy = 1; copy <= copies; copy++) {
          this.scope(body);
          this.advance(cursors);
          if (copy < copies) leave(m.i32.eq(this.get(first.pointer), this.get(end)));
        }
        return m.i32.ne(this.get(first.pointer), this.get(end));
      };
      if (again) this.while(turns);
      else turns();
    });
  }

  /** The body, which may leave early. */
  block(body: (leave: (condition: Expression) => void) => void): void {
    const label = `b${this.labels++}`;
    const outer = this.statements;
    this.statements = [];
    body((condition) => this.emit(this.m.br(label, condition)));
    const block = this.m.block(label, this.statements, this.b.none);
    this.statements = outer;
    this.emit(block);
  }

  private advance(cursors: readonly Cursor[]): void {
    for (const { pointer, stride } of cursors)
      if (stride !== 0) this.set(pointer, this.m.i32.add(this.get(pointer), this.m.i32.const(stride)));
  }

  /** The body, again as long as the condition that it returns holds. */
  while(body: () => Expression): void {
    const label = `l${this.labels++}`;
    const outer = this.statements;
    this.statements = [];
    const condition = body();
    this.emit(this.m.br(label, condition));
    const block = this.m.block(null, this.statements, this.b.none);
    this.statements = outer;
    this.emit(this.m.loop(label, block));
  }

  if(condition: Expression, body: () => void): void {
    const outer = this.statements;
    this.statements = [];
    this.scope(body);
    const block = this.m.block(null, this.statements, this.b.none);
    this.statements = outer;
    this.emit(this.m.if(condition, block));
  }

  /** Adds the function to the module. */
  finish(name: string, result: binaryen.Type = this.b.none, value?: Expression): void {
    const body = this.m.block(null, value === undefined ? this.statements : [...this.statements, value], result);
    this.m.addFunction(name, this.b.createType([...this.parameters]), result, this.types, body);
  }
}
