"""The sets of runs: `heldout`, `again`, `drawn`, `drawn2` to `drawn16`, and `live`. Seeds and ids follow from a run's place in
its list."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from . import drawn as lots
from .failing import FAILING
from .healthy import HEALTHY, Run
from .live_set import LIVE
from .settings import Settings

HELDOUT_SEED = 640_000  # the first seed; those of other sets lie elsewhere
AGAIN_SEED = 740_000
# Combinations drawn by lot (drawn.py), kinds that are in no list; each further one for when those before
# were looked at. How their ids begin, healthy and failing, and the first seed.
DRAWN = {
    "drawn": ("d", "e", 840_000),
    "drawn2": ("u", "v", 850_000),
    "drawn3": ("w", "y", 860_000),
    "drawn4": ("m", "n", 870_000),
    "drawn5": ("p", "q", 880_000),
    "drawn6": ("r", "s", 890_000),
    "drawn7": ("a", "b", 900_000),
    "drawn8": ("c", "g", 910_000),
    "drawn9": ("i", "j", 920_000),
    "drawn10": ("t", "z", 930_000),
    "drawn11": ("da", "db", 940_000),
    "drawn12": ("ea", "eb", 950_000),
    "drawn13": ("fa", "fb", 960_000),
    "drawn14": ("ga", "gb", 970_000),
    "drawn15": ("ha", "hb", 980_000),
    "drawn16": ("ia", "ib", 990_000),
}
LIVE_SEED = 800_000
SAMPLED_HEALTHY, SAMPLED_FAILING = 10, 5  # steps between two samples


def _settings(
    runs: Iterable[Run], letter: str, intent: str, every: int, seed: int
) -> list[Settings]:
    return [
        Settings.of(
            {
                "every": every,
                **values,
                "id": f"{letter}{i:03d}",
                "cause": cause,
                "intent": intent,
                "steps": steps,
                "seed": seed + i,
            }
        )
        for i, (cause, steps, values) in enumerate(runs, 1)
    ]


def _interleaved(a: list[Settings], b: list[Settings]) -> list[Settings]:
    """Both in their order and in even proportion, so that the first of all are a fair sample."""
    place = [(i / len(runs), s.id, s) for runs in (a, b) for i, s in enumerate(runs)]
    return [s for _, _, s in sorted(place, key=lambda item: item[:2])]


def _strided(runs: list[Settings], stride: int = 7) -> list[Settings]:
    """The kinds of a list mixed: each 7th, then those after them."""
    return [s for begin in range(stride) for s in runs[begin::stride]]


def _both(healthy: str, failing: str, seed: int) -> list[Settings]:
    well = _settings(HEALTHY, healthy, "healthy", SAMPLED_HEALTHY, seed)
    ill = _settings(FAILING, failing, "failing", SAMPLED_FAILING, seed + 1000)
    return _interleaved(_strided(well), _strided(ill, 5))


def heldout() -> list[Settings]:
    return _both("h", "f", HELDOUT_SEED)


def again() -> list[Settings]:
    """The kinds of `heldout` with other seeds: runs that nobody looked at once that was looked at."""
    return _both("k", "x", AGAIN_SEED)


def _lot(name: str, healthy: str, failing: str, seed: int) -> list[Settings]:
    well = _settings(lots.healthy(name), healthy, "healthy", SAMPLED_HEALTHY, seed)
    ill = _settings(lots.failing(name), failing, "failing", SAMPLED_FAILING, seed + 1000)
    return _interleaved(well, ill)


def live() -> list[Settings]:
    return [
        Settings.of(
            {
                "every": SAMPLED_HEALTHY,
                **values,
                "id": f"live-{cause}",
                "cause": cause,
                "intent": intent,
                "steps": steps,
                "seed": LIVE_SEED + i,
            }
        )
        for i, (cause, intent, steps, values) in enumerate(LIVE, 1)
    ]


SETS = {
    "heldout": heldout,
    "again": again,
    **{name: partial(_lot, name, *lot) for name, lot in DRAWN.items()},
    "live": live,
}


def find(name: str, run: str) -> Settings:
    """The settings of one run. ValueError: there is no such set or run."""
    if name not in SETS:
        raise ValueError(f"set {name!r}: expected {' or '.join(SETS)}")
    for settings in SETS[name]():
        if settings.id == run:
            return settings
    raise ValueError(f"{run!r} is no run of the set {name}")
