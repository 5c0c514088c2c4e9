#!/usr/bin/python3
"""Trains the risk model of the daemon on recorded runs, or tells how well it is calibrated.

    train.py FOLDER... -o daemon/detectors/risk_model.json    trains, prints a cross-validated table
    train.py FOLDER... --check                             the embedded model on runs of these folders

FOLDERs hold recordings with a manifest (lab/trials/README.md), sampled each 5 or 10 steps. The
penalty is chosen by cross-validation over runs, and what the models of that said is recalibrated
by one line for all logits. Rows are weighted so that runs count alike and that
one run in ten is faulty (--faulty): the probabilities mean such a world. Needs NumPy.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ordinal import fit, last_class, log_loss, recalibration  # noqa: E402
from assessments import CLASSES, HORIZON, Table, follow  # noqa: E402

RANGES = {
    "growth": (-1, 3), "growth_rise": (-1, 3), "layer_growth": (-1, 6), "gradient": (-1, 3),
    "loss_level": (-0.5, 1.5), "loss_jump": (-0.5, 1.5), "lr": (0, 3),
}
PENALTIES = (0.03, 0.01, 0.005, 0.002)
FOLDS = 5
BINS = (0, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0000001)


def weights(table: Table, faulty: float) -> np.ndarray:
    """Of each row: every run counts alike within its kind, the faulty ones `faulty` in all."""
    weight = np.zeros(len(table.y))
    is_faulty = {run: table.y[table.run == run].max() > 0 for run in np.unique(table.run)}
    count = {kind: sum(v == kind for v in is_faulty.values()) for kind in (True, False)}
    for run, kind in is_faulty.items():
        rows = table.run == run
        share = faulty if kind else 1 - faulty
        weight[rows] = share / max(count[kind], 1) / rows.sum()
    return weight / weight.sum()


def standardize(table: Table) -> tuple[np.ndarray, dict[str, dict]]:
    x, terms = np.empty_like(table.readings), {}
    for i, name in enumerate(table.names):
        low, high = RANGES[name]
        clamped = np.clip(np.nan_to_num(table.readings[:, i]), low, high)
        center, scale = float(np.mean(clamped)), float(np.std(clamped))
        x[:, i] = (clamped - center) / scale
        terms[name] = {"low": low, "high": high, "center": center, "scale": scale}
    return x, terms


def cross_validated(x: np.ndarray, table: Table, weight: np.ndarray, penalty: float) -> np.ndarray:
    """The risk of each row by a model that did not see its run."""
    risk = np.empty(len(x))
    for fold in range(FOLDS):
        inside = table.run % FOLDS == fold
        steps = fit(x[~inside], table.y[~inside], weight[~inside], penalty)
        risk[inside] = last_class(steps, x[inside])
    return risk


def reliability(risk: np.ndarray, table: Table, weight: np.ndarray) -> str:
    """For each range of risk: rows, what the model said on average and what was so."""
    hit = (table.y == len(CLASSES) - 1).astype(float)
    out = [f"risk            share of time  mean risk  exploded within {HORIZON} steps  runs"]
    for low, high in zip(BINS, BINS[1:]):
        rows = (risk >= low) & (risk < high)
        if not rows.any():
            continue
        total = weight[rows].sum()
        out.append(
            f"{low:4.2f} to {min(high, 1):4.2f}    {total:10.4f}  {(weight * risk)[rows].sum() / total:9.3f}"
            f"  {(weight * hit)[rows].sum() / total:21.3f}  {len(np.unique(table.run[rows])):4d}"
        )
    base = (weight * hit).sum()
    out.append(
        f"log loss {log_loss(risk, hit, weight):.4f}; of the base rate {base:.4f} alone "
        f"{log_loss(np.full(len(hit), base), hit, weight):.4f}; Brier score "
        f"{(weight * (risk - hit) ** 2).sum():.4f}"
    )
    return "\n".join(out)


def train(table: Table, weight: np.ndarray, faulty: float, out: str) -> None:
    x, terms = standardize(table)
    hit = (table.y == len(CLASSES) - 1).astype(float)
    scores = {}
    for penalty in PENALTIES:
        risk = cross_validated(x, table, weight, penalty)
        scores[penalty] = (log_loss(risk, hit, weight), risk)
        print(f"penalty {penalty:g}: cross-validated log loss {scores[penalty][0]:.4f}", flush=True)
    best = min(scores, key=lambda penalty: scores[penalty][0])
    risk = scores[best][1]
    print(f"\ncross-validated, penalty {best:g}\n{reliability(risk, table, weight)}")
    shift, slope = recalibration(risk, hit, weight)
    risk = 1 / (1 + np.exp(-shift) * (1 / np.clip(risk, 1e-9, 1 - 1e-9) - 1) ** slope)
    print(f"\nrecalibrated, {shift:.3f} + {slope:.3f} logit\n{reliability(risk, table, weight)}")
    steps = slope * fit(x, table.y, weight, best)
    steps[:, 0] += shift
    for i, name in enumerate(table.names):
        terms[name]["coefficients"] = [round(float(step[1 + i]), 5) for step in steps]
        terms[name]["center"] = round(terms[name]["center"], 6)
        terms[name]["scale"] = round(terms[name]["scale"], 6)
    version = 1 + json.loads(Path(out).read_text())["version"] if Path(out).exists() else 1
    model = {
        "version": version,
        "horizon_steps": HORIZON,
        "faulty_share": faulty,
        "penalty": best,
        "trained_on": table.ids,
        "intercepts": [round(float(step[0]), 5) for step in steps],
        "terms": terms,
    }
    Path(out).write_text(json.dumps(model, indent=1) + "\n")
    print(f"\n{out}: version {version}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("-o", "--out", metavar="MODEL.json")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--every", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--faulty", type=float, default=0.1, help="share of runs that are faulty")
    options = parser.parse_args()
    if bool(options.out) == options.check:
        parser.error("expected either -o or --check")
    table = follow(options.folders, options.every)
    weight = weights(table, options.faulty)
    print(f"{len(np.unique(table.run))} runs, {len(table.y)} assessments: "
          + ", ".join(f"{np.sum(table.y == k)} {name}" for k, name in enumerate(CLASSES)))
    if options.check:
        print(reliability(table.risk, table, weight))
    else:
        train(table, weight, options.faulty, options.out)


if __name__ == "__main__":
    main()
