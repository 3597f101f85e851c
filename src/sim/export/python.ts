// The Python loader that is written next to the module: it needs numpy and wasmtime.

export const pythonLoader = (
  top: string,
): string => `# ${top}.py: the bit-exact simulator of ${top}. Written by qnnc. Needs: pip install numpy wasmtime
#
#   from ${top} import Network
#   network = Network()
#   y = network(x)                    # x: array of shape (samples, ...); one array an input, one or a tuple of arrays back
#
#   python ${top}.py INPUT.npy ... OUTPUT.npy ... [--raw]
#
# Real inputs are converted to the input types exactly as the firmware's host must do it; outputs are exact.
# With --raw, and by run_mantissas, numbers are integers in units of the type's last bit.
import ctypes
import json
import pathlib
import sys

import numpy as np
import wasmtime

_F64, _F32, _I64 = 0, 1, 2


class Network:
    def __init__(self, path=None):
        path = pathlib.Path(path) if path else pathlib.Path(__file__).with_name("${top}.wasm")
        engine = wasmtime.Engine()
        self._store = wasmtime.Store(engine)
        instance = wasmtime.Instance(self._store, wasmtime.Module.from_file(engine, str(path)), [])
        self._exports = instance.exports(self._store)
        if self._call("qnnc_abi") != 1:
            raise RuntimeError(f"{path} has interface version {self._call('qnnc_abi')}, and this loader knows 1")
        # The memory never grows, so one view of it stays valid as long as the store lives.
        memory = self._exports["memory"]
        address = ctypes.addressof(memory.data_ptr(self._store).contents)
        self._memory = np.frombuffer((ctypes.c_uint8 * memory.data_len(self._store)).from_address(address), dtype=np.uint8)
        at, size = self._call("qnnc_description"), self._call("qnnc_description_size")
        description = json.loads(self._memory[at : at + size].tobytes())
        self.name, self.inputs, self.outputs = description["name"], description["inputs"], description["outputs"]
        self._capacity = self._call("qnnc_capacity")
        self._input_at = [self._call("qnnc_input", i) for i in range(len(self.inputs))]
        self._output_at = [self._call("qnnc_output", i) for i in range(len(self.outputs))]
        #: Input values of the last call beyond their types, to which the overflow mode applied.
        self.outside = 0

    def __call__(self, *inputs):
        """Real inputs of shape (samples, ...) to exact outputs, as float64."""
        arrays = [np.asarray(x) for x in inputs]
        single = len(arrays) > 0 and all(x.dtype == np.float32 for x in arrays)
        arrays = [np.ascontiguousarray(x, dtype=np.float32 if single else np.float64) for x in arrays]
        results = self._run(arrays, _F32 if single else _F64, _F64, np.float64)
        if self.outside and not all(np.isfinite(x).all() for x in arrays):
            raise ValueError("the inputs hold numbers that are not finite")
        return results[0] if len(results) == 1 else tuple(results)

    def run_mantissas(self, *inputs):
        """Integers in units of the last bits of the input types to integers in units of those of the output types."""
        arrays = [np.ascontiguousarray(x).astype(np.int64, casting="same_kind" if np.asarray(x).dtype != np.uint64 else "unsafe") for x in inputs]
        results = self._run(arrays, _I64, _I64, np.int64)
        if self.outside:
            raise ValueError(f"{self.outside} input integers lie outside the types of their elements")
        results = [y if p["signed"] or p["width"] < 64 else y.view(np.uint64) for p, y in zip(self.outputs, results)]
        return results[0] if len(results) == 1 else tuple(results)

    def _call(self, name, *args):
        return self._exports[name](self._store, *args)

    def _run(self, arrays, in_format, out_format, dtype):
        if len(arrays) != len(self.inputs):
            raise ValueError(f"{self.name} takes {len(self.inputs)} inputs, not {len(arrays)}")
        samples = len(arrays[0]) if arrays else 1
        for p, x in zip(self.inputs, arrays):
            if x.ndim == 0 or len(x) != samples or x.size != samples * p["elements"]:
                raise ValueError(f"input {p['name']} needs shape {(samples, *p['shape'])}, not {x.shape}")
        rows = [x.reshape(samples, -1).view(np.uint8) for x in arrays]
        results = [np.empty((samples, *p["shape"]), dtype) for p in self.outputs]
        bytes_out = [y.reshape(samples, -1).view(np.uint8) for y in results]
        self.outside = 0
        for start in range(0, samples, self._capacity):
            count = min(self._capacity, samples - start)
            for at, x in zip(self._input_at, rows):
                self._memory[at : at + count * x.shape[1]] = x[start : start + count].reshape(-1)
            self.outside += self._call("qnnc_run", count, in_format, out_format)
            for at, y in zip(self._output_at, bytes_out):
                y[start : start + count] = self._memory[at : at + count * y.shape[1]].reshape(count, -1)
        return results


def main(args):
    raw = "--raw" in args
    paths = [a for a in args if a != "--raw"]
    network = Network()
    ports = network.inputs + network.outputs
    if len(paths) != len(ports):
        sys.exit("usage: python ${top}.py " + " ".join(p["name"] + ".npy" for p in ports) + " [--raw]")
    count = len(network.inputs)
    arrays = [np.load(path, allow_pickle=False) for path in paths[:count]]
    try:
        results = network.run_mantissas(*arrays) if raw else network(*arrays)
    except (TypeError, ValueError) as error:
        sys.exit(f"error: {error}")
    if network.outside:
        print(f"warning: {network.outside} input values lie outside the input types", file=sys.stderr)
    for path, y in zip(paths[count:], results if isinstance(results, tuple) else (results,)):
        np.save(path, y)


if __name__ == "__main__":
    main(sys.argv[1:])
`;
