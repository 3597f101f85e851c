// The C++ testbench: runs the top function on the stored vectors and compares every output bit for bit.
import type { FixedType } from "../../ir/fixed.js";
import type { Files } from "../../ir/target.js";
import type { Shape } from "../../ir/tensor.js";
import type { Mantissas, Vectors } from "../../ir/vectors.js";
import { apInt } from "./cpp-types.js";

/** An array parameter of the top function. */
export interface PortDeclaration {
  readonly name: string;
  /** The typedef's name. */
  readonly type: string;
  readonly fixed: FixedType;
  readonly shape: Shape;
  readonly size: number;
}

/** Where the testbench looks for its vectors unless its first argument names another folder. */
const VECTORS = "tb/vectors";

const lines = (ports: readonly (readonly Mantissas[])[], count: number): string =>
  Array.from({ length: count }, (_, s) => `${ports.flatMap((p) => p[s]!).join(" ")}\n`).join("");

/** `inputs.dat` and `outputs.dat`: a line a sample, the decimal mantissas of all ports one after another. */
export const datVectors = (v: Vectors): Files =>
  new Map([
    [`${VECTORS}/inputs.dat`, lines(v.inputs, v.count)],
    [`${VECTORS}/outputs.dat`, lines(v.outputs, v.count)],
  ]);

const helpers = (bits: number): string => `typedef ${bits === 64 ? "long long" : `ap_int<${bits}>`} mantissa_t;

/** The stored integer of a value; Integer is ap_int or ap_uint of its width. */
template <class Integer, class Value> static mantissa_t mantissa(const Value &value) {
  const Integer m = value.range(Integer::width - 1, 0);
  return mantissa_t(m);
}

/** Reads n decimal mantissas; false where the text is no number of the type. */
template <class Integer, class Value> static bool read_port(std::istream &in, Value *values, int n) {
  std::string text;
  for (int k = 0; k < n; k++) {
    if (!(in >> text) || text.length() > ${Math.floor((bits - 2) * Math.log10(2))}) return false;
    const bool negative = text[0] == '-';
    mantissa_t m = 0;
    for (std::string::size_type d = negative ? 1 : 0; d < text.length(); d++) {
      if (text[d] < '0' || text[d] > '9') return false;
      m = m * 10 + (text[d] - '0');
    }
    if (negative) m = -m;
    values[k].range(Integer::width - 1, 0) = Integer(m);
    if (mantissa<Integer>(values[k]) != m) return false;
  }
  return true;
}

/** Compares n values; says which is the first to differ. */
template <class Integer, class Value> static bool same(const char *port, const Value *got, const Value *expected, int n, long vector) {
  for (int k = 0; k < n; k++) {
    const mantissa_t g = mantissa<Integer>(got[k]);
    const mantissa_t e = mantissa<Integer>(expected[k]);
    if (g != e) {
      std::cout << "MISMATCH vector " << vector << ", " << port << "[" << k << "]: got " << g << ", expected " << e << "\\n";
      return false;
    }
  }
  return true;
}

static bool at_end(std::istream &in) {
  std::string more;
  return !(in >> more);
}

static int fail(const std::string &why) {
  std::cout << "FAIL " << why << "\\n";
  return 1;
}
`;

/** `<top>_tb.cpp` for a top function with these ports, declared in `header`. */
export function testbench(top: string, header: string, inputs: readonly PortDeclaration[], outputs: readonly PortDeclaration[]): string {
  const declare = (prefix: string) => (p: PortDeclaration) => `    ${p.type} ${prefix}${p.name}[${p.size}];`;
  const read = (stream: string, prefix: string) => (p: PortDeclaration) =>
    `read_port<${apInt(p.fixed)}>(${stream}, ${prefix}${p.name}, ${p.size}) && `;
  const compare = (p: PortDeclaration): string =>
    `    if (!same<${apInt(p.fixed)}>("${p.name}", out_${p.name}, expected_${p.name}, ${p.size}, count)) return 1;`;
  // Room for one digit more than any mantissa has.
  const mantissaBits = Math.max(64, ...[...inputs, ...outputs].map((p) => p.fixed.width + 8));
  return `// Runs ${top} on ${VECTORS}/inputs.dat and compares with ${VECTORS}/outputs.dat, bit for bit.
// The first argument names another folder. Files: a line a sample, the decimal mantissas of all ports one after another.
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include "${header}"

${helpers(mantissaBits)}
int main(int argc, char **argv) {
  const std::string folder = argc > 1 ? argv[1] : "${VECTORS}";
  std::ifstream inputs((folder + "/inputs.dat").c_str());
  std::ifstream outputs((folder + "/outputs.dat").c_str());
  if (!inputs || !outputs) return fail("cannot read " + folder + "/inputs.dat and outputs.dat");
  std::string input_line;
  std::string output_line;
  long count = 0;
  for (; std::getline(inputs, input_line); count++) {
    if (!std::getline(outputs, output_line)) return fail("outputs.dat has fewer lines than inputs.dat");
    std::istringstream given(input_line);
    std::istringstream wanted(output_line);
${inputs.map(declare("in_")).join("\n")}
${outputs.flatMap((p) => [declare("out_")(p), declare("expected_")(p)]).join("\n")}
    const std::string line = "line " + std::to_string(count + 1);
    if (!(${inputs.map(read("given", "in_")).join("")}at_end(given))) {
      return fail("inputs.dat, " + line + ": not the inputs' mantissas");
    }
    if (!(${outputs.map(read("wanted", "expected_")).join("")}at_end(wanted))) {
      return fail("outputs.dat, " + line + ": not the outputs' mantissas");
    }
    ::${top}(${[...inputs.map((p) => `in_${p.name}`), ...outputs.map((p) => `out_${p.name}`)].join(", ")});
${outputs.map(compare).join("\n")}
  }
  if (std::getline(outputs, output_line)) return fail("outputs.dat has more lines than inputs.dat");
  if (count == 0) return fail("inputs.dat holds no vectors");
  std::cout << "PASS " << count << " vectors\\n";
  return 0;
}
`;
}
