// How many multiply-accumulates a second the 16-bit dot instruction reaches here and now, from the L1 cache: what the simulator's figures are measured against.
import { loadBinaryen } from "../src/sim/binaryen.js";

const TURNS = 4000;
const ACCUMULATORS = 8;
const UNROLLED = 4;
const MACS = TURNS * UNROLLED * ACCUMULATORS * 8;

/** A function that measures once, in GMAC/s. */
export async function dotPeak(): Promise<() => number> {
  const b = await loadBinaryen();
  const m = new b.Module();
  m.setFeatures(b.Features.SIMD128);
  m.setMemory(1, 1, "memory", []);
  const vector = (i: number): number => m.local.get(1 + i, b.v128);
  const turn: number[] = [];
  for (let u = 0; u < UNROLLED; u++) {
    for (let i = 0; i < ACCUMULATORS; i++) {
      const dot = m.i32x4.dot_i16x8_s(m.v128.load(64 * u + 16 * (i & 1), 16, m.i32.const(64)), vector(ACCUMULATORS));
      turn.push(m.local.set(1 + i, m.i32x4.add(vector(i), dot)));
    }
  }
  turn.push(m.br("turns", m.local.tee(0, m.i32.sub(m.local.get(0, b.i32), m.i32.const(1)), b.i32)));
  let sum = vector(0);
  for (let i = 1; i < ACCUMULATORS; i++) sum = m.v128.xor(sum, vector(i));
  const body = m.block(null, [m.loop("turns", m.block(null, turn)), m.i32x4.extract_lane(sum, 0)], b.i32);
  m.addFunction("turns", b.createType([b.i32]), b.i32, Array.from({ length: ACCUMULATORS + 1 }, () => b.v128), body);
  m.addFunctionExport("turns", "turns");
  const { instance } = await WebAssembly.instantiate(m.emitBinary() as Uint8Array<ArrayBuffer>);
  m.dispose();
  const turns = instance.exports["turns"] as (n: number) => number;
  return () => {
    const start = performance.now();
    turns(TURNS);
    return MACS / (performance.now() - start) / 1e6;
  };
}
