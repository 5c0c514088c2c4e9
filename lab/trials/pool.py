#!/usr/bin/env python3
"""Makes the runs of a set that are missing, and their manifest.

    pool.py SET FOLDER [--jobs N] [--only ID...]

Each run is made in a process of its own with one thread. FOLDER gets runs/ID.npz and, after each
run, manifest.json and unclear.json anew; what is there already is kept, so this can be stopped and
started again.
"""

from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse  # noqa: E402
import json  # noqa: E402
import multiprocessing  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = "trials"

from .record import record  # noqa: E402
from .sets import SETS  # noqa: E402
from .settings import Settings  # noqa: E402


def make(settings: Settings, folder: Path) -> str:
    """Trains and writes one run; returns a line about it."""
    torch.set_num_threads(1)
    try:
        recording, row = record(settings)
        recording.save(folder / row["file"], row)
    except Exception:
        return f"{settings.id} {settings.cause}: failed\n{traceback.format_exc()}"
    speed = row["steps"] / max(row["secs"], 1e-9)
    return (
        f"{settings.id} {settings.cause}: {row['label']}, {row['steps']} steps, explosion "
        f"{row['explosion_step']}, final loss {row['final_loss']}, {speed:.0f} steps/s"
    )


def write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(rows, indent=1) + "\n")
    temporary.rename(path)


def write_manifest(folder: Path, order: list[str]) -> None:
    """Of all runs that are there, in the order of the set. What was meant to be healthy and went up
    (harder data can do that) is neither one nor the other: it goes into unclear.json."""
    rows = []
    for name in order:
        path = folder / "runs" / f"{name}.npz"
        if path.exists():
            with np.load(path) as run:
                rows.append(json.loads(str(run["meta"])))
    unclear = [row for row in rows if row["intent"] == "healthy" and row["label"] != "healthy"]
    write_json(folder / "manifest.json", [row for row in rows if row not in unclear])
    write_json(folder / "unclear.json", unclear)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=sorted(SETS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="ID")
    options = parser.parse_args()
    (options.folder / "runs").mkdir(parents=True, exist_ok=True)
    runs = SETS[options.set]()
    wanted = [s for s in runs if not options.only or s.id in options.only]
    missing = [s for s in wanted if not (options.folder / "runs" / f"{s.id}.npz").exists()]
    print(f"{len(missing)} of {len(wanted)} runs to make", flush=True)
    write_manifest(options.folder, [s.id for s in runs])
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        jobs = [pool.apply_async(make, (s, options.folder)) for s in missing]
        for job in jobs:
            print(job.get(), flush=True)
            write_manifest(options.folder, [s.id for s in runs])


if __name__ == "__main__":
    main()
