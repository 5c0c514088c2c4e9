"""The alarms that the rules raise on a stored lot of runs, as a text that shows in a diff what a change of a rule does:
the score, then a line a run with all its alerts."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from .replay import Alarm
from .scoring import score

NAME = "alarms.txt"
HEAD = """\
# What the rules say of each run of this lot. One line a run: id, label (with the steps of the fault and of the
# explosion), then RULE@STEP:SEVERITY of each alert. Judged in every build; written by
#     tools/foreshock-eval tests/lots/drawn* --golden write
"""


def _state(row: dict[str, Any]) -> str:
    if row["label"] == "healthy":
        return "healthy"
    end = f"-{row['explosion_step']}" if row["label"] == "diverged" else ""
    return f"{row['label']} {row['onset']}{end}"


def text(rows: list[dict[str, Any]], alarms: list[Alarm]) -> str:
    total = score("all", rows, alarms).row()
    lines = [f"# slow {total[1]}, lead {total[2]}, share {total[3]}, sudden {total[4]}, false {total[6]}, early {total[8]}\n"]
    for row in rows:
        told = [f" {a.rule}@{a.step}:{a.severity}" for a in alarms if a.id == row["id"]]
        lines.append(f"{row['id']} {_state(row)}{''.join(told)}\n")
    return HEAD + "".join(lines)


def difference(folder: Path, new: str) -> str:
    """From the table of the folder to the new one, as `diff -u` shows it; "" if they are the same."""
    path = folder / NAME
    old = path.read_text() if path.exists() else ""
    lines = difflib.unified_diff(
        old.splitlines(True), new.splitlines(True), str(path), "now", n=0
    )
    return "".join(lines)
