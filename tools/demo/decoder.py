"""A small byte-level decoder with the shape and the module names of Llama, in plain PyTorch."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

VOCABULARY = 128  # 7-bit ASCII
ROPE_BASE = 10000.0
INIT_STD = 0.02


class RMSNorm(nn.Module):
    """Scales each vector of the last axis to unit root mean square, times a learned gain."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Attention(nn.Module):
    """Causal self-attention with rotary positions; x and the result are [batch, tokens, width]."""

    def __init__(self, width: int, heads: int, context: int):
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)
        pairs = self.head_width // 2
        frequency = ROPE_BASE ** (-torch.arange(pairs, dtype=torch.float32) / pairs)
        angle = torch.arange(context, dtype=torch.float32)[:, None] * frequency
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        future = torch.triu(torch.full((context, context), -math.inf), 1)
        self.register_buffer("future", future, persistent=False)

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, tokens, width] -> [batch, heads, tokens, head_width]"""
        batch, tokens, _ = x.shape
        return x.view(batch, tokens, self.heads, self.head_width).transpose(1, 2)

    def _rotate(self, x: torch.Tensor) -> torch.Tensor:
        """Turns the pairs (i, i + head_width/2) by the angle of their position."""
        first, second = x.chunk(2, dim=-1)
        cos, sin = self.cos[: x.shape[-2]], self.sin[: x.shape[-2]]
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = x.shape[1]
        q = self._rotate(self._split(self.q_proj(x)))
        k = self._rotate(self._split(self.k_proj(x)))
        v = self._split(self.v_proj(x))
        logits = q @ k.transpose(-1, -2) / math.sqrt(self.head_width)
        mixed = torch.softmax(logits + self.future[:tokens, :tokens], dim=-1) @ v
        return self.o_proj(mixed.transpose(1, 2).reshape(x.shape))


class MLP(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x))."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class DecoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, context: int):
        super().__init__()
        self.input_layernorm = RMSNorm(width)
        self.self_attn = Attention(width, heads, context)
        self.post_attention_layernorm = RMSNorm(width)
        self.mlp = MLP(width, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Token ids [batch, tokens] (int64, below VOCABULARY) -> logits [batch, tokens, VOCABULARY]."""

    def __init__(self, width: int, layers: int, heads: int, hidden: int, context: int):
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList(
            DecoderLayer(width, heads, hidden, context) for _ in range(layers))
        self.norm = RMSNorm(width)
        self.lm_head = nn.Linear(width, VOCABULARY, bias=False)
        self._initialise(layers)

    def _initialise(self, layers: int) -> None:
        """Variance-preserving matrices; those that write to the residual stream are smaller."""
        for name, parameter in self.named_parameters():
            if name.startswith("layers.") and parameter.dim() == 2:
                std = 1.0 / math.sqrt(parameter.shape[1])
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    std /= math.sqrt(2 * layers)
                nn.init.normal_(parameter, std=std)
        nn.init.normal_(self.embed_tokens.weight, std=0.5)
        nn.init.normal_(self.lm_head.weight, std=INIT_STD)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x))
