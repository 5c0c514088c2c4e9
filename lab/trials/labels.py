"""When a loss exploded, and what to call the run: the definition that all scores rest on."""

from __future__ import annotations

import numpy as np

SMOOTHED = 5  # steps of the mean
RISE = 1.0  # above the running minimum
RECOVERY = 0.5  # above it: well again
HOLD = 150  # steps within which it must come back
TAIL = 40  # steps that must follow the rise, or the loss is beyond HUGE
HUGE = 1e6
RUNAWAY = 100.0  # of a spectral norm


def smoothed(loss: np.ndarray) -> np.ndarray:
    """Mean of the last SMOOTHED steps (at the beginning fewer); not finite counts as 1e9."""
    finite = np.where(np.isfinite(loss), loss, 1e9).astype(np.float64)
    total = np.cumsum(np.concatenate([[0.0], finite]))
    end = np.arange(1, len(finite) + 1)
    begin = np.maximum(0, end - SMOOTHED)
    # A sum of differences would lose the digits that a huge value pushed out: sum anew there.
    mean = (total[end] - total[begin]) / (end - begin)
    if finite.max(initial=0.0) > 1e3:
        mean = np.array([finite[b:e].mean() for b, e in zip(begin, end)])
    return mean


def explosion(loss: np.ndarray) -> int:
    """The first step whose smoothed loss exceeds its running minimum by RISE and does not come back
    below that minimum + RECOVERY within HOLD steps (or by the end), 0 if it was never a number; -1:
    none."""
    if len(loss) and not np.isfinite(loss[0]):
        return 0
    mean = smoothed(loss)
    lowest = np.minimum.accumulate(mean)
    for t in np.nonzero(mean[1:] > lowest[:-1] + RISE)[0] + 1:
        if (mean[t : t + HOLD] < lowest[t - 1] + RECOVERY).any():
            continue
        if len(mean) - t >= TAIL or mean[t] > HUGE:
            return int(t)
    return -1


def unsound(loss: np.ndarray, sigma1: np.ndarray) -> bool:
    """Whether a run that did not explode is none to be called healthy either: sigma1 [samples, layers]
    of a layer came above RUNAWAY and to RUNAWAY times what it was after a tenth of the run, or the
    loss was exactly 0 for the last half."""
    early = sigma1[len(sigma1) // 10]
    ran_away = bool(np.any((sigma1 > RUNAWAY) & (sigma1 > RUNAWAY * early)))
    return ran_away or not np.any(loss[len(loss) // 2 :])


def label(exploded: int, intent: str) -> str:
    """diverged, healthy or survived."""
    if exploded >= 0:
        return "diverged"
    return "healthy" if intent == "healthy" else "survived"


class Watchdog:
    """Tells when going on shows nothing more: the loss has been up, or not a number, for long."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._lowest = float("inf")
        self._bad = 0

    def over(self, loss: float) -> bool:
        mean = loss if self._mean is None else 0.8 * self._mean + 0.2 * loss
        self._mean = mean
        if np.isfinite(mean):
            self._lowest = min(self._lowest, mean)
        high = not np.isfinite(mean) or mean > self._lowest + RISE
        self._bad = self._bad + 1 if high else 0
        return self._bad > (10 if not np.isfinite(loss) else HOLD + 10)
