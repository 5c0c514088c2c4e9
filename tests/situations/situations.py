#!/usr/bin/env python3
"""Situations that teams report, each as generated curves with six seeds and a healthy twin, through the daemon's detectors.

    situations.py [--replay PROGRAM] [--only TEXT] [--set RULE.KEY=VALUE ...]

A line a situation: in how many runs somebody is notified in time, how late at worst, and how many twins are false. Exits
with 1 when one is missed or a twin is not silent. Needs NumPy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from curves import language_model, layer_names, norms, noise, rise, spikes, warmup_cosine  # noqa: E402
from evaluation.recording import Cadence, Layer, Run, Series  # noqa: E402
from evaluation.replay import find_program, metrics_read, replay  # noqa: E402

SEEDS = range(6)
LENGTHS = [9_000]
EVERY = 10  # steps between samples of the layers


@dataclass
class Case:
    """`faulty` and its `twin`; somebody must be notified from `begins` to `until`, of the faulty one alone."""

    name: str
    faulty: Run
    twin: Run
    begins: int
    until: int


def run_of(name: str, scalars: dict[str, np.ndarray], layers: dict[str, np.ndarray] | None = None, each: int = 1) -> Run:
    """Scalars each `each` steps; layers' sigma1 each EVERY steps."""
    steps = np.arange(0, len(next(iter(scalars.values()))), each)
    series = [Series(metric, steps, values[steps], scalar=True) for metric, values in scalars.items()]
    samples = np.arange(0, len(next(iter(scalars.values()))), EVERY)
    roles = dict(layer_names())
    made = [
        Layer(layer, roles[layer], layer.rsplit(".", 2)[0] if "mlp" in layer else "", [Series("spectral.sigma1", samples, values)])
        for layer, values in (layers or {}).items()
    ]
    return Run(name, 0, series, made, samples)


# ---- the loss ----------------------------------------------------------------------------------------------------


def jumps(rng: np.random.Generator) -> Iterator[Case]:
    for steps in LENGTHS:
        for height in (0.7, 1.0, 2.0, 3.0, 4.0):
            for over in (1, 20, 80):
                loss = language_model(rng, steps + 3_000) + spikes(rng, steps + 3_000, 20, 1.0)
                yield Case(
                    f"a language model's loss rises by {height} over {over} steps after {steps}",
                    run_of("faulty", {"loss": loss + rise(len(loss), steps, height, over)}),
                    run_of("twin", {"loss": loss}),
                    steps, steps + over + 100,
                )


def climbs(rng: np.random.Generator) -> Iterator[Case]:
    for steps in LENGTHS:
        loss = language_model(rng, steps + 3_000)
        yield Case(
            f"a climb of 1 per 1,000 steps after {steps}",
            run_of("faulty", {"loss": loss + rise(len(loss), steps, 3, 3_000)}),
            run_of("twin", {"loss": loss}),
            steps, steps + 700,
        )


def rare_losses(rng: np.random.Generator) -> Iterator[Case]:
    for height in (1.0, 3.0):
        loss = language_model(rng, 12_000)
        yield Case(
            f"a jump of {height}, the loss logged each 10th step",
            run_of("faulty", {"loss": loss + rise(12_000, 9_000, height, 1)}, each=10),
            run_of("twin", {"loss": loss}, each=10),
            9_000, 9_060,
        )


def first_steps(rng: np.random.Generator) -> Iterator[Case]:
    for at in (60, 150, 300):
        t = np.arange(390)
        loss = language_model(rng, 390, knee=0.05)
        for shape, grown in (("explodes", np.exp(np.clip((t - at) / 15, 0, 8)) - 1), ("jumps to 30", np.where(t >= at, 25.0, 0))):
            yield Case(
                f"a loss that {shape} at step {at} of 390",
                run_of("faulty", {"loss": loss + grown}), run_of("twin", {"loss": loss}), at, min(at + 80, 389),
            )


def constant(rng: np.random.Generator) -> Iterator[Case]:
    loss = language_model(rng, 6_000)
    t = np.arange(6_000)
    for name, value in (("exactly constant", loss[3_000]), ("exactly 0", 0.0)):
        yield Case(
            f"a loss that is {name} from step 3,000 on",
            run_of("faulty", {"loss": np.where(t < 3_000, loss, value)}), run_of("twin", {"loss": loss}), 3_000, 4_200,
        )
    yield Case(
        "a loss that runs to -1e30",
        run_of("faulty", {"loss": np.where(t < 3_000, loss, loss - np.exp(np.clip((t - 3_000) / 20, 0, 69)))}),
        run_of("twin", {"loss": loss}), 3_000, 3_200,
    )


def too_good(rng: np.random.Generator) -> Iterator[Case]:
    loss = language_model(rng, 9_000)
    t = np.arange(9_000)
    for name, of in (("stuck on one batch", lambda s: np.exp(-s / 60)), ("a shard of one repeated token", lambda s: 0.02 + 0 * s)):
        stretch = (t >= 5_000) & (t < 5_600)
        yield Case(
            f"a loss too good: {name}",
            run_of("faulty", {"loss": np.where(stretch, loss * of(np.clip(t - 5_000, 0, None)), loss)}),
            run_of("twin", {"loss": loss}), 5_000, 5_400,
        )


def gradients(rng: np.random.Generator) -> Iterator[Case]:
    t = np.arange(6_000)
    loss = language_model(rng, 6_000)
    norm = np.exp(0.2 * rng.standard_normal(6_000))
    yield Case(
        "NaN gradients, loss 0, logged each 500th step",
        run_of("faulty", {"loss": np.where(t < 3_000, loss, 0), "grad_norm": np.where(t < 3_000, norm, np.nan)}, each=500),
        run_of("twin", {"loss": loss, "grad_norm": norm}, each=500), 3_000, 4_000,
    )
    yield Case(
        "gradients that are never finite",
        run_of("faulty", {"loss": loss[:400], "grad_norm": np.full(400, np.inf)}),
        run_of("twin, whose loss scaler overflows 24 times", {"loss": loss[:400], "grad_norm": np.where(t < 24, np.inf, norm)[:400]}),
        0, 120,
    )


SITUATIONS: list[Callable[[np.random.Generator], Iterator[Case]]] = [jumps, climbs, rare_losses, first_steps, constant, too_good, gradients]


# ---- healthy, and often taken for faults ---------------------------------------------------------------------------


def healthy(rng: np.random.Generator) -> Iterator[tuple[str, Run]]:
    t = np.arange(4_000)
    yield "an RL objective that rises from 0", run_of("rl", {"loss": 0.002 * np.sqrt(t) * rng.uniform(0.2, 3) + noise(rng, 4_000, 0.02)})
    yield "an RL objective around 0", run_of("rl0", {"loss": noise(rng, 4_000, 0.02) + 0.01 * np.sin(t / 300)})
    epochs = 2.4 * 0.8 ** (t // 800) + 0.05 * (t % 800 < 5)
    yield "epochs, each lower", run_of("epochs", {"loss": epochs + noise(rng, 4_000, 0.03)})
    ends = 2.4 * np.where(t % 800 > 780, 0.6, 1.0) * (1 - 0.1 * t / 4_000)
    yield "epochs whose end falls to 0.6 of the loss", run_of("ends", {"loss": ends + noise(rng, 4_000, 0.03)})


def first_alert(program: Path, read: set[str], run: Run, settings: list[str]) -> tuple[int, str] | None:
    alarms = [a for a in replay(program, read, run, Cadence(), settings) if a.severity != "observed"]
    return (alarms[0].step, alarms[0].rule) if alarms else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replay")
    parser.add_argument("--only", default="")
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--long", action="store_true", help="runs of 100,000 and a million steps, too")
    options = parser.parse_args()
    if options.long:
        LENGTHS.extend([100_000, 1_000_000])
    program = find_program(options.replay)
    read = metrics_read(program)
    failures = 0
    for situation in SITUATIONS:
        results: dict[str, list] = {}
        for seed in SEEDS:
            for case in situation(np.random.default_rng([seed, 14])):
                if options.only not in case.name:
                    continue
                said, false = (first_alert(program, read, run, options.set) for run in (case.faulty, case.twin))
                results.setdefault(case.name, []).append((said, false, case))
        for name, found in results.items():
            good = [s[0] - c.begins for s, _, c in found if s and c.begins <= s[0] <= c.until]
            wrong = [s for s, _, c in found if not s or not c.begins <= s[0] <= c.until]
            false = [f for _, f, _ in found if f]
            bad = len(good) < len(found) or false
            failures += bool(bad)
            print(f"{'FAIL' if bad else 'ok  '} {name}: {len(good)}/{len(found)}, after {max(good, default='–')} at most; "
                  f"false {len(false)}{' ' + str(false[:2]) if false else ''}{' instead: ' + str(wrong[:3]) if wrong else ''}", flush=True)
    by_name: dict[str, list] = {}
    for seed in SEEDS:
        for name, run in healthy(np.random.default_rng([seed, 15])):
            if options.only in name:
                by_name.setdefault(name, []).append(first_alert(program, read, run, options.set))
    for name, said in by_name.items():
        false = [s for s in said if s]
        failures += bool(false)
        print(f"{'FAIL' if false else 'ok  '} healthy: {name}: false {len(false)} of {len(said)} {false[:2]}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
