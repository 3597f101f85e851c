// Preload (node --import) that prints the peak resident set of a process when it ends, as one JSON line on stderr.
process.on("exit", () => process.stderr.write(`{"maxRssKiB":${process.resourceUsage().maxRSS}}\n`));
