"""What people do to trainings on their way and what is no fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .event import Event, only
from .flat import Flat

if TYPE_CHECKING:
    from .task import Batch
    from .training import Training


class Evaluation(Event):
    """Each `period` steps the loss of `count` other batches is taken, without gradients."""

    def begin(self, training: Training) -> None:
        self.rng = np.random.default_rng(training.s.seed + 31)

    def each(self, training: Training, t: int) -> None:
        if (t - self.at) % self.period:
            return
        training.model.eval()
        with torch.no_grad():
            for _ in range(self.count):
                batch = training.task.batch(self.rng, training.s.batch)
                training.task.loss(training.model, batch)
        training.model.train()


class Plateau(Event):
    """The rate ×`mult` when the mean loss of `patience` steps is not below that of those before."""

    def begin(self, training: Training) -> None:
        self.total, self.best = 0.0, float("inf")

    def each(self, training: Training, t: int) -> None:
        self.total += training.loss
        if (t - self.at + 1) % self.patience:
            return
        mean, self.total = self.total / self.patience, 0.0
        if mean > self.best - self.options.get("by", 0.0):
            training.lr_factor *= self.mult
        self.best = min(self.best, mean)


class Rollback(Event):
    """Back to the weights of `back` steps ago, once; the optimizer's state stays. `at`: when they
    are kept."""

    def begin(self, training: Training) -> None:
        self.kept = training.flat.weights.clone()

    def weights(self, training: Training, t: int) -> None:
        if t == self.at + self.back:
            training.flat.weights.copy_(self.kept)


class Averaged(Event):
    """When it ends the weights become their mean over its time (stochastic weight averaging)."""

    def begin(self, training: Training) -> None:
        self.total = torch.zeros_like(training.flat.weights)

    def weights(self, training: Training, t: int) -> None:
        self.total += training.flat.weights

    def finish(self, training: Training) -> None:
        training.flat.weights.copy_(self.total / (self.end - self.at))


class Projection(Event):
    """After each update the rows of the matrices that `only` names get back the lengths that they
    had when it began."""

    def begin(self, training: Training) -> None:
        self.lengths = {
            span.name: Flat.of(training.flat.weights, span).norm(dim=1, keepdim=True)
            for span in training.flat.matching(only(self), matrices=True)
        }

    def weights(self, training: Training, t: int) -> None:
        for span in training.flat.matching(only(self), matrices=True):
            rows = Flat.of(training.flat.weights, span)
            rows.mul_(self.lengths[span.name] / rows.norm(dim=1, keepdim=True).clamp(min=1e-12))


class Mixture(Event):
    """The share of examples from the text `other` goes from 0 to 1 while it lasts."""

    def begin(self, training: Training) -> None:
        self.task = type(training.task)(training.s)
        self.task.shift(self.other)

    def batch(self, training: Training, t: int, batch: Batch) -> Batch:
        size = len(batch[0])
        other = self.task.batch(training.rng, size)
        share = (t - self.at) / (self.end - self.at)
        rows = torch.from_numpy(training.rng.random(size) < share)
        return tuple(
            torch.where(rows.view(-1, *[1] * (a.dim() - 1)), b, a) for a, b in zip(batch, other)
        )

    def finish(self, training: Training) -> None:
        training.task.shift(self.other)


class Order(Event):
    """The loader reads a text in another order (`to`: see settings.py)."""

    def begin(self, training: Training) -> None:
        training.s.order = self.to


OPERATIONS: dict[str, type[Event]] = {
    "evaluation": Evaluation,
    "plateau": Plateau,
    "rollback": Rollback,
    "averaged": Averaged,
    "projection": Projection,
    "mixture": Mixture,
    "order": Order,
}
