// reshape: the same elements in row-major order under another shape.
import { printShape, sizeOf } from "../tensor.js";
import { op } from "./op.js";

export const reshape = op({
  name: "reshape",
  doc: "y has x's elements in row-major order and the given shape",
  operands: ["x"],
  attrs: { shape: "ints" },
  shape: ([x], { shape }) =>
    sizeOf(shape) === sizeOf(x!) && shape.every((d) => Number.isInteger(d) && d > 0) ? shape : `${printShape(x!)} has ${sizeOf(x!)} elements and ${printShape(shape)} has ${sizeOf(shape)}`,
  expand: (_, [x]) => x!.at,
});
