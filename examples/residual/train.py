# Trains a residual network on scikit-learn's 8x8 digits with QKeras and writes its weights, test images and QKeras' own logits.
#
#     python train.py        (Python 3.11, tensorflow 2.15.1, qkeras 0.9.0, scikit-learn)
import numpy as np
import tensorflow as tf
from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tensorflow.keras import layers

tf.keras.utils.set_random_seed(3)
tf.config.experimental.enable_op_determinism()
images, labels = load_digits(return_X_y=True)
images = (images / 16).reshape(-1, 8, 8, 1).astype(np.float32)
x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=200, random_state=0, stratify=labels)

bits = lambda n, i: quantized_bits(n, i, alpha=1)
conv = lambda name, **more: QConv2D(4, 3, padding="same", kernel_quantizer=bits(5, 0), bias_quantizer=bits(8, 1), name=name, **more)
act = lambda name: QActivation(quantized_relu(6, 2), name=name)

x = image = layers.Input((8, 8, 1), name="image")
x = act("stem_relu")(conv("stem", strides=2)(x))
for block in ("block1", "block2"):
    a = act(f"{block}_a_relu")(conv(f"{block}_a")(x))
    x = act(f"{block}_relu")(layers.Add(name=f"{block}_add")([x, conv(f"{block}_b")(a)]))
x = layers.AveragePooling2D(2, name="pool")(x)
x = QDense(10, kernel_quantizer=bits(5, 0), bias_quantizer=bits(8, 1), name="logits")(layers.Flatten(name="flat")(x))
net = tf.keras.Model(image, x, name="residual")
loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
net.compile(tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(6e-3, 80 * 25)), loss, ["accuracy"])
net.fit(x_train, y_train, batch_size=64, epochs=80, verbose=2, validation_data=(x_test, y_test), validation_freq=10)

# As residual.qnn names them: the layers of a block stand behind the name of its call.
weights = {}
for layer in net.layers:
    for w in layer.weights:
        weights[f"{layer.name.replace('_', '/')}/{w.name.split('/')[-1].removesuffix(':0')}"] = w.numpy()
np.savez("residual.npz", **weights)
np.save("x.npy", x_test)
# Every value is a small multiple of a power of two: float32 holds the sums exactly.
np.save("logits.npy", net.predict(x_test, verbose=0).astype(np.float64))
print(f"accuracy {net.evaluate(x_test, y_test, verbose=0)[1]:.3f}")
