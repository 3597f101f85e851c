# Trains a network that tells whether two images show the same digit, with numpy alone, and writes its weights, test pairs and golden outputs.
#
#     python train.py        (scikit-learn 1.5 or newer for the images, numpy)
import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(0)
images, labels = load_digits(return_X_y=True)
images /= 16


def fixed(x, width, integer, signed=True):
    """fixed<width,integer,RND_CONV,SAT> in float64, which holds every value here exactly."""
    step = 2.0 ** (integer - width)
    low, high = (-(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1) if signed else (0, 2.0**width - 1)
    return np.clip(np.round(np.asarray(x, np.float64) / step), low, high) * step


def pairs(start, end, count):
    """Half of them of the same digit."""
    first = rng.integers(start, end, count)
    second = rng.integers(start, end, count)
    for i in range(0, count, 2):
        second[i] = rng.choice(np.flatnonzero(labels[start:end] == labels[first[i]])) + start
    return images[first], images[second], (labels[first] == labels[second]).astype(np.float64)[:, None]


w = {"embed/kernel": rng.normal(0, 0.2, (64, 16)), "embed/bias": np.zeros(16), "same/kernel": np.full((16, 1), -1.0), "same/bias": np.ones(1)}
moments = {n: [np.zeros_like(v), np.zeros_like(v)] for n, v in w.items()}
for step in range(1, 4001):
    a, b, y = pairs(0, 1400, 128)
    ha, hb = np.maximum(a @ w["embed/kernel"] + w["embed/bias"], 0), np.maximum(b @ w["embed/kernel"] + w["embed/bias"], 0)
    distance = np.abs(ha - hb)
    z = distance @ w["same/kernel"] + w["same/bias"]
    dz = (1 / (1 + np.exp(-z)) - y) / len(y)
    dd = dz @ w["same/kernel"].T * np.sign(ha - hb)
    da, db = dd * (ha > 0), -dd * (hb > 0)
    gradient = {"same/kernel": distance.T @ dz, "same/bias": dz.sum(0), "embed/kernel": a.T @ da + b.T @ db, "embed/bias": (da + db).sum(0)}
    for n in w:  # Adam
        m, v = moments[n]
        m += 0.1 * (gradient[n] - m)
        v += 0.001 * (gradient[n] ** 2 - v)
        w[n] -= 0.004 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)

weights = {n: v.astype(np.float32) for n, v in w.items()}
np.savez("two-inputs.npz", **weights)
a, b, y = pairs(1400, len(images), 300)
np.save("left.npy", a.astype(np.float32))
np.save("right.npy", b.astype(np.float32))

# The network of two-inputs.qnn, in float64.
embed = lambda x: fixed(np.maximum(x @ fixed(weights["embed/kernel"], 8, 4) + fixed(weights["embed/bias"], 8, 3), 0), 7, 4, signed=False)
ha, hb = embed(a), embed(b)
same = np.abs(ha - hb) @ fixed(weights["same/kernel"], 8, 4) + fixed(weights["same/bias"], 8, 4)
np.save("same.npy", same)
for n in weights:
    print(n, weights[n].shape, "largest", np.abs(weights[n]).max())
exact = lambda x: np.maximum(x @ w["embed/kernel"] + w["embed/bias"], 0)
z = np.abs(exact(a) - exact(b)) @ w["same/kernel"] + w["same/bias"]
print(f"accuracy: float {((z > 0) == (y > 0.5)).mean():.3f}, quantized {((same > 0) == (y > 0.5)).mean():.3f}")
