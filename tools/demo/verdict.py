"""What became of a training: whether and when its loss exploded, and when foreshock warned."""
import math
from collections import deque
from typing import Any, Deque, Dict, Iterable, List, Optional

import torch

SMOOTHED_STEPS = 5
RISE = 1.0
RECOVERY = 0.5


class Explosion:
    """Finds the explosion in a loss that arrives step by step.

    `step` is the first step whose loss (mean of 5) exceeds its running minimum by 1.0 and has not
    come back below that minimum + 0.5 since; else None. A loss that is not finite counts as
    infinitely high.
    """

    def __init__(self) -> None:
        self.step: Optional[int] = None
        self._recent: Deque[float] = deque(maxlen=SMOOTHED_STEPS)
        self._minimum = math.inf

    def add(self, step: int, loss: float) -> None:
        self._recent.append(loss if math.isfinite(loss) else math.inf)
        mean = sum(self._recent) / len(self._recent)
        if self.step is None and mean > self._minimum + RISE:
            self.step = step
        elif mean < self._minimum + RECOVERY:
            self.step = None
        self._minimum = min(self._minimum, mean)


class Verdict:
    """Gathers the alerts of a run and sums it up. Steps are those of the training at that moment:
    an alert counts from the step at which it had reached the trainer."""

    def __init__(self, healthy: bool, seed: int, fault: Optional[str], watched: bool) -> None:
        self.healthy = healthy
        self.seed = seed
        self.fault = fault
        self.watched = watched
        self.last_step = -1
        self.confirmed = False  # the daemon has committed all that it was sent
        self.explosion_step: Optional[int] = None
        self.alerts: List[Dict[str, Any]] = []

    def take_alerts(self, step: int, alerts: Iterable[Any]) -> List[str]:
        """Notes the alerts (foreshock.Alert) that are new, the first of each rule; returns a line
        to show for each."""
        lines = []
        for alert in alerts:
            if any(known["rule"] == alert.rule for known in self.alerts):
                continue
            self.alerts.append({"step": step, "rule": alert.rule, "severity": alert.severity,
                                "started_step": alert.step, "summary": alert.summary})
            lines.append(f"ALERT at step {step}: {alert.rule}, {alert.summary}")
        return lines

    @property
    def lead(self) -> Optional[int]:
        """Steps from the first alert to the explosion; None if one of them did not happen."""
        if not self.alerts or self.explosion_step is None:
            return None
        return self.explosion_step - self.alerts[0]["step"]

    def as_expected(self) -> bool:
        if not self.confirmed:
            return False
        if self.healthy:
            return self.explosion_step is None and not self.alerts
        return self.explosion_step is not None and (not self.watched or (self.lead or 0) > 0)

    def lines(self) -> List[str]:
        """What to tell at the end."""
        if self.explosion_step is None:
            end = f"no explosion up to step {self.last_step}"
        else:
            end = f"EXPLODED at step {self.explosion_step}"
        return [end, self._warning()]

    def _warning(self) -> str:
        if not self.watched:
            return "foreshock was not asked"
        if not self.alerts:
            return "foreshock raised no alert"
        if self.lead is None:
            return f"foreshock warned at step {self.alerts[0]['step']}"
        if self.lead > 0:
            return f"foreshock warned {self.lead} steps before the explosion"
        return f"foreshock warned too late, {-self.lead} steps after the explosion"

    def as_dict(self) -> Dict[str, Any]:
        first = self.alerts[0] if self.alerts else {}
        return {"torch": torch.__version__, "seed": self.seed, "healthy": self.healthy,
                "fault": self.fault, "watched": self.watched, "last_step": self.last_step,
                "confirmed": self.confirmed, "alert_step": first.get("step"),
                "rule": first.get("rule"), "explosion_step": self.explosion_step,
                "lead": self.lead, "alerts": self.alerts}
