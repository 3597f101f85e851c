// What the results of many samples say: accuracy against labels, and where two sets of values part.

export interface Classification {
  readonly samples: number;
  readonly correct: number;
  /** confusion[label][answer]: counts. */
  readonly confusion: readonly (readonly number[])[];
}

/** The index of the largest of each row, the first where several are; one value a row is compared with `threshold` instead: 1 where greater. */
export function answersOf(values: ArrayLike<number>, classes: number, threshold: number): Int32Array {
  const rows = values.length / classes;
  return Int32Array.from({ length: rows }, (_, row) => {
    if (classes === 1) return values[row]! > threshold ? 1 : 0;
    let best = 0;
    for (let k = 1; k < classes; k++) if (values[row * classes + k]! > values[row * classes + best]!) best = k;
    return best;
  });
}

export function classify(answers: Int32Array, labels: Int32Array): Classification {
  const kinds = Math.max(...[answers, labels].map((list) => list.reduce((a, b) => Math.max(a, b), 0))) + 1;
  const confusion = Array.from({ length: kinds }, () => new Array<number>(kinds).fill(0));
  let correct = 0;
  answers.forEach((answer, i) => {
    confusion[labels[i]!]![answer]!++;
    if (answer === labels[i]) correct++;
  });
  return { samples: answers.length, correct, confusion };
}

/** How two arrays of values differ. */
export interface Difference {
  readonly sample: number;
  /** Index within the sample, row-major. */
  readonly element: number;
  readonly expected: number;
  readonly got: number;
  /** How many elements differ, of how many, and the largest distance. */
  readonly count: number;
  readonly total: number;
  readonly largest: number;
}

/** The first difference of more than `tolerance`, and what is known of all; undefined where there is none. NaN differs from every number. */
export function differenceOf(expected: ArrayLike<number>, got: ArrayLike<number>, perSample: number, tolerance: number): Difference | undefined {
  let first = -1;
  let [count, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(expected[i]! - got[i]!);
    if (distance <= tolerance) continue;
    if (first < 0) first = i;
    count++;
    largest = distance > largest || Number.isNaN(distance) ? distance : largest;
  }
  if (first < 0) return undefined;
  const where = { sample: Math.floor(first / perSample), element: first % perSample };
  return { ...where, expected: expected[first]!, got: got[first]!, count, total: expected.length, largest };
}
