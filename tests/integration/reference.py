"""Every figure in float64 NumPy, straight from its definition. Nothing here is shared with the daemon.

A layer's weights are W [out, in], its inputs X [tokens, in], all float64 arrays that hold exactly the numbers that were
sent (bfloat16 is widened first).
"""

import numpy as np
from scipy import stats

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


def bfloat16(x):
    """float array -> (uint16 bits rounded to nearest even, the float64 numbers that they stand for)."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    bits = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return bits, (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def spectrum(W):
    """sigma1, sigma2, v1, and what follows from them."""
    _, s, vt = np.linalg.svd(W, full_matrices=False)
    return {
        "spectral.sigma1": s[0],
        "spectral.sigma2": s[1],
        "spectral.gap": 1 - s[1] / s[0],
        "spectral.stable_rank": (W * W).sum() / s[0] ** 2,
    }, vt[0]


def one_minus_cos(a, b):
    """1 - cos of the angle between two arrays as vectors, without cancellation."""
    a, b = a.ravel(), b.ravel()
    na, nb = np.linalg.norm(a), np.linalg.norm(b)
    return max(0.0, (((a - b) ** 2).sum() - (na - nb) ** 2) / (2 * na * nb))


def bfloat16_spacing(x):
    """The distance between neighbouring bfloat16 numbers at x."""
    exponent = np.floor(np.log2(np.maximum(np.abs(x), 2.0**-126)))
    return 2.0 ** (exponent - 7)


def rotation(W, W0, previous=None, narrow=False):
    figures = {
        "rotation.from_init": one_minus_cos(W, W0),
        "weights.norm": np.linalg.norm(W),
        "weights.drift": np.linalg.norm(W - W0) / np.linalg.norm(W0),
    }
    if previous is not None:
        figures["rotation.step"] = one_minus_cos(W, previous)
    if narrow:
        noise = (bfloat16_spacing(W) ** 2).sum() / 12 + (bfloat16_spacing(W0) ** 2).sum() / 12
        figures["rotation.noise"] = noise / (2 * np.linalg.norm(W) * np.linalg.norm(W0))
    return figures


def distribution(values, prefix):
    figures = {f"{prefix}.mean": values.mean()}
    figures.update({f"{prefix}.{name}": np.quantile(values, q) for name, q in QUANTILES.items()})
    return figures


def histogram(values):
    return np.histogram(np.clip(values, -1, 1), bins=64, range=(-1, 1))[0]


def alignment(X, v1):
    """SA figures against a given direction, the cosines s, and what the inputs are by themselves."""
    norms = np.linalg.norm(X, axis=1)
    good = np.isfinite(X).all(axis=1) & (norms > 0)
    U = X[good] / norms[good, None]
    s = U @ v1
    p = (s > 0).mean()
    mean = U.mean(axis=0)
    finite = X[np.isfinite(X)]
    figures = distribution(s, "sa")
    figures.update({
        "sa.std": s.std(),
        "sa.positive": p,
        "sa.diversity": 1 - abs(2 * p - 1),
        "sa.input_mean": np.linalg.norm(mean),
        "sa.input_mean_cos": abs(mean @ v1) / np.linalg.norm(mean),
        "sa.tokens": good.sum(),
        "sa.skipped": (~good).sum(),
        "activation.rms": np.sqrt((finite**2).mean()),
        "activation.max_abs": np.abs(finite).max(),
        "activation.nonfinite": (~np.isfinite(X)).sum(),
    })
    return figures, s


CLASSES = {(1, 1): "enrichment", (1, 0): "conditional_enrichment", (0, 1): "proportional_change", (0, 0): "orthogonal",
           (-1, 0): "conditional_depletion", (-1, 1): "depletion"}


def cosines(A, B):
    """Row by row; NaN where a row is zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (A * B).sum(axis=1) / (np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1))


def neurons(W_in, W_out, W_gate=None, tau=0.5):
    """Figures of an MLP block, and the cosines by name."""
    d = W_in.shape[1]
    io = cosines(W_in, W_out.T)
    q = lambda x: np.where(x > tau, 1, np.where(x < -tau, -1, 0))
    if W_gate is None:
        good = np.isfinite(io)
        named = {"in_out": io[good]}
        names = ["orthogonal", "enrichment", "depletion"]
        labels = [names[k] for k in q(io[good])]
        counts = {name: labels.count(name) for name in names}
    else:
        go, gi = cosines(W_gate, W_out.T), cosines(W_gate, W_in)
        go, gi = np.where(gi < 0, -go, go), np.abs(gi)
        good = np.isfinite(io) & np.isfinite(go) & np.isfinite(gi)
        named = {"in_out": io[good], "gate_out": go[good], "gate_in": gi[good]}
        every = list(CLASSES.values())
        every += ["atypical_" + name for name in every if name != "orthogonal"]
        counts = dict.fromkeys(every, 0)
        for a, b, c in zip(q(io[good]), q(go[good]), q(gi[good])):
            name = CLASSES[a, abs(b)]
            counts[name if name == "orthogonal" or c == a * b else "atypical_" + name] += 1
    bound = 2 * stats.beta.ppf(0.975, (d - 1) / 2, (d - 1) / 2) - 1
    figures = {f"gate.count.{name}": n for name, n in counts.items()}
    figures["gate.undefined"] = (~good).sum()
    figures["gate.beyond_chance"] = (np.abs(io[good]) > bound).mean()
    for name, values in named.items():
        figures.update(distribution(values, f"gate.{name}"))
    return figures, named
