#!/usr/bin/env python3
"""Judge the built-in rules against a corpus of recorded trainings.

    evaluate.py CORPUS REPLAY [--every N ...] [--rule RULE ...]

CORPUS is a folder with manifest.json, runs/ID.npz and score.py; REPLAY the program alerts-replay of
a build (it is built with the unit tests). Every recorded figure goes through the daemon's own
detectors, sampled each N steps (several N: one table each); the loss and the gradient norm too, as
a client that logs them only on sampled steps would send them.
"""
from __future__ import annotations

import argparse
import csv
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Iterator

import numpy as np

ROLES = {"q": "attn.q", "k": "attn.k", "v": "attn.v", "o": "attn.o",
         "gate": "mlp.gate", "in": "mlp.in", "out": "mlp.out"}
KEYS = ("loss", "gnorm", "sample_steps", "M", "layers", "metrics")


def layer_lines(names: list[str]) -> Iterator[str]:
    """Declarations of the layers; ids count from 1 in the order of `names` ("BLOCK.PART")."""
    for i, name in enumerate(names, 1):
        block, part = name.split(".")
        mlp = f"{block}.mlp" if part in ("gate", "in", "out") else "-"
        yield f"layer {i} {name} {ROLES[part]} {mlp}"


def figure_lines(run: dict, every: int) -> Iterator[str]:
    """Figures of one run in order of step; sigma1 of the corpus is exact, so its residual is 0."""
    metrics = list(run["metrics"])
    sigma1, diversity = metrics.index("sigma1"), metrics.index("D")
    at = {int(step): t for t, step in enumerate(run["sample_steps"])}
    for step in range(0, len(run["loss"]), every):
        yield f"figure 0 loss {step} {run['loss'][step]:.9g}"
        yield f"figure 0 grad_norm {step} {run['gnorm'][step]:.9g}"
        if step not in at:
            continue
        for layer, row in enumerate(run["M"][at[step]], 1):
            if np.isfinite(row[sigma1]) and np.isfinite(row[diversity]):
                yield f"figure {layer} spectral.sigma1 {step} {row[sigma1]:.9g}"
                yield f"figure {layer} spectral.residual {step} 0"
                yield f"figure {layer} sa.diversity {step} {row[diversity]:.9g}"


def replay(corpus: pathlib.Path, program: str, every: int) -> list[dict[str, str]]:
    """Alerts of all runs of the corpus (columns as alerts-replay prints them)."""
    lines: list[str] = []
    for row in json.loads((corpus / "manifest.json").read_text()):
        with np.load(corpus / "runs" / f"{row['id']}.npz") as run:
            loaded = {key: run[key] for key in KEYS}
        lines.append(f"run {row['id']}")
        lines += layer_lines([str(name) for name in loaded["layers"]])
        lines += figure_lines(loaded, every)
    done = subprocess.run([program], input="\n".join(lines) + "\n", text=True, check=True,
                          stdout=subprocess.PIPE)
    return list(csv.DictReader(done.stdout.splitlines()))


def score(corpus: pathlib.Path, alerts: list[dict[str, str]]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as out:
        writer = csv.DictWriter(out, ["id", "step", "rule", "severity"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(alerts)
        out.flush()
        subprocess.run([sys.executable, str(corpus / "score.py"), out.name], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("replay")
    parser.add_argument("--every", type=int, nargs="+", default=[5, 10, 20, 50])
    parser.add_argument("--rule", nargs="+", help="only the alerts of these rules")
    options = parser.parse_args()
    for every in options.every:
        alerts = replay(options.corpus, options.replay, every)
        rules = options.rule or ["all rules", *sorted({alert["rule"] for alert in alerts})]
        for rule in rules:
            print(f"\n== every {every} steps, {rule}", flush=True)
            score(options.corpus, [a for a in alerts if rule in ("all rules", a["rule"])])


if __name__ == "__main__":
    main()
