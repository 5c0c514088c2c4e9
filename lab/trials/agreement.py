"""The daemon's figures against exact ones of the same step, weights and inputs.

`Reference` takes samples like Figures and keeps what a comparison needs beside them. What may
differ, with r the residual that the daemon reports and `slack` = 1e-5 + r / (1 - (sigma2/sigma1)²),
how far its direction may be from the exact one:

spectral.sigma1         min(r, r² / (1 - (sigma2/sigma1)²)) / 2 + 1e-6, relative (the bounds of a
                        Ritz value: its residual, and the square of that over the gap)
spectral.stable_rank    2.1 times that, relative
spectral.turn           as an angle: the slack of this sample and of the one before
sa.mean, .std, .input_mean_cos   slack
sa.positive, .diversity          the tokens with |s| < slack (twice for the diversity)
sa.input_mean           1e-6
rotation.*              1 % + 1e-12
weights.norm, activation.*       1e-6, relative
gate.*                  1e-5
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np

from .figures import METRICS, Figures
from .layers import Watched

QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
RELATIVE = {"wnorm": "weights.norm", "act_rms": "activation.rms", "act_max": "activation.max_abs"}

Key = tuple[str, str, int]  # layer or block, metric, step
Get = Callable[[str], Any]  # the stored figure of a metric, None if there is none


@dataclass
class Exact:
    """Of one layer and step: figures by name, s of each token, whether it is the layer's first."""

    values: dict[str, float]
    s: np.ndarray
    first: bool


class Reference(Figures):
    """Figures that remember, by layer and step, and by MLP block and step."""

    def __init__(self, layers: list[Watched], tokens: int) -> None:
        super().__init__(layers, tokens)
        self.exact: dict[tuple[str, int], Exact] = {}
        self.neurons: dict[tuple[str, int], dict[str, float]] = {}
        self._begun: set[str] = set()

    def sample(self, step: int) -> tuple[list[list[float]], list[list[list[float]]]]:
        rows, cosines = super().sample(step)
        for layer, row in zip(self.layers, rows):
            if layer.name in self.seen:
                inputs, v = self.seen[layer.name]
                first = layer.name not in self._begun
                self._begun.add(layer.name)
                self.exact[layer.name, step] = Exact(
                    dict(zip(METRICS, row)), inputs.unit @ v, first
                )
        for block in self.blocks:
            self.neurons[block, step] = turned_quantiles(
                {
                    layer.role: layer.module.weight.detach().double().numpy()
                    for layer in self.layers
                    if layer.block == block
                }
            )
        return rows, cosines


def turned_quantiles(parts: dict[str, np.ndarray]) -> dict[str, float]:
    """Quantiles of the neurons' cosines as the daemon files them: a neuron with cos(gate,in) < 0 is
    read with in and out negated. {} if a weight is not finite."""
    if not all(np.isfinite(w).all() for w in parts.values()):
        return {}
    unit = {}
    for role, w in parts.items():
        rows = w.T if role == "mlp.out" else w
        with np.errstate(invalid="ignore", divide="ignore"):
            unit[role] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    named = {"in_out": np.sum(unit["mlp.in"] * unit["mlp.out"], axis=1)}
    if "mlp.gate" in unit:
        gate_in = np.sum(unit["mlp.gate"] * unit["mlp.in"], axis=1)
        gate_out = np.sum(unit["mlp.gate"] * unit["mlp.out"], axis=1)
        named |= {
            "gate_out": np.where(gate_in < 0, -gate_out, gate_out),
            "gate_in": np.abs(gate_in),
        }
    good = np.all([np.isfinite(values) for values in named.values()], axis=0)
    if not good.any():
        return {}
    return {
        f"gate.{name}.{short}": float(np.quantile(values[good], q))
        for name, values in named.items()
        for short, q in QUANTILES.items()
    }


def stored_figures(daemon: Any, run: str) -> dict[Key, float]:
    """What the daemon tells of a run. `daemon` has `api(path)`."""
    answer = daemon.api(f"/api/v1/runs/{run}/series?metric=*&layer={quote('*')}&points=100000")
    return {
        (s["layer"], s["metric"], step): last
        for s in answer["series"]
        for step, last in zip(s["step"], s["last"])
        if last is not None
    }


@dataclass
class Largest:
    """Of one metric: the largest error, also as a share of what is allowed, and where that was."""

    count: int = 0
    error: float = 0.0
    share: float = 0.0
    where: str = ""

    def add(self, error: float, allowed: float, where: str) -> None:
        share = error / allowed if allowed > 0 else (0.0 if error == 0 else float("inf"))
        self.count += 1
        self.error = max(self.error, error)
        if share > self.share or np.isnan(share):
            self.share, self.where = (float("inf") if np.isnan(share) else share), where


def _getter(stored: dict[Key, float], layer: str, step: int) -> Get:
    return lambda metric: stored.get((layer, metric, step))


class Comparison:
    """Of any number of runs: `largest` by metric; `missing`: samples that the daemon lacks."""

    def __init__(self) -> None:
        self.largest: dict[str, Largest] = {}
        self.samples = self.missing = 0

    def add(self, run: str, reference: Reference, stored: dict[Key, float]) -> None:
        slack_before: dict[str, float] = {}
        for (layer, step), exact in reference.exact.items():
            self.samples += 1
            get = _getter(stored, layer, step)
            where = f"{run} {layer} step {step}"
            residual = get("spectral.residual")
            if get("activation.rms") is None:
                self.missing += 1
                slack_before.pop(layer, None)
                continue
            self._inputs(exact, get, where)
            if residual is None:  # a zero matrix has no direction, nor what follows from one
                self._check("undefined", float(exact.values["sigma1"] != 0), 0, where)
                continue
            slack = self._spectrum(exact, residual, get, where)
            self._alignment(exact, slack, get, where)
            self._rotation(exact, get, where)
            turn = get("spectral.turn")
            if turn is not None and layer in slack_before and not exact.first:
                angle = np.sqrt(2 * max(0.0, 1 - exact.values["v1_stab"]))
                self._check(
                    "spectral.turn (angle)",
                    abs(np.sqrt(2 * turn) - angle),
                    slack + slack_before[layer],
                    where,
                )
            slack_before[layer] = slack
        for (block, step), figures in reference.neurons.items():
            for metric, value in figures.items():
                got = stored.get((block, metric, step))
                if got is not None:
                    self._check(
                        metric.rpartition(".")[0],
                        abs(got - value),
                        1e-5,
                        f"{run} {block} step {step}",
                    )

    def _check(self, metric: str, error: float, allowed: float, where: str) -> None:
        self.largest.setdefault(metric, Largest()).add(float(error), allowed, where)

    def _inputs(self, exact: Exact, get: Get, where: str) -> None:
        for name, metric in RELATIVE.items():
            value, got = exact.values[name], get(metric)
            if value and got is not None:
                self._check(metric, abs(got / value - 1), 1e-6, where)

    def _spectrum(self, exact: Exact, residual: float, get: Get, where: str) -> float:
        sigma1, sigma2 = exact.values["sigma1"], exact.values["sigma2"]
        apart = max(0.0, 1 - (sigma2 / sigma1) ** 2)
        bound = min(residual, residual**2 / apart) if apart > 0 else residual
        allowed = bound / 2 + 1e-6
        self._check("spectral.sigma1", abs(get("spectral.sigma1") / sigma1 - 1), allowed, where)
        self._check(
            "spectral.stable_rank",
            abs(get("spectral.stable_rank") / exact.values["srank"] - 1),
            2.1 * allowed,
            where,
        )
        return 1e-5 + residual / apart if apart > 0 else 2.0

    def _alignment(self, exact: Exact, slack: float, get: Get, where: str) -> None:
        """The sign of the direction is the daemon's choice: the one that its figures agree with."""
        tokens, unsure = len(exact.s), int(np.sum(np.abs(exact.s) < slack))
        if tokens == 0:  # inputs that are all 0 lie nowhere
            self._check("undefined", float(get("sa.mean") is not None), 0, where)
            return
        s = min(
            (exact.s, -exact.s),
            key=lambda s: max(
                abs(s.mean() - get("sa.mean")) / slack,
                abs(np.mean(s > 0) - get("sa.positive")) * tokens / (unsure + 1e-6),
            ),
        )
        p = float(np.mean(s > 0))
        self._check(
            "sa.input_mean", abs(get("sa.input_mean") - exact.values["mean_res"]), 1e-6, where
        )
        self._check("sa.mean", abs(get("sa.mean") - s.mean()), slack, where)
        self._check("sa.std", abs(get("sa.std") - s.std()), slack, where)
        self._check(
            "sa.input_mean_cos",
            abs(get("sa.input_mean_cos") - exact.values["cos_mean_v1"]),
            slack / max(exact.values["mean_res"], 1e-3),
            where,
        )
        self._check("sa.positive", abs(get("sa.positive") - p), (unsure + 1e-6) / tokens, where)
        self._check(
            "sa.diversity",
            abs(get("sa.diversity") - (1 - abs(2 * p - 1))),
            2 * (unsure + 1e-6) / tokens,
            where,
        )

    def _rotation(self, exact: Exact, get: Get, where: str) -> None:
        for name, metric in (("rot", "rotation.from_init"), ("rot_step", "rotation.step")):
            value, got = exact.values[name], get(metric)
            if got is not None and np.isfinite(value):
                self._check(metric, abs(got - value), 0.01 * value + 1e-12, where)

    def good(self) -> bool:
        return self.samples > 0 and all(entry.share <= 1 for entry in self.largest.values())

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.samples - self.missing} of {self.samples} samples compared; largest "
            "disagreement, and as a share of what is allowed:"
        )
        for metric, entry in sorted(self.largest.items()):
            yield (
                f"  {metric:<24} {entry.count:>7} figures  {entry.error:10.3g}  {entry.share:7.3f}"
                f"{'' if entry.share <= 1 else '  TOO MUCH: ' + entry.where}"
            )
