"""Trainings with a fault: (cause, steps, settings). Append, never insert."""
from __future__ import annotations

from typing import Any

Run = tuple[str, int, dict[str, Any]]
FAILING: list[Run] = []
