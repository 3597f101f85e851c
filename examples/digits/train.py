"""Trains the digits example: a small QKeras network on scikit-learn's 8x8 handwritten digits.

    pip install tensorflow-cpu==2.15.1 qkeras==0.9.0 tensorflow-model-optimization==0.7.5 \
                pyparsing "numpy<2" scikit-learn setuptools        # Python 3.11
    python train.py

The files are written next to this script:

    digits.json           the network, model.to_json()
    digits_weights.h5     its weights, model.save_weights()
    digits_x_test.npy     float32 (450, 64): test images, never trained on, exact multiples of 1/16
    digits_y_test.npy     int64 (450,): their labels
    digits_logits.npy     float32 (450, 10): what the network computes before the softmax

About half a minute on two cores. The seed fixes the split and the training, and nothing is chosen by
looking at the test set. Another processor or TensorFlow build may round differently and so learn
slightly different weights.
"""

import math
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from qkeras import QActivation, QDense, quantized_bits
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 0
EPOCHS = 60
BATCH = 32
HERE = Path(__file__).parent


def dense(units, bits, name, **options):
    """A dense layer with weights and biases on the grid 2^(1-bits), within [-1, 1)."""
    return QDense(
        units,
        kernel_quantizer=quantized_bits(bits, 0, alpha=1),
        bias_quantizer=quantized_bits(bits, 0, alpha=1),
        kernel_regularizer=tf.keras.regularizers.L1(1e-3),
        name=name,
        **options,
    )


def digits_network():
    """64 pixels to 10 classes. Each layer has the width it needs: the wide one few bits, the last one most."""
    # Activations are given as text: Keras saves a quantizer object in a form that QKeras cannot load again.
    return tf.keras.Sequential(
        [
            dense(32, 4, "fc1", input_shape=(64,)),
            QActivation("quantized_relu(4,1)", name="relu1"),
            dense(24, 5, "fc2"),
            QActivation("quantized_relu(5,1)", name="relu2"),
            dense(10, 6, "output"),
            tf.keras.layers.Activation("softmax", name="softmax"),
        ],
        name="digits",
    )


def train(x, y, seed):
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = digits_network()
    steps = EPOCHS * math.ceil(len(x) / BATCH)
    model.compile(
        optimizer=tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        loss="sparse_categorical_crossentropy",
    )
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def split(seed):
    """Three quarters to learn from, one quarter to test on, with the same share of every digit in both."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)  # pixels are 0 to 16
    return train_test_split(x, y.astype(np.int64), test_size=0.25, stratify=y, random_state=seed)


def main():
    x_train, x_test, y_train, y_test = split(SEED)
    model = train(x_train, y_train, SEED)
    logits = tf.keras.Model(model.inputs, model.get_layer("output").output).predict(x_test, verbose=0)

    accuracy = np.mean(logits.argmax(axis=1) == y_test)
    error = math.sqrt(accuracy * (1 - accuracy) / len(y_test))
    print(f"test accuracy {accuracy:.2%} +- {error:.2%} ({len(y_test)} images)")

    (HERE / "digits.json").write_text(model.to_json(indent=2) + "\n")
    model.save_weights(HERE / "digits_weights.h5")
    np.save(HERE / "digits_x_test.npy", x_test)
    np.save(HERE / "digits_y_test.npy", y_test)
    np.save(HERE / "digits_logits.npy", logits)


if __name__ == "__main__":
    main()
