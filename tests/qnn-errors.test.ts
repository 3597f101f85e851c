// Error messages of .qnn: each source in tests/golden/qnn beside what qnnc says about it. UPDATE=1 rewrites the expectations.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Reporter, renderText } from "../src/diagnostics.js";
import { readQnn } from "../src/frontend/qnn/read-qnn.js";
import { loadProject } from "./support/qnn-project.js";

const folder = fileURLToPath(new URL("./golden/qnn/", import.meta.url));
const names = readdirSync(folder)
  .filter((f) => f.endsWith(".qnn"))
  .map((f) => f.slice(0, -4))
  .sort();

const errors = suite("qnn errors");

errors("there are 60 cases or more, and each has its expectation", () => {
  assert.ok(names.length >= 60, `${names.length} cases`);
  if (process.env["UPDATE"] === "1") return;
  const expectations = readdirSync(folder).filter((f) => f.endsWith(".expect"));
  assert.equal(expectations.map((f) => f.slice(0, -7)).sort(), names);
});

for (const name of names) {
  errors(name, async () => {
    const set = await loadProject(folder, `${name}.qnn`);
    const reporter = new Reporter();
    const model = await readQnn(set, {}, reporter);
    const text = (source: string): string | undefined =>
      set.files.has(source) && source.endsWith(".qnn") ? new TextDecoder().decode(set.files.get(source)) : undefined;
    const got = `${reporter.diagnostics.map((d) => renderText(d, { text })).join("\n")}\n`;
    assert.ok(reporter.diagnostics.length > 0, "a message is expected");
    assert.is(model === undefined, reporter.failed, "a network exactly where there is no error");
    // Every error helps: it says what to do, or points at the cause.
    for (const d of reporter.diagnostics) assert.ok(d.at?.source !== undefined, `${d.message}: no place`);
    const path = `${folder}${name}.expect`;
    if (process.env["UPDATE"] === "1") writeFileSync(path, got);
    assert.ok(existsSync(path), `run UPDATE=1 to write ${name}.expect`);
    assert.fixture(got, readFileSync(path, "utf8"), "UPDATE=1 rewrites the expectation");
  });
}

errors.run();
