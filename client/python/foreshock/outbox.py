"""What waits to be sent: two bounded queues between the threads that train and the one that sends.

Control items (scalars, rewinds) and samples stand in queues of their own, because they travel on
sockets of their own. A Flush stands in both: everything before it is committed once the daemon
answers its token. Scalars are kept until then and sent again after a reconnect. So are all samples
of a lossless run, and of any run the first sample of each block, since rotation is measured from
it. A full queue of a lossy run drops other samples, whole, and the oldest scalars that were never
sent: those that were may be with the daemon, and only its answer says what became of them.

Every method may be called from any thread; none but `put_sample` and `put_scalars` of a lossless
run and the waits block.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Deque, Dict, List, Optional, Tuple

from . import wire
from .errors import Timeout

SCALARS_MAX = 10_000  # steps of scalars kept until the daemon has committed them
SCALARS_A_FLUSH = SCALARS_MAX // 4  # so many are sent before the daemon is asked about them
SAMPLES_MAX = 4_096


@dataclass
class Tensor:
    """One tensor in memory that belongs to the client: `data` is a contiguous buffer of its raw
    bytes."""

    kind: str
    layer: int
    step: int
    dtype: str
    shape: Tuple[int, int]
    data: memoryview
    initial: bool = False
    number: int = 0


@dataclass
class Sample:
    """All tensors of one block at one step: sent or dropped together."""

    block: str
    step: int
    tensors: List[Tensor]
    ready: Callable[[], bool] = lambda: True  # False while an accelerator still fills the buffers
    release: Callable[[], None] = (
        lambda: None
    )  # called once, when nothing reads the buffers any more
    started: bool = False
    first: bool = False  # of its block in this attempt of the session: kept until acknowledged

    @property
    def nbytes(self) -> int:
        return sum(tensor.data.nbytes for tensor in self.tensors)


@dataclass(frozen=True)
class Scalars:
    step: int
    values: Dict[str, float]


@dataclass(frozen=True)
class Flush:
    token: int


@dataclass(frozen=True)
class Rewind:
    """On the control queue the message itself; on the tensor queue the gate that samples of the
    lower steps wait at.

    The two sockets have no order between them: the rewind is sent when the flush before it
    (`token`) is answered, and the gate opens when the daemon has read the rewind.
    """

    step: int
    token: int


@dataclass
class Counts:
    """What was dropped: samples (`client`) and steps of `scalars` by the client, samples and steps
    of scalars by the `daemon` as it last said. `refused`: steps and scalars that `watch` was given
    and that are none.

    Scalars that the daemon had not acknowledged when the run was closed count as dropped: nobody can
    say whether it has them.
    """

    client: int = 0
    scalars: int = 0
    daemon: int = 0
    refused: int = 0


class Queue:
    """Items in order: those waiting, and those sent but not yet covered by an answered flush."""

    def __init__(self) -> None:
        self.waiting: Deque[object] = deque()
        self.sent: Deque[object] = deque()
        self.again = 0  # so many of those waiting, the first ones, have been sent before

    def advance(self, item: object, keep: bool) -> None:
        """The first waiting item has been sent (unless it was dropped while it was)."""
        if self.waiting and self.waiting[0] is item:
            self.waiting.popleft()
            self.again = max(0, self.again - 1)
            if keep:
                self.sent.append(item)

    def acknowledge(self, token: int) -> List[object]:
        """Forgets what was sent up to the flush of `token`; returns it."""
        done: List[object] = []
        if not any(isinstance(item, Flush) and item.token == token for item in self.sent):
            return done
        while True:
            item = self.sent.popleft()
            done.append(item)
            if isinstance(item, Flush) and item.token == token:
                return done

    def forget(self, items: List[object]) -> None:
        """These need not be sent (again)."""
        self.waiting = deque(item for item in self.waiting if item not in items)
        self.sent = deque(item for item in self.sent if item not in items)

    def requeue(self) -> None:
        """Everything that was sent and not acknowledged is to be sent again, in order."""
        self.again += len(self.sent)
        self.waiting.extendleft(reversed(self.sent))
        self.sent.clear()


@dataclass
class Outbox:
    """The queues of one session. `limit` bounds the bytes of all tensors in memory, those being
    captured included; a sample larger than it is let in when nothing else is there. `wait` in
    seconds makes the run lossless.
    """

    limit: int
    wait: Optional[float] = None
    wake: Callable[[], None] = (
        lambda: None
    )  # tells the sending thread that there is something to send
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self.control = Queue()
        self.samples = Queue()
        self.layers: List[dict] = []
        self.flushed = 0  # the highest token answered
        self.used = 0  # bytes of tensors in memory
        self.closed: Optional[Exception] = None  # why nothing goes in any more
        self._token = 0
        self._number = 0
        self._leaving: Optional[object] = None  # of the control queue, the item about to be sent
        self._scalars = 0  # of the control queue, waiting or sent
        self._unflushed_scalars = 0  # queued since the last flush was
        self._dropped: Dict[str, int] = {}  # block: the step of its sample that was dropped last
        self._firsts: Dict[str, int] = {}  # block: the step of its first sample in this attempt

    # ---- the training side -----------------------------------------------------------------------

    def put_layer(self, message: dict) -> int:
        """Declares a layer; returns its number, which goes into `message`."""
        with self.changed:
            number = len(self.layers)
            self.layers.append({**message, "layer": number})
        self.wake()
        return number

    def put_scalars(self, step: int, values: Dict[str, float]) -> None:
        """Queues the scalars of a step, as many together as a message takes. With SCALARS_MAX
        messages a lossy run drops the oldest that is not yet sent; a lossless one waits for room.

        Raises Timeout after `wait` seconds, or what ended the session, in a lossless run.
        """
        items = list(values.items())
        for first in range(0, len(items), wire.SCALARS_MAX):
            self._put_scalars(Scalars(step, dict(items[first : first + wire.SCALARS_MAX])))
        self.wake()

    def _put_scalars(self, scalars: Scalars) -> None:
        with self.changed:
            if self.wait is not None:
                self._wait_for_room(
                    lambda: self._scalars < SCALARS_MAX,
                    lambda: f"scalars: {self._scalars} steps of {SCALARS_MAX}",
                )
            elif self.closed:
                self.counts.scalars += 1
                return
            self.control.waiting.append(scalars)
            self._scalars += 1
            if self._scalars > SCALARS_MAX:
                self._drop_oldest_scalars()
            self._flush_some_scalars()

    def count_refused(self) -> None:
        """A value came that cannot be sent."""
        with self.changed:
            self.counts.refused += 1

    def put_rewind(self, step: int) -> None:
        """Queues a rewind to `step` behind a flush of everything before it."""
        with self.changed:
            rewind = Rewind(step, self._put_flush())
            self.control.waiting.append(rewind)
            self.samples.waiting.append(rewind)
            self._dropped.clear()
            self._firsts.clear()
        self.wake()

    def put_flush(self) -> int:
        """Queues a flush behind everything there is; returns its token."""
        with self.changed:
            token = self._put_flush()
        self.wake()
        return token

    def wait_flushed(self, token: int, timeout: float) -> bool:
        """True once the daemon has answered `token`, False after `timeout` seconds or when the
        session is over."""
        with self.changed:
            self.changed.wait_for(lambda: self.flushed >= token or self.closed, timeout)
            return self.flushed >= token

    def reserve(self, block: str, nbytes: int) -> bool:
        """Room for a sample of `block` that is about to be captured, at the cost of older ones of
        the same block that nobody has begun to send, the first one excepted. False: no room, the
        sample is counted as dropped. Never blocks."""
        with self.changed:
            if self.closed or not self._make_room(block, nbytes):
                self.counts.client += 1
                return False
            self.used += nbytes
            return True

    def cancel(self, nbytes: int) -> None:
        """Gives back reserved room."""
        with self.changed:
            self.used -= nbytes
            self.changed.notify_all()

    def put_reserved(self, samples: List[Sample], reserved: int) -> None:
        """Queues samples for which `reserved` bytes, at least their size, have been reserved. One
        call for all samples of a step: each one that wakes the sending thread may cost the caller a
        turn of the interpreter lock.
        """
        with self.changed:
            self.used -= reserved - sum(sample.nbytes for sample in samples)
            for sample in samples:
                if self.closed:
                    self._drop(sample)
                else:
                    self._append(sample)
        self.wake()

    def put_sample(self, sample: Sample) -> bool:
        """Queues a sample, or part of one: tensors of the same block and step are one sample.
        False: dropped.

        A lossless run waits for room instead. Raises Timeout after `wait` seconds, or what ended
        the session.
        """
        with self.changed:
            if self.wait is not None:
                self._wait_for_room(
                    lambda: self._fits(sample.nbytes),
                    lambda: f"{sample.nbytes} bytes: {self.used} of {self.limit} bytes",
                )
            elif self.closed or not self._admit(sample):
                return False
            self.used += sample.nbytes
            self._append(sample)
        self.wake()
        return True

    def first_steps(self) -> Dict[str, int]:
        """The step of the first sample of each block that has one in this attempt."""
        with self.changed:
            return dict(self._firsts)

    def close(self, reason: Exception) -> None:
        """Nothing goes in any more, and whoever waits is told."""
        with self.changed:
            self.closed = self.closed or reason
            self.changed.notify_all()

    # ---- the sending side ------------------------------------------------------------------------

    def acknowledge(self, token: int, dropped: int) -> None:
        """The daemon has committed everything up to the flush of `token`."""
        with self.changed:
            self.counts.daemon = dropped
            self._scalars -= sum(
                isinstance(item, Scalars) for item in self.control.acknowledge(token)
            )
            for item in self.samples.acknowledge(token):
                if isinstance(item, Sample):
                    self._free(item)
            self.flushed = max(self.flushed, token)
            self.changed.notify_all()

    def head(self, queue: Queue) -> Optional[object]:
        """The first waiting item of `queue`, None if there is none. A control item that was looked
        at is about to be sent: nobody drops it now."""
        with self.changed:
            item = queue.waiting[0] if queue.waiting else None
            if queue is self.control:
                self._leaving = item
            return item

    def begin(self, sample: Sample) -> bool:
        """Marks the first sample as started: nobody drops it now. False if somebody has."""
        with self.changed:
            sample.started = bool(self.samples.waiting) and self.samples.waiting[0] is sample
            return sample.started

    def sent(self, queue: Queue, item: object) -> None:
        """The first item of `queue` is on its way. What need not be kept until it is acknowledged
        is forgotten; `free` gives the room of such a sample back."""
        with self.changed:
            queue.advance(item, keep=not isinstance(item, Sample) or self.keeps(item))

    def keeps(self, sample: Sample) -> bool:
        """Whether a sample that is sent is kept until acknowledged, and the daemon asked for room
        before: any of a lossless run, the first of each block of another."""
        return self.wait is not None or sample.first

    def give_up(self) -> Sample:
        """The first waiting sample will not be sent (any further): it is counted, its room is still
        to be given back."""
        with self.changed:
            sample = self.samples.waiting.popleft()
            self._forget_first(sample)
            self._count(sample)
            return sample

    def give_up_control(self, item: object) -> None:
        """The first waiting control item will not be sent: scalars are counted."""
        with self.changed:
            self.control.advance(item, keep=False)
            if isinstance(item, Scalars):
                self._scalars -= 1
                self.counts.scalars += 1

    def free(self, sample: Sample) -> None:
        """Nothing reads the buffers of a sent sample any more."""
        with self.changed:
            self._free(sample)

    def requeue(self, rewound: bool) -> None:
        """After a new welcome: what the daemon has not acknowledged is to be sent again, but for the
        rewind that was under way if the session's attempt says that the daemon has `rewound`."""
        with self.changed:
            if rewound:
                done = [item for item in self.control.sent if isinstance(item, Rewind)]
                self.control.forget(done)
                self.samples.forget(done)
            self.control.requeue()
            self.samples.requeue()

    def many_scalars_unflushed(self) -> bool:
        """Whether it is time to ask the daemon about the scalars that were queued."""
        with self.changed:
            return self._unflushed_scalars >= SCALARS_A_FLUSH

    def unacknowledged(self, again: bool) -> bool:
        """Whether something was sent that no flush has covered and none is under way for. `again`:
        flushes that were sent do not count."""
        with self.changed:
            for queue in (self.control, self.samples):
                if queue.sent and (again or not isinstance(queue.sent[-1], Flush)):
                    return not any(isinstance(item, Flush) for item in queue.waiting)
            return False

    def clear(self) -> None:
        """Drops everything and counts it; waiting flushes stay unanswered."""
        with self.changed:
            for item in list(self.samples.waiting):
                if isinstance(item, Sample):
                    self._drop(item)
            for item in self.samples.sent:
                if isinstance(item, Sample):
                    self._free(item)
            self.counts.scalars += self._scalars
            self._scalars = 0
            self.control, self.samples = Queue(), Queue()

    # ---- under the lock --------------------------------------------------------------------------

    def _put_flush(self) -> int:
        self._token += 1
        self._unflushed_scalars = 0
        self.control.waiting.append(Flush(self._token))
        self.samples.waiting.append(Flush(self._token))
        return self._token

    def _append(self, sample: Sample) -> None:
        sample.first = self._firsts.setdefault(sample.block, sample.step) == sample.step
        for tensor in sample.tensors:
            tensor.number = self._number
            self._number += 1
        self.samples.waiting.append(sample)

    def _drop_oldest_scalars(self) -> None:
        """Of those that were never sent and are not about to be: there is one, the newest."""
        waiting = self.control.waiting
        index = self.control.again
        while not isinstance(waiting[index], Scalars) or waiting[index] is self._leaving:
            index += 1
        del waiting[index]
        self._scalars -= 1
        self.counts.scalars += 1

    def _flush_some_scalars(self) -> None:
        """A lossless run asks early about what it has queued, so that room comes before it is
        needed. It waits at SCALARS_MAX, so the flushes are few."""
        self._unflushed_scalars += 1
        if self.wait is not None and self._unflushed_scalars >= SCALARS_A_FLUSH:
            self._put_flush()

    def _admit(self, sample: Sample) -> bool:
        """Whether a lossy run takes this (part of a) sample; if not, what waits of it goes too, also
        of a first one: the next is then the first."""
        if self._dropped.get(sample.block) == sample.step:
            return False
        if self._make_room(sample.block, sample.nbytes, spare_step=sample.step):
            return True
        self._evict(lambda other: other.block == sample.block and other.step == sample.step)
        self._forget_first(sample)
        self._count(sample)
        return False

    def _forget_first(self, sample: Sample) -> None:
        """A sample that is lost is not the first of its block: the next will be."""
        if self._firsts.get(sample.block) == sample.step:
            del self._firsts[sample.block]

    def _make_room(self, block: str, nbytes: int, spare_step: Optional[int] = None) -> bool:
        while not self._fits(nbytes):
            if not self._evict(
                lambda other: other.block == block
                and other.step != spare_step
                and not other.first
            ):
                return False
        return True

    def _fits(self, nbytes: int) -> bool:
        return self.used == 0 or (
            self.used + nbytes <= self.limit and len(self.samples.waiting) < SAMPLES_MAX
        )

    def _evict(self, belongs: Callable[[Sample], bool]) -> bool:
        """Drops the oldest sample that `belongs` picks and that nobody has begun to send, with all
        its parts. Some of them may already be on their way: the daemon drops what stays
        incomplete."""
        victims = [
            s
            for s in self.samples.waiting
            if isinstance(s, Sample) and not s.started and belongs(s)
        ]
        parts = [s for s in victims if s.step == victims[0].step]
        gone = {id(part) for part in parts}
        self.samples.waiting = deque(item for item in self.samples.waiting if id(item) not in gone)
        for part in parts:
            self._drop(part)
        return bool(parts)

    def _wait_for_room(self, there: Callable[[], bool], what: Callable[[], str]) -> None:
        """Waits until there is room or the session is over. Raises Timeout, which says of `what`
        how much is kept."""
        deadline = time.monotonic() + (self.wait or 0.0)
        while not self.closed and not there():
            if not self._flush_pending():
                self._put_flush()
                self.wake()
            left = deadline - time.monotonic()
            if left <= 0:
                raise Timeout(
                    f"no room within {self.wait} s for {what()} are not yet committed by the daemon"
                )
            self.changed.wait(left)
        if self.closed:
            raise self.closed

    def _flush_pending(self) -> bool:
        return any(
            isinstance(item, Flush) for q in (self.samples.sent, self.samples.waiting) for item in q
        )

    def _drop(self, sample: Sample) -> None:
        self._count(sample)
        self._free(sample)

    def _count(self, sample: Sample) -> None:
        """Counts a dropped sample once, in however many parts it came."""
        if self._dropped.get(sample.block) != sample.step:
            self._dropped[sample.block] = sample.step
            self.counts.client += 1

    def _free(self, sample: Sample) -> None:
        self.used -= sample.nbytes
        sample.release()
        self.changed.notify_all()
