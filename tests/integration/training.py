"""A real small training in PyTorch, recorded: the weights that each sampled forward pass saw, and their inputs."""

import functools
import sys

import numpy as np

from harness import ROOT

LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ROLES = dict(zip(LAYERS, ["attn.q", "attn.k", "attn.v", "attn.o", "mlp.gate", "mlp.in", "mlp.out"]))


def model_class():
    """The decoder of the demonstration (needs PyTorch)."""
    sys.path.insert(0, str(ROOT / "tools" / "demo"))
    import decoder
    return decoder.Decoder


@functools.lru_cache(maxsize=None)
def recorded(steps=60, every=3, seed=0, lr=3e-3, width=64, layers=2, heads=4, hidden=176):
    """Trains, and returns [(step, {name: W float32 [out, in]}, {name: X float32 [tokens, in]}, loss)]."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    text = np.frombuffer((ROOT / "tools" / "demo" / "corpus.txt").read_bytes(), dtype=np.uint8)
    random = np.random.default_rng(seed)
    model = model_class()(width, layers, heads, hidden, 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    watched = {name: m for name, m in model.named_modules() if name.rsplit(".", 1)[-1] in LAYERS}
    inputs, snapshots = {}, []
    for name, module in watched.items():
        def keep(module, args, name=name):
            inputs[name] = args[0].detach().reshape(-1, args[0].shape[-1])[::4].numpy().copy()
        module.register_forward_pre_hook(keep)
    for step in range(steps):
        start = random.integers(0, len(text) - 65, 12)
        batch = torch.from_numpy(np.stack([text[s:s + 65] for s in start]).astype(np.int64))
        loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        if step % every == 0:
            weights = {name: m.weight.detach().numpy().copy() for name, m in watched.items()}
            snapshots.append((step, weights, dict(inputs), float(loss)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return snapshots
