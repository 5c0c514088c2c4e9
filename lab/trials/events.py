"""What happens to a training on its way: faults, and things that look like faults and are none
(operations.py: what people do to trainings).

An event is a dict {"type": …, "at": t, "len": n (default: to the end), …}; `t` counts recorded
steps from 0. Its class says what else it takes and acts through the methods below. One marked
"background" is part of the scene and no fault of its own.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

import torch

from .event import Event, only
from .layers import Linear, rounded
from .operations import OPERATIONS

if TYPE_CHECKING:
    from .training import Training


# ---- the learning rate ---------------------------------------------------------------------------


class LearningRate(Event):
    """×`mult` from here on (`len`: for so long)."""

    def begin(self, training: Training) -> None:
        training.lr_factor *= self.mult

    def finish(self, training: Training) -> None:
        training.lr_factor /= self.mult


class Ramp(Event):
    """×`rate` each step: a decay with the wrong sign."""

    def each(self, training: Training, t: int) -> None:
        training.lr_factor *= self.rate


class Climb(Event):
    """+`slope` (of the peak) each step: a warm-up that never stops."""

    def each(self, training: Training, t: int) -> None:
        training.lr_factor += self.slope


class Restart(Event):
    """The schedule starts again each `period` steps, from `peak` times the peak, by a cosine."""

    def each(self, training: Training, t: int) -> None:
        phase = ((t - self.at) % self.period) / self.period
        training.lr_factor = 0.1 + self.peak * 0.5 * (1 + math.cos(math.pi * phase))


class LayerRate(Event):
    """The learning rate of the parameters with one of `only` in their name ×`mult`."""

    def begin(self, training: Training) -> None:
        flat, optimizer = training.flat, training.optimizer
        if optimizer.scale is None:
            optimizer.scale = torch.ones_like(flat.weights)
        optimizer.scale *= 1 + (self.mult - 1) * flat.mask(flat.matching(only(self)))


# ---- the optimizer -------------------------------------------------------------------------------


class Constants(Event):
    """Sets constants of the optimizer and of clipping (`set`: names of settings.py to values)."""

    def begin(self, training: Training) -> None:
        self.before = {name: getattr(training.s, name) for name in self.set}
        for name, value in self.set.items():
            setattr(training.s, name, value)

    def finish(self, training: Training) -> None:
        for name, value in self.before.items():
            setattr(training.s, name, value)


class OptimizerReset(Event):
    """The optimizer forgets its state."""

    def begin(self, training: Training) -> None:
        training.optimizer.reset()


class StateDamage(Event):
    """A moment of the optimizer (`which`) is multiplied by `mult`, once; or each `period` steps.
    `noise` instead: replaced by noise of so many times its root mean square."""

    def each(self, training: Training, t: int) -> None:
        period = self.options.get("period")
        if t != self.at and (not period or (t - self.at) % period):
            return
        state = training.optimizer.state.get(self.which)
        if state is None:
            return
        if "noise" in self.options:
            state.copy_(torch.randn_like(state) * state.square().mean().sqrt() * self.noise)
        else:
            state.mul_(self.mult)


# ---- gradients -----------------------------------------------------------------------------------


class GradientScale(Event):
    """Gradients ×`mult`, and ×`rate` more each step or each `period` steps: sums for averages, loss
    scales that are never taken out. `only`: those of some layers."""

    def begin(self, training: Training) -> None:
        self.factor = self.options.get("mult", 1.0)
        names = only(self)
        self.mask = training.flat.mask(training.flat.matching(names)) if names else None

    def gradients(self, training: Training, t: int) -> None:
        if (
            "rate" in self.options
            and t > self.at
            and (t - self.at) % self.options.get("period", 1) == 0
        ):
            self.factor *= self.rate
        g = training.flat.gradients
        g.mul_(self.factor if self.mask is None else 1 + (self.factor - 1) * self.mask)


class GradientNoise(Event):
    """Normal noise of `std` times each gradient's own root mean square."""

    def gradients(self, training: Training, t: int) -> None:
        g = training.flat.gradients
        for span in training.flat.spans:
            part = g[span.begin : span.end]
            part.add_(torch.randn_like(part) * part.square().mean().sqrt(), alpha=self.std)


class GradientRounding(Event):
    """Gradients with `bits` of mantissa, rounded by `mode`."""

    def gradients(self, training: Training, t: int) -> None:
        for span in training.flat.matching(only(self)):
            part = training.flat.gradients[span.begin : span.end]
            part.copy_(rounded(part, self.bits, self.mode))


class Stale(Event):
    """The gradient of `delay` steps ago is used."""

    def begin(self, training: Training) -> None:
        self.queue: deque[torch.Tensor] = deque()

    def gradients(self, training: Training, t: int) -> None:
        g = training.flat.gradients
        self.queue.append(g.clone())
        g.copy_(self.queue.popleft() if len(self.queue) > self.delay else self.queue[0])


class SkippedStep(Event):
    """Each `period` steps the loss scale overflows: the norm is infinite, the update is skipped."""

    def gradients(self, training: Training, t: int) -> None:
        if (t - self.at) % self.period == 0:
            training.skip = True


class HeavyTails(Event):
    """Now and then (`share` of the steps) the gradient is `mult` times as large."""

    def gradients(self, training: Training, t: int) -> None:
        if training.rng.random() < self.share:
            training.flat.gradients.mul_(self.mult)


# ---- weights -------------------------------------------------------------------------------------


class WeightRounding(Event):
    """Weights (`only`: some) are kept with `bits` of mantissa, rounded by `mode`."""

    def weights(self, training: Training, t: int) -> None:
        for span in training.flat.matching(only(self), matrices=True):
            part = training.flat.weights[span.begin : span.end]
            part.copy_(rounded(part, self.bits, self.mode))


class WeightGrowth(Event):
    """Weights (`only`: some) ×`rate` after each update, or ×`mult` once."""

    def weights(self, training: Training, t: int) -> None:
        factor = self.options.get("rate", self.options.get("mult", 1.0) if t == self.at else 1.0)
        for span in training.flat.matching(only(self), matrices=True):
            training.flat.weights[span.begin : span.end].mul_(factor)


class BitFlip(Event):
    """One weight of the first layer that `only` names becomes `value` (nan: not a number), once;
    `period`: again and again."""

    def weights(self, training: Training, t: int) -> None:
        period = self.options.get("period")
        if t == self.at or (period and (t - self.at) % period == 0):
            span = training.flat.matching(only(self))[0]
            at = int(training.rng.integers(span.begin, span.end))
            training.flat.weights[at] = float(self.value)


class Freeze(Event):
    """Parameters that `only` names stand still while it lasts."""

    def begin(self, training: Training) -> None:
        self.mask = 1 - training.flat.mask(training.flat.matching(only(self)))
        self.kept = training.flat.weights.clone()

    def weights(self, training: Training, t: int) -> None:
        training.flat.weights.copy_(torch.where(self.mask > 0, training.flat.weights, self.kept))


# ---- the model -----------------------------------------------------------------------------------


class Gain(Event):
    """`what` (attention_gain, residual_gain) of a transformer ×`mult`, and ×`rate` each step."""

    def begin(self, training: Training) -> None:
        self._turn(training, self.options.get("mult", 1.0))

    def each(self, training: Training, t: int) -> None:
        self._turn(training, self.options.get("rate", 1.0))

    def _turn(self, training: Training, factor: float) -> None:
        setattr(training.model, self.what, getattr(training.model, self.what) * factor)


class ActivationRounding(Event):
    """Outputs of the layers that `only` names have `bits` of mantissa, rounded by `mode`."""

    def begin(self, training: Training) -> None:
        for name, module in training.model.named_modules():
            if isinstance(module, Linear) and any(part in name for part in only(self)):
                module.rounding = self.bits, self.mode


class Dropout(Event):
    """Dropout becomes `p`."""

    def begin(self, training: Training) -> None:
        training.s.dropout = self.p


# ---- data ----------------------------------------------------------------------------------------


class BadData(Event):
    """Batches are spoilt (`kind`, see Task.poisoned), each `period` steps if that is given."""

    def batch(self, training: Training, t: int, batch: tuple) -> tuple:
        if (t - self.at) % self.options.get("period", 1):
            return batch
        return training.task.poisoned(batch, self.kind, training.rng)


class Shift(Event):
    """The data becomes `to`."""

    def begin(self, training: Training) -> None:
        training.task.shift(self.to)


class Shape(Event):
    """Sets `batch`, `accumulate`, `label_noise`; or `context`, up to that of the settings."""

    def begin(self, training: Training) -> None:
        for name in ("batch", "accumulate", "label_noise"):
            if name in self.options:
                setattr(training.s, name, self.options[name])
        if "context" in self.options:
            training.task.length = self.options["context"]


EVENTS: dict[str, type[Event]] = {
    "lr": LearningRate,
    "ramp": Ramp,
    "climb": Climb,
    "restart": Restart,
    "layer_lr": LayerRate,
    "constants": Constants,
    "reset": OptimizerReset,
    "state": StateDamage,
    "gradient_scale": GradientScale,
    "gradient_noise": GradientNoise,
    "gradient_rounding": GradientRounding,
    "stale": Stale,
    "skipped": SkippedStep,
    "heavy_tails": HeavyTails,
    "weight_rounding": WeightRounding,
    "weight_growth": WeightGrowth,
    "bit_flip": BitFlip,
    "freeze": Freeze,
    "gain": Gain,
    "activation_rounding": ActivationRounding,
    "dropout": Dropout,
    "bad_data": BadData,
    "shift": Shift,
    "shape": Shape,
    **OPERATIONS,
}


def make_event(description: dict[str, Any]) -> Event:
    options = dict(description)
    kind = options.pop("type")
    options.pop("background", None)
    if kind not in EVENTS:
        raise ValueError(f"event {kind!r}: expected one of {', '.join(EVENTS)}")
    return EVENTS[kind](**options)
