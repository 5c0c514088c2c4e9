"""The usual optimizers, and the table of all."""

from __future__ import annotations

import torch

from .adaptive import ADAPTIVE
from .flat import Flat
from .optimizer import Adam, AdamW, Optimizer
from .settings import Settings


class SGD(Optimizer):
    decoupled = False
    nesterov = False

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        if not self.s.momentum:
            return g
        m = self.moment("m").mul_(self.s.momentum).add_(g)
        return g.add(m, alpha=self.s.momentum) if self.nesterov else m


class Nesterov(SGD):
    nesterov = True


class SGDW(SGD):
    decoupled = True


class RMSprop(Optimizer):
    decoupled = False

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        v = self.moment("v").mul_(self.s.beta2).addcmul_(g, g, value=1 - self.s.beta2)
        way = g / v.sqrt().add_(self.s.eps)
        if not self.s.momentum:
            return way
        return self.moment("m").mul_(self.s.momentum).add_(way)


class Adagrad(Optimizer):
    decoupled = False

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        v = self.moment("v").addcmul_(g, g)
        return g / v.sqrt().add_(self.s.eps)


class Lion(Optimizer):
    """The sign of a mixture of gradient and momentum (arXiv 2302.06675)."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        m = self.moment("m")
        way = torch.sign(torch.lerp(m, g, 1 - self.s.beta1))
        m.lerp_(g, 1 - self.s.beta2)
        return way


class Adafactor(Optimizer):
    """A second moment by rows and columns, the update clipped to a root mean square of 1
    (arXiv 1804.04235), without relative step sizes."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        b2 = min(self.s.beta2, 1 - self.count**-0.8)
        way = torch.empty_like(g)
        for span in self.flat.spans:
            part = self.flat.of(g, span)
            square = part * part + 1e-30
            if len(span.shape) == 2:
                rows = self._mean(span.name + ".rows", square.mean(1), b2)
                columns = self._mean(span.name + ".columns", square.mean(0), b2)
                step = part / torch.outer(rows / rows.mean(), columns).sqrt_()
            else:
                step = part / self._mean(span.name, square, b2).sqrt()
            rms = step.pow(2).mean().sqrt()
            self.flat.of(way, span).copy_(step / torch.clamp(rms, min=1.0))
        return way

    def _mean(self, name: str, value: torch.Tensor, beta: float) -> torch.Tensor:
        if name not in self.state:
            self.state[name] = torch.zeros_like(value)
        return self.state[name].mul_(beta).add_(value, alpha=1 - beta)


def orthogonalized(matrix: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """Newton-Schulz: singular values near 1, singular vectors kept."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.T if tall else x


class Muon(Optimizer):
    """Momentum, orthogonalized, for the matrices of the blocks; AdamW's direction, a tenth as fast,
    for all else."""

    def __init__(self, flat: Flat, settings: Settings) -> None:
        super().__init__(flat, settings)
        self._inner = [
            s
            for s in flat.spans
            if len(s.shape) == 2 and not any(p in s.name for p in ("embed", "head", "position"))
        ]
        self._adam = AdamW(flat, settings)

    def reset(self) -> None:
        super().reset()
        self._adam.reset()

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        self._adam.count = self.count
        way = self._adam.direction(g) * 0.1
        m = self.moment("m").mul_(self.s.momentum).add_(g)
        nesterov = g.add(m, alpha=self.s.momentum)
        for span in self._inner:
            gain = 0.2 * max(span.shape) ** 0.5
            self.flat.of(way, span).copy_(orthogonalized(self.flat.of(nesterov, span)) * gain)
        return way


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adamw": AdamW,
    "adam": Adam,
    "sgd": SGD,
    "nesterov": Nesterov,
    "sgdw": SGDW,
    "rmsprop": RMSprop,
    "adagrad": Adagrad,
    "lion": Lion,
    "adafactor": Adafactor,
    "muon": Muon,
    **ADAPTIVE,
}
