// Names of the user's model as identifiers that are legal and unique in Verilog, C++ and file systems.

const verilog =
  "always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial inout input instance integer join large liblist library localparam macromodule medium module nand negedge nmos nor noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup pulsestyle_onevent pulsestyle_ondetect rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran tranif0 tranif1 tri tri0 tri1 triand trior trireg unsigned use uwire vectored wait wand weak0 weak1 while wire wor xnor xor";
const systemVerilog =
  "accept_on alias always_comb always_ff always_latch assert assume before bind bins binsof bit break byte chandle checker class clocking const constraint context continue cover covergroup coverpoint cross dist do endchecker endclass endclocking endgroup endinterface endpackage endprogram endproperty endsequence enum eventually expect export extends extern final first_match foreach forkjoin global iff ignore_bins illegal_bins implements implies import inside int interconnect interface intersect join_any join_none let local logic longint matches modport nettype new nexttime null package packed priority program property protected pure rand randc randcase randsequence ref reject_on restrict return s_always s_eventually s_nexttime s_until s_until_with sequence shortint shortreal soft solve static string strong struct super sync_accept_on sync_reject_on tagged this throughout timeprecision timeunit type typedef union unique unique0 until until_with untyped var virtual void wait_order weak wildcard with within";
const vhdl =
  "abs access after all architecture array attribute block body buffer bus component configuration constant disconnect downto elsif entity exit file generic group guarded impure in inertial is label linkage literal loop map mod next nor of on open others out port postponed procedure process range record register reject rem report return rol ror select severity shared signal sla sll sra srl subtype then to transport unaffected units until variable when";
const cpp =
  "alignas alignof and_eq asm auto bitand bitor bool catch char char8_t char16_t char32_t compl concept consteval constexpr constinit const_cast co_await co_return co_yield decltype delete double dynamic_cast explicit false float friend goto inline long mutable namespace noexcept not_eq nullptr operator or_eq private public register reinterpret_cast requires short sizeof static_assert static_cast switch template thread_local throw true try typeid typename unsigned using volatile wchar_t xor_eq main std hls ap_int ap_uint ap_fixed ap_ufixed";
const windows = "con prn aux nul com1 com2 com3 com4 lpt1 lpt2 lpt3";
const ports = "clk rst in_valid out_valid in_ready out_ready";
const reserved = new Set([verilog, systemVerilog, vhdl, cpp, windows, ports].join(" ").split(" "));

const MAX_LENGTH = 48;

/** A lower-risk spelling of `text`: letters, digits and single underscores, no keyword, at most 48 characters; unique in `taken` without regard to case, and then added to it. */
export function identifier(text: string, taken: Set<string>): string {
  let base = text
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_]+/g, "_")
    .replace(/_+/g, "_")
    .replace(/^_|_$/g, "")
    .slice(0, MAX_LENGTH);
  if (base === "" || /^[0-9]/.test(base)) base = `n${base}`;
  if (reserved.has(base.toLowerCase())) base = `${base}_`;
  let name = base;
  for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${base}_${i}`;
  taken.add(name.toLowerCase());
  return name;
}

/** One identifier a name, in order. */
export function identifiers(names: readonly string[], taken: Set<string> = new Set()): readonly string[] {
  return names.map((n) => identifier(n, taken));
}
