"""Scalars that are tensors: kept as copies where they are, and read together, so that no step waits
for a device."""

from typing import Callable, Dict, List, Optional, Tuple

import torch

PENDING_MAX = 1024  # values; then they are read without waiting for a sampled step

Emit = Callable[[int, Dict[str, float]], None]
_Key = Tuple[int, str]


class LazyScalars:
    """Tensor scalars that wait to be read. `emit(step, values)` gets them, each step once, in order
    of steps."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._kept: Dict[tuple, List[Tuple[_Key, torch.Tensor]]] = {}
        self._count = 0
        self._reading: List[Tuple[List[_Key], torch.Tensor, Optional[torch.cuda.Event]]] = []

    @property
    def full(self) -> bool:
        return self._count >= PENDING_MAX

    def add(self, step: int, name: str, value: torch.Tensor) -> None:
        """Keeps a copy of a tensor of one element, on its device and without waiting for it."""
        if value.numel() != 1:
            raise ValueError(
                f"scalar {name!r}: a tensor of shape {tuple(value.shape)}; expected one element"
            )
        wide = torch.float64 if value.device.type in ("cpu", "cuda") else torch.float32
        copy = value.detach().reshape(()).to(wide, copy=True)
        self._kept.setdefault((copy.device, wide), []).append(((step, name), copy))
        self._count += 1

    def read(self, wait: bool = False) -> None:
        """Begins to read all that is kept; on CUDA it goes on behind the training, unless
        `wait`."""
        for kept in self._kept.values():
            keys = [key for key, _ in kept]
            stacked = torch.stack([copy for _, copy in kept])
            if not stacked.is_cuda:
                self._reading.append((keys, stacked, None))
                continue
            host = torch.empty(stacked.shape, dtype=stacked.dtype, pin_memory=True)
            host.copy_(stacked, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            self._reading.append((keys, host, event))
        self._kept.clear()
        self._count = 0
        self.poll(wait)

    def poll(self, wait: bool = False) -> None:
        """Emits what has been read."""
        if not self._reading:
            return
        if wait:
            for _, _, event in self._reading:
                if event is not None:
                    event.synchronize()
        elif not all(event is None or event.query() for _, _, event in self._reading):
            return
        steps: Dict[int, Dict[str, float]] = {}
        for keys, numbers, _ in self._reading:
            for (step, name), number in zip(keys, numbers.tolist()):
                steps.setdefault(step, {})[name] = number
        self._reading = []
        for step in sorted(steps):
            self._emit(step, steps[step])
