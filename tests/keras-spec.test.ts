// The tables of spec/keras.md list exactly the layers and quantizers that the code knows.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { layers } from "../src/frontend/keras/layers/index.js";
import { quantizers } from "../src/frontend/keras/quantizers.js";

const text = readFileSync(new URL("../spec/keras.md", import.meta.url), "utf8");
/** The names in the first column of the table under a heading. */
const rows = (heading: string): string[] => {
  const section = text.slice(text.indexOf(heading));
  const cells = [...section.slice(0, section.indexOf("\n## ", 4)).matchAll(/^\| (`[^|]*`) \|/gm)].map((m) => m[1]!);
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map((m) => m[1]!));
};

const t = suite("keras spec");
t("layers", () => assert.equal(rows("## 3. Layers"), Object.keys(layers)));
t("quantizers", () => assert.equal(rows("## 4. Quantizers"), Object.keys(quantizers)));
t.run();
