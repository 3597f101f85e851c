# Trains the small CNN on scikit-learn's 8x8 digits with QKeras and writes its weights, test images and QKeras' own logits.
#
#     python train.py        (Python 3.11, tensorflow 2.15.1, qkeras 0.9.0, scikit-learn)
import numpy as np
import tensorflow as tf
from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow.keras import layers

tf.keras.utils.set_random_seed(5)
tf.config.experimental.enable_op_determinism()
images, labels = load_digits(return_X_y=True)
images = (images / 16).reshape(-1, 8, 8, 1).astype(np.float32)
x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=200, random_state=0, stratify=labels)

bits = lambda n, i: quantized_bits(n, i, alpha=1)
net = tf.keras.Sequential(
    [
        layers.Input((8, 8, 1), name="image"),
        QConv2D(4, 3, kernel_quantizer=bits(5, 0), bias_quantizer=bits(8, 1), name="conv1"),
        QActivation(quantized_relu(5, 1), name="relu1"),
        layers.MaxPooling2D(2, name="pool1"),
        QConv2D(8, 2, kernel_quantizer=bits(5, 0), bias_quantizer=bits(8, 1), name="conv2"),
        QActivation(quantized_relu(5, 1), name="relu2"),
        layers.Flatten(name="flat"),
        QDense(10, kernel_quantizer=bits(5, 0), bias_quantizer=bits(8, 1), name="logits"),
    ],
    name="cnn",
)
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
net.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(6e-3, 100 * 25)), loss, ["accuracy"])
net.fit(x_train, y_train, batch_size=64, epochs=100, verbose=2, validation_data=(x_test, y_test), validation_freq=10)

with open("cnn.json", "w") as f:
    f.write(net.to_json(indent=1))
net.save_weights("cnn.h5")
np.save("x.npy", x_test)
# Every value is a small multiple of a power of two: float32 holds the sums exactly.
np.save("logits.npy", net.predict(x_test, verbose=0).astype(np.float64))
print(f"accuracy {net.evaluate(x_test, y_test, verbose=0)[1]:.3f}")
