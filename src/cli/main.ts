#!/usr/bin/env node
// The entry of the command line. Loads as little as it can: a command's code comes when the command runs.
import { version } from "../version.js";

// A reader that stops early (`qnnc … | head`) is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (e: NodeJS.ErrnoException) => {
    if (e.code === "EPIPE") process.exit();
  });
}

const argv = process.argv.slice(2);
if (argv.length === 1 && argv[0] === "--version") {
  console.log(version);
} else {
  const { run } = await import("./run.js");
  process.exitCode = await run(argv);
}
