# Trains the classifier on scikit-learn's 8x8 digits in floating point and writes its weights, test images and golden logits.
#
#     python train.py        (scikit-learn 1.5 or newer, numpy)
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def fixed(x, width, integer, signed=True, saturate=True):
    """fixed<width,integer,RND_CONV,SAT> in float64, which holds every value here exactly."""
    step = 2.0 ** (integer - width)
    low, high = (-(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1) if signed else (0, 2.0**width - 1)
    m = np.round(np.asarray(x, np.float64) / step)
    assert saturate or ((m >= low) & (m <= high)).all()
    return np.clip(m, low, high) * step


images, labels = load_digits(return_X_y=True)
images /= 16
x_train, x_test, y_train, y_test = train_test_split(images, labels, test_size=360, random_state=0, stratify=labels)
net = MLPClassifier((32, 16), alpha=1e-3, max_iter=400, random_state=0).fit(x_train, y_train)
weights = {}
for name, kernel, bias in zip(("fc1", "fc2", "logits"), net.coefs_, net.intercepts_):
    weights[f"{name}/kernel"], weights[f"{name}/bias"] = kernel.astype(np.float32), bias.astype(np.float32)
np.savez("classifier.npz", **weights)
np.save("x.npy", x_test.astype(np.float32))

# The network of classifier.qnn, in float64.
w = weights
h1 = fixed(np.maximum(x_test @ fixed(w["fc1/kernel"], 6, 2) + fixed(w["fc1/bias"], 8, 2), 0), 6, 2, signed=False)
h2 = fixed(np.maximum(h1 @ fixed(w["fc2/kernel"], 6, 2) + fixed(w["fc2/bias"], 8, 2), 0), 6, 3, signed=False)
logits = h2 @ fixed(w["logits/kernel"], 6, 2) + fixed(w["logits/bias"], 8, 2)
np.save("logits.npy", logits)
for name in w:
    print(name, w[name].shape, "largest", np.abs(w[name]).max())
print(f"accuracy: float {(net.predict(x_test) == y_test).mean():.3f}, quantized {(logits.argmax(1) == y_test).mean():.3f}")
