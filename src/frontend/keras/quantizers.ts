// The table of quantizers: the arguments of each in positional order, with defaults and bounds. All else about arguments follows from it.

/** A fixed scale, one scale per channel, or a rule that computes the scale from the tensor. */
export type Alpha = number | readonly number[] | "auto" | "auto_po2" | null;

interface ArgKinds {
  int: number;
  number: number;
  optionalNumber: number | null;
  optionalInt: number | null;
  flag: boolean;
  alpha: Alpha;
  rounding: "rnd" | "floor";
  /** Accepted and without meaning at inference. */
  ignored: null;
}

export interface ArgSpec<K extends keyof ArgKinds = keyof ArgKinds> {
  readonly kind: K;
  readonly default: ArgKinds[K];
  readonly min?: number;
  readonly max?: number;
}

const int = (value: number, min: number, max: number): ArgSpec<"int"> => ({ kind: "int", default: value, min, max });
const number = (value: number, min: number, max: number): ArgSpec<"number"> => ({ kind: "number", default: value, min, max });
const optionalNumber = (min: number, max: number): ArgSpec<"optionalNumber"> => ({ kind: "optionalNumber", default: null, min, max });
const optionalInt = (min: number, max: number): ArgSpec<"optionalInt"> => ({ kind: "optionalInt", default: null, min, max });
const flag = (value: boolean): ArgSpec<"flag"> => ({ kind: "flag", default: value });
const alpha = (value: Alpha = null): ArgSpec<"alpha"> => ({ kind: "alpha", default: value });
const ignored: ArgSpec<"ignored"> = { kind: "ignored", default: null };

/** Beyond 64 bits no backend holds a value; QKeras computes in float32 and is exact to 24. */
const bits = (value: number, min = 1) => int(value, min, 64);
const integer = int(0, -64, 64);
const qnoise = number(1, 0, 1);
const po2Exponents = { min_po2_exponent: optionalInt(-128, 127), max_po2_exponent: optionalInt(-128, 127) };
const late = { var_name: ignored, use_ste: flag(true), use_variables: flag(false) };
const po2Common = {
  use_stochastic_rounding: flag(false),
  quadratic_approximation: flag(false),
  log2_rounding: { kind: "rounding", default: "rnd" } as ArgSpec<"rounding">,
  qnoise_factor: qnoise,
  ...late,
};
const quantizedBits = {
  bits: bits(8),
  integer,
  symmetric: flag(false),
  keep_negative: flag(true),
  alpha: alpha(),
  use_stochastic_rounding: flag(false),
  scale_axis: optionalInt(0, 7),
  qnoise_factor: qnoise,
  ...late,
  elements_per_scale: optionalInt(1, 1 << 24),
  ...po2Exponents,
  post_training_scale: alpha(),
};

/** In QKeras' positional order. Formulas: quantizer-forward.ts and spec/keras.md. */
export const quantizers = {
  quantized_bits: quantizedBits,
  quantized_linear: {
    bits: bits(8),
    integer,
    symmetric: flag(true),
    keep_negative: flag(true),
    alpha: alpha(),
    use_stochastic_rounding: flag(false),
    scale_axis: optionalInt(0, 7),
    qnoise_factor: qnoise,
    var_name: ignored,
    use_variables: flag(false),
  },
  quantized_relu: {
    bits: bits(8),
    integer,
    use_sigmoid: flag(false),
    negative_slope: number(0, 0, 1),
    use_stochastic_rounding: flag(false),
    relu_upper_bound: optionalNumber(0, 2 ** 64),
    is_quantized_clip: flag(true),
    qnoise_factor: qnoise,
    ...late,
    enable_fast_inference: flag(false),
  },
  quantized_ulaw: { bits: bits(8, 2), integer, symmetric: flag(false), u: number(255, 1e-3, 1e6) },
  quantized_tanh: { bits: bits(8, 2), use_stochastic_rounding: flag(false), symmetric: flag(false), use_real_tanh: flag(false) },
  quantized_sigmoid: { bits: bits(8), symmetric: flag(false), use_real_sigmoid: flag(false), use_stochastic_rounding: flag(false) },
  quantized_hswish: { ...quantizedBits, relu_shift: number(3, 0, 1024), relu_upper_bound: number(6, 1e-3, 1024) },
  ternary: {
    alpha: alpha(),
    threshold: optionalNumber(0, 2 ** 64),
    use_stochastic_rounding: flag(false),
    number_of_unrolls: int(5, 0, 100),
  },
  stochastic_ternary: {
    alpha: alpha(),
    threshold: optionalNumber(0, 2 ** 64),
    temperature: number(8, 0, 1e6),
    use_real_sigmoid: flag(true),
    number_of_unrolls: int(5, 0, 100),
  },
  binary: {
    use_01: flag(false),
    alpha: alpha(),
    use_stochastic_rounding: flag(false),
    scale_axis: optionalInt(0, 7),
    elements_per_scale: optionalInt(1, 1 << 24),
    ...po2Exponents,
  },
  stochastic_binary: { alpha: alpha(), temperature: number(6, 0, 1e6), use_real_sigmoid: flag(true) },
  bernoulli: { alpha: alpha(), temperature: number(6, 0, 1e6), use_real_sigmoid: flag(true) },
  quantized_po2: { bits: bits(8, 2), max_value: optionalNumber(0, 2 ** 64), ...po2Common },
  quantized_relu_po2: { bits: bits(8), max_value: optionalNumber(0, 2 ** 64), negative_slope: number(0, 0, 1), ...po2Common },
  // Plain functions, written like quantizers without arguments.
  hard_sigmoid: {},
  smooth_sigmoid: {},
  binary_sigmoid: {},
  hard_tanh: {},
  smooth_tanh: {},
  binary_tanh: {},
} as const satisfies Record<string, Readonly<Record<string, ArgSpec>>>;

export type QuantizerName = keyof typeof quantizers;
type ArgsOf<S> = { readonly [A in keyof S]: S[A] extends ArgSpec<infer K> ? ArgKinds[K] : never };
/** One quantizer with all its arguments; `name` tells which. */
export type QuantizerOf<N extends QuantizerName> = { readonly name: N } & ArgsOf<(typeof quantizers)[N]>;
export type Quantizer = { [N in QuantizerName]: QuantizerOf<N> }[QuantizerName];

export const isQuantizerName = (name: string): name is QuantizerName => Object.hasOwn(quantizers, name);
export const isAuto = (a: Alpha): a is "auto" | "auto_po2" => a === "auto" || a === "auto_po2";

/** An argument as the string form or the JSON form gives it. */
export type ArgValue = null | boolean | number | string | readonly number[];

const isPowerOfTwo = (x: number): boolean => x > 0 && Number.isInteger(Math.log2(x));

const grouped = (q: { readonly elements_per_scale: number | null }): string | undefined =>
  q.elements_per_scale === null ? undefined : "elements_per_scale is not supported";

/** What no single argument's bounds can say. */
const rules: { readonly [N in QuantizerName]?: (q: QuantizerOf<N>) => string | undefined } = {
  quantized_bits: (q) =>
    q.post_training_scale !== null && !isAuto(q.alpha) ? "post_training_scale belongs to alpha `auto` or `auto_po2`" : grouped(q),
  quantized_hswish: grouped,
  binary: grouped,
  quantized_relu: (q) =>
    q.negative_slope !== 0 && !isPowerOfTwo(q.negative_slope)
      ? `negative_slope must be a power of two, not ${q.negative_slope}`
      : q.negative_slope !== 0 && q.bits < 2
        ? "a quantizer with a negative slope needs at least 2 bits"
        : q.integer < 0
          ? "integer must not be negative (QKeras stops at this as well)"
          : undefined,
  quantized_relu_po2: (q) =>
    q.negative_slope !== 0 && !isPowerOfTwo(q.negative_slope)
      ? `negative_slope must be a power of two, not ${q.negative_slope}`
      : undefined,
  ternary: (q) => (isAuto(q.alpha) && q.threshold !== null ? "alpha `auto` excludes a threshold" : undefined),
};

/** Fills defaults and checks bounds; a string is the reason why the arguments do not fit. */
export function makeQuantizer(name: QuantizerName, given: ReadonlyMap<string, ArgValue>): Quantizer | string {
  const specs: Readonly<Record<string, ArgSpec>> = quantizers[name];
  for (const key of given.keys()) {
    if (!Object.hasOwn(specs, key)) return `no argument \`${key}\`; known: ${Object.keys(specs).join(", ") || "none"}`;
  }
  const q: Record<string, unknown> = { name };
  for (const [key, spec] of Object.entries(specs)) {
    const value = given.get(key);
    const checked = value === undefined ? { ok: spec.default } : checkArg(spec, value);
    if (typeof checked === "string") return `${key}: ${checked}`;
    q[key] = checked.ok;
  }
  const made = q as unknown as Quantizer;
  const problem = (rules[name] as ((q: Quantizer) => string | undefined) | undefined)?.(made);
  return problem ?? made;
}

type Checked = { readonly ok: unknown } | string;

/** Python has one notion of truth for 0/1 and False/True, and 4.0 is a fine number of bits. */
const asNumber = (v: ArgValue): number | undefined => (typeof v === "boolean" ? Number(v) : typeof v === "number" ? v : undefined);

function checkArg(spec: ArgSpec, value: ArgValue): Checked {
  const within = (x: number): Checked => {
    if (Number.isNaN(x) || x < (spec.min ?? x) || x > (spec.max ?? x)) return `${x} is outside ${spec.min} … ${spec.max}`;
    return { ok: x };
  };
  const whole = (v: ArgValue): Checked => {
    // A trained `integer` variable is written as a list of one number.
    const x = asNumber(Array.isArray(value) && value.length === 1 ? (value[0] as number) : v);
    return x === undefined || !Number.isInteger(x) ? `expected a whole number, not ${show(v)}` : within(x);
  };
  const real = (v: ArgValue): Checked => {
    const x = asNumber(v);
    return x === undefined ? `expected a number, not ${show(v)}` : within(x);
  };
  const byKind: { readonly [K in keyof ArgKinds]: () => Checked } = {
    int: () => whole(value),
    optionalInt: () => (value === null ? { ok: null } : whole(value)),
    number: () => real(value),
    optionalNumber: () => (value === null ? { ok: null } : real(value)),
    flag: () => {
      const x = asNumber(value);
      return x === 0 || x === 1 ? { ok: x === 1 } : `expected True or False, not ${show(value)}`;
    },
    alpha: () => checkAlpha(value),
    rounding: () => (value === "rnd" || value === "floor" ? { ok: value } : `expected 'rnd' or 'floor', not ${show(value)}`),
    ignored: () => ({ ok: null }),
  };
  return byKind[spec.kind]();
}

function checkAlpha(value: ArgValue): Checked {
  if (value === null || value === "auto" || value === "auto_po2") return { ok: value };
  const list = Array.isArray(value) ? (value as readonly number[]) : [asNumber(value)];
  // Zero is allowed for one channel of a frozen scale, never as the only scale.
  if (
    list.length === 0 ||
    !list.every((x): x is number => x !== undefined && Number.isFinite(x) && (x > 0 || (x === 0 && list.length > 1)))
  ) {
    return `expected a positive number, None, 'auto' or 'auto_po2', not ${show(value)}`;
  }
  return { ok: list.length === 1 ? list[0] : list };
}

const show = (v: ArgValue): string => (typeof v === "string" ? `'${v.slice(0, 40)}'` : JSON.stringify(v)?.slice(0, 60));
