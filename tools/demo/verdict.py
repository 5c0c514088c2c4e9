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
    come back below that minimum + 0.5 since; else None. `loss` and `minimum` are those means at
    that step. A loss that is not finite counts as infinitely high.
    """

    def __init__(self) -> None:
        self.step: Optional[int] = None
        self.loss = math.nan
        self.minimum = math.inf
        self._recent: Deque[float] = deque(maxlen=SMOOTHED_STEPS)

    def add(self, step: int, loss: float) -> None:
        self._recent.append(loss if math.isfinite(loss) else math.inf)
        mean = sum(self._recent) / len(self._recent)
        if self.step is None and mean > self.minimum + RISE:
            self.step, self.loss = step, mean
        elif mean < self.minimum + RECOVERY:
            self.step = None
        self.minimum = min(self.minimum, mean)


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
        self.explosion = Explosion()
        self.alerts: List[Dict[str, Any]] = []

    def take_alerts(self, step: int, alerts: Iterable[Any]) -> List[str]:
        """Notes the alerts (foreshock.Alert) that are new and fire, the first of each rule; returns
        a line to show for each. What ends may be of an earlier attempt of the run."""
        lines = []
        for alert in alerts:
            if alert.state != "firing" or any(known["rule"] == alert.rule for known in self.alerts):
                continue
            self.alerts.append({"step": step, "rule": alert.rule, "severity": alert.severity,
                                "started_step": alert.step, "summary": alert.summary})
            lines.append(f"ALERT at step {step}: {alert.rule}, {alert.summary}")
        return lines

    @property
    def explosion_step(self) -> Optional[int]:
        return self.explosion.step

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

    def line(self) -> str:
        """What to tell at the end."""
        return f"{self._warning()}, {self._end()}"

    def _warning(self) -> str:
        if not self.watched:
            return "foreshock was not asked"
        if not self.alerts:
            return "no alert"
        return f"first alert at step {self.alerts[0]['step']} ({self.alerts[0]['rule']})"

    def _end(self) -> str:
        if self.explosion_step is None:
            return f"no explosion up to step {self.last_step}"
        loss = f"loss {self.explosion.loss:.2f}, minimum {self.explosion.minimum:.2f}"
        end = f"explosion at step {self.explosion_step} ({loss})"
        if self.lead is None:
            return end
        return f"{end}: {abs(self.lead)} steps {'before' if self.lead > 0 else 'too late'}"

    def as_dict(self) -> Dict[str, Any]:
        first = self.alerts[0] if self.alerts else {}
        return {"torch": torch.__version__, "seed": self.seed, "healthy": self.healthy,
                "fault": self.fault, "watched": self.watched, "last_step": self.last_step,
                "confirmed": self.confirmed, "alert_step": first.get("step"),
                "rule": first.get("rule"), "explosion_step": self.explosion_step,
                "lead": self.lead, "alerts": self.alerts}
