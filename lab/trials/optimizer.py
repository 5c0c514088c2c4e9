"""What an optimizer is, and the one that most others are relatives of."""

from __future__ import annotations

import torch

from .flat import Flat
from .settings import Settings


class Optimizer:
    """Turns a gradient into a direction; `update` goes along it.

    `settings` is read at each update, so that an event may change a constant on the way.

    `decoupled`: weight decay shrinks the weights directly (AdamW) instead of joining the gradient.
    Matrices alone decay. `scale`: a factor of the learning rate for each weight, None: 1.
    """

    decoupled = True

    def __init__(self, flat: Flat, settings: Settings) -> None:
        self.flat = flat
        self.s = settings
        self.decay_mask = flat.matrix_mask()
        self.scale: torch.Tensor | None = None
        self.count = 0
        self.state: dict[str, torch.Tensor] = {}

    def reset(self) -> None:
        self.count = 0
        self.state.clear()

    def moment(self, name: str) -> torch.Tensor:
        """A vector of the state, 0 at first."""
        if name not in self.state:
            self.state[name] = torch.zeros_like(self.flat.weights)
        return self.state[name]

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def update(self, lr: float) -> None:
        weights, g = self.flat.weights, self.flat.gradients
        self.count += 1
        decay = self.s.weight_decay
        if decay and not self.decoupled:
            g = g.addcmul(self.decay_mask, weights, value=decay)
        way = self.direction(g)
        if decay and self.decoupled:
            way = way.addcmul(self.decay_mask, weights, value=decay)
        if self.scale is None:
            weights.add_(way, alpha=-lr)
        else:
            weights.addcmul_(way, self.scale, value=-lr)
        if self.s.lookahead:
            self._look_back()

    def _look_back(self) -> None:
        """Slow weights that go half the way of the fast ones (arXiv 1907.08610)."""
        if "slow" not in self.state:
            self.state["slow"] = self.flat.weights.clone()
        elif self.count % self.s.lookahead == 0:
            self.flat.weights.copy_(self.state["slow"].lerp_(self.flat.weights, 0.5))


class AdamW(Optimizer):
    def direction(self, g: torch.Tensor) -> torch.Tensor:
        b1, b2 = self.s.beta1, self.s.beta2
        m = self.moment("m").lerp_(g, 1 - b1)
        v = self.moment("v").mul_(b2).addcmul_(g, g, value=1 - b2)
        # Betas at their ends (a fault) leave the correction out.
        first = 1 - b1**self.count or 1.0
        second = 1 - b2**self.count or 1.0
        return m / first / ((v / second).sqrt_().add_(self.s.eps))


class Adam(AdamW):
    decoupled = False
