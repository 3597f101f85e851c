// constant: a tensor known at compile time.
import { op } from "./op.js";

export const constant = op({
  name: "constant",
  doc: "y = value",
  operands: [],
  attrs: { value: "tensor" },
  shape: (_, a) => a.value.shape,
  expand: (k, _, a) => a.value.data.map((m) => k.constant(m, a.value.exp)),
});
