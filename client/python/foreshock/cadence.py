"""When to take a sample: at every n-th step, or as often as its cost stays below a part of the time
of training."""

from typing import Optional


class Cadence:
    """With `every`: the steps that it divides, and the first. Without: a budget of `overhead` (a
    fraction) of the time from step to step pays for the samples. A sample is due when the budget
    holds what the last ones cost.

    The cost is what the training thread spends on copies, and on an accelerator what the copies
    take there; the sending thread is not in it. The first sample, with the allocations that later
    ones reuse, is not charged.
    """

    def __init__(self, every: Optional[int], overhead: float) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every {every}: expected a whole number of at least 1")
        if not 0.0 < overhead <= 1.0:
            raise ValueError(f"overhead {overhead}: expected a fraction above 0, at most 1")
        self._every = every
        self._overhead = overhead
        self._budget = 0.0  # seconds
        self._cost: Optional[float] = None  # seconds that a sample is expected to cost
        self._last: Optional[float] = None

    def tick(self, now: float) -> None:
        """A step has ended at `now` (seconds). Pauses add no more than two samples' worth."""
        if self._last is not None:
            self._budget = min(
                self._budget + self._overhead * (now - self._last), 2 * (self._cost or 0.0)
            )
        self._last = now

    def charge(self, seconds: float) -> None:
        """A sample has cost so much."""
        if self._cost is None:
            self._cost = seconds
            return
        self._budget -= seconds
        self._cost = (self._cost + seconds) / 2

    def charge_more(self, seconds: float) -> None:
        """The last sample cost so much beside what was charged (known later, when the accelerator
        is done)."""
        self._budget -= seconds
        self._cost = (self._cost or 0.0) + seconds / 2

    def due(self, step: int) -> bool:
        """Whether `step`, which comes next, is to be sampled."""
        if self._every is not None:
            return step % self._every == 0
        return self._cost is not None and self._budget >= self._cost
