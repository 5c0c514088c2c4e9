"""Small models built like the common families, with the names that those give their layers."""

import torch
from torch import nn


class LlamaMLP(nn.Module):
    def __init__(self, d, ff):
        super().__init__()
        self.gate_proj = nn.Linear(d, ff, bias=False)
        self.up_proj = nn.Linear(d, ff, bias=False)
        self.down_proj = nn.Linear(ff, d, bias=False)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaAttention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(d, d, bias=False), nn.Linear(d, d // 2, bias=False)
        self.v_proj, self.o_proj = nn.Linear(d, d // 2, bias=False), nn.Linear(d, d, bias=False)

    def forward(self, x):
        k = self.k_proj(x).repeat(1, 1, 2)
        weights = torch.softmax(self.q_proj(x) @ k.transpose(1, 2) / x.shape[-1] ** 0.5, -1)
        return self.o_proj(weights @ self.v_proj(x).repeat(1, 1, 2))


class LlamaLayer(nn.Module):
    def __init__(self, d, ff):
        super().__init__()
        self.self_attn, self.mlp = LlamaAttention(d), LlamaMLP(d, ff)

    def forward(self, x):
        x = x + self.self_attn(x)
        return x + self.mlp(x)


class Llama(nn.Module):
    """Token ids [batch, positions] to logits."""

    def __init__(self, d=16, ff=40, depth=2, vocabulary=11):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, d)
        self.layers = nn.ModuleList(LlamaLayer(d, ff) for _ in range(depth))
        self.lm_head = nn.Linear(d, vocabulary, bias=False)

    def forward(self, ids, attention_mask=None):
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(x)


class Conv1D(nn.Module):
    """As in transformers: the weight is stored [in, out]."""

    def __init__(self, nf, nx):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(nx, nf) * 0.02)
        self.bias = nn.Parameter(torch.zeros(nf))

    def forward(self, x):
        return x @ self.weight + self.bias


class GPT2Attention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.c_attn, self.c_proj = Conv1D(3 * d, d), Conv1D(d, d)

    def forward(self, x):
        q, k, v = self.c_attn(x).chunk(3, -1)
        return self.c_proj(torch.softmax(q @ k.transpose(1, 2), -1) @ v)


class GPT2MLP(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.c_fc, self.c_proj = Conv1D(4 * d, d), Conv1D(d, 4 * d)

    def forward(self, x):
        return self.c_proj(torch.relu(self.c_fc(x)))


class GPT2Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.attn, self.mlp = GPT2Attention(d), GPT2MLP(d)

    def forward(self, x):
        x = x + self.attn(x)
        return x + self.mlp(x)


class GPT2(nn.Module):
    """The head shares the embedding's weight."""

    def __init__(self, d=8, depth=2, vocabulary=11):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, d)
        self.h = nn.ModuleList(GPT2Block(d) for _ in range(depth))
        self.out = nn.Linear(d, vocabulary, bias=False)
        self.out.weight = self.wte.weight

    def forward(self, ids):
        x = self.wte(ids)
        for block in self.h:
            x = block(x)
        return self.out(x)


class Named(nn.Module):
    """A tree of linear layers from dotted names to (in, out)."""

    def __init__(self, layers):
        super().__init__()
        for name, (inner, outer) in layers.items():
            *path, leaf = name.split(".")
            here = self
            for step in path:
                if not hasattr(here, step):
                    here.add_module(step, nn.Module())
                here = getattr(here, step)
            here.add_module(leaf, nn.Linear(inner, outer, bias=False))
