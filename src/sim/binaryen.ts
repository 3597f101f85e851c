// binaryen takes most of a second to load: only on first use, and ahead of time where a caller knows that it will be needed.
export const loadBinaryen = async (): Promise<typeof import("binaryen").default> => (await import("binaryen")).default;
