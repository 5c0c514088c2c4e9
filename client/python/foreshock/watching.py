"""`watch`: shows a PyTorch training to the daemon, from inside its loop."""

import logging
import time
import weakref
from typing import Dict, List, Optional, Tuple

import torch
from torch import nn

from .cadence import Cadence
from .calls import Calls
from .capture import Capture, Group, Pool
from .inbox import Alert
from .layers import Part, Selection, discover
from .lazy import LazyScalars
from .outbox import Counts
from .run import MEMORY, Run, disabled
from .values import check_scalar_name, checked_number, checked_step, shown

log = logging.getLogger("foreshock")

WAIT_MAX_S = 86_400  # that `watch` may wait for the daemon
LATE_STEPS_MAX = 20  # steps in a row below the last one: then the log asks for a rewind


def watch(
    model: nn.Module,
    *,
    run: Optional[str] = None,
    name: Optional[str] = None,
    endpoint: Optional[str] = None,
    every: Optional[int] = None,
    overhead: float = 0.01,
    layers: Selection = None,
    tokens: int = 512,
    tags: Optional[Dict[str, str]] = None,
    rank: Optional[int] = None,
    wait: Optional[float] = None,
) -> "Monitor":
    """Watches `model`; call the monitor's `step` at the end of each training step.

    A sample is taken from the first forward pass, and then at every step that `every` divides, or,
    without it, as often as the cost of capturing stays below `overhead` of the time of training. It
    holds the weights that the forward pass used and at most `tokens` rows of each layer's inputs,
    evenly strided over batch and positions. `layers`: see `foreshock.layers.discover`. A model
    whose samples do not fit in memory (256 MiB) is sampled block by block in turn. Of a model that
    torch.compile made, only weights are sampled: its layers are not called one by one.

    Nothing is hung on the model: it is copied, pickled and scripted like any other, and its copies
    are not watched.

    `wait`, in seconds: `watch` returns when the daemon has welcomed the session, or after so long.
    Without it, it returns at once, and the connection comes up beside the training. Either way an
    absent daemon is one warning in the log.

    The first sample of each block is kept until the daemon has it, since its rotation is measured
    from there; where there was no room for it, the log says from which step.

    Raises ValueError for a programmer's mistake; nothing that happens later reaches the training
    loop.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model {model!r}: expected a torch.nn.Module")
    if not isinstance(tokens, int) or tokens < 1:
        raise ValueError(f"tokens {tokens!r}: expected a whole number of at least 1")
    cadence = Cadence(every, overhead)
    patience = _seconds(wait)
    if disabled():
        return _inert()
    parts = discover(model, layers)
    session = Run(run, name=name, endpoint=endpoint, tags=tags, rank=rank)
    try:
        groups = _groups(session, parts, tokens)
        session.wait_welcomed(patience)
        return Monitor(model, session, groups, cadence)
    except BaseException:
        session.close()
        raise


def _seconds(wait: Optional[float]) -> float:
    if wait is None:
        return 0.0
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait <= WAIT_MAX_S:
        raise ValueError(f"wait {wait!r}: expected seconds, from 0 to {WAIT_MAX_S}")
    return float(wait)


def _nothing(step: int) -> None:
    """What a monitor that is gone does before a rewind."""


def _inert() -> "Monitor":
    """A monitor that does nothing."""
    return Monitor(nn.Module(), Run.inert(), [], Cadence(None, 0.01))


def _groups(run: Run, parts: List[Part], tokens: int) -> List[Group]:
    """Declares the parts to the run; those of one block make a group."""
    groups: Dict[str, Group] = {}
    for part in parts:
        run.declare(
            part.name,
            part.shape,
            role=part.role,
            block=part.block,
            dtype=part.dtype,
            transposed=part.transposed,
            rows=part.rows,
        )
        block = part.block or part.name
        group = groups.setdefault(block, Group(block, [], [], tokens))
        group.parts.append(part)
        group.numbers.append(run.layer_number(part.name))
    return list(groups.values())


class Monitor:
    """A watched training, made by `watch`. Its methods belong to the thread that trains; none but
    `flush` and `close` waits, and none raises. A copy of a monitor, or one that comes out of a
    pickle, does nothing."""

    def __init__(self, model: nn.Module, run: Run, groups: List[Group], cadence: Cadence) -> None:
        self.run = run
        self._model = model
        self._groups = groups
        self._cadence = cadence
        self._pool = Pool(MEMORY)
        self._calls = Calls()
        self._lazy = LazyScalars(run.outbox.put_scalars)
        self._last_step = -1
        self._late_steps = 0  # in a row
        self._in_step = False
        self._baselines_told = False
        self._turn = 0  # the group that the next sample begins with
        self._capture: Optional[Capture] = None
        if run.alive:
            before_rewind = weakref.WeakMethod(self._before_rewind)
            run.on_rewind(lambda step: (before_rewind() or _nothing)(step))
            self._arm()

    def step(self, step: int, **scalars: object) -> None:
        """Ends training step `step`: what its forward pass left is its sample, `scalars` (numbers,
        or tensors of one element) are its scalars. Tensors are read at sampled steps, all that came
        since the last one together.

        A step below the last one only brings late points of its scalars' series. That training
        itself went back is said by `rewind`, by the training loss, the scalar `loss`, of a lower
        step, or by a step without scalars that has a sample. What cannot be taken is skipped,
        counted in `dropped.refused` and named once in the log."""
        if not self.run.alive:
            return
        began = time.perf_counter()
        try:
            number = checked_step(step)
        except ValueError as error:
            self.run.refuse("step", error)
            self._begin_again()
            return
        self._in_step = True
        try:
            self._end_step(number, scalars, began)
        except Exception:
            self._failed()
        self._in_step = False

    def rewind(self, step: int) -> None:
        """Says that training went back and goes on with `step`: a new attempt of the run begins.
        What was logged before belongs to the attempt before."""
        try:
            self.run.rewind(step)
        except ValueError as error:
            self.run.refuse("rewind", error)
        except Exception:
            self._failed()

    def alerts(self) -> List[Alert]:
        """The alerts that arrived since the last call; never waits."""
        return self.run.alerts()

    @property
    def firing(self) -> List[Alert]:
        """The alerts that fire now."""
        return self.run.firing

    @property
    def dropped(self) -> Counts:
        """What was dropped so far."""
        return self.run.dropped

    def flush(self, timeout: float = 5.0) -> bool:
        """True once everything that was sent before is committed by the daemon, False after
        `timeout` seconds."""
        self._read_scalars()
        return self.run.flush(timeout)

    def close(self) -> None:
        """Ends the watch and the session."""
        self._calls.stop()
        if self.run.alive:
            self._discard()
            self._read_scalars()
            self.run.close()

    def __reduce__(self) -> tuple:
        return _inert, ()

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- inside ----------------------------------------------------------------------------------

    def _end_step(self, step: int, scalars: Dict[str, object], began: float) -> None:
        numbers, tensors = self._sorted(scalars)
        has_loss = "loss" in numbers or "loss" in tensors
        if step < self._last_step:
            self._look_back(step, bool(scalars), has_loss)
        if has_loss:
            self.run.reach_loss(step)
        at_once = {
            name: number
            for name, number in numbers.items()
            if not self._lazy.take_number(step, name, number)
        }
        if at_once:
            self.run.log_values(step, at_once)
        for name, value in tensors.items():
            self._lazy.add(step, name, value)
        if step > self._last_step:
            self._last_step, self._late_steps = step, 0
            self._sample(step, began)
        else:
            self._pass_over(step)
        if self._lazy.full:
            self._lazy.read()

    def _sorted(
        self, scalars: Dict[str, object]
    ) -> Tuple[Dict[str, float], Dict[str, torch.Tensor]]:
        """The scalars that are numbers now, and those that are read later."""
        numbers: Dict[str, float] = {}
        tensors: Dict[str, torch.Tensor] = {}
        for name, value in scalars.items():
            try:
                check_scalar_name(name)
                if self._lazy.takes(value):
                    tensors[name] = value  # type: ignore[assignment]
                elif value is not None:
                    numbers[name] = checked_number(name, value)
            except ValueError as error:
                self.run.refuse(f"scalar {shown(name)}", error)
        return numbers, tensors

    def _look_back(self, step: int, has_scalars: bool, has_loss: bool) -> None:
        """Rewinds if training itself went back to `step`."""
        sampled = self._capture is not None and self._capture.began
        if self.run.loss_is_behind(step) if has_loss else sampled and not has_scalars:
            self.run.rewind(step)

    def _before_rewind(self, step: int) -> None:
        """What was logged before belongs to the attempt before. The next forward pass is sampled,
        as the first of a session is. A sample that has begun is of the step that ends, if one
        does; else it is of a pass that training has given up."""
        self._lazy.read(wait=True)
        self._last_step, self._late_steps = step - 1, 0
        if not self._in_step:
            self._begin_again()
        if self._capture is None:
            self._arm()

    def _pass_over(self, step: int) -> None:
        """A step not above the last one: what a forward pass has left since is not its sample, and
        would not be that of the next step either."""
        if step < self._last_step:
            self._late_steps += 1
        if self._late_steps == LATE_STEPS_MAX:
            log.warning(
                "foreshock: %d steps in a row are below step %d: their scalars are late points, "
                "nothing is sampled; call rewind(step) where training went back",
                self._late_steps,
                self._last_step,
            )
        if self._late_steps < LATE_STEPS_MAX:
            self._begin_again()
        else:
            self._discard()

    def _sample(self, step: int, began: float) -> None:
        """Sends the sample of the step, if it has one; makes ready for the next."""
        capture = self._capture
        if capture is not None and capture.began:
            self._capture = None
            capture.submit(step, self._cadence.charge_more)
            self._lazy.read()
            self._cadence.charge(capture.seconds + time.perf_counter() - began)
            self._tell_late_baselines()
        self._lazy.poll()
        self._cadence.tick(time.perf_counter())
        if self._capture is None and self._cadence.due(step + 1):
            self._arm()

    def _tell_late_baselines(self) -> None:
        """Says once, when every block has a first sample, for how many layers it is not of the
        first step."""
        if self._baselines_told:
            return
        firsts = self.run.outbox.first_steps()
        if len(firsts) < len(self._groups):
            return
        self._baselines_told = True
        late = [group for group in self._groups if firsts[group.block] > min(firsts.values())]
        if late:
            steps = [firsts[group.block] for group in late]
            log.warning(
                "foreshock: there was no room for the first weights of %d of %d layers: if the run "
                "has none of before, their rotation is measured from step %d%s",
                sum(len(group.parts) for group in late),
                sum(len(group.parts) for group in self._groups),
                min(steps),
                f" to {max(steps)}" if max(steps) > min(steps) else "",
            )

    def _discard(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.discard()

    def _begin_again(self) -> None:
        """A sample that was due or has begun is taken from the next forward pass instead."""
        capture = self._capture
        if capture is not None and capture.began:
            self._discard()
            self._cadence.charge(capture.seconds)
            self._arm()

    def _arm(self) -> None:
        """The next forward pass is sampled."""
        self._capture = Capture(
            self._model,
            self._next_groups(),
            self.run.outbox,
            self._pool,
            self._calls,
            self._failed,
        )

    def _next_groups(self) -> List[Group]:
        """All groups; where they do not fit in memory together, as many as do, in turn."""
        count = len(self._groups)
        chosen: List[Group] = []
        room = self.run.outbox.limit
        for offset in range(count):
            group = self._groups[(self._turn + offset) % count]
            if chosen and group.reserve > room:
                break
            chosen.append(group)
            room -= group.reserve
        if len(chosen) < count:
            self._turn = (self._turn + len(chosen)) % count
        return chosen

    def _read_scalars(self) -> None:
        if self.run.alive:
            try:
                self._lazy.read(wait=True)
            except Exception:
                self._failed()

    def _failed(self) -> None:
        """An error of ours: told once, counted, and training goes on."""
        self.run.count_error()
