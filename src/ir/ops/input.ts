// input: a tensor that the environment supplies, already converted to its type.
import { InternalError } from "../../diagnostics.js";
import { sizeOf } from "../tensor.js";
import { op } from "./op.js";

export const input = op({
  name: "input",
  doc: "the next input of the network; a host converts real numbers with (type, round, overflow)",
  operands: [],
  attrs: { name: "string", shape: "ints", type: "precision?", round: "rounding", overflow: "overflow" },
  shape: (_, a) => (a.shape.every((d) => Number.isInteger(d) && d > 0) && sizeOf(a.shape) <= 2 ** 24 ? a.shape : "every dimension must be a positive integer"),
  expand: () => {
    throw new InternalError("an input's values are given, not computed");
  },
});
