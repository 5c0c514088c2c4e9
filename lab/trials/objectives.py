"""Tasks of vectors with other losses: pairs, ranks, quantiles, a teacher, several goals."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .settings import Settings
from .task import Batch, Task


def _normal(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=shape).astype(np.float32))


class Parity(Task):
    """The parity of 3 of 16 signs: nothing for long, then all at once."""

    inputs, outputs = 16, 2
    vectors = True

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        x = torch.from_numpy(rng.integers(0, 2, (size, 16)).astype(np.float32)) * 2 - 1
        return x, (x[:, :3].prod(dim=1) > 0).long()


class Contrastive(Task):
    """Two noisy views of each of some points; each has to find its other among all (InfoNCE)."""

    inputs, outputs = 32, 16
    vectors = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.mix = _normal(np.random.default_rng(29), 8, 32)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        points = _normal(rng, size, 8) @ self.mix
        return points + 0.5 * _normal(rng, size, 32), points + 0.5 * _normal(rng, size, 32)

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        a, b = F.normalize(model(torch.cat(batch)), dim=1).chunk(2)
        return F.cross_entropy(a @ b.T / 0.1, torch.arange(len(a)))


class Denoising(Task):
    """The noise in points of a spiral that noise of a random level was added to."""

    inputs, outputs = 3, 2
    vectors = True

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        angle = torch.from_numpy(rng.random(size).astype(np.float32)).sqrt() * 3 * math.pi
        points = torch.stack([angle.cos(), angle.sin()], 1) * angle[:, None] / 9
        level = torch.from_numpy(rng.random((size, 1)).astype(np.float32))
        noise = _normal(rng, size, 2)
        return torch.cat([points * (1 - level) + noise * level, level], 1), noise

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return F.mse_loss(model(batch[0]), batch[-1])


class Hidden(Task):
    """What the tasks below share: 16 numbers and a hidden function of them, [size, 4]."""

    inputs, outputs = 16, 4
    vectors = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        rng = np.random.default_rng(37)
        self.first, self.second = _normal(rng, 16, 24) / 4, _normal(rng, 24, 4) / 3

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        x = _normal(rng, size, 16)
        y = torch.tanh(x @ self.first) @ self.second
        return x, y + (0.2 + self.s.label_noise) * _normal(rng, size, 4)


class Ranking(Hidden):
    """Which of two has the greater value: the logistic loss of differences of scores."""

    outputs = 1

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        score, value = model(batch[0])[:, 0], batch[-1][:, 0]
        half = len(score) // 2
        sign = torch.sign(value[:half] - value[half : 2 * half])
        return F.softplus(-sign * (score[:half] - score[half : 2 * half])).mean()


class Likelihood(Hidden):
    """Mean and log variance of a normal distribution; the loss goes below 0."""

    outputs = 8

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        mean, log_variance = model(batch[0]).chunk(2, dim=1)
        error = (batch[-1] - mean).square()
        return 0.5 * (log_variance + error * torch.exp(-log_variance)).mean()


class Quantiles(Hidden):
    """The 10 %, 50 % and 90 % quantiles of each value (pinball loss)."""

    outputs = 12

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        error = batch[-1].repeat(1, 3) - model(batch[0])
        share = torch.tensor([0.1, 0.5, 0.9]).repeat_interleave(4)
        return torch.maximum(share * error, (share - 1) * error).mean()


class Distillation(Hidden):
    """The distribution over 4 classes of a frozen random teacher, at a temperature of 0.25."""

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        x = _normal(rng, size, 16)
        return x, torch.softmax(4 * torch.tanh(x @ self.first) @ self.second, dim=1)

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return F.kl_div(F.log_softmax(model(batch[0]), dim=1), batch[-1], reduction="batchmean")


class Several(Hidden):
    """Four values, the sign of the first, and the inputs themselves: three losses in one."""

    outputs = 21

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        x, y = batch
        answer = model(x)
        sign = F.binary_cross_entropy_with_logits(answer[:, 4], (y[:, 0] > 0).float())
        return F.mse_loss(answer[:, :4], y) + 0.5 * sign + 0.3 * F.mse_loss(answer[:, 5:], x)


class Margins(Hidden):
    """The largest of four values, with a hinge."""

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return F.multi_margin_loss(model(batch[0]), batch[-1].argmax(dim=1))


class Waves(Task):
    """The next value of two sines of random frequency, with a little noise; mean squared error."""

    inputs = outputs = 1
    causal = vectors = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.tokens = s.context

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        time = np.arange(self.tokens + 1)
        frequency, phase = rng.uniform(0.1, 1.0, (2, size, 1)), rng.uniform(0, 6.3, (2, size, 1))
        wave = np.sin(frequency * time + phase).sum(0) + rng.normal(size=(size, len(time))) * 0.05
        both = torch.from_numpy(wave.astype(np.float32))[:, :, None]
        return both[:, :-1], both[:, 1:]

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return F.mse_loss(model(batch[0]), batch[-1])


OBJECTIVES: dict[str, type[Task]] = {
    "parity": Parity,
    "contrastive": Contrastive,
    "denoising": Denoising,
    "ranking": Ranking,
    "likelihood": Likelihood,
    "quantiles": Quantiles,
    "distillation": Distillation,
    "several": Several,
    "margins": Margins,
    "waves": Waves,
}
