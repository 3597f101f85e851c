"""Measures how fast hls4ml's compiled C++ simulation predicts: the peer that qnnc's simulator is compared with.

    pip install hls4ml==1.3.0 tensorflow-cpu==2.15.1 qkeras==0.9.0 tensorflow-model-optimization==0.7.5 \
                pyparsing "numpy<2" setuptools                     # Python 3.11, and g++ on the PATH
    python bench/hls4ml_csim.py MODEL.json WEIGHTS.h5 INPUT.npy --rows 20000

Prints one JSON line; what hls4ml and g++ print goes to stderr. `compile_s` is writing the C++ project and
compiling it; `samples_per_s` is the median and `best_samples_per_s` the best of --repeat calls of predict() on
INPUT tiled to --rows rows, on one core; `same_class` is the share of INPUT's rows to which hls4ml and Keras give
the same class.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", help="QKeras model, the text of to_json()")
    parser.add_argument("weights", help="its weights, .h5")
    parser.add_argument("input", help=".npy, one sample a row")
    parser.add_argument("--rows", type=int, default=20_000, help="samples a predict() call gets (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="timed predict() calls (default %(default)s)")
    parser.add_argument("--backend", default="Vitis", choices=["Vivado", "Vitis"])
    parser.add_argument("--io", default="io_parallel", choices=["io_parallel", "io_stream"])
    options = parser.parse_args()
    if options.rows < 1 or options.repeat < 1:
        parser.error("--rows and --repeat must be at least 1")
    return options


def measure(options):
    import hls4ml
    import numpy as np
    from qkeras.utils import quantized_model_from_json

    with open(options.model) as file:
        keras_model = quantized_model_from_json(file.read())
    keras_model.load_weights(options.weights)
    x = np.load(options.input).astype(np.float32)
    tiled = np.resize(x, (options.rows, *x.shape[1:]))  # repeats the rows

    with tempfile.TemporaryDirectory() as folder:
        # hls4ml's own defaults: by name it infers ("auto") the widths that the model does not state, and the input,
        # which no layer states, is fixed<16,6>.
        config = hls4ml.utils.config_from_keras_model(keras_model, granularity="name", backend=options.backend)
        hls_model = hls4ml.converters.convert_from_keras_model(
            keras_model, hls_config=config, backend=options.backend, io_type=options.io, output_dir=folder
        )
        compile_s = seconds(hls_model.compile)
        same = hls_model.predict(x).argmax(axis=-1) == keras_model.predict(x, verbose=0).argmax(axis=-1)
        predict_s = [seconds(lambda: hls_model.predict(tiled)) for _ in range(options.repeat)]

    return {
        "tool": "hls4ml",
        "version": hls4ml.__version__,
        "backend": options.backend,
        "model": keras_model.name,
        "rows": options.rows,
        "compile_s": round(compile_s, 2),
        "samples_per_s": round(options.rows / statistics.median(predict_s)),
        "best_samples_per_s": round(options.rows / min(predict_s)),
        "same_class": round(float(same.mean()), 4),
    }


def seconds(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main():
    options = arguments()
    result = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # hls4ml and the compiler print to stdout
    result.write(json.dumps(measure(options)) + "\n")
    result.close()


if __name__ == "__main__":
    main()
