// Every netlist cell as Verilog, with every operand value, against the cell table: in Icarus always, in Verilator in the full tier; the lint stays silent.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cellVectors, exhaustiveCellCases, wideCellCases } from "./support/cell-cases.js";
import { fullTier, hasTool, withTempDir } from "./support/tools.js";
import { lint, mergeCases, renamed, runIcarus, runVerilator, writeDesign } from "./support/verilog.js";

const test = suite("verilog cells");
const icarus = hasTool("iverilog");
const verilator = hasTool("verilator");

for (const c of [...exhaustiveCellCases(), ...wideCellCases()]) {
  const n = renamed(c.netlist, `cells_${c.name}`);
  test(`${c.name}: ${c.labels.flat().length} cells in Icarus, lint clean`, () => {
    const vectors = cellVectors(c);
    withTempDir((folder) => {
      writeDesign(folder, n, vectors);
      if (icarus) assert.is(runIcarus(folder, n.name), `PASS ${vectors.count} vectors`);
      if (verilator) assert.is(lint(folder, n.name), "");
    });
  });
}

/** Beside the exhaustive cases: operands around 32 and 64 bits, where Verilator changes its representation. */
const BEYOND_WORDS = ["affine1_mixed", "mul_signed", "mul_mixed", "max_mixed", "wrap_mixed", "shl_mixed"];

if (fullTier && verilator) {
  const exhaustive = exhaustiveCellCases();
  const groups = {
    small: [...exhaustive.filter((c) => c.inputs[0]!.length <= 256), ...wideCellCases().filter((c) => BEYOND_WORDS.includes(c.name))],
    large: exhaustive.filter((c) => c.inputs[0]!.length > 256),
  };
  for (const [name, cases] of Object.entries(groups)) {
    test(`${cases.length} ${name} cases in Verilator`, () => {
      const { netlist, vectors } = mergeCases(cases, `merged_${name}`, cellVectors);
      withTempDir((folder) => {
        writeDesign(folder, netlist, vectors);
        assert.is(runVerilator(folder, netlist.name), `PASS ${vectors.count} vectors`);
      });
    });
  }
}

test.run();
