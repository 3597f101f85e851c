// lut: a unary function as an exact table over all codes of its operand.
import { isTyped, typed } from "../unary.js";
import { op } from "./op.js";

export const lut = op({
  name: "lut",
  doc: "y = f(x), correctly rounded to f's type; real where f has none yet",
  operands: ["x"],
  attrs: { f: "unary" },
  shape: ([x]) => x!,
  isReal: ({ f }) => !isTyped(f),
  expand: (k, [x], { f }) => x!.at.map((v) => k.lut(v, typed(f))),
});
