"""A small transformer: decoder or encoder, of tokens or of vectors, with the usual variations."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .layers import MLP, Adapted, Linear, Norm
from .settings import Settings


class Attention:
    """Adds q, k, v, o to a module and runs them; see layers.MLP for why it is no module."""

    def __init__(self, owner: nn.Module, s: Settings, out_gain: float) -> None:
        self.s = s
        self.kv_heads = s.kv_heads or s.heads
        self.head_width = s.width // s.heads
        std = s.init / math.sqrt(s.width)
        few = self.kv_heads * self.head_width
        for name, outputs, gain in (
            ("q", s.width, 1.0),
            ("k", few, 1.0),
            ("v", few, 1.0),
            ("o", s.width, out_gain),
        ):
            layer = (
                Adapted(s.width, outputs, std, s.lora)
                if s.lora and name in "qv"
                else Linear(s.width, outputs, std * gain, s.bias)
            )
            owner.add_module(name, layer)
        self.q, self.k, self.v, self.o = (getattr(owner, name) for name in "qkvo")
        if s.qk_norm:
            owner.q_norm, owner.k_norm = Norm(self.head_width, "rms"), Norm(self.head_width, "rms")
        self.owner = owner

    def _split(self, x: torch.Tensor, heads: int) -> torch.Tensor:
        """[batch, tokens, heads*head_width] -> [batch, heads, tokens, head_width]"""
        return x.view(x.shape[0], x.shape[1], heads, self.head_width).transpose(1, 2)

    def __call__(self, x: torch.Tensor, model: Transformer) -> torch.Tensor:
        q = self._split(self.q(x), self.s.heads)
        k = self._split(self.k(x), self.kv_heads)
        v = self._split(self.v(x), self.kv_heads)
        if self.s.qk_norm:
            q, k = self.owner.q_norm(q), self.owner.k_norm(k)
        if model.turn is not None:
            q, k = model.rotate(q), model.rotate(k)
        if self.kv_heads != self.s.heads:
            k = k.repeat_interleave(self.s.heads // self.kv_heads, dim=1)
            v = v.repeat_interleave(self.s.heads // self.kv_heads, dim=1)
        logits = q @ k.transpose(-1, -2) * (model.attention_gain / math.sqrt(self.head_width))
        if model.slope is not None:
            logits = logits - model.slope[:, : x.shape[1], : x.shape[1]]
        if self.s.attention == "retention":
            return self.o(self._retained(logits, v, model).reshape(x.shape[0], x.shape[1], -1))
        if model.future is not None:
            logits = logits + model.future[: x.shape[1], : x.shape[1]]
        mixed = torch.softmax(logits, dim=-1) @ v
        return self.o(mixed.transpose(1, 2).reshape(x.shape[0], x.shape[1], -1))

    @staticmethod
    def _retained(products: torch.Tensor, v: torch.Tensor, model: Transformer) -> torch.Tensor:
        """No softmax: products fade with distance, each head's sum is brought to length 1 (arXiv
        2307.08621). [batch, tokens, heads, head_width]"""
        tokens = products.shape[-1]
        mixed = (products * model.fading[:, :tokens, :tokens]) @ v
        mixed = mixed * torch.rsqrt(mixed.square().mean(-1, keepdim=True) + 1e-6)
        return mixed.transpose(1, 2)


class Experts:
    """MLPs `eN_in`, `eN_out` (`eN_gate`) beside each other; a `router` picks the best two for each
    token and weighs them. All are run on all tokens."""

    def __init__(self, owner: nn.Module, s: Settings, out_gain: float) -> None:
        self.experts = [
            MLP(owner, s.width, s.hidden, s.mlp, s.init, out_gain, s.bias, prefix=f"e{i}_")
            for i in range(s.experts)
        ]
        owner.add_module("router", Linear(s.width, s.experts, 0.02))
        self.router = owner.router

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        best, which = self.router(x).topk(min(2, len(self.experts)), dim=-1)
        share = torch.zeros(*x.shape[:-1], len(self.experts)).scatter(-1, which, best.softmax(-1))
        return sum(share[..., i, None] * expert(x) for i, expert in enumerate(self.experts))


class Block(nn.Module):
    """Attention and an MLP beside a residual stream [batch, tokens, width]."""

    def __init__(self, s: Settings) -> None:
        super().__init__()
        out_gain = 1 / math.sqrt(2 * s.layers)
        self.s = s
        if s.parts != "mlp":
            self.attention = Attention(self, s, out_gain)
        if s.experts:
            self.mlp: MLP | Experts = Experts(self, s, out_gain)
        elif s.parts != "attention":
            self.mlp = MLP(self, s.width, s.hidden, s.mlp, s.init, out_gain, s.bias)
        self.norm1, self.norm2 = Norm(s.width, s.norm), Norm(s.width, s.norm)
        if s.placement == "sandwich":
            self.norm3, self.norm4 = Norm(s.width, s.norm), Norm(s.width, s.norm)
        if s.placement == "rezero":
            self.gain1, self.gain2 = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        if self.s.stochastic_depth and self.training:
            keep = 1 - self.s.stochastic_depth
            x = x * (torch.rand(x.shape[0], 1, 1) < keep) / keep
        return F.dropout(x, self.s.dropout, self.training) if self.s.dropout else x

    def forward(self, x: torch.Tensor, model: Transformer) -> torch.Tensor:
        gain = model.residual_gain
        if self.s.parts == "attention":
            return x + gain * self._drop(self.attention(self.norm1(x), model))
        if self.s.parts == "mlp":
            return x + gain * self._drop(self.mlp(self.norm2(x)))
        if self.s.placement == "parallel":
            y = self.norm1(x)
            return x + gain * self._drop(self.attention(y, model) + self.mlp(y))
        if self.s.placement == "rezero":
            x = x + self.gain1 * self._drop(self.attention(x, model))
            return x + self.gain2 * self._drop(self.mlp(x))
        if self.s.placement == "post":
            x = self.norm1(x + gain * self._drop(self.attention(x, model)))
            return self.norm2(x + gain * self._drop(self.mlp(x)))
        mixed = self.attention(self.norm1(x), model)
        if self.s.placement == "sandwich":
            mixed = self.norm3(mixed)
        x = x + gain * self._drop(mixed)
        y = self.mlp(self.norm2(x))
        if self.s.placement == "sandwich":
            y = self.norm4(y)
        return x + gain * self._drop(y)


class Transformer(nn.Module):
    """Tokens [batch, tokens] (int64), or vectors [batch, tokens, inputs], to logits
    [batch, tokens, outputs]; with `pool` to [batch, outputs].

    `attention_gain` and `residual_gain` are 1 but for faults."""

    def __init__(
        self,
        s: Settings,
        inputs: int,
        outputs: int,
        tokens: int,
        causal: bool,
        vectors: bool = False,
        pool: bool = False,
    ) -> None:
        super().__init__()
        self.s, self.pool = s, pool
        self.attention_gain = self.residual_gain = 1.0
        for i in range(1 if s.shared else s.layers):
            self.add_module(str(i), Block(s))
        if vectors:
            self.embed: nn.Module = nn.Linear(inputs, s.width)
        else:
            self.embed = nn.Embedding(inputs, s.width)
            nn.init.normal_(self.embed.weight, std=0.05 if s.tied else s.embedding_std)
        self.norm = None if s.placement == "post" else Norm(s.width, s.norm)
        self.head = None
        if not s.tied:
            self.head = nn.Linear(s.width, outputs, bias=False)
            nn.init.normal_(self.head.weight, std=0.02)
        self.turn = self.slope = self.fading = None
        if s.positions == "alibi":
            self._make_slope(tokens)
        elif s.positions == "rope":
            self._make_turn(tokens)
        else:
            self.position = nn.Parameter(torch.randn(tokens, s.width) * 0.02)
        self.future = torch.triu(torch.full((tokens, tokens), -1e9), 1) if causal else None
        if causal and s.prefix:
            self.future[: s.prefix, : s.prefix] = 0.0
        if s.attention == "retention":
            ago = self._distance(tokens)
            keep = 1 - 2.0 ** -(1.5 + torch.arange(s.heads, dtype=torch.float32))
            self.fading = torch.where(ago >= 0, keep[:, None, None] ** ago.clamp(min=0), 0.0)

    @staticmethod
    def _distance(tokens: int) -> torch.Tensor:
        """How long before token i token j was: [i, j]."""
        at = torch.arange(tokens, dtype=torch.float32)
        return at[:, None] - at

    def _make_slope(self, tokens: int) -> None:
        """What is taken from the logits by distance, in each head less (arXiv 2108.12409)."""
        slopes = 2.0 ** (-8 * (torch.arange(self.s.heads, dtype=torch.float32) + 1) / self.s.heads)
        self.slope = slopes[:, None, None] * self._distance(tokens).abs()

    def _make_turn(self, tokens: int) -> None:
        """Rotary positions: complex [tokens, head_width / 2]."""
        pairs = self.s.width // self.s.heads // 2
        frequency = 10000.0 ** (-torch.arange(pairs, dtype=torch.float32) / pairs)
        angle = torch.arange(tokens, dtype=torch.float32)[:, None] * frequency
        self.turn = torch.polar(torch.ones_like(angle), angle)

    def rotate(self, x: torch.Tensor) -> torch.Tensor:
        """Turns neighbouring pairs of the last axis by the angle of their position."""
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * self.turn[: x.shape[-2]]).flatten(-2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embed(x)
        if self.s.positions == "learned":
            x = x + self.position[: x.shape[1]]
        for i in range(self.s.layers):
            x = self._modules["0" if self.s.shared else str(i)](x, self)
        if self.norm is not None:
            x = self.norm(x)
        if self.pool:
            x = x.mean(1)
        return F.linear(x, self.embed.weight) if self.head is None else self.head(x)
