// lut: a unary function as an exact table over all codes of its operand.
import { op } from "./op.js";

export const lut = op({
  name: "lut",
  doc: "y = f(x) in double precision, converted to f's type",
  operands: ["x"],
  attrs: { f: "unary" },
  shape: ([x]) => x!,
  expand: (k, [x], { f }) => x!.at.map((v) => k.lut(v, f)),
});
