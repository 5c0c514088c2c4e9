"""What the daemon has said: alerts and errors, kept for the thread that trains."""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Deque, Dict, List, Set, Tuple

log = logging.getLogger("foreshock")
alert_log = logging.getLogger("foreshock.alerts")  # a level of its own, for programs that show alerts themselves

ERRORS_MAX = 100
ALERTS_MAX = 1_000


@dataclass(frozen=True)
class Alert:
    """A warning of the daemon. `state` is `firing` or `resolved`, `severity` `warning` or
    `critical`; `step` says since when. `recorded` is False while the daemon's store cannot write:
    such an alert may be forgotten if the daemon dies first."""

    id: int
    rule: str
    severity: str
    state: str
    title: str
    summary: str
    layers: Tuple[str, ...]
    step: int
    recorded: bool = True


@dataclass(frozen=True)
class DaemonError:
    """A refusal by the daemon: `about` is the type of the message refused."""

    code: str
    field: str
    value: str
    expected: str
    about: str
    fatal: bool

    def __str__(self) -> str:
        return f"{self.code}: {self.about} {self.field}={self.value!r}, expected {self.expected}"


class Inbox:
    """Alerts and errors. Its methods never wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._fresh: Deque[Alert] = deque(maxlen=ALERTS_MAX)
        self._known: Dict[int, Alert] = {}
        self._errors: Deque[DaemonError] = deque(maxlen=ERRORS_MAX)
        self._told: Set[Tuple[str, str]] = set()
        self.error_count = 0

    def add_alert(self, message: dict) -> None:
        """Takes in an alert. News is one that opens, resolves or changes its severity; that one more
        layer is affected, or that it is told again after a reconnect, only shows in `firing`."""
        fields = {name: message[name] for name in Alert.__dataclass_fields__ if name in message}
        alert = Alert(**{**fields, "layers": tuple(message["layers"])})
        with self.lock:
            known = self._known.get(alert.id)
            self._known[alert.id] = alert
            if known and (known.state, known.severity) == (alert.state, alert.severity):
                return
            self._fresh.append(alert)
        alert_log.warning(
            "foreshock alert %d %s: %s (%s)", alert.id, alert.state, alert.title, alert.summary
        )

    def add_error(self, message: dict, quiet: bool = False) -> DaemonError:
        """Takes in an error, logged once for each code and field, or `quiet`, by the caller."""
        error = DaemonError(**{name: message[name] for name in DaemonError.__dataclass_fields__})
        with self.lock:
            self._errors.append(error)
            self.error_count += 1
            new = (error.code, error.field) not in self._told
            self._told.add((error.code, error.field))
        if new and not quiet:
            log.warning("the foreshock daemon refused %s (logged once)", error)
        return error

    def take_alerts(self) -> List[Alert]:
        """The alerts that opened, resolved or changed their severity since the last call, oldest first."""
        with self.lock:
            alerts = list(self._fresh)
            self._fresh.clear()
            return alerts

    def firing(self) -> List[Alert]:
        """The alerts that fire now, by id."""
        with self.lock:
            return [alert for _, alert in sorted(self._known.items()) if alert.state == "firing"]

    def errors(self) -> List[DaemonError]:
        """The last errors, oldest first."""
        with self.lock:
            return list(self._errors)
