"""The other architectures, and `make_model`, which knows all."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .initial import initialize
from .layers import MLP, PLAIN, Linear, Norm, Watched, watched_layers
from .settings import Settings
from .transformer import Transformer
from .unusual import UNUSUAL


class Stack(nn.Module):
    """Linear layers `N.linear` with an activation between them: [batch, sizes[0]] to [batch,
    sizes[-1]]. `residual`: layers of equal width add to what they read."""

    def __init__(
        self,
        sizes: list[int],
        kind: str,
        init: float,
        bias: bool = True,
        norm: str = "",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.activation, self.residual = PLAIN[kind], residual
        self.count = len(sizes) - 1
        gain = math.sqrt(2.0) if kind.startswith("relu") else 1.0
        for i, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
            block = nn.Module()
            std = init * (gain if i + 1 < self.count else 1.0) / math.sqrt(inputs)
            block.linear = Linear(inputs, outputs, std, bias)
            block.norm = Norm(inputs, norm) if norm and i else None
            self.add_module(str(i), block)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i in range(self.count):
            block = self._modules[str(i)]
            y = block.linear(x if block.norm is None else block.norm(x))
            if i + 1 < self.count:
                y = self.activation(y)
            x = x + y if self.residual and y.shape == x.shape else y
        return x


class Mixer(nn.Module):
    """MLP-Mixer: patches [batch, tokens, inputs] to [batch, outputs]; in each block an MLP across
    the tokens (`N.token_in`, `N.token_out`) and one across the channels (`N.in`, `N.out`)."""

    def __init__(self, s: Settings, inputs: int, outputs: int, tokens: int) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, s.width)
        self.blocks = []
        for i in range(s.layers):
            block = nn.Module()
            across = MLP(block, tokens, 2 * tokens, s.mlp, s.init, 0.5, s.bias, prefix="token_")
            along = MLP(block, s.width, s.hidden, s.mlp, s.init, 0.5, s.bias)
            block.norm1, block.norm2 = Norm(s.width, s.norm), Norm(s.width, s.norm)
            self.add_module(str(i), block)
            self.blocks.append((block, across, along))
        self.norm = Norm(s.width, s.norm)
        self.head = nn.Linear(s.width, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for block, across, along in self.blocks:
            x = x + across(block.norm1(x).transpose(1, 2)).transpose(1, 2)
            x = x + along(block.norm2(x))
        return self.head(self.norm(x).mean(1))


class Gate:
    """One of the two matrices of a recurrent layer, seen as a linear layer."""

    def __init__(self, weight: nn.Parameter) -> None:
        self.weight = weight
        self.capture = False
        self.seen: tuple[torch.Tensor, torch.Tensor] | None = None

    def see(self, x: torch.Tensor) -> None:
        if self.capture:
            x = x.detach()
            self.seen = x, F.linear(x, self.weight.detach())


class Recurrent(nn.Module):
    """Layers of LSTM, GRU or plain tanh cells on tokens [batch, tokens] to logits [batch, tokens,
    outputs]. Recorded: `N.x` and `N.h`, the matrices (of all gates) that read the input and the
    state before."""

    def __init__(self, s: Settings, vocabulary: int) -> None:
        super().__init__()
        make = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[s.model]
        self.embed = nn.Embedding(vocabulary, s.width)
        nn.init.normal_(self.embed.weight, std=s.embedding_std)
        self.layers = nn.ModuleList(
            make(s.width, s.width, batch_first=True) for _ in range(s.layers)
        )
        for parameter in self.layers.parameters():
            parameter.data.mul_(s.init)
        self.head = nn.Linear(s.width, vocabulary)
        self.gates = [(Gate(layer.weight_ih_l0), Gate(layer.weight_hh_l0)) for layer in self.layers]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        for layer, (reads, keeps) in zip(self.layers, self.gates):
            y, _ = layer(x)
            reads.see(x)
            keeps.see(y[:, :-1])  # the state before the first token is 0
            x = y
        return self.head(x)

    def watched(self) -> list[Watched]:
        return [
            Watched(f"{i}.{name}", "linear", "", gate)
            for i, gates in enumerate(self.gates)
            for name, gate in zip("xh", gates)
        ]


class ReverseGradient(torch.autograd.Function):
    """Passes values on and gradients back with the other sign."""

    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        return -gradient


class Adversaries(nn.Module):
    """A generator (blocks 0 … of it) and a discriminator (the blocks after), for points [batch, 2].
    `forward` gives the discriminator's judgement of real and of made points, each [batch, 1]; the
    generator's gradient is reversed, so that one backward pass serves both."""

    def __init__(self, s: Settings) -> None:
        super().__init__()
        sizes = [s.width] * s.layers
        maker = Stack([8, *sizes, 2], s.mlp, s.init)
        judge = Stack([2, *sizes, 1], s.mlp, s.init)
        self.parts = [maker, judge]
        blocks = [block for stack in self.parts for block in stack.children()]
        for i, block in enumerate(blocks):
            self.add_module(str(i), block)

    def forward(self, real: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maker, judge = self.parts
        made = ReverseGradient.apply(maker(noise))
        # The judge's layers are recorded as they see both halves.
        both = judge(torch.cat([real, made]))
        return both[: len(real)], both[len(real) :]


def make_model(s: Settings, task) -> nn.Module:
    """The model that `s.model` names, for the sizes of a task (see tasks.py)."""
    model = _make(s, task)
    initialize(model, s)
    return model


def _make(s: Settings, task) -> nn.Module:
    if s.model == "transformer":
        return _freeze(
            s,
            Transformer(
                s,
                task.inputs,
                task.outputs,
                task.tokens,
                task.causal,
                vectors=task.vectors,
                pool=task.pool,
            ),
        )
    if s.model == "mixer":
        return _freeze(s, Mixer(s, task.inputs, task.outputs, task.tokens))
    if s.model in UNUSUAL:
        return _freeze(s, UNUSUAL[s.model](s, task))
    if s.model in ("lstm", "gru", "rnn"):
        return _freeze(s, Recurrent(s, task.inputs))
    if s.model == "adversaries":
        return Adversaries(s)
    if s.model in ("mlp", "residual_mlp"):
        sizes = [task.inputs, *[s.width] * s.layers, task.outputs]
        norm = s.norm if s.placement == "pre" and s.model == "residual_mlp" else ""
        return _freeze(
            s, Stack(sizes, s.mlp, s.init, norm=norm, residual=s.model == "residual_mlp")
        )
    if s.model == "autoencoder":
        narrow = max(2, s.width // 8)
        return _freeze(
            s, Stack([task.inputs, s.width, narrow, s.width, task.inputs], s.mlp, s.init)
        )
    raise ValueError(
        f"model {s.model!r}: expected transformer, mixer, lstm, gru, rnn, adversaries, mlp, "
        f"residual_mlp, autoencoder, {', '.join(UNUSUAL)}"
    )


def _freeze(s: Settings, model: nn.Module) -> nn.Module:
    only = ["lora_", "head", "norm"] if s.lora else s.train_only
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not only or any(part in name for part in only)
    return model


def watched(model: nn.Module) -> list[Watched]:
    """The layers of a model that are recorded."""
    return model.watched() if hasattr(model, "watched") else watched_layers(model)
