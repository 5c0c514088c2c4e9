"""One training, step by step. Deterministic by its settings (one thread, CPU)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from .events import Event, make_event
from .flat import Flat
from .models import make_model, watched
from .optimizers import OPTIMIZERS
from .schedules import learning_rate
from .settings import Settings
from .tasks import TASKS, Batch


@dataclass
class Scalars:
    """Of one step: the loss before the update, the gradient's norm before clipping, the rate."""

    step: int
    loss: float
    grad_norm: float
    lr: float


def nothing() -> None:
    """Done before an update that nobody samples."""


class Training:
    """`model`, its data, its optimizer; `step` does one update. `t` counts steps from 0; what is
    told outside is `settings.step0 + t`.

    `before_update` of `step` is called when the gradients are there and the weights are still those
    of the forward pass.
    """

    def __init__(self, settings: Settings) -> None:
        self.s = copy.deepcopy(settings)  # events change it
        torch.manual_seed(settings.seed)
        self.rng = np.random.default_rng(settings.seed + 7919)
        self.task = TASKS[settings.task](self.s)
        self.model = make_model(self.s, self.task)
        self.watched = watched(self.model)
        self.flat = Flat(self.model)
        self.optimizer = OPTIMIZERS[settings.optimizer](self.flat, self.s)
        self.lr_factor = 1.0
        self.skip = False
        self.loss = 0.0  # of the step before
        self.t = 0
        self._events: list[Event] = []
        self._done = 0
        for _ in range(settings.pretrain):
            self.step()
        if settings.pretrain and not settings.keep_state:
            self.optimizer.reset()
        self.t = 0
        self._events = [make_event(e) for e in settings.events]

    def capture(self, on: bool) -> None:
        """Whether the watched layers keep what they see."""
        for layer in self.watched:
            layer.module.capture = on
            layer.module.seen = None

    def step(self, before_update: Callable[[], None] = nothing) -> Scalars:
        t = self.t
        active = self._active(t)
        lr = learning_rate(self.s, self._done) * self.lr_factor
        loss = self.loss = self._backward(active, t)
        for event in active:
            event.gradients(self, t)
        g = self.flat.gradients
        norm = float(torch.linalg.vector_norm(g, dtype=torch.float64))
        before_update()
        if self.skip:
            self.skip, norm = False, math.inf
        else:
            if self.s.clip and norm > self.s.clip:
                g.mul_(self.s.clip / (norm + 1e-12))
            self.optimizer.update(lr)
            if self.s.weights == "bfloat16":
                self.flat.weights.copy_(self.flat.weights.bfloat16())
        for event in active:
            event.weights(self, t)
        self.task.after_update(self.model, self._done)
        self.t += 1
        self._done += 1
        return Scalars(self.s.step0 + t, loss, norm, lr)

    def _active(self, t: int) -> list[Event]:
        active = []
        for event in self._events:
            if t == event.at:
                event.begin(self)
            if t == event.end:
                event.finish(self)
            if event.at <= t < event.end:
                event.each(self, t)
                active.append(event)
        return active

    def _batch(self, active: list[Event], t: int) -> Batch:
        batch = self.task.batch(self.rng, self.s.batch)
        for event in active:
            batch = event.batch(self, t, batch)
        return batch

    def _backward(self, active: list[Event], t: int) -> float:
        """The mean loss and its gradient; of several micro-batches the last stays in `seen`."""
        self.flat.gradients.zero_()
        total = 0.0
        for _ in range(self.s.accumulate):
            batch = self._batch(active, t)
            loss = self.task.loss(self.model, batch) / self.s.accumulate
            loss.backward()
            total += loss.item()
        if self.s.sam:
            self._look_uphill(batch)
        return total

    def _look_uphill(self, batch: Batch) -> None:
        """The gradient of the batch at the weights a step of length `sam` uphill takes its place
        (arXiv 2010.01412)."""
        g = self.flat.gradients
        kept = self.flat.weights.clone()
        self.flat.weights.add_(g, alpha=self.s.sam / (float(g.norm()) + 1e-12))
        g.zero_()
        self.task.loss(self.model, batch).backward()
        self.flat.weights.copy_(kept)
