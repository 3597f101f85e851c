# Trains an autoencoder on scikit-learn's 8x8 digits in floating point and writes its weights, test images and golden outputs.
#
#     python train.py        (scikit-learn 1.5 or newer, numpy)
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor


def fixed(x, width, integer, signed=True):
    """fixed<width,integer,RND_CONV,SAT> in float64, which holds every value here exactly."""
    step = 2.0 ** (integer - width)
    low, high = (-(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1) if signed else (0, 2.0**width - 1)
    return np.clip(np.round(np.asarray(x, np.float64) / step), low, high) * step


images = load_digits().data / 16
x_train, x_test = train_test_split(images, test_size=200, random_state=0)
net = MLPRegressor(hidden_layer_sizes=(24, 8, 24), alpha=1e-4, max_iter=600, random_state=0).fit(x_train, x_train)
weights = {}
for name, kernel, bias in zip(("enc1", "code", "dec1", "image"), net.coefs_, net.intercepts_):
    weights[f"{name}/kernel"], weights[f"{name}/bias"] = kernel.astype(np.float32), bias.astype(np.float32)
np.savez("autoencoder.npz", **weights)
np.save("ones.npy", np.ones((64, 1), np.float32))
# The last 50 samples are noise, which the score has to tell from digits.
noise = np.random.default_rng(0).integers(0, 17, (50, 64)) / 16
x = np.concatenate([x_test, noise])
np.save("x.npy", x.astype(np.float32))

# The network of autoencoder.qnn, in float64.
k = {n: fixed(v, 7, 2) if n.endswith("kernel") else fixed(v, 8, 2) for n, v in weights.items()}
h = fixed(np.maximum(x @ k["enc1/kernel"] + k["enc1/bias"], 0), 7, 3, signed=False)
code = fixed(np.maximum(h @ k["code/kernel"] + k["code/bias"], 0), 7, 4, signed=False)
h = fixed(np.maximum(code @ k["dec1/kernel"] + k["dec1/bias"], 0), 7, 3, signed=False)
image = fixed(h @ k["image/kernel"] + k["image/bias"], 6, 0, signed=False)
score = ((x - image) ** 2).sum(1, keepdims=True)
np.save("image.npy", image)
np.save("score.npy", score)
for n in weights:
    print(n, weights[n].shape, "largest", np.abs(weights[n]).max())
print(f"mean squared error: float {((net.predict(x_test) - x_test) ** 2).mean():.4f}, quantized {((image[:200] - x_test) ** 2).mean():.4f}")
print(f"median score: digits {np.median(score[:200]):.2f}, noise {np.median(score[200:]):.2f}")
