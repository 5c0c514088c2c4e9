"""A consistent copy of one forward pass: for each watched layer, the weights that it used and a
sample of its inputs.

The copies are taken in the thread that trains, right after the layer has computed, into buffers
that belong to the client; nothing that happens to the weights later is seen. Calls are listened to
only while a sample is due.
"""

import inspect
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Tuple

import torch
from torch import nn

from .calls import Calls, Listener
from .layers import Part
from .outbox import Outbox, Sample, Tensor


class Pool:
    """Byte buffers that are used again; pinned ones for copies from CUDA. `limit` bounds the idle
    ones, in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: Dict[Tuple[int, bool], List[torch.Tensor]] = {}
        self._idle_bytes = 0
        self._lock = threading.Lock()

    def take(self, nbytes: int, pinned: bool) -> torch.Tensor:
        with self._lock:
            idle = self._idle.get((nbytes, pinned))
            if idle:
                self._idle_bytes -= nbytes
                return idle.pop()
        return torch.empty(nbytes, dtype=torch.uint8, pin_memory=pinned)

    def give(self, buffer: torch.Tensor, pinned: bool) -> None:
        with self._lock:
            if self._idle_bytes + buffer.numel() <= self._limit:
                self._idle_bytes += buffer.numel()
                self._idle.setdefault((buffer.numel(), pinned), []).append(buffer)


@dataclass
class Group:
    """Parts that are sampled together: those of a block, or a layer alone. `numbers` are the
    layers' on the wire."""

    block: str
    parts: List[Part]
    numbers: List[int]
    tokens: int

    @property
    def reserve(self) -> int:
        """Bytes that a sample takes at most."""
        return sum(self._part_bytes(part) for part in self.parts)

    def _part_bytes(self, part: Part) -> int:
        size = part.module.weight.element_size()
        return part.shape[0] * part.shape[1] * size + self.tokens * part.shape[1] * max(size, 4)


@dataclass
class _Taken:
    """What a forward pass has left of one group so far."""

    weights: List[Tensor] = field(default_factory=list)
    inputs: List[Tensor] = field(default_factory=list)
    buffers: List[Tuple[torch.Tensor, bool]] = field(default_factory=list)
    events: List[tuple] = field(default_factory=list)  # of CUDA: start, end


class Capture(Listener):
    """Takes the samples of `groups` from the next forward pass of `model` in training, between
    `__init__` and `submit` or `discard`. It listens to `calls` until it has every layer."""

    def __init__(
        self,
        model: nn.Module,
        groups: List[Group],
        outbox: Outbox,
        pool: Pool,
        calls: Calls,
        failed: Callable[[], None],
    ) -> None:
        began = time.perf_counter()
        self.model = model
        self._groups = groups
        self._outbox = outbox
        self._pool = pool
        self._calls = calls
        self._failed = failed
        self._taken: Dict[str, Optional[_Taken]] = {}  # by block; None: no room
        self._mask: Optional[torch.Tensor] = None
        self._rows: Dict[tuple, Optional[torch.Tensor]] = {}
        self._work = self._by_module()  # what is still to be taken, by the id of the module
        self._compiled = hasattr(model, "_orig_mod")  # what torch.compile returns
        calls.start(self)
        self.seconds = time.perf_counter() - began  # spent in the training thread

    @property
    def began(self) -> bool:
        return bool(self._taken)

    def submit(self, step: int, charge_more: Callable[[float], None]) -> None:
        """Hands the samples of whole groups to the outbox as those of `step`."""
        self._calls.stop()
        samples, reserved = [], 0
        for group in self._groups:
            taken = self._taken.get(group.block)
            if taken is not None and len(taken.weights) == len(group.parts):
                samples.append(self._sample(group.block, taken, step, charge_more))
                reserved += group.reserve
            elif taken is not None:
                self._give_back(group, taken)
        self._outbox.put_reserved(samples, reserved)

    def discard(self) -> None:
        """Forgets everything."""
        self._calls.stop()
        for group in self._groups:
            taken = self._taken.get(group.block)
            if taken is not None:
                self._give_back(group, taken)
        self._taken.clear()

    def _sample(
        self, block: str, taken: _Taken, step: int, charge_more: Callable[[float], None]
    ) -> Sample:
        tensors = taken.weights + taken.inputs
        for tensor in tensors:
            tensor.step = step
        buffers, pool = taken.buffers, self._pool

        def release() -> None:
            for buffer, pinned in buffers:
                pool.give(buffer, pinned)

        return Sample(block, step, tensors, _Ready(taken.events, charge_more), release)

    def _give_back(self, group: Group, taken: _Taken) -> None:
        for _, end in taken.events:
            end.synchronize()
        for buffer, pinned in taken.buffers:
            self._pool.give(buffer, pinned)
        self._outbox.cancel(group.reserve)

    def _by_module(self) -> "Dict[int, List[Tuple[Group, int]]]":
        found: Dict[int, List[Tuple[Group, int]]] = {}
        for group in self._groups:
            for index, part in enumerate(group.parts):
                found.setdefault(id(part.module), []).append((group, index))
        return found

    # ---- calls, in the training thread -----------------------------------------------------------

    def before(self, args: tuple, kwargs: dict) -> None:
        """The model's padding mask is kept. Inside a compiled model no call is heard of, so only
        the weights are taken, here."""
        if not self._wanted(self.model):
            return
        try:
            self._mask = _padding_mask(self.model, args, kwargs)
        except Exception:
            self._failed()
        if self._compiled:
            for inner in list(self._work):
                self._take(inner, None)

    def after(self, module: nn.Module, args: tuple) -> None:
        if id(module) not in self._work or not self._wanted(module):
            return
        inputs = args[0] if args else None
        if inputs is None or isinstance(inputs, torch.Tensor):  # else a stand-in, which FX traces
            self._take(id(module), inputs)

    @staticmethod
    def _wanted(module: nn.Module) -> bool:
        return module.training and torch.is_grad_enabled()

    def _take(self, module: int, inputs: Optional[torch.Tensor]) -> None:
        """Copies for each part of the module of this id, once; an error of ours never reaches the
        model."""
        began = time.perf_counter()
        work = self._work.pop(module, None)
        if work is None:
            return  # another thread was first
        try:
            with torch.no_grad():
                rows = None if inputs is None else self._sample_rows(inputs, work[0][0].tokens)
                for group, index in work:
                    self._take_part(group, index, rows)
        except Exception:
            self._failed()
        if not self._work:
            self._calls.stop()
        self.seconds += time.perf_counter() - began

    def _take_part(self, group: Group, index: int, rows: Optional[torch.Tensor]) -> None:
        taken = self._room(group)
        if taken is None:
            return
        part, number = group.parts[index], group.numbers[index]
        weight = part.weight()
        if tuple(weight.shape) != (part.shape[::-1] if part.transposed else part.shape):
            raise ValueError(
                f"{part.name}: weight of shape {tuple(weight.shape)}; expected {part.shape}"
            )
        events = _timing(weight)
        taken.weights.append(self._copy(taken, "weights", number, weight, part.shape))
        if rows is not None and rows.shape[0] > 0 and rows.shape[1] == part.shape[1]:
            taken.inputs.append(self._copy(taken, "activations", number, rows, tuple(rows.shape)))
        if events is not None:
            events[1].record()
            taken.events.append(events)

    def _room(self, group: Group) -> Optional[_Taken]:
        if group.block not in self._taken:
            there = self._outbox.reserve(group.block, group.reserve)
            self._taken[group.block] = _Taken() if there else None
        return self._taken[group.block]

    def _copy(
        self, taken: _Taken, kind: str, number: int, source: torch.Tensor, shape: Tuple[int, int]
    ) -> Tensor:
        """An owned copy of `source`, raw; from CUDA it is only under way when this returns."""
        pinned = source.is_cuda
        buffer = self._pool.take(source.numel() * source.element_size(), pinned)
        taken.buffers.append((buffer, pinned))
        buffer.view(source.dtype).view(source.shape).copy_(source, non_blocking=pinned)
        dtype = str(source.dtype).rpartition(".")[2]
        return Tensor(kind, number, 0, dtype, shape, memoryview(buffer.numpy()))

    def _sample_rows(self, inputs: torch.Tensor, tokens: int) -> torch.Tensor:
        """At most `tokens` rows of the inputs [..., in], evenly strided over batch and positions,
        without padding."""
        inputs = inputs.detach()
        leading = tuple(inputs.shape[:-1])
        flat = inputs.reshape(-1, inputs.shape[-1])
        key = (leading, inputs.device)
        if key not in self._rows:
            self._rows[key] = self._choose_rows(leading, inputs.device, tokens)
        chosen = self._rows[key]
        return flat if chosen is None else flat.index_select(0, chosen)

    def _choose_rows(
        self, leading: Tuple[int, ...], device: torch.device, tokens: int
    ) -> Optional[torch.Tensor]:
        """Which rows; None: all."""
        count = 1
        for size in leading:
            count *= size
        real = None
        if self._mask is not None and tuple(self._mask.shape) == leading:
            real = self._mask.reshape(-1).to(device).nonzero().reshape(-1)
            count = int(real.numel())
        if count <= tokens:
            return real
        chosen = torch.arange(tokens, device=device) * count // tokens
        return chosen if real is None else real.index_select(0, chosen)


class _Ready:
    """Whether the copies of a sample are complete; charges what they took on the device, once."""

    def __init__(self, events: List[tuple], charge_more: Callable[[float], None]) -> None:
        self._events = events
        self._charge_more = charge_more

    def __call__(self) -> bool:
        if not all(end.query() for _, end in self._events):
            return False
        if self._events:
            self._charge_more(sum(start.elapsed_time(end) for start, end in self._events) / 1000)
            self._events = []
        return True


def _timing(weight: torch.Tensor) -> Optional[tuple]:
    """Two CUDA events around the copies of a part, the first recorded; None on the CPU."""
    if not weight.is_cuda:
        return None
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    return start, end


def _padding_mask(model: nn.Module, args: tuple, kwargs: dict) -> Optional[torch.Tensor]:
    """The model's `attention_mask` [batch, positions] (0: padding), if it was called with one."""
    mask = kwargs.get("attention_mask")
    if mask is None:
        names = list(inspect.signature(model.forward).parameters)
        mask = dict(zip(names, args)).get("attention_mask")
    return mask.detach() if isinstance(mask, torch.Tensor) and mask.dim() == 2 else None
