"""What is learnt: each task makes batches and turns a model's answer into a loss."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .objectives import OBJECTIVES
from .sequences import SEQUENCES
from .settings import Settings
from .task import IGNORED, Batch, Task

TEXT = Path(__file__).resolve().parents[2] / "tools" / "demo" / "corpus.txt"
PYTHON_SOURCE = Path("/usr/lib/python3")
PYTHON_BYTES = 1_500_000
FLAT_MODELS = ("mlp", "residual_mlp", "autoencoder", "highway", "dense", "equilibrium")


@lru_cache(maxsize=None)
def text_bytes(name: str) -> np.ndarray:
    """uint8 below 128: `english` release notes, `python` source of the machine, `markov` a chain of
    second order over 24 symbols."""
    if name == "english":
        return np.frombuffer(TEXT.read_bytes(), dtype=np.uint8) & 127
    if name == "python":
        folder = PYTHON_SOURCE if PYTHON_SOURCE.exists() else Path(sys.prefix) / "lib"
        parts, size = [], 0
        for path in sorted(folder.rglob("*.py")):
            raw = path.read_bytes()
            if len(raw) > 4000:
                parts.append(raw[:40_000])
                size += len(parts[-1])
            if size > PYTHON_BYTES:
                break
        return np.frombuffer(b"".join(parts), dtype=np.uint8) & 127
    if name == "markov":
        rng = np.random.default_rng(5)
        rows = np.cumsum(rng.dirichlet(np.full(24, 0.2), size=(24, 24)), axis=-1)
        chain, draws = [0, 1], rng.random(200_000)
        for draw in draws:
            following = int(np.searchsorted(rows[chain[-2], chain[-1]], draw))
            chain.append(min(following, 23))
        return np.array(chain, dtype=np.uint8)
    raise ValueError(f"data {name!r}: expected english, python or markov")


class Text(Task):
    """The next byte of a text."""

    causal = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.tokens = self.length = s.context
        self.prefix = s.prefix
        self.read = 0
        self.shift(s.data)

    def shift(self, to: str) -> None:
        self.text = text_bytes(to)[: self.s.subset or None]

    def windows(self, rng: np.random.Generator, size: int, length: int) -> torch.Tensor:
        last = len(self.text) - length
        if self.s.order == "random":
            start = rng.integers(0, last, (size, 1))
        else:
            # Row r reads on where it stopped, from r/size of the text on.
            start = (np.arange(size)[:, None] * (last // size) + self.read) % last
            self.read += length if self.s.order == "reading" else 0
            if self.s.order == "periodic":
                self.read = (self.read + 1009) % (1009 * 64)
        return torch.from_numpy(self.text[start + np.arange(length)].astype(np.int64))

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        both = self.windows(rng, size, self.length + 1)
        target = both[:, 1:].contiguous()
        if self.s.label_noise:
            wrong = torch.from_numpy(rng.random(target.shape) < self.s.label_noise)
            target = torch.where(
                wrong, torch.from_numpy(rng.integers(0, 128, target.shape)), target
            )
        if self.prefix:
            target[:, : self.prefix - 1] = IGNORED
        return both[:, :-1].contiguous(), target


class Masked(Text):
    """Bytes that were masked (15 %), from both sides."""

    causal = False

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        x = self.windows(rng, size, self.length)
        hidden = torch.from_numpy(rng.random(x.shape) < 0.15)
        hidden[:, 0] = True
        return torch.where(hidden, 127, x), torch.where(hidden, x, IGNORED)


class Modular(Task):
    """(a + b) mod 43 from a share of all pairs; weight decay brings understanding late."""

    outputs = 43
    inputs = 44
    tokens = 3
    causal = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        a, b = np.divmod(np.arange(43 * 43), 43)
        order = np.random.default_rng(s.seed).permutation(43 * 43)[: int(0.6 * 43 * 43)]
        self.x = torch.from_numpy(np.stack([a, b, np.full_like(a, 43)], 1)[order])
        self.y = torch.from_numpy(((a + b) % 43)[order])

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        rows = torch.from_numpy(rng.integers(0, len(self.x), size))
        target = torch.full((size, 3), IGNORED)
        target[:, 2] = self.y[rows]
        return self.x[rows], target


class Copy(Task):
    """The second half of a sequence repeats the first: random symbols, then the same again."""

    inputs = outputs = 32
    causal = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.tokens = s.context

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        half = self.tokens // 2
        first = rng.integers(0, 32, (size, half))
        both = torch.from_numpy(np.concatenate([first, first, first[:, :1]], axis=1))
        target = both[:, 1:].clone()
        target[:, : half - 1] = IGNORED
        return both[:, :-1].contiguous(), target.contiguous()


class Images(Task):
    """Which of 10 patterns a noisy, shifted 8×8 image shows; as 16 patches of 2×2."""

    inputs, outputs, tokens = 4, 10, 16
    vectors = pool = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        self.flat = s.model in FLAT_MODELS
        if self.flat:
            self.inputs = 64
        self.patterns = np.random.default_rng(11).normal(size=(10, 8, 8)).astype(np.float32)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        labels = rng.integers(0, 10, size)
        if self.s.imbalance:
            share = self.s.imbalance ** np.arange(10.0)
            labels = rng.choice(10, size, p=share / share.sum())
        images = self.patterns[labels]
        shift = int(rng.integers(0, 3))
        images = np.roll(images, shift, axis=2) + rng.normal(size=images.shape) * 0.7
        if self.s.label_noise:
            labels = np.where(
                rng.random(size) < self.s.label_noise, rng.integers(0, 10, size), labels
            )
        if not self.flat:
            images = images.reshape(size, 4, 2, 4, 2).transpose(0, 1, 3, 2, 4).reshape(size, 16, 4)
        else:
            images = images.reshape(size, 64)
        return torch.from_numpy(images.astype(np.float32)), torch.from_numpy(labels)

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return self.cross_entropy(model(batch[0]), batch[-1])


class Reconstruction(Images):
    """The image itself through a bottleneck; mean squared error."""

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return F.mse_loss(model(batch[0]), batch[0])


class Regression(Task):
    """A smooth function of 16 numbers without noise: its loss falls by orders of magnitude."""

    inputs, outputs = 16, 4
    vectors = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        rng = np.random.default_rng(17)
        self.mix = torch.from_numpy(rng.normal(size=(16, 4)).astype(np.float32)) / 4

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        x = torch.from_numpy(rng.normal(size=(size, 16)).astype(np.float32))
        y = torch.tanh(x @ self.mix) + self.s.label_noise * torch.randn(size, 4)
        return x, y

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        return F.mse_loss(model(batch[0]), batch[-1])


class ValueLearning(Task):
    """Q-learning on random transitions of a small Markov decision process, with a target network
    that follows each 200 updates: targets move, the loss is noisy and does not settle."""

    inputs, outputs = 16, 4
    vectors = True

    def __init__(self, s: Settings) -> None:
        super().__init__(s)
        rng = np.random.default_rng(23)
        self.features = torch.from_numpy(rng.normal(size=(64, 16)).astype(np.float32))
        self.following = rng.integers(0, 64, (64, 4, 3))
        self.reward = (rng.normal(size=(64, 4)) * 0.3).astype(np.float32)
        self.target: list[torch.Tensor] | None = None

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        state, action = rng.integers(0, 64, size), rng.integers(0, 4, size)
        following = self.following[state, action, rng.integers(0, 3, size)]
        reward = self.reward[state, action] + rng.normal(size=size).astype(np.float32) * 0.1
        return (
            self.features[state],
            torch.from_numpy(action),
            self.features[following],
            torch.from_numpy(reward.astype(np.float32)),
        )

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        x, action, following, reward = batch
        if self.target is None:
            self.after_update(model, 0)
        with torch.no_grad():
            best = self._run_target(following).max(dim=1).values
        chosen = model(x).gather(1, action[:, None])[:, 0]
        return F.mse_loss(chosen, reward + 0.9 * best)

    def _run_target(self, x: torch.Tensor) -> torch.Tensor:
        for i, (weight, bias) in enumerate(self.target):
            x = F.linear(F.relu(x) if i else x, weight, bias)
        return x

    def after_update(self, model: nn.Module, step: int) -> None:
        if step % 200 == 0:
            self.target = [
                (b.linear.weight.detach().clone(), b.linear.bias.detach().clone())
                for b in model.children()
            ]


class Adversarial(Task):
    """Points on a ring against a generator's: least squares, the discriminator's loss."""

    inputs, outputs = 2, 1
    vectors = True

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        angle = rng.integers(0, 8, size) * (np.pi / 4)
        real = np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(size=(size, 2)) * 0.05
        noise = rng.normal(size=(size, 8))
        return torch.from_numpy(real.astype(np.float32)), torch.from_numpy(noise.astype(np.float32))

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        real, made = model(*batch)
        return (real - 1).square().mean() + made.square().mean()


TASKS: dict[str, type[Task]] = {
    "text": Text,
    "masked": Masked,
    "modular": Modular,
    "copy": Copy,
    "images": Images,
    "reconstruction": Reconstruction,
    "regression": Regression,
    "values": ValueLearning,
    "adversarial": Adversarial,
    **SEQUENCES,
    **OBJECTIVES,
}
