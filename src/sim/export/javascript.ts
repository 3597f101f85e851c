// The JavaScript loader that is written next to the module: Node 20 or newer, and browsers. It depends on nothing.

export const javascriptLoader = (
  top: string,
): string => `// ${top}.mjs: the bit-exact simulator of ${top}, for Node 20 or newer and for browsers. Written by qnnc.
//
//   import { load } from "./${top}.mjs";
//   const network = await load();
//   const { outputs, outside } = network.run([x]);        // x: Float64Array or Float32Array, samples x elements, row-major
//
//   const pool = await loadPool(4);                       // four workers, in Node and in browsers
//   const same = await pool.run([x]);  pool.close();
//
//   node ${top}.mjs INPUT.npy ... OUTPUT.npy ... [--raw]    one file an input, then one an output, each of shape (samples, ...)
//
// Real inputs are converted to the input types exactly as the firmware's host must do it; outputs are exact.
// With --raw, and by runMantissas, numbers are integers in units of the type's last bit.

const FORMAT = { f64: 0, f32: 1, i64: 2 };

/** The network; "bytes" is the module where it does not lie next to this file. */
export async function load(bytes) {
  const { instance } = await WebAssembly.instantiate(bytes ?? (await read(new URL("./${top}.wasm", import.meta.url))));
  const abi = instance.exports;
  if (abi.qnnc_abi() !== 1) throw new Error("${top}.wasm has interface version " + abi.qnnc_abi() + ", and this loader knows 1");
  const memory = () => abi.memory.buffer;
  const text = new Uint8Array(memory(), abi.qnnc_description(), abi.qnnc_description_size());
  const { name, inputs, outputs } = JSON.parse(new TextDecoder().decode(text));
  const capacity = abi.qnnc_capacity();

  function samplesOf(arrays) {
    if (arrays.length !== inputs.length) throw new Error(name + " takes " + inputs.length + " inputs, not " + arrays.length);
    const samples = arrays.length > 0 ? arrays[0].length / inputs[0].elements : 1;
    arrays.forEach((x, i) => {
      if (!Number.isInteger(samples) || x.length !== samples * inputs[i].elements) {
        throw new Error("input " + inputs[i].name + " takes " + inputs[i].elements + " numbers a sample, and " + x.length + " are given");
      }
    });
    return samples;
  }

  /** Copies samples in, runs, and copies results out, "capacity" samples at a time. */
  function blocks(arrays, results, samples, inFormat, inBytes, outFormat) {
    let outside = 0;
    for (let start = 0; start < samples; start += capacity) {
      const count = Math.min(capacity, samples - start);
      arrays.forEach((x, i) => {
        const size = inputs[i].elements * inBytes;
        new Uint8Array(memory()).set(new Uint8Array(x.buffer, x.byteOffset + start * size, count * size), abi.qnnc_input(i));
      });
      outside += abi.qnnc_run(count, inFormat, outFormat);
      results.forEach((y, i) => {
        const size = outputs[i].elements * 8;
        new Uint8Array(y.buffer, start * size, count * size).set(new Uint8Array(memory(), abi.qnnc_output(i), count * size));
      });
    }
    return outside;
  }

  return {
    name,
    inputs,
    outputs,
    /** Real inputs to exact outputs; "outside" counts input values beyond their types, to which the overflow mode applied. */
    run(arrays) {
      const samples = samplesOf(arrays);
      const single = arrays.length > 0 && arrays.every((x) => x instanceof Float32Array);
      const given = arrays.map((x) => (single || x instanceof Float64Array ? x : Float64Array.from(x)));
      const results = outputs.map((p) => new Float64Array(samples * p.elements));
      const outside = blocks(given, results, samples, single ? FORMAT.f32 : FORMAT.f64, single ? 4 : 8, FORMAT.f64);
      if (outside > 0 && given.some((x) => !x.every(Number.isFinite))) throw new Error("the inputs hold numbers that are not finite");
      return { outputs: results, outside };
    },
    /** The same on integers (BigInt64Array), in units of the last bits of the input and output types. */
    runMantissas(arrays) {
      const samples = samplesOf(arrays);
      const results = outputs.map((p) => new BigInt64Array(samples * p.elements));
      const outside = blocks(arrays, results, samples, FORMAT.i64, 8, FORMAT.i64);
      if (outside > 0) throw new Error(outside + " input integers lie outside the types of their elements");
      return outputs.map((p, i) => (p.signed || p.width < 64 ? results[i] : new BigUint64Array(results[i].buffer)));
    },
  };
}

/** "size" networks, each in a worker of its own; run() splits the samples among them and gives what one network gives. */
export async function loadPool(size, bytes) {
  const { inputs, outputs, name } = await load(bytes);
  const workers = await Promise.all(Array.from({ length: size }, () => startWorker(bytes)));
  const share = (x, elements, from, to) => x.slice(from * elements, to * elements);
  return {
    name,
    inputs,
    outputs,
    async run(given) {
      const arrays = given.map((x) => (x instanceof Float32Array || x instanceof Float64Array ? x : Float64Array.from(x)));
      const samples = arrays.length > 0 ? arrays[0].length / inputs[0].elements : 1;
      const bounds = Array.from({ length: size + 1 }, (_, k) => Math.floor((k * samples) / size));
      const parts = await Promise.all(workers.map((ask, k) => ask(arrays.map((x, i) => share(x, inputs[i].elements, bounds[k], bounds[k + 1])))));
      const results = outputs.map((p) => new Float64Array(samples * p.elements));
      parts.forEach((part, k) => part.outputs.forEach((y, i) => results[i].set(y, bounds[k] * outputs[i].elements)));
      return { outputs: results, outside: parts.reduce((n, part) => n + part.outside, 0) };
    },
    close() {
      for (const ask of workers) ask.end();
    },
  };
}

/** A worker that runs this file; the function sends samples and resolves to their results. */
async function startWorker(bytes) {
  const inNode = typeof process !== "undefined" && process.versions?.node;
  const Worker = inNode ? (await import("node:worker_threads")).Worker : globalThis.Worker;
  const worker = new Worker(new URL(import.meta.url), { type: "module", name: WORKER, workerData: WORKER });
  const listen = (event, f) => (inNode ? worker.once(event, f) : worker.addEventListener(event, (e) => f(event === "message" ? e.data : e), { once: true }));
  const ask = (message, transfer) =>
    new Promise((resolve, reject) => {
      listen("message", (reply) => (reply.error === undefined ? resolve(reply) : reject(new Error(reply.error))));
      listen("error", reject);
      worker.postMessage(message, transfer);
    });
  await ask({ bytes });
  // One question at a time: a second waits for the first.
  let last = Promise.resolve();
  const run = (arrays) => (last = last.catch(() => {}).then(() => ask({ arrays }, arrays.map((x) => x.buffer))));
  return Object.assign(run, { end: () => worker.terminate() });
}

const WORKER = "qnnc-simulator";

/** What a worker of the pool does: loads the network, then answers. "port" is how it talks to the one who started it. */
function serve(port, on) {
  let network;
  on(async ({ bytes, arrays }) => {
    try {
      network ??= await load(bytes);
      const reply = arrays ? network.run(arrays) : {};
      port.postMessage(reply, (reply.outputs ?? []).map((y) => y.buffer));
    } catch (e) {
      port.postMessage({ error: e.message });
    }
  });
}

async function read(url) {
  if (url.protocol !== "file:") return (await fetch(url)).arrayBuffer();
  return (await import("node:fs/promises")).readFile(url);
}

// The rest is the command line.

const ARRAYS = {
  "<f8": Float64Array, "<f4": Float32Array, "<i8": BigInt64Array, "<u8": BigUint64Array, "<i4": Int32Array, "<u4": Uint32Array,
  "<i2": Int16Array, "<u2": Uint16Array, "|i1": Int8Array, "|u1": Uint8Array,
};

function parseNpy(bytes, path) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6] === 1 ? 10 : 12;
  const end = start + (bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = new TextDecoder("latin1").decode(bytes.subarray(start, end));
  const kind = ARRAYS[/'descr': *'([^']*)'/.exec(header)?.[1]];
  if (view.getUint32(0) !== 0x934e554d || !kind || !/'fortran_order': *False/.test(header)) throw new Error(path + ": expected a .npy file of numbers in C order");
  return new kind(bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.byteLength));
}

function formatNpy(data, shape) {
  const code = Object.entries(ARRAYS).find(([, kind]) => data instanceof kind)[0];
  const text = "{'descr': '" + code + "', 'fortran_order': False, 'shape': (" + shape.join(", ") + (shape.length === 1 ? ",), }" : "), }");
  const length = Math.ceil((11 + text.length) / 64) * 64;
  const out = new Uint8Array(length + data.byteLength).fill(0x20, 0, length);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, (length - 10) & 255, (length - 10) >> 8]);
  out.set(new TextEncoder().encode(text), 10);
  out[length - 1] = 0x0a;
  out.set(new Uint8Array(data.buffer), length);
  return out;
}

async function main(args) {
  const { readFile, writeFile } = await import("node:fs/promises");
  const raw = args.includes("--raw");
  const paths = args.filter((a) => a !== "--raw");
  const network = await load();
  const { inputs, outputs } = network;
  if (paths.length !== inputs.length + outputs.length) {
    throw new Error("usage: node ${top}.mjs " + [...inputs, ...outputs].map((p) => p.name + ".npy").join(" ") + " [--raw]");
  }
  const arrays = await Promise.all(inputs.map(async (_, i) => parseNpy(await readFile(paths[i]), paths[i])));
  let results;
  if (raw) {
    results = network.runMantissas(arrays.map((x) => BigInt64Array.from(x, (v) => BigInt(v))));
  } else {
    const { outputs: reals, outside } = network.run(arrays.map((x) => (x instanceof Float32Array ? x : Float64Array.from(x, Number))));
    if (outside > 0) console.error("warning: " + outside + " input values lie outside the input types");
    results = reals;
  }
  await Promise.all(outputs.map((p, i) => writeFile(paths[inputs.length + i], formatNpy(results[i], [results[i].length / p.elements, ...p.shape]))));
}

if (typeof process !== "undefined" && process.versions?.node && import.meta.url.startsWith("file:")) {
  const { isMainThread, parentPort, workerData } = await import("node:worker_threads");
  const { pathToFileURL } = await import("node:url");
  const { realpathSync } = await import("node:fs");
  if (!isMainThread && workerData === WORKER) serve(parentPort, (f) => parentPort.on("message", f));
  else if (isMainThread && process.argv[1] && pathToFileURL(realpathSync(process.argv[1])).href === import.meta.url) {
    await main(process.argv.slice(2)).catch((e) => {
      console.error("error: " + e.message);
      process.exitCode = 1;
    });
  }
} else if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope && self.name === WORKER) {
  serve(self, (f) => self.addEventListener("message", (e) => f(e.data)));
}
`;
