"""Runs that a daemon recorded: its SQLite database, opened for reading only."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from .recording import BadRecording, Layer, Run, Series


def database_of(path: Path) -> Path | None:
    """The database that a path means: a file, or foreshock.db in a state directory."""
    if path.is_file():
        return path
    return path / "foreshock.db" if (path / "foreshock.db").exists() else None


def _mode(path: Path) -> str:
    """A database without a write-ahead log is nobody's now: opened as one that does not change, it
    is read without leaving files beside it, which might be in the way of the daemon's user."""
    return "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"


class State:
    """A database while it is read. A run's id is its key; each attempt is replayed by itself."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(f"{path.resolve().as_uri()}?{_mode(path)}", uri=True)
            self._db.execute("SELECT 1 FROM attempt LIMIT 1")
        except sqlite3.Error as error:
            raise BadRecording(f"{path}: {error}") from None

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def attempts(self) -> list[tuple[str, int, int]]:
        """(key, run_id, attempt) in the order in which they began."""
        return self._db.execute(
            "SELECT run.key, run.id, attempt.number FROM run JOIN attempt ON run_id = run.id "
            "WHERE run.retired = 0 AND attempt.first_step IS NOT NULL "
            "ORDER BY run.id, attempt.number"
        ).fetchall()

    def load(self, key: str, run_id: int, attempt: int) -> Run:
        (begins,) = self._db.execute(
            "SELECT first_step FROM attempt WHERE run_id = ? AND number = ?", (run_id, attempt)
        ).fetchone()
        layers = {
            layer: Layer(name, role, block)
            for layer, name, role, block in self._db.execute(
                "SELECT id, name, role, block FROM layer WHERE run_id = ? ORDER BY id", (run_id,)
            )
        }
        scalars: list[Series] = []
        sampled: set[int] = set()
        for series_id, layer, metric in self._db.execute(
            "SELECT id, layer_id, metric FROM series WHERE run_id = ? AND attempt = ? "
            "ORDER BY layer_id, id",
            (run_id, attempt),
        ).fetchall():
            points = self._points(series_id)
            if layer == 0:
                scalars.append(Series(metric, *points, scalar=True))
            elif layer in layers:
                layers[layer].series.append(Series(metric, *points))
                sampled.update(points[0].tolist())
        return Run(
            key, begins, scalars, list(layers.values()), np.array(sorted(sampled), dtype=np.int64)
        )

    def _points(self, series: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._db.execute(
            "SELECT step, value FROM point WHERE series_id = ? ORDER BY step", (series,)
        ).fetchall()
        steps = np.array([row[0] for row in rows], dtype=np.int64)
        return steps, np.array([row[1] for row in rows], dtype=np.float64)  # NULL: NaN
