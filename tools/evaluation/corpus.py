"""Runs in the corpus's format: manifest.json and runs/ID.npz, or ID.xz (packed.py). Of the manifest
only `id` and `file` are read, so that nothing of what a run was meant to show can reach a detector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import packed
from .recording import BadRecording, Layer, Run, Series

ROLES = {
    "q": "attn.q",
    "k": "attn.k",
    "v": "attn.v",
    "o": "attn.o",
    "gate": "mlp.gate",
    "in": "mlp.in",
    "out": "mlp.out",
}
FIGURES = {
    "sigma1": "spectral.sigma1",
    "sigma2": "spectral.sigma2",
    "srank": "spectral.stable_rank",
    "sa_mean": "sa.mean",
    "sa_std": "sa.std",
    "p": "sa.positive",
    "D": "sa.diversity",
    "mean_res": "sa.input_mean",
    "cos_mean_v1": "sa.input_mean_cos",
    "act_rms": "activation.rms",
    "act_max": "activation.max_abs",
    "wnorm": "weights.norm",
    "rot": "rotation.from_init",
}
QUANTILES = {0.05: "p05", 0.25: "p25", 0.5: "p50", 0.75: "p75", 0.95: "p95"}


def is_corpus(path: Path) -> bool:
    return (path / "manifest.json").exists()


def run_ids(folder: Path) -> list[tuple[str, Path]]:
    """(id, file) of each run."""
    try:
        rows = json.loads((folder / "manifest.json").read_text())
        return [(row["id"], folder / row.get("file", f"runs/{row['id']}.npz")) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRecording(f"{folder / 'manifest.json'}: {error}") from None


def load(run_id: str, path: Path) -> Run:
    """One run; its steps count from `step0`."""
    if path.suffix == packed.SUFFIX:
        return packed.load(run_id, path)
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files if name != "meta"}
    except (OSError, ValueError) as error:
        raise BadRecording(f"{path}: {error}") from None
    missing = {"loss", "gnorm", "lr", "sample_steps", "layers", "metrics", "M"} - set(arrays)
    if missing:
        raise BadRecording(f"{path}: no array {', '.join(sorted(missing))}")
    step0 = int(arrays.get("step0", 0))
    every = step0 + np.arange(len(arrays["loss"]), dtype=np.int64)
    scalars = [
        Series(metric, every, arrays[name].astype(np.float64), scalar=True)
        for metric, name in (("loss", "loss"), ("grad_norm", "gnorm"), ("lr", "lr"))
    ]
    steps = arrays["sample_steps"].astype(np.int64)
    layers = list(_layers(arrays, steps))
    return Run(run_id, step0, scalars, [*layers, *_blocks(arrays, steps, layers)], steps)


def _role(arrays: dict[str, np.ndarray], i: int, name: str) -> tuple[str, str]:
    """Role and block; recordings without those arrays name their layers BLOCK.PART."""
    if "roles" in arrays:
        return str(arrays["roles"][i]), str(arrays["blocks"][i])
    block, _, part = name.rpartition(".")
    role = ROLES.get(part, "linear")
    return role, f"{block}.mlp" if role.startswith("mlp.") else ""


def _layers(arrays: dict[str, np.ndarray], steps: np.ndarray) -> Iterator[Layer]:
    metrics = [str(name) for name in arrays["metrics"]]
    for i, name in enumerate(str(name) for name in arrays["layers"]):
        column = {
            metric: arrays["M"][:, i, k].astype(np.float64) for k, metric in enumerate(metrics)
        }
        yield Layer(name, *_role(arrays, i, name), list(_layer_series(column, steps)))


def _layer_series(column: dict[str, np.ndarray], steps: np.ndarray) -> Iterator[Series]:
    """A sample that is all NaN says that a weight or an input was not finite."""
    for metric, name in FIGURES.items():
        if metric in column:
            yield Series(name, steps, column[metric])
    there = np.isfinite(column["sigma1"])
    with np.errstate(invalid="ignore", divide="ignore"):
        yield Series("spectral.gap", steps, 1 - column["sigma2"] / column["sigma1"])
    yield Series("spectral.residual", steps, np.where(there, 0.0, np.nan))
    if len(steps):
        later = slice(1, None)
        yield Series("spectral.turn", steps[later], 1 - column["v1_stab"][later])
        yield Series("rotation.interval", steps[later], np.diff(steps).astype(np.float64))
        if "rot_step" in column:
            yield Series("rotation.step", steps[later], column["rot_step"][later])
    lost = np.all([np.isnan(values) for values in column.values()], axis=0).astype(np.float64)
    yield Series("weights.nonfinite", steps, lost)
    yield Series("activation.nonfinite", steps, lost)


def _blocks(arrays: dict[str, np.ndarray], steps: np.ndarray, layers: list[Layer]) -> list[Layer]:
    """The MLP blocks, with the quantiles of their neurons' cosines. The daemon turns the sign of
    cos(gate,out) where cos(gate,in) is negative; recordings of the corpus have it raw."""
    if "Q" not in arrays or arrays["Q"].ndim != 4:
        return []
    names = list(dict.fromkeys(layer.block for layer in layers if layer.block))
    blocks = []
    for k, name in enumerate(names[: arrays["Q"].shape[1]]):
        block = Layer(name, "", "")
        for c, cosine in enumerate(str(c) for c in arrays["cosines"]):
            for q, quantile in enumerate(arrays["quantiles"]):
                short = QUANTILES.get(round(float(quantile), 4))
                values = arrays["Q"][:, k, c, q].astype(np.float64)
                if short and not np.isnan(values).all():
                    block.series.append(Series(f"gate.{cosine}.{short}", steps, values))
        blocks.append(block)
    return blocks
