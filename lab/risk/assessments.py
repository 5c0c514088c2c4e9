"""What the detectors read along recorded runs, and what then became of the runs."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from evaluation import corpus  # noqa: E402
from evaluation.recording import Cadence, stream  # noqa: E402
from evaluation.replay import find_program, metrics_read  # noqa: E402

HORIZON = 200  # steps
SMOOTH = 20  # steps over which a loss is averaged
RISE = 0.12  # of the way down: a loss that will be this far above its lowest is failing
CLASSES = ("healthy", "suspicious", "failing", "exploding")


class Table:
    """Rows of assessments, of the runs `ids`: run [n] (index), step [n], risk [n] (of the embedded model), readings
    [n, readings] and the class of each, y [n]."""

    def __init__(
        self, names: list[str], ids: list[str], rows: list[tuple[int, np.ndarray, np.ndarray]]
    ) -> None:
        self.names, self.ids = names, ids
        self.run = np.concatenate([np.full(len(values), index) for index, values, _ in rows])
        values = np.concatenate([values for _, values, _ in rows])
        self.step, self.risk, self.readings = values[:, 0], values[:, 1], values[:, 2:]
        self.y = np.concatenate([classes for _, _, classes in rows])


def _classes(row: dict, steps: np.ndarray, loss: np.ndarray, step0: int) -> np.ndarray:
    """The class of a run at each step, by what is known of it afterwards: exploding (within HORIZON
    steps), failing (the loss will be well above its lowest within them), suspicious (the fault has
    begun), else healthy."""
    if row["label"] == "healthy":
        return np.zeros(len(steps), int)
    at = (steps - step0).astype(int)
    finite = np.where(np.isfinite(loss), loss, np.nanmax(loss[np.isfinite(loss)]) * 2)
    mean = np.convolve(finite, np.ones(SMOOTH) / SMOOTH)[: len(loss)]
    mean[: SMOOTH - 1] = mean[min(SMOOTH, len(mean)) - 1]
    lowest = np.minimum.accumulate(mean)
    rise = (mean - lowest) / np.maximum(mean[0] - lowest, 1.7 * np.abs(lowest))
    y = (steps >= (row["onset"] or 0)).astype(int)
    for i, t in enumerate(at):
        if y[i] and rise[t : t + HORIZON].max(initial=0) > RISE:
            y[i] = 2
        if row["label"] == "diverged" and steps[i] >= row["explosion_step"] - HORIZON and y[i]:
            y[i] = 3
    return y


def _follow(program: Path, read: set[str], folder: Path, row: dict, cadence: Cadence):
    path = folder / row["file"]
    run = corpus.load(row["id"], path)
    done = subprocess.run(
        [str(program), "--assessments"],
        input=stream(run, cadence, read),
        stdout=subprocess.PIPE,
        check=True,
    )
    table = list(csv.reader(done.stdout.decode().splitlines()))
    names, values = table[0][3:], [[float(cell) for cell in line[1:]] for line in table[1:]]
    values = np.array(values).reshape(-1, 2 + len(names))
    loss = next(series.values for series in run.scalars if series.metric == "loss")
    if row["label"] == "diverged":  # afterwards nobody asks any more
        values = values[values[:, 0] < row["explosion_step"]]
    return names, values, _classes(row, values[:, 0], loss, run.begins)


def follow(folders: list[Path], every: list[int], program: str | None = None) -> Table:
    """The assessments of all runs of the folders, at each of the sampling intervals."""
    found = find_program(program)
    read = metrics_read(found)
    ids, work = [], []
    for folder in folders:
        for row in json.loads((folder / "manifest.json").read_text()):
            ids.append(row["id"])
            work += [(len(ids) - 1, folder, row, Cadence(n, "all")) for n in every]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(lambda item: _follow(found, read, *item[1:]), work))
    rows = [
        (item[0], values, classes) for item, (_, values, classes) in zip(work, done) if len(values)
    ]
    return Table(done[0][0], ids, rows)
