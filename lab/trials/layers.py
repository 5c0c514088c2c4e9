"""Building blocks of the models: linear layers that can be watched, norms, activations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from evaluation.corpus import ROLES

GATED = {"swiglu": F.silu, "geglu": F.gelu, "reglu": F.relu, "bilinear": lambda x: x}
PLAIN = {
    "gelu": F.gelu,
    "relu": F.relu,
    "relu2": lambda x: F.relu(x).square(),
    "tanh": torch.tanh,
    "silu": F.silu,
    "selu": F.selu,
    "leaky": F.leaky_relu,
    "sine": torch.sin,
}


def rounded(x: torch.Tensor, bits: int, mode: str) -> torch.Tensor:
    """float32 values with `bits` explicit mantissa bits; what is cut off is dropped (`zero`), or
    rounded `away` from zero, `up`, `down` or to `near`est. The gradient passes unchanged."""
    cut = 23 - bits
    keep = ~((1 << cut) - 1)
    with torch.no_grad():
        raw = x.detach().contiguous().view(torch.int32)
        if mode == "zero":
            result = raw & keep
        elif mode == "near":
            result = (raw + (1 << (cut - 1))) & keep
        else:
            result = (raw + ((1 << cut) - 1)) & keep
            if mode != "away":
                result = torch.where((raw >= 0) == (mode == "up"), result, raw & keep)
        result = result.view(torch.float32)
    return x + (result - x).detach() if x.requires_grad else result


class Linear(nn.Linear):
    """y = W x (+ b). While `capture` is set, `seen` holds the inputs [..., in] and outputs
    [..., out] of the last call. `rounding`: (bits, mode) of the output, a fault."""

    def __init__(self, inputs: int, outputs: int, std: float, bias: bool = False) -> None:
        super().__init__(inputs, outputs, bias=bias)
        nn.init.normal_(self.weight, std=std)
        if bias:
            nn.init.zeros_(self.bias)
        self.capture = False
        self.seen: tuple[torch.Tensor, torch.Tensor] | None = None
        self.rounding: tuple[int, str] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.linear(x, self.weight, self.bias)
        if self.rounding is not None:
            y = rounded(y, *self.rounding)
        if self.capture:
            self.seen = x.detach(), y.detach()
        return y


class Adapted(Linear):
    """A frozen linear layer with a trained low-rank sum beside it: W x + B A x, B = 0 at first."""

    def __init__(self, inputs: int, outputs: int, std: float, rank: int) -> None:
        super().__init__(inputs, outputs, std)
        self.lora_a = Linear(inputs, rank, 1 / math.sqrt(inputs))
        self.lora_b = Linear(rank, outputs, 0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + self.lora_b(self.lora_a(x))


class Norm(nn.Module):
    """RMSNorm or LayerNorm over the last axis; `batch`: each channel over all rows."""

    def __init__(self, width: int, kind: str) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if kind != "rms" else None
        self.kind = kind

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.kind == "batch":
            flat = x.flatten(0, -2)
            return F.batch_norm(flat, None, None, self.gain, self.bias, True).view(x.shape)
        if self.bias is not None:
            return F.layer_norm(x, x.shape[-1:], self.gain, self.bias, 1e-5)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.gain


class MLP:
    """Adds the layers of an MLP to a module (`in`, `out`, and `gate` if gated) and runs them.

    It is no module itself, so that the layers are called BLOCK.in and not BLOCK.mlp.in."""

    def __init__(
        self,
        owner: nn.Module,
        width: int,
        hidden: int,
        kind: str,
        init: float,
        out_gain: float,
        bias: bool = False,
        prefix: str = "",
    ) -> None:
        std = init / math.sqrt(width)
        self.kind = kind
        self.gate = (
            self._add(owner, prefix + "gate", width, hidden, std, bias) if kind in GATED else None
        )
        self.inner = self._add(owner, prefix + "in", width, hidden, std, bias)
        self.outer = self._add(
            owner, prefix + "out", hidden, width, out_gain * init / math.sqrt(hidden), bias
        )

    @staticmethod
    def _add(
        owner: nn.Module, name: str, inputs: int, outputs: int, std: float, bias: bool
    ) -> Linear:
        layer = Linear(inputs, outputs, std, bias)
        owner.add_module(name, layer)
        return layer

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self.gate is not None:
            return self.outer(GATED[self.kind](self.gate(x)) * self.inner(x))
        return self.outer(PLAIN[self.kind](self.inner(x)))


@dataclass
class Watched:
    """A layer that is recorded: y = W x. `module` has `weight` [out, in], `capture`, `seen`."""

    name: str
    role: str
    block: str  # of the MLP that it is part of; "" for none
    module: Any


def watched_layers(model: nn.Module) -> list[Watched]:
    """The linear layers of a model's numbered blocks, by their names in it. A part `PREFIX_in` of
    block B is an MLP `B.PREFIX`, plain `in` one of `B.mlp`."""
    found = []
    for name, module in model.named_modules():
        block, _, part = name.partition(".")
        if not isinstance(module, Linear) or not block.isdigit():
            continue
        prefix, _, last = part.rpartition("_")
        role = ROLES.get(last if prefix != "lora" else "", "linear")
        mlp = f"{block}.{prefix or 'mlp'}" if role.startswith("mlp.") else ""
        found.append(Watched(name, role, mlp, module))
    return found
