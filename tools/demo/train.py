#!/usr/bin/env python3
"""Trains a small real transformer that is going to explode, watched by foreshock.

The cause is a real one and chosen by --fault: a learning-rate decay with the wrong sign, or weights
stored in a short mantissa that is rounded away from zero. --healthy trains the same run without it.
Exit status: 0 if the run went as expected (faulty: warned before the explosion; healthy: neither
warning nor explosion) and foreshockd confirmed that it has all of it, 1 if not.
"""
import argparse
import json
import logging
import math
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import torch
import torch.nn.functional as F

from decoder import Decoder
from verdict import Verdict

CORPUS = Path(__file__).resolve().parent / "corpus.txt"
WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT = 96, 4, 4, 256, 64
BATCH = 16
PEAK_LR = 2e-3
WARMUP_STEPS = 60
FLOOR_LR = 2e-4
FAULT_STEP = 250        # where the learning rate begins to decay, and where either fault sets in
DECAY = 0.01            # of ln(lr) a step
MANTISSA_BITS = 5       # explicit bits that the faulty weight storage keeps
WEIGHT_DECAY = 0.1
CLIP_NORM = 1.0
STEPS_AFTER_EXPLOSION = 60
LINE_SECONDS = 3.0
FLUSH_SECONDS = 20.0
LAST_ALERTS_SECONDS = 1.0   # for an alert that is on its way when all samples are analysed


def learning_rate(step: int, wrong_sign: bool) -> float:
    """Linear warm-up, a plateau, then exponential decay; with the wrong sign it grows instead."""
    if step < WARMUP_STEPS:
        return PEAK_LR * (step + 1) / WARMUP_STEPS
    exponent = -DECAY * max(0, step - FAULT_STEP)
    if wrong_sign:
        exponent = -exponent
    return max(FLOOR_LR, PEAK_LR * math.exp(exponent))


def round_away_from_zero(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """float32 values with `bits` explicit mantissa bits, whatever is cut off rounded up in size."""
    dropped = (1 << (23 - bits)) - 1
    return ((weight.contiguous().view(torch.int32) + dropped) & ~dropped).view(torch.float32)


def batches(text: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """Random windows of the text: int64 [BATCH, CONTEXT + 1]."""
    generator = torch.Generator().manual_seed(seed)
    offsets = torch.arange(CONTEXT + 1)
    while True:
        start = torch.randint(len(text) - CONTEXT, (BATCH, 1), generator=generator)
        yield text[start + offsets].long()


def make_optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    gains = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": WEIGHT_DECAY},
              {"params": gains, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=PEAK_LR, betas=(0.9, 0.98))


class Training:
    """The model, its data and its optimizer; `step` does one update."""

    def __init__(self, seed: int, fault: Optional[str]):
        torch.manual_seed(seed)
        text = torch.frombuffer(bytearray(CORPUS.read_bytes()), dtype=torch.uint8)
        self.fault = fault
        self.model = Decoder(WIDTH, LAYERS, HEADS, HIDDEN, CONTEXT)
        self.optimizer = make_optimizer(self.model)
        self.batches = batches(text, seed)

    def step(self, step: int) -> Dict[str, float]:
        """One update; returns loss (before it), grad_norm (before clipping) and lr."""
        lr = learning_rate(step, wrong_sign=self.fault == "lr-ramp")
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        batch = next(self.batches)
        logits = self.model(batch[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        self.optimizer.step()
        if self.fault == "rounding" and step >= FAULT_STEP:
            self._round_weights()
        return {"loss": loss.item(), "grad_norm": norm.item(), "lr": lr}

    @torch.no_grad()
    def _round_weights(self) -> None:
        for parameter in self.model.parameters():
            if parameter.dim() == 2:
                parameter.copy_(round_away_from_zero(parameter, MANTISSA_BITS))


class Unwatched:
    """Stands in for foreshock's monitor with --no-watch."""

    def step(self, step: int, **scalars: float) -> None:
        """Takes the scalars of a step and drops them."""

    def alerts(self) -> List[Any]:
        return []

    def flush(self, timeout: float) -> bool:
        return True


def open_monitor(options: argparse.Namespace, model: torch.nn.Module) -> Any:
    """A context manager whose value has foreshock's step() and alerts()."""
    if options.no_watch:
        return nullcontext(Unwatched())
    import foreshock
    logging.getLogger("foreshock.alerts").setLevel(logging.CRITICAL)  # shown here, with the step
    fault = "healthy" if options.healthy else options.fault
    run = options.run or f"demo-{fault}-seed{options.seed}"
    return foreshock.watch(model, run=run, every=options.every)


def say(text: str) -> None:
    print(text, flush=True)


def train(options: argparse.Namespace, training: Training, monitor: Any) -> Verdict:
    """Runs to the end or some steps past the explosion, and says on the way what happens."""
    verdict = Verdict(healthy=options.healthy, seed=options.seed, fault=training.fault,
                      watched=not options.no_watch)
    explosion = verdict.explosion
    next_line = 0.0
    for step in range(options.steps):
        scalars = training.step(step)
        monitor.step(step, **scalars)
        verdict.last_step = step
        for line in verdict.take_alerts(step, monitor.alerts()):
            say(line)
        explosion.add(step, scalars["loss"])
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_SECONDS
            say(f"step {step:5d}  loss {scalars['loss']:6.3f}  "
                f"grad norm {scalars['grad_norm']:7.3f}  lr {scalars['lr']:.2e}")
        if explosion.step is not None and step >= explosion.step + STEPS_AFTER_EXPLOSION:
            break
    verdict.confirmed = monitor.flush(timeout=FLUSH_SECONDS)
    if not verdict.confirmed:
        say("foreshockd has not confirmed all samples: alerts may be missing below")
    time.sleep(LAST_ALERTS_SECONDS)
    for line in verdict.take_alerts(verdict.last_step, monitor.alerts()):
        say(line)
    return verdict


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the initialization and the batches")
    parser.add_argument("--steps", type=int, default=800, help="at most this many updates")
    parser.add_argument("--every", type=int, default=5, help="steps between two samples")
    parser.add_argument("--fault", choices=["lr-ramp", "rounding"], default="lr-ramp")
    parser.add_argument("--healthy", action="store_true", help="the same run without the fault")
    parser.add_argument("--run", help="run id (default: told by fault and seed)")
    parser.add_argument("--threads", type=int, choices=[1, 2], default=1,
                        help="of PyTorch; the daemon works on another core")
    parser.add_argument("--no-watch", action="store_true", help="train without foreshock")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict here")
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    training = Training(options.seed, fault=None if options.healthy else options.fault)
    parameters = sum(p.numel() for p in training.model.parameters())
    say(f"training a decoder of {parameters / 1e3:.0f}k parameters on {CORPUS.name}, "
        f"seed {options.seed}, {training.fault or 'no'} fault, PyTorch {torch.__version__}")
    with open_monitor(options, training.model) as monitor:
        verdict = train(options, training, monitor)
    say(verdict.line())
    if options.json:
        options.json.write_text(json.dumps(verdict.as_dict(), indent=2) + "\n")
    return 0 if verdict.as_expected() else 1


if __name__ == "__main__":
    sys.exit(main())
