"""Learning-rate schedules as factors of the peak, by the number of updates done."""

from __future__ import annotations

import math
from collections.abc import Callable

from .settings import Settings


def _constant(s: Settings, t: int) -> float:
    return 1.0


def _cosine(s: Settings, t: int) -> float:
    return s.min_lr + (1 - s.min_lr) * 0.5 * (1 + math.cos(math.pi * min(1.0, t / s.steps)))


def _linear(s: Settings, t: int) -> float:
    return 1 - (1 - s.min_lr) * min(1.0, t / s.steps)


def _wsd(s: Settings, t: int) -> float:
    """Warm-up, stable, and a linear decay over the last fifth."""
    begin = 0.8 * s.steps
    return 1.0 if t < begin else max(s.min_lr, 1 - (1 - s.min_lr) * (t - begin) / (s.steps - begin))


def _restarts(s: Settings, t: int) -> float:
    phase = (t % s.period) / s.period
    return s.min_lr + (1 - s.min_lr) * 0.5 * (1 + math.cos(math.pi * phase))


def _cyclic(s: Settings, t: int) -> float:
    """A triangle between min_lr and 1."""
    phase = (t % s.period) / s.period
    return s.min_lr + (1 - s.min_lr) * (1 - abs(2 * phase - 1))


def _steps(s: Settings, t: int) -> float:
    """×0.1 … each period, down to min_lr."""
    return max(s.min_lr, 0.1 ** (t // s.period))


def _inverse_sqrt(s: Settings, t: int) -> float:
    return min(1.0, math.sqrt(max(1, s.warmup) / (t + 1)))


def _one_cycle(s: Settings, t: int) -> float:
    """Up for 30 % of the run, down to min_lr along a cosine."""
    up = 0.3 * s.steps
    if t < up:
        return s.min_lr + (1 - s.min_lr) * t / up
    phase = min(1.0, (t - up) / (s.steps - up))
    return s.min_lr + (1 - s.min_lr) * 0.5 * (1 + math.cos(math.pi * phase))


def _polynomial(s: Settings, t: int) -> float:
    """The square of what is left."""
    return s.min_lr + (1 - s.min_lr) * (1 - min(1.0, t / s.steps)) ** 2


def _exponential(s: Settings, t: int) -> float:
    return max(s.min_lr, 0.5 ** (t / s.period))


def _staircase(s: Settings, t: int) -> float:
    """In four steps up, in four down, each `period` long."""
    step = t // s.period
    return max(s.min_lr, min(step + 1, 8 - step, 4) / 4)


def _inverse_time(s: Settings, t: int) -> float:
    return 1 / (1 + t / s.period)


def _sawtooth(s: Settings, t: int) -> float:
    """Up in a straight line from min_lr to 1, and back at once."""
    return s.min_lr + (1 - s.min_lr) * (t % s.period + 1) / s.period


def _root_cooldown(s: Settings, t: int) -> float:
    """Stable; over the last third down by 1 - sqrt."""
    begin = 2 / 3 * s.steps
    return 1.0 if t < begin else max(s.min_lr, 1 - math.sqrt((t - begin) / (s.steps - begin)))


SCHEDULES: dict[str, Callable[[Settings, int], float]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "wsd": _wsd,
    "restarts": _restarts,
    "cyclic": _cyclic,
    "steps": _steps,
    "inverse_sqrt": _inverse_sqrt,
    "one_cycle": _one_cycle,
    "polynomial": _polynomial,
    "exponential": _exponential,
    "staircase": _staircase,
    "inverse_time": _inverse_time,
    "sawtooth": _sawtooth,
    "root_cooldown": _root_cooldown,
}


def learning_rate(s: Settings, t: int) -> float:
    """Of update t (from 0, the pretraining counted in), without what events do to it."""
    warm = min(1.0, (t + 1) / s.warmup) if s.warmup else 1.0
    return s.lr * warm * SCHEDULES[s.schedule](s, t)
