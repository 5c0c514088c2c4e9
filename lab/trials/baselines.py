#!/usr/bin/env python3
"""What people watch trainings with today, on recorded runs: alarms as foreshock-eval writes them.

    baselines.py FOLDER -o ALARMS.csv [--only ID...]

FOLDER is as for foreshock-eval; of its manifest `id` and `file` alone are read. Each detector is a
function of a recorded run that yields the steps at which it raises an alarm; an alarm goes on while
its condition does and COOLDOWN steps longer, so that one spike is one alarm.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from evaluation.corpus import run_ids  # noqa: E402
from evaluation.recording import BadRecording  # noqa: E402
from evaluation.replay import Alarm, write_alarms  # noqa: E402

COOLDOWN = 100
Recorded = dict[str, np.ndarray]  # loss, gnorm [steps]; sample_steps, M, metrics; step0


class Running:
    """Exponential mean and variance of a sequence, as ZClip keeps them; `ready` after `warmup`
    values, whose plain mean and variance it begins with."""

    def __init__(self, alpha: float, warmup: int) -> None:
        self.alpha, self.warmup = alpha, warmup
        self._first: list[float] = []
        self.mean = self.variance = 0.0

    @property
    def ready(self) -> bool:
        return len(self._first) == self.warmup

    def z(self, value: float) -> float:
        """Standard deviations above the mean; of what is not finite: inf."""
        if not np.isfinite(value):
            return float("inf")
        return (value - self.mean) / (np.sqrt(self.variance) + 1e-6)

    def add(self, value: float) -> None:
        if not np.isfinite(value):
            return
        if not self.ready:
            self._first.append(value)
            self.mean, self.variance = float(np.mean(self._first)), float(np.var(self._first))
            return
        self.mean = self.alpha * self.mean + (1 - self.alpha) * value
        self.variance = self.alpha * self.variance + (1 - self.alpha) * (value - self.mean) ** 2


def loss_ema_6_sigma(run: Recorded) -> Iterator[int]:
    """The loss is 6 standard deviations above its exponential mean (0.99, from step 100 on): the
    plain z-score of a logged curve. The mean is that of ZClip (below), the factor that of OLMo's
    optimizer."""
    running = Running(0.99, 100)
    for t, loss in enumerate(run["loss"]):
        if running.ready and running.z(loss) > 6:
            yield t
        running.add(loss)


def _zclip(run: Recorded, threshold: float) -> Iterator[int]:
    running = Running(0.97, 25)
    for t, norm in enumerate(run["gnorm"]):
        z = running.z(norm) if running.ready else 0.0
        if z > threshold:
            yield t
            # A clipped norm enters the mean, as ZClip's reciprocal clipping has it.
            norm = (
                running.mean + 2.5 * 2.5 / z * np.sqrt(running.variance)
                if np.isfinite(z)
                else running.mean
            )
        running.add(norm)


def zclip_2_5(run: Recorded) -> Iterator[int]:
    """ZClip's own threshold: the gradient's norm is 2.5 standard deviations above its exponential
    mean (0.97, 25 steps of warm-up), where ZClip would clip. Kumar et al., ZClip: Adaptive Spike
    Mitigation for LLM Pre-Training, arXiv 2504.02507; repository bluorion-com/ZClip."""
    yield from _zclip(run, 2.5)


def zclip_6(run: Recorded) -> Iterator[int]:
    """The same figure with a threshold of 6, as an alarm rather than a means of clipping."""
    yield from _zclip(run, 6.0)


def megatron_spiky_loss(run: Recorded) -> Iterator[int]:
    """The loss is above 10 times the largest of the first 100 steps: Megatron-LM's
    --check-for-spiky-loss (SPIKY_LOSS_FACTOR = 10 in pretrain_gpt.py; is_unexpectedly_large, 100
    samples, in megatron/core/rerun_state_machine.py; repository NVIDIA/Megatron-LM)."""
    loss = np.abs(run["loss"])
    largest = loss[:100].max() if len(loss) else 0.0
    yield from (int(t) for t in np.nonzero(~(loss <= 10 * largest))[0] if t >= 100)


def _olmo(run: Recorded, name: str) -> Iterator[int]:
    """Beyond mean + 6 standard deviations of the 128 steps before, from 64 steps on."""
    values = run[name]
    for t in range(64, len(values)):
        before = values[max(0, t - 128) : t]
        with np.errstate(invalid="ignore"):
            good = values[t] - before.mean() <= 6 * before.std(ddof=1)
        if not good:
            yield t


def olmo_skip_step(run: Recorded) -> Iterator[int]:
    """The loss or the gradient's norm is 6 standard deviations above the mean of the last 128
    steps, where OLMo skips the update: SkipStepOptimizer (rolling_interval_length 128, sigma_factor
    6), src/olmo_core/optim/skip_step_optimizer.py, repository allenai/OLMo-core."""
    yield from sorted({*_olmo(run, "loss"), *_olmo(run, "gnorm")})


def _ratio(run: Recorded, metric: str, factor: float, early: int) -> Iterator[int]:
    """Some layer's figure is `factor` times its median over the samples of the first `early` steps
    (at least 3 samples)."""
    steps = run["sample_steps"] - run["step0"]
    values = run["M"][:, :, list(run["metrics"]).index(metric)]
    first = max(3, int((steps < early).sum()))
    if len(steps) <= first:
        return
    base = np.nanmedian(np.where(np.isfinite(values[:first]), values[:first], np.nan), axis=0)
    with np.errstate(invalid="ignore"):
        hit = ((values[first:] > factor * base) & (base > 0)).any(axis=1)
    yield from steps[first:][hit].tolist()


def weight_norm_2(run: Recorded) -> Iterator[int]:
    """A layer's weight norm is twice that of the first 100 steps: norms that grow are what
    parameter histograms (TensorBoard, Weights & Biases) are looked at for, and a known companion
    of instability at high learning rates (Wortsman et al., Small-scale proxies for large-scale
    Transformer training instabilities, arXiv 2309.14322)."""
    yield from _ratio(run, "wnorm", 2.0, 100)


def activation_max_8(run: Recorded) -> Iterator[int]:
    """A layer's largest input is 8 times that of the first 100 steps: what trackers of activations
    show (of massive activations: Sun et al., Massive Activations in Large Language Models, arXiv
    2402.17762)."""
    yield from _ratio(run, "act_max", 8.0, 100)


DETECTORS: dict[str, Callable[[Recorded], Iterator[int]]] = {
    f.__name__: f
    for f in (
        loss_ema_6_sigma,
        zclip_2_5,
        zclip_6,
        megatron_spiky_loss,
        olmo_skip_step,
        weight_norm_2,
        activation_max_8,
    )
}


def spells(steps: Iterator[int]) -> Iterator[int]:
    """The first step of each spell: hits that lie more than COOLDOWN apart."""
    last = None
    for step in steps:
        if last is None or step - last > COOLDOWN:
            yield step
        last = step


def alarms(name: str, path: Path) -> list[Alarm]:
    """Of all detectors for one run."""
    with np.load(path) as file:
        run = {key: file[key] for key in ("loss", "gnorm", "sample_steps", "M", "metrics")}
        run["step0"] = file["step0"] if "step0" in file.files else np.array(0)
    return [
        Alarm(name, step + int(run["step0"]), rule, "warning")
        for rule, detector in DETECTORS.items()
        for step in spells(detector(run))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--out", required=True, metavar="ALARMS.csv")
    parser.add_argument("--only", nargs="+", metavar="ID")
    options = parser.parse_args()
    try:
        runs = run_ids(options.folder)
    except BadRecording as error:
        sys.exit(f"baselines.py: {error}")
    write_alarms(
        options.out,
        (
            alarm
            for name, path in runs
            if not options.only or name in options.only
            for alarm in alarms(name, path)
        ),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
