"""Optimizers that are seldom met, most of them relatives of Adam."""

from __future__ import annotations

import torch

from .optimizer import AdamW, Optimizer


class PlainAdam(AdamW):
    """Adam without the correction of its young moments."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        m = self.moment("m").lerp_(g, 1 - self.s.beta1)
        v = self.moment("v").mul_(self.s.beta2).addcmul_(g, g, value=1 - self.s.beta2)
        return m / v.sqrt().add_(self.s.eps)


class NAdam(AdamW):
    """Adam with Nesterov's look ahead."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        b1 = self.s.beta1
        way = super().direction(g)
        root = (self.state["v"] / (1 - self.s.beta2**self.count)).sqrt_().add_(self.s.eps)
        return b1 * way + (1 - b1) / (1 - b1**self.count) * g / root


class RAdam(AdamW):
    """Adam that begins as momentum, until its second moment is of use (arXiv 1908.03265)."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        way, b2 = super().direction(g), self.s.beta2
        most = 2 / (1 - b2) - 1
        length = most - 2 * self.count * b2**self.count / (1 - b2**self.count)
        if length <= 5:
            return self.state["m"] / (1 - self.s.beta1**self.count)
        part = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
        return way * part**0.5


class AMSGrad(AdamW):
    """Adam whose second moment never falls."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        way = super().direction(g)
        v = self.state["v"] / (1 - self.s.beta2**self.count)
        largest = torch.maximum(self.moment("largest"), v, out=self.moment("largest"))
        return way * v.sqrt().add_(self.s.eps) / largest.sqrt().add_(self.s.eps)


class Adamax(AdamW):
    """The largest gradient, fading, for a second moment."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        m = self.moment("m").lerp_(g, 1 - self.s.beta1)
        u = self.moment("u").mul_(self.s.beta2)
        torch.maximum(u, g.abs().add_(self.s.eps), out=u)
        return m / (1 - self.s.beta1**self.count) / u


class AdaBelief(AdamW):
    """The second moment of what the first did not foresee (arXiv 2010.07468)."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        b1, b2 = self.s.beta1, self.s.beta2
        m = self.moment("m").lerp_(g, 1 - b1)
        off = g - m
        v = self.moment("v").mul_(b2).addcmul_(off, off, value=1 - b2).add_(self.s.eps)
        return m / (1 - b1**self.count) / ((v / (1 - b2**self.count)).sqrt_().add_(self.s.eps))


class AdEMAMix(AdamW):
    """A second, slow momentum beside the first, its share growing over 1000 updates (arXiv
    2409.03137, with 0.999 and 3). It is divided by the root of beta2's moment: a beta2 that forgets
    much faster than 0.999 divides old, large gradients by new, small ones."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        way = super().direction(g)
        slow = self.moment("slow_m").lerp_(g, 1e-3)
        root = (self.state["v"] / (1 - self.s.beta2**self.count)).sqrt_().add_(self.s.eps)
        return way + 3.0 * min(1.0, self.count / 1000) * slow / root


class Sophia(Optimizer):
    """Momentum over the curvature as squared gradients tell it, cut off at 1 (after arXiv
    2305.14342)."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        m = self.moment("m").lerp_(g, 1 - self.s.beta1)
        h = self.moment("h")
        if self.count % 10 == 1:
            h.mul_(self.s.beta2).addcmul_(g, g, value=(1 - self.s.beta2) * self.s.batch)
        return (m / (0.05 * h).clamp_(min=1e-12)).clamp_(-1, 1)


class Lamb(AdamW):
    """Adam's direction, in each parameter as long as its weights (arXiv 1904.00962)."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        return self._scaled(super().direction(g))

    def _scaled(self, way: torch.Tensor) -> torch.Tensor:
        for span in self.flat.spans:
            part = way[span.begin : span.end]
            size = float(self.flat.weights[span.begin : span.end].norm())
            part.mul_(min(max(size, 0.1), 10.0) / (float(part.norm()) + 1e-12))
        return way


class Lars(Lamb):
    """Momentum of gradients that are as long as their weights."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        return self.moment("m").mul_(self.s.momentum).add_(self._scaled(g.clone()))


class Signum(Optimizer):
    """The sign of the momentum."""

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        return torch.sign(self.moment("m").lerp_(g, 1 - self.s.momentum))


class Adadelta(Optimizer):
    decoupled = False

    def direction(self, g: torch.Tensor) -> torch.Tensor:
        b, past = self.s.beta2, self.moment("past")
        v = self.moment("v").mul_(b).addcmul_(g, g, value=1 - b)
        way = g * ((past + 1e-6) / (v + 1e-6)).sqrt_()
        past.mul_(b).addcmul_(way, way, value=1 - b)
        return way


class ScheduleFree(Optimizer):
    """Gradients are taken between a fast point and the mean of all its places (arXiv 2405.15682);
    the weights are that point between, Adam's second moment scales the steps."""

    def update(self, lr: float) -> None:
        weights, g = self.flat.weights, self.flat.gradients
        self.count += 1
        for name in ("fast", "mean"):
            if name not in self.state:
                self.state[name] = weights.clone()
        fast, mean = self.state["fast"], self.state["mean"]
        v = self.moment("v").mul_(self.s.beta2).addcmul_(g, g, value=1 - self.s.beta2)
        way = g / (v / (1 - self.s.beta2**self.count)).sqrt_().add_(self.s.eps)
        fast.add_(way.addcmul(self.decay_mask, weights, value=self.s.weight_decay), alpha=-lr)
        mean.lerp_(fast, 1 / self.count)
        weights.copy_(torch.lerp(fast, mean, self.s.beta1))


ADAPTIVE: dict[str, type[Optimizer]] = {
    "plain_adam": PlainAdam,
    "nadam": NAdam,
    "radam": RAdam,
    "amsgrad": AMSGrad,
    "adamax": Adamax,
    "adabelief": AdaBelief,
    "ademamix": AdEMAMix,
    "sophia": Sophia,
    "lamb": Lamb,
    "lars": Lars,
    "signum": Signum,
    "adadelta": Adadelta,
    "schedule_free": ScheduleFree,
}
