"""What a task is: see tasks.py, sequences.py and objectives.py."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .settings import Settings

IGNORED = -100  # a target that does not count

Batch = tuple[torch.Tensor, ...]


class Task:
    """Sizes that a model needs, a source of batches, and the loss.

    `inputs`, `outputs`: vocabulary or width; `tokens`: positions; `vectors`: the inputs are dense;
    `pool`: one answer for all positions. A batch is a tuple, inputs first, targets last.
    """

    inputs = outputs = 128
    tokens = 32
    causal = vectors = pool = False

    def __init__(self, s: Settings) -> None:
        self.s = s

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        raise NotImplementedError

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        x, target = batch
        return self.cross_entropy(model(x).flatten(0, -2), target.flatten())

    def cross_entropy(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Of [rows, classes], with the settings' label smoothing and penalty of large logits."""
        loss = F.cross_entropy(
            logits, target, ignore_index=IGNORED, label_smoothing=self.s.label_smoothing
        )
        if self.s.z_loss:
            loss = loss + self.s.z_loss * torch.logsumexp(logits, -1).square().mean()
        return loss

    def poisoned(self, batch: Batch, kind: str, rng: np.random.Generator) -> Batch:
        """What a broken loader makes of a batch: `random`, `stuck` (one example again and again),
        `constant`, `shuffled` (inputs against targets), `one_label`, `huge` (wrong units)."""
        x, target = batch[0], batch[-1]
        middle = batch[1:-1]
        if kind == "random":
            x = (
                torch.randint(self.inputs, x.shape)
                if not x.is_floating_point()
                else 3 * torch.randn_like(x)
            )
            target = target[torch.randperm(len(target))] if len(batch) > 1 else target
        elif kind == "stuck":
            x, target = x[:1].expand_as(x).contiguous(), target[:1].expand_as(target).contiguous()
        elif kind == "constant":
            x = torch.zeros_like(x) + (1 if x.is_floating_point() else 65 % self.inputs)
        elif kind == "shuffled":
            target = target[torch.randperm(len(target))]
        elif kind == "one_label":
            target = (
                torch.full_like(target, 7)
                if not target.is_floating_point()
                else torch.full_like(target, 7.0)
            )
        elif kind == "huge":
            x = x * 100 if x.is_floating_point() else torch.full_like(x, self.inputs - 1)
        else:
            raise ValueError(f"bad data {kind!r}")
        return (x, *middle, target)

    def after_update(self, model: nn.Module, step: int) -> None:
        """For tasks with a state of their own."""

    def shift(self, to: str) -> None:
        """The data becomes another's."""
        raise ValueError(f"{self.s.task} has no other data")
