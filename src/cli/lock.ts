// A lock file: one process at a time writes a folder. The lock of a process that died is taken over.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { systemCode } from "./file-errors.js";

const WAIT_SECONDS = 60;

export interface Lock {
  release(): void;
}

/** Creates `path`, waiting while another live process holds it; undefined after a minute. System errors are thrown. */
export async function acquireLock(path: string): Promise<Lock | undefined> {
  const mine = JSON.stringify({ host: hostname(), process: process.pid, nonce: Math.random() });
  for (const end = Date.now() + WAIT_SECONDS * 1000; Date.now() < end; await sleep(20 + 30 * Math.random())) {
    try {
      writeFileSync(path, mine, { flag: "wx" });
      return { release: () => rmSync(path, { force: true }) };
    } catch (e) {
      if (systemCode(e) !== "EEXIST") throw e;
    }
    const held = contentOf(path);
    if (held !== undefined && isDead(held)) takeAway(path, held);
  }
  return undefined;
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Whether the lock's owner ran on this machine and is gone. Unknown owners count as alive. */
function isDead(content: string): boolean {
  try {
    const owner: unknown = JSON.parse(content);
    if (typeof owner !== "object" || owner === null || !("host" in owner) || !("process" in owner)) return false;
    if (owner.host !== hostname() || typeof owner.process !== "number") return false;
    process.kill(owner.process, 0);
    return false;
  } catch (e) {
    return systemCode(e) === "ESRCH";
  }
}

/** Removes a dead lock, but not one that another process has just put in its place. */
function takeAway(path: string, content: string): void {
  const aside = `${path}-${process.pid}-${Math.random().toString(36).slice(2)}`;
  try {
    renameSync(path, aside);
    if (contentOf(aside) !== content) linkSync(aside, path);
  } catch {
    // Another process was faster; the next attempt sees what it left.
  }
  rmSync(aside, { force: true });
}
