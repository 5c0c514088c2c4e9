"""Scalars that are tensors: kept as copies where they are, and read together, so that no step waits
for a device."""

from typing import Callable, Dict, List, Optional, Set, Tuple

import torch

PENDING_MAX = 1024  # values; then they are read without waiting for a sampled step

Emit = Callable[[int, Dict[str, float]], None]
_Key = Tuple[int, str]


class LazyScalars:
    """Tensor scalars that wait to be read. `emit(step, values)` gets them in order of steps. A name
    keeps its order: while a tensor of it waits, a number of it waits too."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._kept: Dict[tuple, List[Tuple[_Key, torch.Tensor]]] = {}
        self._count = 0
        self._names: Set[str] = set()  # of what is kept or being read
        self._reading: List[Tuple[List[_Key], torch.Tensor, Optional[torch.cuda.Event]]] = []

    @property
    def full(self) -> bool:
        return self._count >= PENDING_MAX

    @staticmethod
    def takes(value: object) -> bool:
        """Whether `value` is a tensor that can be kept and read later: one of one real element, with
        memory of its own. Others (a DTensor, a FakeTensor) need more than a copy; they are for the
        caller to read."""
        return (
            isinstance(value, torch.Tensor)
            and type(value).__torch_dispatch__ is torch.Tensor.__torch_dispatch__
            and value.numel() == 1
            and value.layout is torch.strided
            and not (value.is_complex() or value.is_quantized or value.is_meta)
        )

    def add(self, step: int, name: str, value: torch.Tensor) -> None:
        """Keeps a copy of a tensor that `takes` says yes to, on its device and without waiting for
        it."""
        wide = torch.float64 if value.device.type in ("cpu", "cuda") else torch.float32
        copy = value.detach().reshape(()).to(wide, copy=True)
        self._keep(step, name, copy)

    def take_number(self, step: int, name: str, number: float) -> bool:
        """Keeps a number behind the tensors of its name. False: none wait, it is not kept."""
        if name not in self._names:
            return False
        self._keep(step, name, torch.tensor(number, dtype=torch.float64))
        return True

    def _keep(self, step: int, name: str, value: torch.Tensor) -> None:
        self._kept.setdefault((value.device, value.dtype), []).append(((step, name), value))
        self._names.add(name)
        self._count += 1

    def read(self, wait: bool = False) -> None:
        """Begins to read all that is kept; on CUDA it goes on behind the training, unless
        `wait`."""
        waiting, self._kept, self._count = self._kept, {}, 0
        for kept in waiting.values():
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
        read, self._reading = self._reading, []
        if not self._count:
            self._names.clear()
        for keys, numbers, _ in read:
            for (step, name), number in zip(keys, numbers.tolist()):
                steps.setdefault(step, {})[name] = number
        for step in sorted(steps):
            self._emit(step, steps[step])
