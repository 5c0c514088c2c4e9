"""The figures of a sample, exact, in float64: what a monitor is judged against.

Definitions: README.md. The singular values and the principal direction come from the smaller Gram
matrix by a full symmetric decomposition."""

from __future__ import annotations

import numpy as np
import torch

from .layers import Watched

METRICS = [
    "sigma1",
    "sigma2",
    "srank",
    "wnorm",
    "rot",
    "sa_mean",
    "sa_std",
    "sa_abs",
    "p",
    "D",
    "act_rms",
    "act_max",
    "v1_stab",
    "mean_res",
    "cos_mean_v1",
    "out_rms",
    "rot_step",
]
QUANTILES = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]
COSINES = ["in_out", "gate_out", "gate_in"]
NAN = float("nan")


def top_pair(w: np.ndarray) -> tuple[float, float, np.ndarray]:
    """sigma1, sigma2 and the unit right singular vector v1 [in] of w [out, in]; v1 is 0 if w is."""
    scale = float(np.abs(w).max())
    if scale == 0.0:
        return 0.0, 0.0, np.zeros(w.shape[1])
    a = w / scale
    tall = a.shape[1] <= a.shape[0]
    values, vectors = np.linalg.eigh(a.T @ a if tall else a @ a.T)
    v = vectors[:, -1] if tall else a.T @ vectors[:, -1]
    sigma = np.sqrt(np.maximum(values, 0.0)) * scale
    return float(sigma[-1]), float(sigma[-2]) if len(sigma) > 1 else 0.0, v / np.linalg.norm(v)


def rotation(a: np.ndarray, b: np.ndarray) -> float:
    """1 - cos of two vectors, without the cancellation at small angles; NaN if one is 0."""
    na, nb = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if na == 0.0 or nb == 0.0:
        return NAN
    d = float(np.linalg.norm(a - b))
    return max(0.0, (d * d - (na - nb) ** 2) / (2 * na * nb))


class Inputs:
    """What a sample of inputs [tokens, in] tells by itself; layers that read the same share it."""

    def __init__(self, x: np.ndarray) -> None:
        self.length = np.sqrt(np.einsum("ij,ij->i", x, x))
        there = self.length > 0
        self.rms = float(np.sqrt(np.mean(np.square(x))))
        self.largest = float(np.abs(x).max())
        self.unit = x[there] / self.length[there, None]
        self.mean = self.unit.mean(axis=0) if there.any() else np.zeros(x.shape[1])
        self.mean_length = float(np.linalg.norm(self.mean))

    def alignment(self, v: np.ndarray) -> dict[str, float]:
        """Of the tokens with the direction v [in]."""
        s = self.unit @ v
        if len(s) == 0 or not v.any():
            return {}
        p = float(np.mean(s > 0))
        along = abs(float(self.mean @ v))
        return {
            "sa_mean": float(s.mean()),
            "sa_std": float(s.std()),
            "sa_abs": float(np.abs(s).mean()),
            "p": p,
            "D": 1 - abs(2 * p - 1),
            "cos_mean_v1": along / self.mean_length if self.mean_length else NAN,
        }


class Past:
    """What is remembered of a layer: w at the first sample and at the last, v1 of the last."""

    def __init__(self, w: np.ndarray) -> None:
        self.first = w
        self.last = w
        self.v: np.ndarray | None = None


class Figures:
    """Takes samples of the watched layers, one step after the other."""

    def __init__(self, layers: list[Watched], tokens: int = 512) -> None:
        self.layers = layers
        self.tokens = tokens
        self.blocks = list(dict.fromkeys(layer.block for layer in layers if layer.block))
        self.seen: dict[str, tuple[Inputs, np.ndarray]] = {}  # of the last sample: inputs, v1
        self._past: dict[str, Past] = {}
        self._inputs: dict[int, tuple[torch.Tensor, Inputs | None]] = {}

    def sample(self, step: int) -> tuple[list[list[float]], list[list[list[float]]]]:
        """Of the last forward pass, with the weights as they are: [layer][metric] and
        [block][cosine][quantile]. A layer with a number that is not finite: all NaN."""
        self._inputs.clear()
        self.seen.clear()
        weights = {
            layer.name: layer.module.weight.detach().numpy().astype(np.float64)
            for layer in self.layers
        }
        rows = [self._layer(layer, weights[layer.name]) for layer in self.layers]
        return rows, [self._cosines(block, weights) for block in self.blocks]

    def _rows(self, x: torch.Tensor) -> np.ndarray:
        """At most `tokens` rows of [..., width], evenly strided."""
        flat = x.reshape(-1, x.shape[-1])
        count = len(flat)
        if count > self.tokens:
            flat = flat[torch.arange(self.tokens) * count // self.tokens]
        return flat.numpy().astype(np.float64)

    def _inputs_of(self, x: torch.Tensor) -> Inputs | None:
        """None: some are not finite. The tensor is kept so that its id stays its own."""
        if x.data_ptr() not in self._inputs:
            rows = self._rows(x)
            self._inputs[x.data_ptr()] = x, Inputs(rows) if np.isfinite(rows).all() else None
        return self._inputs[x.data_ptr()][1]

    def _layer(self, layer: Watched, w: np.ndarray) -> list[float]:
        seen_x, seen_y = layer.module.seen
        past = self._past.setdefault(layer.name, Past(w.copy()))
        inputs = self._inputs_of(seen_x)
        if inputs is None or not np.isfinite(w).all():
            return [NAN] * len(METRICS)
        sigma1, sigma2, v = top_pair(w)
        norm = float(np.linalg.norm(w))
        values = {
            "sigma1": sigma1,
            "sigma2": sigma2,
            "srank": (norm / sigma1) ** 2 if sigma1 else NAN,
            "wnorm": norm,
            "rot": rotation(w, past.first),
            "rot_step": rotation(w, past.last),
            "act_rms": inputs.rms,
            "act_max": inputs.largest,
            "mean_res": inputs.mean_length,
            "v1_stab": 1.0 if past.v is None else abs(float(v @ past.v)),
            "out_rms": float(np.sqrt(np.mean(np.square(self._rows(seen_y))))),
            **inputs.alignment(v),
        }
        past.v, past.last = v, w
        self.seen[layer.name] = inputs, v
        return [values.get(name, NAN) for name in METRICS]

    def _cosines(self, block: str, weights: dict[str, np.ndarray]) -> list[list[float]]:
        """Of an MLP block's neurons: rows of gate and in, columns of out."""
        parts = {layer.role: weights[layer.name] for layer in self.layers if layer.block == block}
        unit = {}
        for role, w in parts.items():
            rows = w.T if role == "mlp.out" else w
            length = np.linalg.norm(rows, axis=1, keepdims=True)
            with np.errstate(invalid="ignore", divide="ignore"):
                unit[role] = rows / length
        pairs = [("mlp.in", "mlp.out"), ("mlp.gate", "mlp.out"), ("mlp.gate", "mlp.in")]
        return [self._quantiles(unit.get(a), unit.get(b)) for a, b in pairs]

    @staticmethod
    def _quantiles(a: np.ndarray | None, b: np.ndarray | None) -> list[float]:
        if a is None or b is None:
            return [NAN] * len(QUANTILES)
        cosines = np.einsum("ij,ij->i", a, b)
        if np.isinf(cosines).any() or np.isnan(cosines).all():
            return [NAN] * len(QUANTILES)
        return np.nanquantile(cosines, QUANTILES).tolist()
