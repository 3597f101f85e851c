// Cleans up when the user interrupts. Handlers are installed only while files are being written: at other times nothing lies on disk,
// and the system's own action ends a long computation at once, which a handler in JavaScript could not.

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `work`; a signal that arrives meanwhile calls `cleanUp` and then ends the process by that signal, as shells and make expect. */
export async function withCleanUp<T>(cleanUp: () => void, work: () => Promise<T>): Promise<T> {
  const handlers = signals.map((signal) => {
    const handler = (): void => {
      cleanUp();
      remove();
      process.kill(process.pid, signal);
    };
    process.on(signal, handler);
    return { signal, handler };
  });
  const remove = (): void => {
    for (const { signal, handler } of handlers) process.off(signal, handler);
  };
  try {
    return await work();
  } finally {
    // A turn of the event loop, so that a signal caught during the last synchronous step still ends the process.
    await new Promise((resolve) => setImmediate(resolve));
    remove();
  }
}
