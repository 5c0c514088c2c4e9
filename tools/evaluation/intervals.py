"""How sure the figures of a score are: intervals of 95 %."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

LEVEL = 0.95
DRAWS = 2000


def _tail(n: int, k: int, p: float) -> float:
    """P(X >= k) of a binomial."""
    if p <= 0:
        return float(k <= 0)
    if p >= 1:
        return float(k <= n)
    total = 0.0
    for i in range(k, n + 1):
        total += math.exp(
            math.lgamma(n + 1)
            - math.lgamma(i + 1)
            - math.lgamma(n - i + 1)
            + i * math.log(p)
            + (n - i) * math.log1p(-p)
        )
    return min(1.0, total)


def _solve(n: int, k: int, wanted: float) -> float:
    """The p at which P(X >= k) is `wanted`; the tail rises with p."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _tail(n, k, middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def clopper_pearson(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a rate of which k of n are seen; (0, 1) if n is 0."""
    if n == 0:
        return 0.0, 1.0
    rest = (1 - level) / 2
    low = 0.0 if k == 0 else _solve(n, k, rest)
    high = 1.0 if k == n else _solve(n, k + 1, 1 - rest)
    return low, high


def median_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float] | None:
    """Of the median, by drawing anew with replacement (always the same draws); None: no values."""
    if not values:
        return None
    sample = np.random.default_rng(1).choice(np.asarray(values, dtype=float), (DRAWS, len(values)))
    low, high = np.quantile(np.median(sample, axis=1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
