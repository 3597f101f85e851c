// Lookup tables as Verilog functions: one function a distinct table, however many cells use it.
import { literal } from "./bits.js";

export interface LookupTable {
  /** Operand value of entry 0. */
  readonly lo: bigint;
  readonly entries: readonly bigint[];
  readonly operandWidth: number;
  readonly width: number;
}

const vector = (width: number): string => (width === 1 ? "" : `[${width - 1}:0] `);

/** Operands outside the table do not occur; `x` leaves them to synthesis and would show in simulation. */
function functionText(name: string, { lo, entries, operandWidth, width }: LookupTable): string {
  const rows = entries.map(
    (y, i) => `      ${literal(BigInt.asUintN(operandWidth, lo + BigInt(i)), operandWidth)}: ${name} = ${literal(y, width)};`,
  );
  return [
    `  // Operands ${lo} to ${lo + BigInt(entries.length - 1)}.`,
    `  function ${vector(width)}${name}(input ${vector(operandWidth)}code);`,
    "    case (code)",
    ...rows,
    `      default: ${name} = {${width}{1'bx}};`,
    "    endcase",
    "  endfunction",
  ].join("\n");
}

export class LookupTables {
  private readonly byKey = new Map<string, { readonly name: string; readonly text: string }>();
  constructor(private readonly prefix: string) {}

  /** The name of the function that holds the table. */
  name(table: LookupTable): string {
    const key = [table.operandWidth, table.width, table.lo, ...table.entries].join();
    const known = this.byKey.get(key);
    if (known) return known.name;
    const name = `${this.prefix}${this.byKey.size}`;
    this.byKey.set(key, { name, text: functionText(name, table) });
    return name;
  }

  text(): string {
    return [...this.byKey.values()].map((t) => t.text).join("\n\n");
  }
}
