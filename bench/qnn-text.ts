// A .qnn network of a given number of lines, with weights beside it: what a long hand-written or imported file looks like.
import { formatNpz, type NpyArray } from "../src/npy.js";

const WIDTH = 8;

/** Layers of 8 units in residual groups of five lines, until the text has `lines` lines; the files of its project. */
export function longNetwork(lines: number): ReadonlyMap<string, Uint8Array> {
  const arrays = new Map<string, NpyArray>();
  const text = [
    "// A long network.",
    "let act = ufixed<6,2,RND_CONV,SAT>",
    "",
    "network long {",
    '  weights "long.npz"',
    `  input x0: fixed<8,3>[${WIDTH}]`,
  ];
  const weights = (size: number, seed: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => (((i * 37 + seed * 11) % 29) - 14) / 16);
  let n = 0;
  // Three lines stand behind the last group.
  while (text.length + 5 <= lines - 2) {
    const before = n === 0 ? "x0" : `y${n}`;
    n++;
    arrays.set(`fc${n}/kernel`, { shape: [WIDTH, WIDTH], data: weights(WIDTH * WIDTH, n) });
    arrays.set(`fc${n}/bias`, { shape: [WIDTH], data: weights(WIDTH, n) });
    text.push(
      `  // Group ${n}.`,
      `  layer fc${n} = dense(${before}, units: ${WIDTH}, kernel: fixed<6,2>, bias: fixed<8,2>)`,
      `  layer a${n} = relu(fc${n}) as act`,
      `  let s${n} = a${n} + ${before} * 0.5`,
      `  layer y${n} = clip(s${n}, low: -4, high: 3.75) as fixed<8,3,RND,SAT>`,
    );
  }
  text.push(`  output y${n}`, "}");
  return new Map([
    ["long.qnn", new TextEncoder().encode(`${text.join("\n")}\n`)],
    ["long.npz", formatNpz(arrays)],
  ]);
}
