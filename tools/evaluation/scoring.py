"""What alarms are worth against what became of the runs. Nothing is forgiven: every alarm counts.

detected      diverged runs with an alarm at or after the fault's onset and before the explosion
lead          steps from the first such alarm to the explosion
slow          diverged runs that explode more than 60 steps after the onset: these can be foreseen
share         of the time from onset to explosion that the lead is, median over all slow runs (0: missed)
sudden        the other diverged runs: those with an alarm within 10 steps of the onset
late          diverged runs whose first alarm comes after the explosion; never: without any
false alarms  healthy runs with any alarm; early: runs with a fault and an alarm before it began;
              critical: of both those with a critical one
survivors     a fault, no explosion: an alarm there is neither right nor wrong, only counted

Alarms of rules that are only observed do not count, but where a rule is shown alone.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .intervals import clopper_pearson, median_interval
from .recording import BadRecording
from .replay import Alarm

SLOW_STEPS = 60
PROMPT_STEPS = 10
COUNTED = ("warning", "critical")


@dataclass
class Score:
    """Of one rule, or of all together."""

    name: str
    diverged: int = 0
    healthy: int = 0
    healthy_steps: int = 0
    survived: int = 0
    slow: int = 0
    leads: list[int] = field(default_factory=list)
    slow_leads: list[int] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    prompt: int = 0
    late: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)
    false_count: int = 0
    false_critical: int = 0
    early: list[str] = field(default_factory=list)
    survivors_hit: int = 0

    def add(self, run: dict[str, Any], hits: list[Alarm]) -> None:
        """`hits`: the run's alarms in order of step."""
        who = f"{run['id']} {run['cause']}"
        if run["label"] == "healthy":
            self.healthy += 1
            self.healthy_steps += run["steps"]
            self.false_count += len(hits)
            self.false_critical += any(hit.severity == "critical" for hit in hits)
            if hits:
                self.false_alarms.append(f"{who} {hits[0].rule}@{hits[0].step}")
            return
        onset = run["onset"] or 0
        if hits and hits[0].step < onset:
            self.early.append(f"{who} {hits[0].rule}@{hits[0].step}")
            self.false_critical += any(h.severity == "critical" for h in hits if h.step < onset)
        after = [hit for hit in hits if hit.step >= onset]
        if run["label"] == "survived":
            self.survived += 1
            self.survivors_hit += bool(after)
            return
        self.diverged += 1
        end = run["explosion_step"]
        slow = end - onset > SLOW_STEPS
        self.slow += slow
        in_time = bool(after) and after[0].step < end
        if slow:
            self.shares.append((end - after[0].step) / (end - onset) if in_time else 0.0)
        elif after:
            self.prompt += after[0].step - onset <= PROMPT_STEPS
        if in_time:
            self.leads.append(end - after[0].step)
            if slow:
                self.slow_leads.append(end - after[0].step)
        elif after:
            self.late.append(f"{who} +{after[0].step - end}")
        else:
            self.never.append(who)

    def row(self) -> list[str]:
        return [
            self.name,
            _rate(len(self.slow_leads), self.slow),
            _median(self.slow_leads),
            f"{100 * statistics.median(self.shares):.0f} %" if self.shares else "–",
            f"{self.prompt}/{self.diverged - self.slow}",
            _rate(len(self.leads), self.diverged),
            _rate(len(self.false_alarms), self.healthy),
            str(self.false_count),
            str(len(self.early)),
            str(self.false_critical),
            f"{self.survivors_hit}/{self.survived}",
        ]


HEAD = [
    "rule",
    "slow, detected [95 %]",
    "median lead",
    "share",
    "sudden",
    "all, detected",
    "false: healthy runs",
    "alarms",
    "early",
    "critical",
    "survivors",
]


def _rate(k: int, n: int) -> str:
    low, high = clopper_pearson(k, n)
    return f"{k}/{n} [{100 * low:.0f}–{100 * high:.0f} %]"


def _median(values: list[int]) -> str:
    if not values:
        return "–"
    low, high = median_interval(values)
    return f"{statistics.median(values):.0f} [{low:.0f}–{high:.0f}]"


def read_manifest(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text())
        for row in rows:
            row["id"], row["cause"], row["label"], row["onset"], row["explosion_step"], row["steps"]
        return rows
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRecording(f"{path}: {type(error).__name__}: {error}") from None


def score(
    name: str,
    runs: Iterable[dict[str, Any]],
    alarms: Iterable[Alarm],
    counted: tuple[str, ...] = COUNTED,
) -> Score:
    """Alarms of runs that are not there are an error; those of other severities do not count."""
    runs = list(runs)
    by_run: dict[str, list[Alarm]] = {run["id"]: [] for run in runs}
    for alarm in alarms:
        if alarm.id not in by_run:
            raise BadRecording(f"alarm of an unknown run {alarm.id!r}")
        if alarm.severity in counted:
            by_run[alarm.id].append(alarm)
    result = Score(name)
    for run in sorted(runs, key=lambda run: run["id"]):
        result.add(run, sorted(by_run[run["id"]], key=lambda alarm: alarm.step))
    return result


def table(runs: list[dict[str, Any]], sources: Iterable[tuple[str, list[Alarm]]]) -> str:
    """One row for each source's alarms together and for each of its rules alone; below, the runs
    that the first source judged wrong."""
    rows, details = [HEAD], ""
    for number, (name, alarms) in enumerate(sources):
        total = score(name, runs, alarms)
        rules = sorted({(alarm.rule, alarm.severity == "observed") for alarm in alarms})
        if number == 0:
            details = "\n".join(_details(total))
            rows.append(total.row())
        rows += [
            score(
                f"  {rule}{' (observed)' if observed else ''}",
                runs,
                [a for a in alarms if a.rule == rule],
                ("observed",) if observed else COUNTED,
            ).row()
            for rule, observed in rules
        ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    text = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )
    counts = {
        label: sum(run["label"] == label for run in runs)
        for label in ("diverged", "healthy", "survived")
    }
    steps = sum(run["steps"] for run in runs if run["label"] == "healthy")
    head = (
        f"{len(runs)} runs: {counts['diverged']} diverged, {counts['healthy']} healthy "
        f"({steps} steps), {counts['survived']} survived a fault"
    )
    return f"{head}\n\n{text}\n\n{details}\n"


def _details(total: Score) -> Iterable[str]:
    for name, runs in (
        ("late", total.late),
        ("never", total.never),
        ("false alarms", total.false_alarms),
        ("early", total.early),
    ):
        yield f"{name}: {len(runs)}{': ' if runs else ''}{', '.join(runs)}"
