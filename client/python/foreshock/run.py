"""`Run`: a run of training as the daemon sees it, for anything that can show its numbers as
arrays."""

import atexit
import contextlib
import dataclasses
import importlib.resources
import logging
import os
import threading
import weakref
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from . import wire
from .arrays import Payload, copy_of
from .endpoint import resolve
from .errors import ForeshockError
from .identity import identify
from .inbox import Alert, DaemonError, Inbox
from .outbox import Counts, Outbox, Sample, Tensor
from .transport import Transport
from .values import check_scalar_name, checked_number, checked_step, shown

log = logging.getLogger("foreshock")

VERSION = importlib.resources.files(__package__).joinpath("VERSION").read_text().strip()
MEMORY = 256 * 1024 * 1024  # bytes of tensors that may wait to be sent
REFUSALS_TOLD = 100  # different values that cannot be taken: each is named once, up to so many


@dataclasses.dataclass
class Layer:
    """A declared layer. `shape` is that of the whole matrix, `held` that of what is sent of it, both
    [out, in]. `number` is None until the daemon is told of it; `sure`: of its dtype."""

    name: str
    shape: Tuple[int, int]
    held: Tuple[int, int]
    block: str
    transposed: bool
    message: dict
    number: Optional[int] = None
    sure: bool = False

    @property
    def stored_shape(self) -> Tuple[int, int]:
        return self.held[::-1] if self.transposed else self.held


class Run:
    """One session of a run, from construction to `close` (or the end of a `with`, or of the
    process).

    Without `wait` it never blocks: what does not fit in `memory` bytes is dropped in whole samples
    (all tensors of one block at one step; the first is kept, of the others the newest wins) and
    counted in `dropped`; an absent daemon costs one warning. With `wait` in seconds it is lossless:
    `weights`, `activations` and `log` block up to that long for room, then raise `Timeout`, and
    what the daemon has not committed is kept and sent again after a reconnect.

    Mistakes of the caller (an undeclared layer, another shape) are ValueErrors. A copy of a run
    does nothing, whether made by a fork, by `copy` or by `pickle`.
    """

    def __init__(
        self,
        run: Optional[str] = None,
        *,
        name: Optional[str] = None,
        endpoint: Optional[str] = None,
        tags: Optional[Dict[str, str]] = None,
        rank: Optional[int] = None,
        wait: Optional[float] = None,
        memory: int = MEMORY,
    ) -> None:
        self._prepare(disabled(), memory, wait)
        if not self.alive:
            return
        self.identity = identify(run, rank)
        self._transport = Transport(
            resolve(endpoint), self._hello(name, tags), self.outbox, self._inbox
        )
        self._transport.start()
        _open_runs.add(self)

    @classmethod
    def inert(cls) -> "Run":
        """A run that does nothing, as FORESHOCK_DISABLED=1 makes them."""
        made = cls.__new__(cls)
        made._prepare(disabled=True, memory=MEMORY, wait=None)
        return made

    def __reduce__(self) -> tuple:
        """A copy, or what comes out of a pickle, is inert: there is one sender of a session."""
        return Run.inert, ()

    def _prepare(self, disabled: bool, memory: int, wait: Optional[float]) -> None:
        self.disabled = disabled
        self.alive = not disabled
        self.outbox = Outbox(memory, wait)
        self.internal_errors = 0
        self._inbox = Inbox()
        self._layers: Dict[str, Layer] = {}
        self._loss_step = -1  # of the training loss, the highest of this attempt
        self._tensor_step = -1  # the same of weights and activations
        self._before_rewind: Callable[[int], None] = lambda step: None
        self._refusals_told: Set[str] = set()
        self._dropped_told = Counts()

    def _hello(self, name: Optional[str], tags: Optional[Dict[str, str]]) -> dict:
        return {
            "type": "hello",
            "version": wire.VERSION,
            **dataclasses.asdict(self.identity),
            "name": name,
            "client": f"foreshock-python {VERSION}",
            "tags": _texts(tags),
            "lossless": self.outbox.wait is not None,
        }

    # ---- what is sent ----------------------------------------------------------------------------

    def declare(
        self,
        name: str,
        shape: Tuple[int, int],
        role: str = "linear",
        block: Optional[str] = None,
        dtype: Optional[str] = None,
        transposed: bool = False,
        rows: Optional[Tuple[int, int]] = None,
        shard: Optional[Tuple[str, int, int]] = None,
    ) -> None:
        """Declares a layer `y = W x` with W of `shape` [out, in].

        `dtype` is that of the weights; without it, that of the first that are sent. `transposed`:
        the weights come stored as [in, out]; `shape` stays [out, in]. `rows` [r0, r1): which rows
        of a stored parameter this layer is; the arrays hold only those.

        `shard` ("rows" or "cols", begin, end): of the matrix of `shape`, which the processes of a
        run hold together, this one holds and sends only rows (or columns) [begin, end) of W, also
        when `transposed`. The processes send the same steps; figures come of those of which all
        shards came, and are those of the whole matrix. `activations` stay [tokens, in]: the whole
        input.

        Declaring a layer again changes nothing. ValueError names what does not fit.
        """
        if not self.alive:
            return
        logical = _dimensions(shape)
        message = {
            "type": "layer",
            "name": name,
            "shape": list(logical),
            "dtype": dtype,
            "role": role,
            "block": block,
            "transposed": transposed,
            "rows": _listed(rows),
            "shard": _listed(shard),
        }
        wire.encode(
            {**message, "layer": len(self._layers), "dtype": dtype or "float32"}
        )  # ValueError if it does not fit
        known = self._layers.get(name)
        if known is not None:
            if known.shape != logical:
                raise ValueError(
                    f"layer {name!r}: shape {logical}; it was declared with {known.shape}"
                )
            _expect(name, "shard", message["shard"], known.message["shard"])
            return
        held = _held(logical, message["shard"])
        self._layers[name] = Layer(name, logical, held, block or name, transposed, message)
        if dtype is not None:
            self._announce(self._layers[name], dtype)
            self._layers[name].sure = True

    def weights(
        self,
        step: int,
        layer: str,
        array: object,
        initial: bool = False,
        dtype: Optional[str] = None,
    ) -> bool:
        """Sends a copy of the weights that the forward pass of `step` used: [out, in] as declared,
        or [in, out] if transposed; of a sharded layer its rows or columns only. `initial`: they
        are the initialization w(0). `dtype` names the type of raw bits (see `arrays`).

        True if it is on its way, False if it was dropped.
        """
        if not self.alive:
            return False
        known = self._declared(layer)
        step = checked_step(step)
        with self._guarded():
            payload = copy_of(array, dtype)
            _expect(layer, "shape", payload.shape, known.stored_shape)
            if not known.sure:
                self._settle(known, payload.dtype)
            _expect(layer, "dtype", payload.dtype, known.message["dtype"])
            self._reach_tensor(step)
            return self._send("weights", known, step, payload, known.held, initial)
        return False

    def activations(
        self, step: int, layer: str, inputs: object, dtype: Optional[str] = None
    ) -> bool:
        """Sends a copy of a sample of the layer's inputs [tokens, in] at the forward pass of `step`
        (more dimensions in front of the last are tokens too). True if it is on its way, False if it
        was dropped."""
        if not self.alive:
            return False
        known = self._declared(layer)
        step = checked_step(step)
        if known.number is None:
            raise ValueError(
                f"layer {layer!r}: dtype unknown; expected declare(dtype=…), or its weights first"
            )
        with self._guarded():
            payload = copy_of(inputs, dtype)
            if len(payload.shape) < 2 or payload.shape[-1] != known.shape[1]:
                raise ValueError(
                    f"layer {layer!r}: inputs of shape {payload.shape}; "
                    f"expected [tokens, {known.shape[1]}]"
                )
            tokens = len(payload.data) // (known.shape[1] * wire.DTYPES[payload.dtype])
            if tokens == 0:
                return False
            self._reach_tensor(step)
            return self._send("activations", known, step, payload, (tokens, known.shape[1]))
        return False

    def log(self, step: int, **scalars: float) -> None:
        """Sends scalars of a step. A step below the one before of a scalar is a late point of its
        series; only the training loss, the scalar `loss`, says with it that training went back."""
        self.log_values(step, scalars)

    def log_values(self, step: int, scalars: Dict[str, float]) -> None:
        """`log` for names that are no Python identifiers."""
        if not self.alive:
            return
        step = checked_step(step)
        for name in scalars:
            check_scalar_name(name)
        values = {name: checked_number(name, value) for name, value in scalars.items()}
        if "loss" in values:
            self.reach_loss(step)
        self.outbox.put_scalars(step, values)

    def rewind(self, step: int) -> None:
        """Says that training goes on from `step`, not above the last one: a new attempt of the run
        begins. It is said without this call when the training loss goes back, or when weights or
        activations do."""
        if not self.alive:
            return
        step = checked_step(step)
        self._before_rewind(step)
        self.outbox.put_rewind(step)
        self._loss_step = min(self._loss_step, step)
        self._tensor_step = min(self._tensor_step, step)

    # ---- what comes back -------------------------------------------------------------------------

    def alerts(self) -> List[Alert]:
        """The alerts that arrived since the last call; never waits."""
        return self._inbox.take_alerts()

    @property
    def firing(self) -> List[Alert]:
        """The alerts that fire now."""
        return self._inbox.firing()

    @property
    def errors(self) -> List[DaemonError]:
        """The last errors that the daemon told."""
        return self._inbox.errors()

    @property
    def dropped(self) -> Counts:
        """What was dropped so far, see `Counts`."""
        return dataclasses.replace(self.outbox.counts)

    def wait_welcomed(self, timeout: float) -> bool:
        """True once the daemon has welcomed the session, False after `timeout` seconds or when it
        refused it for good. Never raises."""
        return self.alive and self._transport.wait_welcomed(timeout)

    def flush(self, timeout: float = 5.0) -> bool:
        """True once everything that was sent before is committed by the daemon (or dropped, which
        `dropped` and a line in the log tell), False after `timeout` seconds."""
        if not self.alive:
            return self.disabled
        done = self.outbox.wait_flushed(self.outbox.put_flush(), timeout)
        counts = self.dropped
        if counts != self._dropped_told:
            self._dropped_told = counts
            log.warning("foreshock dropped so far: %s", counts)
        return done

    def close(self) -> None:
        """Ends the session: tries a short flush where a daemon is (up to `wait` seconds in a
        lossless run), says bye."""
        if self.alive:
            self.alive = False
            self._transport.close(self.outbox.wait)
            _open_runs.discard(self)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def count_error(self) -> None:
        """Counts the exception being handled, an error of ours, and tells the first."""
        self.internal_errors += 1
        if self.internal_errors == 1:
            log.warning(
                "foreshock: error in the client (logged once); training goes on", exc_info=True
            )

    # ---- inside ----------------------------------------------------------------------------------

    def reach_loss(self, step: int) -> None:
        """The training loss is at `step`: below its last step, training went back to it."""
        if step < self._loss_step:
            self.rewind(step)
        self._loss_step = step

    def loss_is_behind(self, step: int) -> bool:
        """Whether the training loss has been shown of a step above `step`."""
        return step < self._loss_step

    def on_rewind(self, before: Callable[[int], None]) -> None:
        """Has `before` called with the step of each rewind, before it is said."""
        self._before_rewind = before

    def refuse(self, what: str, why: object) -> None:
        """Counts a value of a step that cannot be taken; `what` it is is named once in the log."""
        self.outbox.count_refused()
        if what not in self._refusals_told and len(self._refusals_told) < REFUSALS_TOLD:
            self._refusals_told.add(what)
            log.warning("foreshock skips %s (logged once)", why)

    def layer_number(self, name: str) -> int:
        """The number of a layer that was declared with its dtype."""
        number = self._declared(name).number
        assert number is not None
        return number

    def _reach_tensor(self, step: int) -> None:
        if step < self._tensor_step:
            self.rewind(step)
        self._tensor_step = step

    def _declared(self, name: str) -> Layer:
        if name not in self._layers:
            raise ValueError(
                f"layer {name!r}: not declared; expected one of {sorted(self._layers)[:8]}"
            )
        return self._layers[name]

    def _settle(self, layer: Layer, dtype: str) -> None:
        """The dtype of a layer is known by its first weights, and guessed for the others of its
        block: the daemon must know a whole MLP block before its first matrix comes."""
        if layer.number is None or layer.message["dtype"] != dtype:
            self._announce(layer, dtype)
        layer.sure = True
        for other in self._layers.values():
            if other.block == layer.block and other.number is None:
                self._announce(other, dtype)

    def _announce(self, layer: Layer, dtype: str) -> None:
        layer.message["dtype"] = dtype
        layer.number = self.outbox.put_layer(layer.message)

    def _send(
        self,
        kind: str,
        layer: Layer,
        step: int,
        payload: Payload,
        shape: Tuple[int, int],
        initial: bool = False,
    ) -> bool:
        assert layer.number is not None
        tensor = Tensor(kind, layer.number, step, payload.dtype, shape, payload.data, initial)
        return self.outbox.put_sample(Sample(layer.block, step, [tensor]))

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Nothing but a caller's mistake leaves a run that does not wait: told once, and
        counted."""
        try:
            yield
        except (ValueError, ForeshockError):
            raise
        except Exception:
            if self.outbox.wait is not None:
                raise
            self.count_error()


def disabled() -> bool:
    """Whether FORESHOCK_DISABLED turns the client into nothing."""
    return os.environ.get("FORESHOCK_DISABLED", "") not in ("", "0")


def _texts(tags: object) -> Dict[str, str]:
    """Tags as texts; ValueError for what is no mapping."""
    if tags is None:
        return {}
    if not isinstance(tags, Mapping):
        raise ValueError(f"tags {shown(tags)}: expected a mapping of names to texts")
    return {str(key): str(value) for key, value in tags.items()}


def _dimensions(shape: object) -> Tuple[int, int]:
    """A shape as two whole numbers; their bounds are the wire's to check."""
    try:
        rows, columns = (checked_step(size) for size in shape)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f"shape {shown(shape)}: expected [out, in], two whole numbers") from None
    return rows, columns


def _listed(value: object) -> object:
    """A sequence as a list; anything else as it is, for the codec to refuse."""
    try:
        return list(value)  # type: ignore[call-overload]
    except TypeError:
        return value


def _held(shape: Tuple[int, int], shard: Optional[list]) -> Tuple[int, int]:
    """The shape [out, in] of a shard of a matrix of `shape`."""
    if shard is None:
        return shape
    axis, begin, end = shard
    return (end - begin, shape[1]) if axis == "rows" else (shape[0], end - begin)


def _expect(layer: str, field: str, value: object, expected: object) -> None:
    if value != expected:
        raise ValueError(f"layer {layer!r}: {field} {value}; expected {expected}")


_open_runs: "weakref.WeakSet[Run]" = weakref.WeakSet()
_forked: List[Run] = (
    []
)  # a child keeps its parent's runs from being collected: their sockets are the parent's


def _close_all() -> None:
    for run in list(_open_runs):
        run.close()


def _forget_all() -> None:
    """In a forked child: the threads that may hold a lock are not there."""
    for run in list(_open_runs):
        run.alive = False
        run.outbox.changed = threading.Condition()
        run._inbox.lock = threading.Lock()
        _forked.append(run)
    _open_runs.clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
