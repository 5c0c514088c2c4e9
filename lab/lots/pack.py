#!/usr/bin/env python3
"""Puts sets of recorded runs into the repository in small, for tools/foreshock-eval.

    pack.py FOLDER... [-o tests/lots] [--only-new]

Of each FOLDER, as trials/pool.py makes it, OUT/NAME gets manifest.json (a line a run: what became of it) and
runs/ID.xz (the figures that the detectors read; tools/evaluation/packed.py). --only-new keeps the runs that are there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from evaluation import corpus, packed  # noqa: E402
from evaluation.replay import find_program, metrics_read  # noqa: E402

KEPT = ("id", "cause", "label", "onset", "explosion_step", "steps")


def pack(folder: Path, out: Path, read: set[str], only_new: bool) -> str:
    """A line about what was packed."""
    (out / "runs").mkdir(parents=True, exist_ok=True)
    rows, size = [], 0
    for row in json.loads((folder / "manifest.json").read_text()):
        path = out / "runs" / f"{row['id']}{packed.SUFFIX}"
        if not (only_new and path.exists()):
            source = folder / row.get("file", f"runs/{row['id']}.npz")
            packed.save(path, corpus.load(row["id"], source), read)
        size += path.stat().st_size
        rows.append({**{key: row[key] for key in KEPT}, "file": f"runs/{path.name}"})
    lines = ",\n".join(json.dumps(row) for row in rows)
    (out / "manifest.json").write_text(f"[\n{lines}\n]\n")
    return f"{out}: {len(rows)} runs, {size / 1e6:.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "tests" / "lots")
    parser.add_argument("--only-new", action="store_true")
    options = parser.parse_args()
    read = metrics_read(find_program(None))
    for folder in options.folders:
        print(pack(folder, options.out / folder.resolve().name, read, options.only_new))


if __name__ == "__main__":
    main()
