// The AXI4-Stream wrapper under random back-pressure and random gaps: no beat lost, doubled or reordered, tlast kept, handshake rules kept, full rate without back-pressure, clean after a reset.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { axisWidth } from "../src/backends/verilog/axis.js";
import { sideWidth } from "../src/backends/verilog/ports.js";
import type { Netlist } from "../src/ir/netlist.js";
import { prng } from "../src/sim/prng.js";
import { randomNetlist } from "./support/random-netlist.js";
import { hasTool, run, withTempDir, writeFiles } from "./support/tools.js";
import { lint, randomSchedule, randomVectors, writeDesign } from "./support/verilog.js";

const test = suite("verilog axis");
const VECTORS = 300;

interface Traffic {
  readonly name: string;
  /** Of 16 cycles, in how many the source offers a beat and the sink takes one. */
  readonly valid: number;
  readonly ready: number;
  /** Reset once, in the middle; the vectors then start over. */
  readonly reset?: true;
}
const traffics: readonly Traffic[] = [
  { name: "full rate", valid: 16, ready: 16 },
  { name: "slow sink", valid: 16, ready: 3 },
  { name: "slow source", valid: 3, ready: 16 },
  { name: "both random", valid: 9, ready: 9 },
  { name: "reset in the middle", valid: 12, ready: 6, reset: true },
];

/** A bench of its own: memories instead of files, an independent check of the handshake. */
function bench(n: Netlist, t: Traffic): string {
  const [inBits, outBits] = [sideWidth(n.inputs), sideWidth(n.outputs)];
  const [s, m] = [axisWidth(inBits), axisWidth(outBits)];
  return `module bench;
  reg clk = 0; always #5 clk = ~clk;
  reg aresetn = 0;
  reg [${inBits - 1}:0] inputs [0:${VECTORS - 1}];
  reg [${outBits - 1}:0] outputs [0:${VECTORS - 1}];
  reg [${s - 1}:0] s_data; reg s_valid = 0, s_last = 0; wire s_ready;
  wire [${m - 1}:0] m_data; wire m_valid, m_last; reg m_ready = 0;
  ${n.name}_axis dut (.aclk(clk), .aresetn(aresetn), .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready), .s_axis_tlast(s_last),
    .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tready(m_ready), .m_axis_tlast(m_last));
  integer sent = 0, received = 0, cycles = 0, wrong = 0, seed = 1, resets = 0, stalled = 0;
  reg held = 0, held_last; reg [${m - 1}:0] held_data;
  initial begin $readmemh("tb/vectors/inputs.hex", inputs); $readmemh("tb/vectors/outputs.hex", outputs); #32 aresetn = 1; end
  // AXI4-Stream: a source holds valid and data until they are taken.
  always @(negedge clk) if (aresetn) begin
    if (!s_valid || taken) begin
      s_valid = sent < ${VECTORS} && ($unsigned($random(seed)) % 16) < ${t.valid};
      s_data = s_valid ? {${s > inBits ? `${s - inBits}'d0 - ${s - inBits}'d1, ` : ""}inputs[sent]} : {${s}{1'bx}};
      s_last = sent % 7 == 6;
    end
    m_ready = ($unsigned($random(seed)) % 16) < ${t.ready};
  end
  reg taken = 0;
  always @(posedge clk) if (aresetn) begin
    cycles = cycles + 1;
    taken = s_valid && s_ready;
    if (s_valid && !s_ready) stalled = stalled + 1;
    if (taken) sent = sent + 1;
    if (held && (m_valid !== 1 || m_data !== held_data || m_last !== held_last)) begin $display("FAIL beat %0d changed or vanished before it was taken", received); wrong = wrong + 1; end
    if (m_valid === 1'bx || s_ready === 1'bx) begin $display("FAIL unknown handshake"); wrong = wrong + 1; end
    held = m_valid && !m_ready; held_data = m_data; held_last = m_last;
    if (m_valid && m_ready) begin
      if (received >= sent) begin $display("FAIL beat %0d was never sent", received); wrong = wrong + 1; end
      if (m_data !== {${m > outBits ? `${m - outBits}'d0, ` : ""}outputs[received]} || m_last !== (received % 7 == 6)) begin
        if (wrong < 3) $display("FAIL beat %0d: %h last %b, expected %h", received, m_data, m_last, outputs[received]);
        wrong = wrong + 1;
      end
      received = received + 1;
    end
    if (${t.reset ? 1 : 0} && resets == 0 && received == ${VECTORS / 2}) begin resets = 1; aresetn <= 0; held = 0; end
    if (received == ${VECTORS}) begin if (wrong == 0) $display("PASS cycles %0d stalled %0d", cycles, stalled); $finish; end
    if (cycles > ${VECTORS * 40}) begin $display("FAIL hangs: %0d sent, %0d received", sent, received); $finish; end
  end
  always @(negedge aresetn) if (resets == 1) begin
    resets = 2; sent = 0; received = 0; s_valid = 0; taken = 0;
    #25 aresetn = 1;
  end
endmodule
`;
}

const icarus = hasTool("iverilog");
const verilator = hasTool("verilator");
for (const latency of [0, 1, 2, 5, 14]) {
  test(`latency ${latency}`, () => {
    // Small buses of widths that are no whole bytes, and several ports.
    const n = randomNetlist(40 + latency, { cells: 25, outputs: 3, maxWidth: 14 });
    const r = prng(latency);
    const schedule = Array.from({ length: 400 }, () => randomSchedule(n, r)).find((s) => s.latency === latency) ?? {
      stage: n.cells.map(() => 0),
      latency,
    };
    const design = latency === 0 ? n : { ...n, schedule };
    withTempDir((folder) => {
      writeDesign(folder, design, randomVectors(n, VECTORS, latency));
      if (verilator) assert.is(lint(folder, n.name), "");
      if (!icarus) return;
      for (const t of traffics) {
        writeFiles(folder, new Map([["bench.v", bench(design, t)]]));
        const compiled = run(
          "iverilog",
          ["-g2005", "-s", "bench", "-o", "bench.vvp", "bench.v", `rtl/${n.name}.v`, `rtl/${n.name}_axis.v`],
          { cwd: folder },
        );
        assert.is(compiled.text, "", t.name);
        const text = run("vvp", ["-n", "bench.vvp"], { cwd: folder }).text.trim();
        const pass = /^PASS cycles (\d+) stalled (\d+)$/.exec(text);
        assert.ok(pass, `${n.name}, latency ${latency}, ${t.name}: ${text.slice(0, 500)}`);
        if (t.name !== "full rate") continue;
        assert.is(Number(pass![2]), 0, "no stall at full rate");
        assert.is(
          Number(pass![1]),
          VECTORS + latency + 2,
          "one beat a cycle, the latency, one cycle for the FIFO and an idle one before the first beat",
        );
      }
    });
  });
}

test.run();
