"""The one background thread that talks to the daemon: hello and welcome, layers, scalars, samples,
heartbeats, flushes.

The threads that train put things into the outbox and never wait for this one. A session is AWAY (no
connection), GREETING (hello sent), READY (welcomed) or REFUSED (for good). Every welcome begins
anew: all layers, then what the outbox kept. The two sockets have no order between them, so what
must come first on the control socket (layers, a rewind) is followed by a heartbeat, and the tensors
that need it wait for that heartbeat's pulse.
"""

import enum
import logging
import threading
import time
from collections import deque
from typing import Deque, Optional, Set, Tuple

from . import wire
from .endpoint import denied, tensor_endpoint
from .errors import ForeshockError, Refused
from .inbox import DaemonError, Inbox
from .link import Link
from .outbox import Flush, Outbox, Rewind, Sample, Scalars, Tensor

log = logging.getLogger("foreshock")

ABSENT_AFTER_S = 1.0  # without a welcome for so long, the daemon is said to be absent
HELLO_RETRY_S = 10.0
RANK_TAKEN_RETRY_S = 2.0
SILENT_AFTER_HEARTBEATS = 3
AUTOFLUSH_S = 5.0
AUTOFLUSH_LOSSLESS_S = 1.0
FLUSH_AGAIN_S = 30.0  # a flush that is not answered for so long is asked again
CLOSE_FLUSH_S = 2.0
CLOSE_CONNECT_S = 0.3  # what a run that ends at once gives the connection to come up
PIECES_A_TURN = 64
REOPEN_AFTER_S = 1.0
WANT_RETRY_S = 0.05
READY_POLL_MS = 2
REAP_POLL_MS = 100


class State(enum.Enum):
    AWAY = "away"
    GREETING = "greeting"
    READY = "ready"
    REFUSED = "refused"


class Transport:
    """Sends what is in `outbox` to the daemon at `endpoint` under the session of `hello`, from
    `start` to `close`."""

    def __init__(self, endpoint: str, hello: dict, outbox: Outbox, inbox: Inbox) -> None:
        self.endpoint = endpoint
        self.state = State.AWAY
        self.failures = 0  # errors inside the sending thread
        self._hello = wire.encode(hello)
        self._who = f"rank {hello['rank']} of run {hello['run']}"
        self._outbox = outbox
        self._inbox = inbox
        self._link = Link(endpoint)
        self._started = time.monotonic()
        self._stopping = False
        self._told_absent = False
        self._welcomes = 0
        self._decided = threading.Event()  # set by the first welcome, or the end
        self._answered = False  # the daemon has said something on this connection
        self._told_taken = False  # that another session holds the rank
        self._attempt = 0  # of the last welcome
        self._next_hello = float("inf")
        self._in_flight: Deque[Tuple[list, Sample]] = deque()  # sent, still read by ZeroMQ
        self._begin_session({})
        outbox.wake = self._ring
        self._thread = threading.Thread(target=self._run, name="foreshock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_welcomed(self, timeout: float) -> bool:
        """True once the daemon has welcomed the session, False after `timeout` seconds or when it
        refused it for good. From any thread."""
        self._decided.wait(timeout)
        return self._welcomes > 0

    def close(self, flush_for: Optional[float] = None) -> None:
        """Flushes for `flush_for` seconds (a short while by default, not at all where no daemon
        is), says bye, ends."""
        if not self._thread.is_alive():
            return
        if flush_for is None:
            age = time.monotonic() - self._started
            there = self.state in (State.READY, State.GREETING)
            flush_for = (
                CLOSE_FLUSH_S
                if there
                else 0.0 if self._welcomes else max(0.0, CLOSE_CONNECT_S - age)
            )
        if not self._silent:
            self._outbox.wait_flushed(self._outbox.put_flush(), flush_for)
        self._outbox.close(ForeshockError("the run is closed"))
        self._stopping = True
        self._ring()
        self._thread.join(CLOSE_FLUSH_S)

    def _ring(self) -> None:
        self._link.ring()

    # ---- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        broken = False
        while not self._stopping and self.state is not State.REFUSED:
            try:
                if broken:
                    self._reopen()
                    broken = False
                self._turn()
            except Exception:
                broken = True
                self.failures += 1
                if self.failures == 1:
                    log.warning(
                        "foreshock: error in the sending thread (logged once); training goes on",
                        exc_info=True,
                    )
                time.sleep(REOPEN_AFTER_S)
        self._end()

    def _end(self) -> None:
        self._decided.set()
        if not self._welcomes and self.state is not State.REFUSED:
            self._tell_absent()
        ready = self.state is State.READY and not self._silent
        if ready:
            self._link.send_control(
                wire.encode({"type": "bye", "dropped": self._outbox.counts.client})
            )
        self._outbox.clear()
        self._link.close(linger=ready)

    def _reopen(self) -> None:
        """After an error of our own: fresh sockets."""
        before, self._link = self._link, Link(self.endpoint)
        before.close(linger=False)
        self._lost()

    def _turn(self) -> None:
        self._link.poll(self._timeout_ms(), self._control_full, self._tensors_full)
        self._control_full = self._tensors_full = self._waits_for_device = False
        for up in self._link.connections():
            if up:
                self._answered = False
                self._greet()
            else:
                self._lost()
        for frames in self._link.received():
            self._handle(frames)
        now = time.monotonic()
        self._keep_time(now)
        if self.state is State.READY and not self._silent:
            self._send_layers()
            self._send_control()
            if self._asked != (self._layers_sent, self._rewound):
                self._heartbeat(now)
            self._send_samples()
        self._reap()

    def _timeout_ms(self) -> int:
        """How long the thread may sleep when nothing happens."""
        if self._waits_for_device:
            return READY_POLL_MS
        if self._in_flight:
            return REAP_POLL_MS
        now = time.monotonic()
        due = [now + 1.0, self._next_hello]
        if self.state is State.READY:
            due.append(self._next_heartbeat)
        if self._next_want > now:
            due.append(self._next_want)
        return max(0, min(1000, int((min(due) - now) * 1000) + 1))

    def _begin_session(self, welcome: dict) -> None:
        """Everything that a welcome sets back."""
        self._ticket: bytes = welcome.get("ticket", b"")
        self._heartbeat_s = welcome.get("heartbeat_ms", 5000) / 1000
        self._piece_bytes = min(welcome.get("piece_bytes", wire.PIECE_MAX), wire.PIECE_MAX)
        self._tensor_bytes: int = welcome.get("tensor_bytes", 0)
        self._unanswered: Deque[Tuple[float, int, int]] = deque()  # when, and what it asks about
        self._heard = time.monotonic()  # when the daemon last said something
        self._silent = False
        self._next_heartbeat = time.monotonic() + self._heartbeat_s
        self._next_autoflush = time.monotonic() + self._autoflush_s()
        self._flush_progress = time.monotonic()  # when a flush was last asked for or answered
        self._unflushed_bytes = 0
        self._layers_sent = 0
        self._unsendable: Set[int] = set()  # layers that could not be declared
        self._rewound = 0  # the token of the last rewind that was sent
        self._asked = (0, 0)  # up to which layer and rewind a heartbeat has followed
        self._layers_known = 0  # up to which the daemon has read them: tensors may go
        self._gate = 0
        self._part = 0  # of the first sample: the tensor under way, and what of it is sent
        self._offset = 0
        self._trackers: list = []
        self._wanted: Optional[int] = None
        self._granted: Optional[int] = None
        self._next_want = 0.0  # not to be asked before
        self._control_full = False
        self._tensors_full = False
        self._waits_for_device = False

    def _autoflush_s(self) -> float:
        return AUTOFLUSH_S if self._outbox.wait is None else AUTOFLUSH_LOSSLESS_S

    # ---- the connection --------------------------------------------------------------------------

    def _greet(self) -> None:
        """Says hello, on a connection that came up or again on one that is."""
        self.state = State.GREETING
        sent = self._link.send_control(self._hello)
        self._next_hello = time.monotonic() + (HELLO_RETRY_S if sent else 0.1)

    def _lost(self) -> None:
        was_ready = self.state is State.READY
        self.state = State.AWAY
        self._answered = False
        self._next_hello = float("inf")
        self._link.close_tensors()
        if was_ready:
            self._told_absent = True
            log.warning(
                "the foreshock daemon at %s is gone; training goes on, will reconnect",
                self.endpoint,
            )

    def _tell_absent(self) -> None:
        """Nobody has answered. Where somebody has, the log has told what they said."""
        if not self._told_absent and not self._answered:
            self._told_absent = True
            log.warning(
                "no foreshock daemon at %s%s; training goes on, will connect when it appears",
                self.endpoint,
                ": permission denied: join the group foreshock" if denied(self.endpoint) else "",
            )

    def _keep_time(self, now: float) -> None:
        """What is due: the hello again, the word that nobody is there, heartbeats, flushes of our
        own."""
        if self.state is not State.READY:
            if self.state is State.GREETING and now >= self._next_hello:
                self._greet()
            if not self._welcomes and now - self._started > ABSENT_AFTER_S:
                self._tell_absent()
            return
        if self._unanswered:
            since = max(self._heard, self._unanswered[0][0])
            if now - since > SILENT_AFTER_HEARTBEATS * self._heartbeat_s:
                self._fall_silent()
        if now >= self._next_heartbeat and not self._silent:
            self._heartbeat(now)
        due = (
            now >= self._next_autoflush
            or self._unflushed_bytes > self._outbox.limit // 4
            or self._outbox.many_scalars_unflushed()
        )
        again = now - self._flush_progress > FLUSH_AGAIN_S
        if due and not self._silent and self._outbox.unacknowledged(again):
            self._outbox.put_flush()
            self._unflushed_bytes = 0
            self._flush_progress = now
            self._next_autoflush = now + self._autoflush_s()

    def _heartbeat(self, now: float) -> None:
        """Its pulse says that the daemon has read all layers and rewinds sent before."""
        header = wire.encode({"type": "heartbeat", "dropped": self._outbox.counts.client})
        if self._link.send_control(header):
            self._asked = (self._layers_sent, self._rewound)
            self._unanswered.append((now, *self._asked))
            self._next_heartbeat = now + self._heartbeat_s
        else:
            self._control_full = True

    def _fall_silent(self) -> None:
        if not self._silent:
            self._silent = True
            log.warning(
                "the foreshock daemon at %s does not answer; training goes on", self.endpoint
            )

    # ---- what the daemon says --------------------------------------------------------------------

    def _handle(self, frames: list) -> None:
        try:
            message = wire.decode(frames[0])
        except wire.WireError as error:
            log.warning("foreshock: a message of the daemon cannot be read: %s", error)
            return
        self._heard = time.monotonic()
        self._answered = True
        handler = getattr(self, f"_on_{message['type']}", None)
        if handler is not None:
            handler(message)

    def _on_welcome(self, message: dict) -> None:
        half_sent = self._outbox.head(self._outbox.samples) if self._trackers else None
        if isinstance(half_sent, Sample) and not self._outbox.keeps(half_sent):
            self._skip_sample()  # the daemon before may hold a part of it
        self._begin_session(message)
        self._outbox.requeue(rewound=message["attempt"] > self._attempt > 0)
        self._attempt = message["attempt"]
        self._link.open_tensors(tensor_endpoint(self.endpoint, message["tensors"]))
        self._next_hello = float("inf")
        self.state = State.READY
        self._welcomes += 1
        self._told_taken = False
        self._decided.set()
        if self._welcomes == 1 or self._told_absent:
            log.info(
                "connected to the foreshock daemon at %s, attempt %d",
                self.endpoint,
                message["attempt"],
            )
        self._told_absent = False

    def _on_error(self, message: dict) -> None:
        if message["about"] == "want" and message["code"] == "limit":
            self._postpone_want()
            return
        if message["code"] == "rank_taken":
            self._on_rank_taken(message)
            return
        error = self._inbox.add_error(message)
        if error.about == "hello" and error.code == "limit":
            self.state = State.GREETING
            self._next_hello = time.monotonic() + RANK_TAKEN_RETRY_S
        elif error.code in ("unknown_session", "unknown_ticket"):
            if self.state is State.READY:
                self._greet()
        elif error.fatal:
            self._refused(error)
        elif error.about == "want" and self._wanted is not None:
            self._skip_sample()

    def _on_rank_taken(self, message: dict) -> None:
        """Another session holds the rank: it is asked for again. With `fatal` a newer one has taken
        over from this one, which is over."""
        error = self._inbox.add_error(message, quiet=True)
        if error.fatal:
            log.warning("foreshock: a newer session has taken over %s; this one ends", self._who)
            self._refused(error)
            return
        self.state = State.GREETING
        self._next_hello = time.monotonic() + RANK_TAKEN_RETRY_S
        if not self._told_taken:
            self._told_taken = True
            log.warning(
                "foreshock: %s is still held by another process; training goes on, will ask again",
                self._who,
            )

    def _refused(self, error: DaemonError) -> None:
        self.state = State.REFUSED
        self._outbox.close(Refused(str(error)))

    def _on_pulse(self, message: dict) -> None:
        self._outbox.counts.daemon = message["dropped"]
        if self._unanswered:
            _, self._layers_known, self._gate = self._unanswered.popleft()
        if self._silent:
            self._silent = False
            log.info("the foreshock daemon at %s answers again", self.endpoint)

    def _on_grant(self, message: dict) -> None:
        self._granted = message["tensor"]

    def _on_flushed(self, message: dict) -> None:
        self._flush_progress = time.monotonic()
        self._outbox.acknowledge(message["token"], message["dropped"])

    def _on_alert(self, message: dict) -> None:
        self._inbox.add_alert(message)

    # ---- what the client says --------------------------------------------------------------------

    def _send_layers(self) -> None:
        """Layers that the daemon has not heard of."""
        layers = self._outbox.layers
        while self._layers_sent < len(layers):
            header = self._encoded(layers[self._layers_sent])
            if header is None:
                self._unsendable.add(self._layers_sent)
            elif not self._link.send_control(header):
                self._control_full = True
                return
            self._layers_sent += 1

    def _send_control(self) -> None:
        queue = self._outbox.control
        while True:
            item = self._outbox.head(queue)
            if item is None or (isinstance(item, Rewind) and self._outbox.flushed < item.token):
                return
            header = self._encoded(_control_message(item))
            if header is None:
                self._outbox.give_up_control(item)
                continue
            if not self._link.send_control(header):
                self._control_full = True
                return
            self._outbox.sent(queue, item)
            if isinstance(item, Rewind):
                self._rewound = item.token

    def _send_samples(self) -> None:
        """The tensor queue, as far as the socket takes it and at most so much that heartbeats are
        not late."""
        queue = self._outbox.samples
        for _ in range(PIECES_A_TURN):
            item = self._outbox.head(queue)
            if item is None:
                return
            if isinstance(item, Sample):
                if not self._send_piece(item):
                    return
            elif isinstance(item, Flush):
                header = {"type": "flush", "ticket": self._ticket, "token": item.token}
                if self._link.send_tensor([wire.encode(header)]) is None:
                    self._tensors_full = True
                    return
                self._outbox.sent(queue, item)
            elif self._gate < item.token:
                return
            else:
                self._outbox.sent(queue, item)
        self._ring()

    def _send_piece(self, sample: Sample) -> bool:
        """The next piece of the first sample. False: not now."""
        tensor = sample.tensors[self._part]
        if any(each.layer >= self._layers_known for each in sample.tensors):
            return False
        if not sample.ready():
            self._waits_for_device = True
            return False
        if not sample.started and not self._outbox.begin(sample):
            return True
        if tensor.data.nbytes > self._tensor_bytes:
            self._refuse_large(tensor)
            return True
        if not self._may_send(sample, tensor):
            return False
        header = self._encoded(self._piece_header(tensor))
        if header is None or tensor.layer in self._unsendable:
            self._skip_sample()
            return True
        piece = tensor.data[self._offset : self._offset + self._piece_bytes]
        tracker = self._link.send_tensor([header, piece])
        if tracker is None:
            self._tensors_full = True
            return False
        self._trackers.append(tracker)
        self._piece_sent(sample, tensor, piece.nbytes)
        return True

    def _encoded(self, message: dict) -> Optional[bytes]:
        """The header of a message. None: it has none and is to be dropped, which the log says once;
        what is queued was checked, so this is an error of our own."""
        try:
            return wire.encode(message)
        except Exception as error:
            self.failures += 1
            if self.failures == 1:
                log.warning(
                    "foreshock: a message cannot be encoded and is dropped (logged once): %s", error
                )
            return None

    def _piece_header(self, tensor: Tensor) -> dict:
        header = {
            "type": "tensor",
            "ticket": self._ticket,
            "tensor": tensor.number,
            "kind": tensor.kind,
            "layer": tensor.layer,
            "step": tensor.step,
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "offset": self._offset,
            "total": tensor.data.nbytes,
        }
        if tensor.initial:
            header["initial"] = True
        return header

    def _piece_sent(self, sample: Sample, tensor: Tensor, nbytes: int) -> None:
        self._offset += nbytes
        self._unflushed_bytes += nbytes
        if self._offset < tensor.data.nbytes:
            return
        self._offset = 0
        self._part += 1
        if self._part < len(sample.tensors):
            return
        self._outbox.sent(self._outbox.samples, sample)
        if not self._outbox.keeps(sample):
            self._in_flight.append((self._trackers, sample))
        self._rest()

    def _rest(self) -> None:
        """Between two samples."""
        self._part = self._offset = 0
        self._trackers = []

    def _may_send(self, sample: Sample, tensor: Tensor) -> bool:
        """Before each tensor of a sample that must not be lost the daemon is asked, and its grant
        waited for."""
        if self._offset > 0 or self._granted == tensor.number or not self._outbox.keeps(sample):
            return True
        if self._wanted != tensor.number and time.monotonic() >= self._next_want:
            header = {"type": "want", "tensor": tensor.number, "bytes": tensor.data.nbytes}
            if self._link.send_control(wire.encode(header)):
                self._wanted = tensor.number
            else:
                self._control_full = True
        return False

    def _postpone_want(self) -> None:
        """The daemon has yet to read tensors that it granted before: asked again in a while."""
        self._wanted = None
        self._next_want = time.monotonic() + WANT_RETRY_S

    def _refuse_large(self, tensor: Tensor) -> None:
        self._inbox.add_error(
            {
                "code": "tensor_too_large",
                "field": "total",
                "value": str(tensor.data.nbytes),
                "expected": f"at most {self._tensor_bytes} bytes",
                "about": "tensor",
                "fatal": False,
            }
        )
        self._skip_sample()

    def _skip_sample(self) -> None:
        self._wanted = None
        self._in_flight.append((self._trackers, self._outbox.give_up()))
        self._rest()

    def _reap(self) -> None:
        """Gives the room of samples back that ZeroMQ has passed on."""
        while self._in_flight and all(tracker.done for tracker in self._in_flight[0][0]):
            self._outbox.free(self._in_flight.popleft()[1])


def _control_message(item: object) -> dict:
    if isinstance(item, Scalars):
        return {"type": "scalars", "step": item.step, "values": item.values}
    if isinstance(item, Flush):
        return {"type": "flush", "token": item.token}
    assert isinstance(item, Rewind)
    return {"type": "rewind", "step": item.step}
