"""Recorded runs in small: runs/ID.xz holds of one run the figures that the detectors read, as float32.

One xz stream: a line of JSON, then bytes. The JSON names the first step and the number of steps, the sampled steps, the
scalars, and each layer with its figures. The bytes are the scalars, one value a step, then each layer's figures, one
value a sample. A series is stored as the differences of its values' bit patterns, signs folded into the lowest bit; of
all series together the lowest bytes come first, then the next, so that what hardly changes lies together.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np

from .recording import BadRecording, Layer, Run, Series

SUFFIX = ".xz"


def _fold(values: np.ndarray) -> np.ndarray:
    """float32 [n] to the differences of its bits, uint32 [n]; small where values hardly change."""
    bits = values.astype("<f4").view("<u4")
    steps = np.diff(bits, prepend=np.uint32(0)).view("<i4")
    return ((steps << 1) ^ (steps >> 31)).view("<u4")


def _unfold(folded: np.ndarray) -> np.ndarray:
    steps = (folded >> 1) ^ (0 - (folded & 1))
    return np.cumsum(steps, dtype="<u4").view("<f4")


def _planes(columns: list[np.ndarray]) -> bytes:
    flat = np.concatenate([np.empty(0, "<u4"), *columns])
    return np.ascontiguousarray(flat.view(np.uint8).reshape(-1, 4).T).tobytes()


def _columns(run: Run, read: set[str], path: Path) -> tuple[dict, list[np.ndarray]]:
    """What the JSON says, and the series in its order."""
    layers = [
        (layer, [series for series in layer.series if series.metric in read])
        for layer in run.layers
    ]
    scalars = [series for series in run.scalars if series.metric in read]
    steps = scalars[0].steps
    if not np.array_equal(steps, run.begins + np.arange(len(steps))):
        raise BadRecording(f"{path}: expected scalars of each step from the first one on")
    kept = [series for _, of_layer in layers for series in of_layer]
    if any(not np.array_equal(series.steps, run.samples) for series in kept):
        raise BadRecording(f"{path}: expected figures of each sample")
    head = {
        "begins": run.begins,
        "steps": len(steps),
        "samples": run.samples.tolist(),
        "scalars": [series.metric for series in scalars],
        "layers": [
            [layer.name, layer.role, layer.block, [series.metric for series in of_layer]]
            for layer, of_layer in layers
            if of_layer
        ],
    }
    return head, [_fold(series.values) for series in scalars + kept]


def save(path: Path, run: Run, read: set[str]) -> None:
    """Writes of a run what is in `read`, the metrics that any detector reads."""
    head, columns = _columns(run, read, path)
    raw = json.dumps(head, separators=(",", ":")).encode() + b"\n" + _planes(columns)
    path.write_bytes(lzma.compress(raw, check=lzma.CHECK_CRC32, preset=9 | lzma.PRESET_EXTREME))


def load(run_id: str, path: Path) -> Run:
    try:
        line, _, rest = lzma.decompress(path.read_bytes()).partition(b"\n")
        head = json.loads(line)
        flat = np.frombuffer(rest, np.uint8).reshape(4, -1).T.copy().view("<u4").ravel()
        return _run(run_id, head, flat)
    except (OSError, lzma.LZMAError, ValueError, KeyError, IndexError) as error:
        raise BadRecording(f"{path}: {error}") from None


def _run(run_id: str, head: dict, flat: np.ndarray) -> Run:
    every = head["begins"] + np.arange(head["steps"], dtype=np.int64)
    samples = np.array(head["samples"], dtype=np.int64)
    at = 0

    def series(metric: str, steps: np.ndarray, scalar: bool) -> Series:
        nonlocal at
        values = _unfold(flat[at : at + len(steps)]).astype(np.float64)
        at += len(steps)
        return Series(metric, steps, values, scalar)

    scalars = [series(metric, every, True) for metric in head["scalars"]]
    layers = [
        Layer(name, role, block, [series(metric, samples, False) for metric in metrics])
        for name, role, block, metrics in head["layers"]
    ]
    if at != len(flat):
        raise ValueError(f"{len(flat)} values, expected {at}")
    return Run(run_id, head["begins"], scalars, layers, samples)
