#!/usr/bin/env python3
"""Trains one run of a set and writes what is recorded of it.

record.py SET ID OUT.npz          SET: one of sets.py
"""

from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # read when NumPy is imported

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = "trials"

from .figures import COSINES, METRICS, QUANTILES, Figures  # noqa: E402
from .labels import Watchdog, explosion, label, unsound  # noqa: E402
from .settings import Settings  # noqa: E402
from .training import Training  # noqa: E402

TOKENS = 512


class Recording:
    """Scalars of each step and figures of the sampled ones, on their way into a file."""

    def __init__(self, settings: Settings, figures: Figures) -> None:
        self.settings, self.figures = settings, figures
        self.scalars: list[tuple[float, float, float]] = []
        self.steps: list[int] = []
        self.layers: list[list[list[float]]] = []
        self.cosines: list[list[list[list[float]]]] = []

    def sample(self, step: int) -> None:
        """Takes the figures of the step that is under way."""
        rows, cosines = self.figures.sample(step)
        self.steps.append(step)
        self.layers.append(rows)
        self.cosines.append(cosines)

    def manifest_row(self, seconds: float) -> dict[str, Any]:
        """What the manifest says of the run; steps are those that the run calls them by."""
        s, loss = self.settings, np.array([row[0] for row in self.scalars])
        exploded = explosion(loss)
        sigma1 = np.array(self.layers)[:, :, METRICS.index("sigma1")]
        found = label(exploded, s.intent)
        if found == "healthy" and unsound(loss, sigma1):
            found = "unsound"
        finite = loss[-20:][np.isfinite(loss[-20:])]
        return {
            "id": s.id,
            "cause": s.cause,
            "intent": s.intent,
            "label": found,
            "onset": s.onset,
            "explosion_step": exploded + s.step0 if exploded >= 0 else -1,
            "steps": len(loss),
            "file": f"runs/{s.id}.npz",
            "final_loss": float(finite.mean()) if len(finite) else None,
            "secs": round(seconds, 1),
            "config": s.as_dict(),
        }

    def save(self, path: Path, row: dict[str, Any]) -> None:
        loss, grad_norm, lr = np.array(self.scalars, dtype=np.float64).T
        layers = self.figures.layers
        temporary = path.with_suffix(".part")
        with open(temporary, "wb") as out:
            np.savez_compressed(
                out,
                loss=loss,
                gnorm=grad_norm,
                lr=lr,
                step0=np.array(self.settings.step0),
                sample_steps=np.array(self.steps),
                metrics=np.array(METRICS),
                layers=np.array([layer.name for layer in layers]),
                roles=np.array([layer.role for layer in layers]),
                blocks=np.array([layer.block for layer in layers]),
                M=np.array(self.layers),
                Q=np.array(self.cosines).reshape(
                    len(self.steps), len(self.figures.blocks), len(COSINES), len(QUANTILES)
                ),
                mlps=np.array(self.figures.blocks, dtype=str),
                quantiles=np.array(QUANTILES),
                cosines=np.array(COSINES),
                A=np.zeros((len(self.steps), 0, 2)),
                attn=np.array(["max_logit", "entropy"]),
                meta=np.array(json.dumps(row)),
            )
        temporary.rename(path)


def record(settings: Settings) -> tuple[Recording, dict[str, Any]]:
    """Trains to the end, or until going on shows nothing more."""
    began = time.monotonic()
    training = Training(settings)
    recording = Recording(settings, Figures(training.watched, TOKENS))
    watchdog = Watchdog()
    for t in range(settings.steps):
        if t % settings.every == 0:
            training.capture(True)
            scalars = training.step(partial(recording.sample, settings.step0 + t))
            training.capture(False)
        else:
            scalars = training.step()
        recording.scalars.append((scalars.loss, scalars.grad_norm, scalars.lr))
        if watchdog.over(scalars.loss):
            break
    return recording, recording.manifest_row(time.monotonic() - began)


def main() -> int:
    from .sets import find

    if len(sys.argv) != 4:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    try:
        settings = find(sys.argv[1], sys.argv[2])
    except ValueError as error:
        sys.exit(f"record.py: {error}")
    recording, row = record(settings)
    recording.save(Path(sys.argv[3]), row)
    print(json.dumps({k: v for k, v in row.items() if k != "config"}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
