// Fixed-point conversion against 1.1 million casts of the real ap_fixed headers, and the type algebra against brute force.
import { gunzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bitLength, convert, dyadic, exponent, fit, type FixedType, overflows, type Overflow, parseConversion, printConversion, rangeOf, type Rounding, roundings, toNumber, unionType } from "../src/ir/fixed.js";
import { golden, skip } from "./support/golden.js";

const casts = suite("ap_fixed casts");

const typeOf = (text: string): FixedType => {
  const [width, int] = text.slice(1).split(",").map(Number);
  return { signed: text.startsWith("s"), width: width!, int: int! };
};

const file = golden("ap_fixed/cast.txt.gz");
if (file) {
  casts("every cast gives the headers' mantissa", () => {
    let checked = 0;
    const wrong: string[] = [];
    const seen = new Set<string>();
    for (const line of gunzipSync(file).toString().split("\n")) {
      if (line === "" || line.includes("AP_WRAP_SM")) continue;
      const parts = line.split(" ");
      const [kind, ...rest] = parts;
      const source = kind === "C" ? typeOf(rest.shift()!) : undefined;
      const [width, int, round, overflow] = rest.shift()!.split(",");
      const to = { type: typeOf(`${width},${int}`), round: round!.slice(3) as Rounding, overflow: overflow!.slice(3) as Overflow };
      assert.ok(roundings.includes(to.round) && overflows.includes(to.overflow), line.slice(0, 60));
      seen.add(`${to.round} ${to.overflow}`);
      // C lines: every code of the source type, ascending; D lines: v/64 for v = −700 … 700.
      const first = source ? rangeOf(source).lo : -700n;
      if (source) assert.is(BigInt(rest.length), rangeOf(source).hi - first + 1n);
      rest.forEach((want, i) => {
        const d = source ? { m: first + BigInt(i), exp: exponent(source) } : dyadic((i - 700) / 64);
        const got = convert(d.m, d.exp, to);
        checked++;
        if (String(got) !== want) wrong.push(`${parts[0]} ${parts[1]} ${to.round} ${to.overflow}: code ${first + BigInt(i)} gives ${got}, ap_fixed ${want}`);
      });
    }
    assert.is(wrong.slice(0, 10).join("\n"), "");
    assert.is(seen.size, roundings.length * overflows.length);
    assert.ok(checked > 800_000, `${checked}`);
    console.log(`  ${checked} casts`);
  });
} else skip("ap_fixed casts: ../shared/golden/ap_fixed is absent");

casts.run();

const types = suite("fixed-point types");

types("fit is the narrowest type of a range", () => {
  const holds = (t: FixedType, lo: bigint, hi: bigint): boolean => rangeOf(t).lo <= lo && hi <= rangeOf(t).hi;
  for (let lo = -40n; lo <= 40n; lo++) {
    for (let hi = lo; hi <= 40n; hi++) {
      const t = fit({ lo, hi }, -3);
      assert.ok(holds(t, lo, hi), `${lo}..${hi}`);
      assert.is(exponent(t), -3);
      assert.is(t.signed, lo < 0n);
      if (t.width > (t.signed ? 1 : 0)) assert.not(holds({ ...t, width: t.width - 1 }, lo, hi), `${lo}..${hi} in ${t.width}`);
    }
  }
  assert.equal([0n, 1n, 5n, -1n, -4n, -5n].map(bitLength), [0, 1, 3, 0, 2, 3]);
});

types("the union of two types holds both and no smaller type does", () => {
  const all: FixedType[] = [];
  for (const signed of [false, true]) for (let width = signed ? 1 : 0; width <= 3; width++) for (let int = -2; int <= 3; int++) all.push({ signed, width, int });
  const at = (t: FixedType, e: number): readonly [bigint, bigint] => {
    const r = rangeOf(t);
    return [r.lo << BigInt(exponent(t) - e), r.hi << BigInt(exponent(t) - e)];
  };
  for (const a of all) {
    for (const b of all) {
      const u = unionType(a, b);
      const finest = Math.min(...[a, b].filter((t) => t.width > 0).map(exponent));
      if (a.width + b.width === 0) continue;
      assert.is(exponent(u), finest);
      const [[alo, ahi], [blo, bhi]] = [a, b].map((t) => (t.width === 0 ? ([0n, 0n] as const) : at(t, finest))) as [readonly [bigint, bigint], readonly [bigint, bigint]];
      const want = fit({ lo: alo < blo ? alo : blo, hi: ahi > bhi ? ahi : bhi }, finest);
      assert.is(u.width, want.width, JSON.stringify({ a, b }));
    }
  }
});

types("doubles are exact dyadics and come back", () => {
  for (const x of [0, -0, 1, -1, 0.1, -1e-300, 5e-324, 1.7976931348623157e308, 2 ** -1074, 2 ** 53 + 2, Math.PI, -123456.789]) {
    const { m, exp } = dyadic(x);
    assert.is(toNumber(m, exp), x + 0);
    assert.ok(m === 0n ? exp === 0 : (m & 1n) === 1n);
  }
});

types("conversions print and parse back, and what is malformed says why", () => {
  for (const round of roundings) {
    for (const overflow of overflows) {
      for (const type of [{ signed: true, width: 16, int: 6 }, { signed: false, width: 1, int: -5 }, { signed: false, width: 8, int: 12 }]) {
        assert.equal(parseConversion(printConversion({ type, round, overflow })), { type, round, overflow });
      }
    }
  }
  assert.equal(parseConversion(" ap_fixed< 8 , 4 , AP_RND , AP_SAT > "), { type: { signed: true, width: 8, int: 4 }, round: "RND", overflow: "SAT" });
  for (const text of ["", "fixed", "fixed<8>", "fixed<8,4,UP>", "fixed<8,4,RND,CLIP>", "fixed<65,4>", "fixed<0,0>", "float<8,4>", "fixed<8,4000>", "fixed<-8,4>", "fixed<8.5,4>"]) {
    assert.type(parseConversion(text), "string", text);
  }
});

types.run();
