"""How the watched linear layers begin, other than by `Linear` itself."""

from __future__ import annotations

import math

import torch
from torch import nn

from .layers import Linear
from .settings import Settings


def initialize(model: nn.Module, s: Settings) -> None:
    """By `s.scheme`: normal (as they are), orthogonal, uniform, fan_out (by the number of outputs),
    sparse (a tenth of the weights), identity (half of it and noise), zero_out (last layers of
    residual parts), zero_head."""
    if s.scheme == "normal":
        return
    if s.scheme not in SCHEMES:
        raise ValueError(f"scheme {s.scheme!r}: expected normal, {', '.join(SCHEMES)}")
    with torch.no_grad():
        for name, module in model.named_modules():
            part = name.rpartition(".")[2]
            if isinstance(module, Linear) or part == "head":
                SCHEMES[s.scheme](module.weight, part, s)


def _orthogonal(w: torch.Tensor, part: str, s: Settings) -> None:
    size = float(w.norm())
    nn.init.orthogonal_(w)
    w.mul_(size / w.norm())


def _uniform(w: torch.Tensor, part: str, s: Settings) -> None:
    edge = math.sqrt(3.0) * float(w.std())
    nn.init.uniform_(w, -edge, edge)


def _fan_out(w: torch.Tensor, part: str, s: Settings) -> None:
    w.mul_(math.sqrt(w.shape[1] / w.shape[0]))


def _sparse(w: torch.Tensor, part: str, s: Settings) -> None:
    w.mul_((torch.rand_like(w) < 0.1) * math.sqrt(10.0))


def _identity(w: torch.Tensor, part: str, s: Settings) -> None:
    w.mul_(0.5).add_(torch.eye(*w.shape), alpha=0.5 if part != "head" else 0.0)


def _zero_out(w: torch.Tensor, part: str, s: Settings) -> None:
    if part in ("o", "out") or part.endswith("_out"):
        w.zero_()


def _zero_head(w: torch.Tensor, part: str, s: Settings) -> None:
    if part == "head":
        w.zero_()


SCHEMES = {
    "orthogonal": _orthogonal,
    "uniform": _uniform,
    "fan_out": _fan_out,
    "sparse": _sparse,
    "identity": _identity,
    "zero_out": _zero_out,
    "zero_head": _zero_head,
}
