#!/usr/bin/python3
"""Which figures foretell: many candidate statistics, each alone, on recorded runs.

    candidates.py FOLDER...      folders of recordings with a manifest (lab/trials/README.md)

Each candidate is one number a sampled step, of all layers together: of the layers' values the
median, an upper quantile or the largest. Its threshold is the highest value that it has in any
healthy run after step 150, so that by construction it raises no false alarm here; printed is what is
left of its warnings then: of the runs that explode more than 60 steps after their fault, how many
cross the threshold in between, and how much of that time remains. In brackets the same with the
threshold that one healthy run in ten may cross. Exploratory: thresholds are taken from the same runs
that they are judged on, so this flatters all candidates alike. Needs NumPy.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

SETTLED = 150  # steps
SMOOTH = 4  # samples
SPAN = 40  # steps over which scalars are averaged


def elasticity(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """d ln x / d ln t against the newest sample at or before 0.8 t, four back at least [T, L]."""
    y = np.log(np.maximum(x, 1e-30))
    out = np.full_like(y, np.nan)
    for i in range(len(t)):
        j = min(np.searchsorted(t, 0.8 * t[i], side="right") - 1, i - 4)
        if j >= 1:
            out[i] = (y[i] - y[j]) / np.log(t[i] / t[j])
    return out


def smooth(x: np.ndarray) -> np.ndarray:
    """Mean of the last SMOOTH samples."""
    return np.array([np.nanmean(x[max(0, i + 1 - SMOOTH) : i + 1], axis=0) for i in range(len(x))])


def past(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mean from 0.4 t to 0.8 t."""
    out = np.full_like(x, np.nan)
    for i in range(len(t)):
        inside = (t >= 0.4 * t[i]) & (t <= 0.8 * t[i]) & (t >= 50)
        if inside.sum() >= SMOOTH:
            out[i] = np.nanmean(x[inside], axis=0)
    return out


def of_layers(name: str, x: np.ndarray) -> dict[str, np.ndarray]:
    return {
        f"{name}: median": np.nanquantile(x, 0.5, axis=1),
        f"{name}: upper quarter": np.nanquantile(x, 0.75, axis=1),
        f"{name}: largest": np.nanmax(x, axis=1),
    }


def norm_candidates(t: np.ndarray, m: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Growth of norms, and with the witness of the plain reading of spectral alignment."""
    growth = elasticity(t, m["sigma1"])
    out = of_layers("growth of sigma1", growth)
    out |= of_layers("growth of sigma1 where D < 0.2", np.where(m["D"] < 0.2, growth, -9.0))
    out |= of_layers("growth of the Frobenius norm", elasticity(t, m["wnorm"]))
    out |= of_layers("fall of the stable rank", -elasticity(t, m["srank"]))
    out |= of_layers("growth of the activations' RMS", elasticity(t, m["act_rms"]))
    out |= of_layers("growth of the activations' maximum", elasticity(t, m["act_max"]))
    out |= of_layers("growth of the rotation", elasticity(t, np.maximum(m["rot"], 1e-9)))
    return out


def alignment_candidates(t: np.ndarray, m: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What spectral alignment says beyond the norms, in every form that came to mind."""
    before = {name: past(t, m[name]) for name in ("D", "sa_mean", "sa_std", "sa_abs", "mean_res")}
    now = {name: smooth(m[name]) for name in before}
    out = of_layers("diversity low (plain reading)", -now["D"])
    two_sided = np.where(before["D"] > 0.5, before["D"] - now["D"], -1.0)
    out |= of_layers("fall of the diversity, two-sided layers", two_sided)
    out |= of_layers("rise of the diversity", now["D"] - before["D"])
    out |= of_layers("shift of the SA mean", np.abs(now["sa_mean"] - before["sa_mean"]))
    speed = np.abs(np.diff(m["sa_mean"], axis=0, prepend=m["sa_mean"][:1]))
    out |= of_layers("speed of the SA mean", smooth(speed))
    usual = np.maximum(past(t, speed), 1e-6)
    out |= of_layers("speed of the SA mean, to its own past", np.log(smooth(speed) / usual))
    out |= of_layers("fall of the centred alignment (SA std)", before["sa_std"] - now["sa_std"])
    out |= of_layers("rise of the centred alignment (SA std)", now["sa_std"] - before["sa_std"])
    out |= of_layers("rise of |SA|", now["sa_abs"] - before["sa_abs"])
    out |= of_layers("rise of the mean input's length", now["mean_res"] - before["mean_res"])
    out |= of_layers("turn of v1", smooth(1 - m["v1_stab"]))
    return out


def run_candidates(run: dict[str, np.ndarray], t: np.ndarray) -> dict[str, np.ndarray]:
    """Scalars of the run, and the neurons' cosines."""
    at = (t - int(run.get("step0", 0))).astype(int)
    loss = np.where(np.isfinite(run["loss"]), run["loss"], 20.0).astype(float)
    level = np.array([loss[max(0, i + 1 - SPAN) : i + 1].mean() for i in at])
    lowest = np.minimum.accumulate(level)
    norm = np.where(np.isfinite(run["gnorm"]), run["gnorm"], np.nan).astype(float)
    norm = np.log(
        np.maximum([np.nanmedian(norm[max(0, i + 1 - SPAN) : i + 1]) for i in at], 1e-12)
    )
    out = {
        "loss over its lowest level": (level - lowest) / np.maximum(level[0] - lowest, 1e-9),
        "gradient norm to its own past": norm - past(t, norm),
    }
    if run["Q"].ndim == 4 and run["Q"].shape[1]:
        median = run["Q"][:, :, 0, 3].astype(float)
        out["shift of the median cos(in, out)"] = np.nanmax(
            np.abs(smooth(median) - past(t, median)), axis=1
        )
    return out


def candidates(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    with np.load(path) as file:
        run = {name: file[name] for name in file.files if name != "meta"}
    t = run["sample_steps"].astype(float) - int(run.get("step0", 0))
    m = {str(name): run["M"][:, :, i].astype(float) for i, name in enumerate(run["metrics"])}
    found = norm_candidates(t, m) | alignment_candidates(t, m)
    return run["sample_steps"].astype(float), found | run_candidates(run, run["sample_steps"])


def judge(name: str, healthy: list, failing: list, allowed: float) -> tuple[float, int, float]:
    """Threshold, runs that are warned of, median share of the time that remains."""
    peaks = sorted(
        np.nanmax(np.where(t - t[0] >= SETTLED, found[name], -np.inf), initial=-np.inf)
        for t, found in healthy
        if name in found
    )
    threshold = peaks[min(len(peaks) - 1, int(len(peaks) * (1 - allowed)))]
    shares = []
    for row, t, found in failing:
        inside = (t >= row["onset"]) & (t < row["explosion_step"])
        hit = t[inside & (found.get(name, np.full(len(t), np.nan)) > threshold)]
        time = row["explosion_step"] - row["onset"]
        shares.append((row["explosion_step"] - hit[0]) / time if len(hit) else 0.0)
    return threshold, sum(share > 0 for share in shares), float(np.median(shares))


def main() -> None:
    warnings.simplefilter("ignore")
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    healthy, failing = [], []
    for folder in map(Path, sys.argv[1:]):
        for row in json.loads((folder / "manifest.json").read_text()):
            slow = row["label"] == "diverged" and row["explosion_step"] - (row["onset"] or 0) > 60
            if row["label"] == "healthy":
                healthy.append(candidates(folder / row["file"]))
            elif slow:
                failing.append((row, *candidates(folder / row["file"])))
    names = list(dict.fromkeys(name for _, found in healthy for name in found))
    rows = [(judge(n, healthy, failing, 0), judge(n, healthy, failing, 0.1), n) for n in names]
    print(f"{len(healthy)} healthy runs, {len(failing)} that can be foreseen\n")
    print(f"{'candidate':55s} threshold  warned  share left  [one healthy run in ten]")
    for strict, loose, name in sorted(rows, key=lambda row: (-row[0][2], -row[0][1], -row[1][2])):
        print(
            f"{name:55s} {strict[0]:9.3f}  {strict[1]:3d}/{len(failing)}  {strict[2]:10.2f}"
            f"  [{loose[1]:3d}/{len(failing)}  {loose[2]:.2f}]"
        )


if __name__ == "__main__":
    main()
