"""Curves of trainings as teams report them: generated, with a seed, so that each can be varied and has a healthy twin.

Loss in nats a step, learning rate, gradient norm, and sigma1 of layers each tenth step. All arrays are float64 [steps].
"""

from __future__ import annotations

import numpy as np

BLOCKS = 4
ROLES = ("attn.q", "attn.k", "attn.v", "attn.o", "mlp.gate", "mlp.in", "mlp.out")


def language_model(rng: np.random.Generator, steps: int, start: float = 11.0, end: float = 2.1, knee: float = 0.004) -> np.ndarray:
    """A loss that falls fast, then for ever more slowly; `knee`: the share of the steps in which half of the way is done."""
    t = np.arange(steps)
    level = end - 0.05 + (start - end + 0.05) / (1 + t / (knee * steps)) ** 0.9
    return level + noise(rng, steps, 0.01 * rng.uniform(1.5, 4) * end)


def noise(rng: np.random.Generator, steps: int, sigma: float) -> np.ndarray:
    """Of batches: independent, with a tail, and a little of what the last batches had."""
    white = rng.standard_t(6, steps) * sigma * 0.8
    return white + 0.3 * np.concatenate([[0], white[:-1]])


def spikes(rng: np.random.Generator, steps: int, count: int, height: float) -> np.ndarray:
    """Single bad batches: one to three steps each."""
    curve = np.zeros(steps)
    for at in rng.integers(steps // 20, steps - 5, count):
        curve[at : at + rng.integers(1, 4)] += height * rng.uniform(0.5, 1)
    return curve


def rise(steps: int, at: int, height: float, over: int) -> np.ndarray:
    """From `at` on, in `over` steps, to stay."""
    return height * np.clip((np.arange(steps) - at + 1) / max(over, 1), 0, 1)


def warmup_cosine(steps: int, peak: float, warmup: int) -> np.ndarray:
    t = np.arange(steps)
    decay = 0.1 + 0.45 * (1 + np.cos(np.pi * np.clip((t - warmup) / max(steps - warmup, 1), 0, 1)))
    return peak * np.where(t < warmup, (t + 1) / warmup, decay)


def layer_names() -> list[tuple[str, str]]:
    return [(f"blocks.{b}.{role}", role) for b in range(BLOCKS) for role in ROLES]


def norms(rng: np.random.Generator, samples: np.ndarray, lr: np.ndarray) -> dict[str, np.ndarray]:
    """sigma1 of each layer as it grows in health: with the logarithm of the training that was done."""
    clock = np.cumsum(lr) / lr.max()
    grown = np.log1p(clock / 200)[samples]
    return {
        name: rng.uniform(1, 3) * (1 + rng.uniform(0.1, 0.4) * grown) * np.exp(0.002 * rng.standard_normal(len(samples)))
        for name, _ in layer_names()
    }
