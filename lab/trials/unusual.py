"""Architectures that are seldom met: highway, dense, equilibrium, minimal recurrence, ResMLP."""

from __future__ import annotations

import math

import torch
from torch import nn

from .layers import MLP, PLAIN, Linear, Norm
from .settings import Settings


def _block(owner: nn.Module, i: int, **layers: nn.Module) -> nn.Module:
    block = nn.Module()
    for name, layer in layers.items():
        block.add_module(name, layer)
    owner.add_module(str(i), block)
    return block


class Highway(nn.Module):
    """[batch, inputs] to [batch, outputs]; each layer's `carry` tells how much of its input is
    replaced by its output."""

    def __init__(self, s: Settings, task) -> None:
        super().__init__()
        self.activation = PLAIN[s.mlp]
        self.embed = nn.Linear(task.inputs, s.width)
        std = s.init / math.sqrt(s.width)
        self.blocks = []
        for i in range(s.layers):
            linear, carry = (Linear(s.width, s.width, std, True) for _ in range(2))
            nn.init.constant_(carry.bias, -1.0)
            self.blocks.append(_block(self, i, linear=linear, carry=carry))
        self.head = nn.Linear(s.width, task.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for block in self.blocks:
            share = torch.sigmoid(block.carry(x))
            x = x + share * (self.activation(block.linear(x)) - x)
        return self.head(x)


class Dense(nn.Module):
    """Each layer reads the input and what all layers before it gave."""

    def __init__(self, s: Settings, task) -> None:
        super().__init__()
        self.activation = PLAIN[s.mlp]
        self.blocks = []
        inputs = task.inputs
        for i in range(s.layers):
            linear = Linear(inputs, s.width, s.init * math.sqrt(2 / inputs), True)
            self.blocks.append(_block(self, i, linear=linear))
            inputs += s.width
        self.head = nn.Linear(inputs, task.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = torch.cat([x, self.activation(block.linear(x))], dim=-1)
        return self.head(x)


class Equilibrium(nn.Module):
    """One layer whose state is fed back to it `s.layers` times: recorded as it is at last."""

    def __init__(self, s: Settings, task) -> None:
        super().__init__()
        self.times = s.layers
        self.block = _block(
            self,
            0,
            linear=Linear(s.width, s.width, 0.7 * s.init / math.sqrt(s.width)),
            reads=Linear(task.inputs, s.width, s.init / math.sqrt(task.inputs), True),
        )
        self.head = nn.Linear(s.width, task.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = self.block.reads(x)
        state = torch.tanh(given)
        for _ in range(self.times):
            state = torch.tanh(self.block.linear(state) + given)
        return self.head(state)


class Minimal(nn.Module):
    """Tokens [batch, tokens] to logits by gated averages over time whose gates read the input alone
    (arXiv 2410.01201): `N.update`, `N.candidate`."""

    def __init__(self, s: Settings, task) -> None:
        super().__init__()
        self.embed = nn.Embedding(task.inputs, s.width)
        nn.init.normal_(self.embed.weight, std=s.embedding_std)
        std = s.init / math.sqrt(s.width)
        self.blocks = [
            _block(
                self,
                i,
                update=Linear(s.width, s.width, std, True),
                candidate=Linear(s.width, s.width, std, True),
                norm=Norm(s.width, s.norm),
            )
            for i in range(s.layers)
        ]
        self.head = nn.Linear(s.width, task.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for block in self.blocks:
            y = block.norm(x)
            share = torch.sigmoid(block.update(y))
            new = share * block.candidate(y)
            keep = 1 - share
            state, states = torch.zeros_like(new[:, 0]), []
            for k, n in zip(keep.unbind(1), new.unbind(1)):
                state = torch.addcmul(n, k, state)
                states.append(state)
            x = x + torch.stack(states, dim=1)
        return self.head(x)


class ResMLP(nn.Module):
    """Patches [batch, tokens, inputs]: in each block one linear layer `N.across` the tokens and an
    MLP, both scaled down at first and without norms (arXiv 2105.03404)."""

    def __init__(self, s: Settings, task) -> None:
        super().__init__()
        self.embed = nn.Linear(task.inputs, s.width)
        self.blocks = []
        for i in range(s.layers):
            std = s.init / math.sqrt(task.tokens)
            block = _block(self, i, across=Linear(task.tokens, task.tokens, std, True))
            along = MLP(block, s.width, s.hidden, s.mlp, s.init, 1.0, True)
            block.scale = nn.Parameter(torch.full((2, s.width), 0.1))
            self.blocks.append((block, along))
        self.head = nn.Linear(s.width, task.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for block, along in self.blocks:
            x = x + block.scale[0] * block.across(x.transpose(1, 2)).transpose(1, 2)
            x = x + block.scale[1] * along(x)
        return self.head(x.mean(1))


UNUSUAL = {
    "highway": Highway,
    "dense": Dense,
    "equilibrium": Equilibrium,
    "minimal": Minimal,
    "resmlp": ResMLP,
}
