"""What is replayed of a run, whatever it was recorded in: its layers, and its figures under the
daemon's names in order of step."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


class BadRecording(Exception):
    """A recording that cannot be read, or not at the cadence that was asked for; one line."""


@dataclass
class Series:
    """One figure of one layer: `steps` ascending [n] int64, `values` [n] float64, NaN where it was
    undefined (told to nobody) unless `scalar`: then NaN is a value."""

    metric: str
    steps: np.ndarray
    values: np.ndarray
    scalar: bool = False


@dataclass
class Layer:
    """`role` and `block` "" for none; an MLP block, under whose name its figures are filed, is a
    layer with neither."""

    name: str
    role: str
    block: str
    series: list[Series] = field(default_factory=list)


@dataclass
class Run:
    """One attempt. `begins` is its first step; `scalars` are of the run itself; `samples` the steps
    at which layers were sampled, ascending."""

    id: str
    begins: int
    scalars: list[Series]
    layers: list[Layer]
    samples: np.ndarray


@dataclass
class Cadence:
    """What is replayed of what was recorded: samples each `every` steps (None: all), of all layers or
    of one part of them after the other, in so many `turns`; scalars of all steps or only of sampled
    ones."""

    every: int | None = None
    scalars: str = "all"
    turns: int = 1

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise BadRecording(f"--every {self.every}: expected a whole number above 0")
        if self.turns < 1:
            raise BadRecording(f"--turns {self.turns}: expected a whole number above 0")

    def samples(self, run: Run) -> np.ndarray:
        """The sampled steps that are kept."""
        if self.every is None or len(run.samples) == 0:
            return run.samples
        first = run.samples[0]
        interval = int(np.gcd.reduce(run.samples - first)) if len(run.samples) > 1 else self.every
        if interval == 0 or self.every % interval:
            raise BadRecording(
                f"--every {self.every}: {run.id} was sampled each {interval} steps, "
                f"so expected a multiple of {interval}"
            )
        return run.samples[(run.samples - first) % self.every == 0]


def _text(value: str) -> str:
    """A name as one field of a line."""
    shown = "_".join(value.split()) or "-"
    return shown.encode()[:200].decode(errors="ignore")


def _parts(run: Run, turns: int) -> list[int]:
    """The turn that each layer is sampled in: neighbours together, and the layers of a block."""
    groups = {layer.block or layer.name: None for layer in run.layers}
    part_of = {group: i * turns // len(groups) for i, group in enumerate(groups)}
    return [part_of[layer.block or layer.name] for layer in run.layers]


def figures(run: Run, cadence: Cadence, read: set[str]) -> tuple[np.ndarray, ...]:
    """All that the rules read, sorted by step and then in the order of layers and series: the steps
    [n], indices of series [n], values [n]."""
    kept = cadence.samples(run)
    of_layers = [kept[part :: cadence.turns] for part in _parts(run, cadence.turns)]
    of_run = kept if cadence.scalars == "sampled" else None
    steps, which, values = [], [], []
    index = 0
    lists = [run.scalars, *(layer.series for layer in run.layers)]
    for series_list, sampled in zip(lists, [of_run, *of_layers]):
        for series in series_list:
            if series.metric in read:
                take = (
                    np.ones(len(series.steps), bool) if series.scalar else ~np.isnan(series.values)
                )
                if sampled is not None:
                    take &= np.isin(series.steps, sampled)
                steps.append(series.steps[take])
                values.append(series.values[take])
                which.append(np.full(int(take.sum()), index))
            index += 1
    if not steps:
        return np.empty(0, int), np.empty(0, int), np.empty(0)
    flat = np.concatenate(steps), np.concatenate(which), np.concatenate(values)
    order = np.lexsort((flat[1], flat[0]))
    return tuple(column[order] for column in flat)


def stream(run: Run, cadence: Cadence, read: set[str]) -> bytes:
    """The run as alerts-replay reads it. `read`: the metrics that any rule reads."""
    head = [f"run {_text(run.id)}", f"begins {run.begins}"]
    for number, layer in enumerate(run.layers, 1):
        head.append(f"layer {number} {_text(layer.name)} {_text(layer.role)} {_text(layer.block)}")
    lists = [run.scalars, *(layer.series for layer in run.layers)]
    for number, series_list in enumerate(lists):
        head += [f"series {number} {series.metric}" for series in series_list]
    steps, which, values = figures(run, cadence, read)
    head.append(f"figures {len(steps)}\n")
    records = np.empty(len(steps), np.dtype("i8,i8,f8"))
    records["f0"], records["f1"], records["f2"] = which, steps, values
    return "\n".join(head).encode() + records.tobytes() + b"\n"
