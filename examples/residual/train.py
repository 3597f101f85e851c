# Trains a residual network on scikit-learn's breast cancer table with numpy alone, and writes its weights, test rows and golden outputs.
#
#     python train.py        (scikit-learn 1.5 or newer for the table, numpy)
import numpy as np
from sklearn.datasets import load_breast_cancer

rng = np.random.default_rng(3)
table, labels = load_breast_cancer(return_X_y=True)
order = rng.permutation(len(table))
table, labels = table[order], labels[order]
train, test = slice(0, 420), slice(420, None)
table = (table - table[train].mean(0)) / table[train].std(0)


def fixed(x, width, integer, signed=True):
    """fixed<width,integer,RND_CONV,SAT> in float64, which holds every value here exactly."""
    step = 2.0 ** (integer - width)
    low, high = (-(2.0 ** (width - 1)), 2.0 ** (width - 1) - 1) if signed else (0, 2.0**width - 1)
    return np.clip(np.round(np.asarray(x, np.float64) / step), low, high) * step


table = fixed(table, 8, 4)
N = 12
w = {"stem/kernel": rng.normal(0, 0.25, (30, N)), "stem/bias": np.zeros(N), "logit/kernel": rng.normal(0, 0.3, (N, 1)), "logit/bias": np.zeros(1)}
for block in ("block1", "block2"):
    for part in ("a", "b"):
        w[f"{block}/{part}/kernel"], w[f"{block}/{part}/bias"] = rng.normal(0, 0.2, (N, N)), np.zeros(N)
moments = {n: [np.zeros_like(v), np.zeros_like(v)] for n, v in w.items()}
relu = lambda x: np.maximum(x, 0)
for step in range(1, 2001):
    rows = rng.integers(0, 420, 64)
    x, y = table[rows], labels[rows, None]
    h = [relu(x @ w["stem/kernel"] + w["stem/bias"])]
    inner = []
    for block in ("block1", "block2"):
        a = relu(h[-1] @ w[f"{block}/a/kernel"] + w[f"{block}/a/bias"])
        inner.append(a)
        h.append(relu(h[-1] + a @ w[f"{block}/b/kernel"] + w[f"{block}/b/bias"]))
    z = h[-1] @ w["logit/kernel"] + w["logit/bias"]
    dz = (1 / (1 + np.exp(-z)) - y) / len(y)
    g = {"logit/kernel": h[-1].T @ dz, "logit/bias": dz.sum(0)}
    d = dz @ w["logit/kernel"].T
    for i, block in reversed(list(enumerate(("block1", "block2")))):
        d = d * (h[i + 1] > 0)
        g[f"{block}/b/kernel"], g[f"{block}/b/bias"] = inner[i].T @ d, d.sum(0)
        da = d @ w[f"{block}/b/kernel"].T * (inner[i] > 0)
        g[f"{block}/a/kernel"], g[f"{block}/a/bias"] = h[i].T @ da, da.sum(0)
        d = d + da @ w[f"{block}/a/kernel"].T
    d = d * (h[0] > 0)
    g["stem/kernel"], g["stem/bias"] = x.T @ d, d.sum(0)
    for n in w:  # Adam with weight decay
        m, v = moments[n]
        m += 0.1 * (g[n] - m)
        v += 0.001 * (g[n] ** 2 - v)
        w[n] -= 0.003 * ((m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8) + 0.02 * w[n])

weights = {n: v.astype(np.float32) for n, v in w.items()}
np.savez("residual.npz", **weights)
x, y = table[test], labels[test, None]
np.save("x.npy", x.astype(np.float32))

# The network of residual.qnn, in float64.
k = {n: fixed(v, 6, 1) if n.endswith("kernel") else fixed(v, 8, 1) for n, v in weights.items()}
k["logit/kernel"] = fixed(weights["logit/kernel"], 6, 2)
act = lambda z: fixed(np.maximum(z, 0), 8, 4, signed=False)
h = act(x @ k["stem/kernel"] + k["stem/bias"])
for block in ("block1", "block2"):
    a = act(h @ k[f"{block}/a/kernel"] + k[f"{block}/a/bias"])
    h = act(h + (a @ k[f"{block}/b/kernel"] + k[f"{block}/b/bias"]))
logit = h @ k["logit/kernel"] + k["logit/bias"]
np.save("logit.npy", logit)
for n in weights:
    print(n, weights[n].shape, "largest", np.abs(weights[n]).max())
print(f"accuracy: quantized {((logit > 0) == (y > 0.5)).mean():.3f}")
