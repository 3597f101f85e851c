// Golden data that lies beside the project and is never committed; tests skip aloud where it is absent.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../shared/golden/", import.meta.url));

export const hasGolden = existsSync(root);

/** The bytes of a golden file, or undefined where it is absent. */
export const golden = (path: string): Uint8Array | undefined => (existsSync(root + path) ? new Uint8Array(readFileSync(root + path)) : undefined);
export const goldenText = (path: string): string | undefined => (existsSync(root + path) ? readFileSync(root + path, "utf8") : undefined);
export const goldenList = (path: string): readonly string[] => (existsSync(root + path) ? readdirSync(root + path).sort() : []);

/** Says that a test did not run and why; the runner counts these lines. */
export const skip = (what: string): void => console.log(`SKIP ${what}`);
