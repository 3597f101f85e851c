// A client of the Language Server Protocol over the pipes of a child process, as small as it can be.
import type { ChildProcess } from "node:child_process";

interface Client {
  notify(method: string, params: unknown): void;
  /** Resolves with the result. */
  request(method: string, params: unknown): Promise<unknown>;
  /** The parameters of the server's next notification of this method. */
  next(method: string): Promise<unknown>;
}

export function connect(child: ChildProcess): Client {
  const waiting = new Map<string, (value: unknown) => void>();
  let buffer = Buffer.alloc(0);
  child.stdout!.on("data", (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const head = /^Content-Length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(buffer.toString("latin1"));
      if (!head || buffer.length < head[0].length + Number(head[1])) return;
      const message = JSON.parse(buffer.subarray(head[0].length, head[0].length + Number(head[1])).toString()) as {
        id?: number;
        method?: string;
        result?: unknown;
        params?: unknown;
      };
      buffer = buffer.subarray(head[0].length + Number(head[1]));
      const key = message.id === undefined ? message.method! : String(message.id);
      waiting.get(key)?.(message.result ?? message.params);
      waiting.delete(key);
    }
  });
  let serial = 0;
  const send = (message: object): void => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    child.stdin!.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };
  const next = (key: string): Promise<unknown> => new Promise((resolve) => waiting.set(key, resolve));
  return {
    notify: (method: string, params: unknown): void => send({ method, params }),
    request: (method: string, params: unknown): Promise<unknown> => {
      const id = ++serial;
      const answer = next(String(id));
      send({ id, method, params });
      return answer;
    },
    next,
  };
}
