#!/usr/bin/env python3
"""Trains small models and records fp32 snapshots of some of their weights, for compare.py.

Five trainings of STEPS steps, fixed seeds, one thread: a decoder with AdamW whose MLP matrices are
512 x 2048, one that trains in bfloat16 copies of its weights, the demo's one with a learning rate
that explodes, an MLP with SGD and momentum, a convolutional net with Nesterov momentum and a cosine
schedule. Writes <out>/<model>/<layer>.npy, float32 [snapshots, rows, cols], and
<out>/steps.npy, int64 [snapshots]; 1.3 GB and two minutes.
"""
import argparse
import math
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "demo"))
import decoder  # noqa: E402
import train    # noqa: E402

STEPS = 600
WINDOWS = ((0, 12, 1), (300, 312, 1), (0, 60, 5), (300, 360, 5), (0, STEPS, 20))
Weights = Dict[str, torch.Tensor]


def recorded_steps() -> List[int]:
    """The steps whose weights are kept: those that compare.py's cadences need."""
    return sorted({step for first, last, stride in WINDOWS
                   for step in range(first, last + 1, stride)})


class TextModel:
    """A decoder on the demo's text. `half`: products of bfloat16 copies; those are recorded."""

    def __init__(self, width: int, hidden: int, lr: float, half: bool, names: List[str]):
        text = train.CORPUS.read_bytes()
        self.text = torch.frombuffer(bytearray(text), dtype=torch.uint8).long()
        self.model = decoder.Decoder(width, 2, 4, hidden, 48)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, betas=(0.9, 0.95),
                                           weight_decay=0.1)
        self.lr, self.half, self.names = lr, half, names

    def step(self, step: int) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * min(1.0, (step + 1) / 40)
        start = torch.randint(len(self.text) - 49, (4, 1))
        batch = self.text[start + torch.arange(49)]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            logits = self.model(batch[:, :-1])
        loss = F.cross_entropy(logits.float().flatten(0, 1), batch[:, 1:].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def weights(self) -> Weights:
        every = dict(self.model.named_parameters())
        kept = {name: every[name + ".weight"].detach() for name in self.names}
        return {name: w.bfloat16().float() if self.half else w for name, w in kept.items()}


class Exploding:
    """The demo's training with a learning-rate decay of the wrong sign."""

    names = ["layers.0.self_attn.q_proj", "layers.1.mlp.gate_proj", "layers.3.mlp.down_proj"]

    def __init__(self) -> None:
        self.training = train.Training(0, "lr-ramp")

    def step(self, step: int) -> float:
        return self.training.step(step)["loss"]

    def weights(self) -> Weights:
        every = dict(self.training.model.named_parameters())
        return {name: every[name + ".weight"].detach() for name in self.names}


class Classifier:
    """SGD with momentum on labels of a random teacher; images are made of a few random patterns."""

    def __init__(self, model: nn.Module, names: List[str], shape: List[int], lr: float,
                 nesterov: bool):
        size = math.prod(shape)
        self.shape, self.lr, self.nesterov, self.names = shape, lr, nesterov, names
        self.patterns = torch.randn(40, size) / math.sqrt(40)
        self.teacher = torch.randn(40, 10)
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9,
                                         nesterov=nesterov, weight_decay=5e-4)

    def step(self, step: int) -> float:
        if self.nesterov:
            for group in self.optimizer.param_groups:
                group["lr"] = self.lr * (1 + math.cos(math.pi * step / STEPS)) / 2
        code = torch.randn(64, 40)
        label = (code.abs() @ self.teacher).argmax(1)
        images = code @ self.patterns + 0.3 * torch.randn(64, self.patterns.shape[1]) + 0.2
        loss = F.cross_entropy(self.model(images.view(64, *self.shape)), label)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def weights(self) -> Weights:
        every = dict(self.model.named_parameters())
        return {name: every[name + ".weight"].detach().flatten(1) for name in self.names}


def make_mlp() -> Classifier:
    model = nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 512), nn.ReLU(),
                          nn.Linear(512, 10))
    return Classifier(model, ["0", "2"], [784], 0.05, False)


def make_conv() -> Classifier:
    model = nn.Sequential(
        nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3), nn.BatchNorm2d(128), nn.ReLU(), nn.AdaptiveAvgPool2d(3),
        nn.Conv2d(128, 256, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    return Classifier(model, ["0", "4", "8"], [3, 16, 16], 0.1, True)


MLP_NAMES = ["layers.1.mlp.gate_proj", "layers.1.mlp.down_proj", "layers.0.self_attn.q_proj",
             "lm_head"]
MODELS: Dict[str, Callable[[], object]] = {
    "decoder": lambda: TextModel(512, 2048, 6e-4, False, MLP_NAMES),
    "bf16": lambda: TextModel(256, 768, 1e-3, True, MLP_NAMES),
    "exploding": Exploding,
    "mlp": make_mlp,
    "conv": make_conv,
}


def record(name: str, out: Path) -> None:
    torch.manual_seed(1)
    training = MODELS[name]()
    steps, kept = recorded_steps(), {layer: [] for layer in training.names}
    begin = time.monotonic()
    for step in range(STEPS + 1):
        if step in steps:
            for layer, weight in training.weights().items():
                kept[layer].append(weight.numpy().copy())
        loss = training.step(step)
        if step % 100 == 0:
            seconds = time.monotonic() - begin
            print(f"{name} step {step} loss {loss:.3f} {seconds:.0f} s", flush=True)
    (out / name).mkdir(parents=True, exist_ok=True)
    for layer, snapshots in kept.items():
        np.save(out / name / f"{layer}.npy", np.stack(snapshots))
    np.save(out / "steps.npy", np.array(steps))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the recording")
    parser.add_argument("models", nargs="*", default=list(MODELS), help="of " + ", ".join(MODELS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.models:
        record(name, options.out)


if __name__ == "__main__":
    main()
