"""A socket in the daemon's place, for what a healthy daemon never does: to be absent, to stall, to
misbehave, to forget.

It speaks just as much as a test lets it: `answers` names the message types that it answers. It
keeps every message.
"""

import threading
import time
from typing import Callable, Dict, List, Optional, Set, Tuple

import zmq

from foreshock import wire

ALL = {"hello", "heartbeat", "flush", "want"}
DEADLINE_S = 20.0


class Peer:
    """Two ROUTER sockets at `path` and `path`.tensors, served by a thread of their own from `start`
    to `stop`."""

    def __init__(self, path: str, answers: Optional[Set[str]] = None, **welcome: object) -> None:
        self.path = path
        self.answers = set(ALL if answers is None else answers)
        self.welcome = {
            "lease_ms": 30000,
            "heartbeat_ms": 200,
            "piece_bytes": 1 << 24,
            "tensor_bytes": 1 << 30,
            **welcome,
        }
        self.reading_tensors = True
        self.changed = threading.Condition()
        self.control: List[dict] = []
        self.tensors: List[Tuple[dict, Optional[bytes]]] = []
        self._outgoing: List[dict] = []
        self._flushes: Dict[int, int] = {}
        self._client: Optional[bytes] = None
        self._sessions = 0
        self._stopping = False
        self._thread: Optional[threading.Thread] = None

    @property
    def endpoint(self) -> str:
        return f"ipc://{self.path}"

    def start(self) -> "Peer":
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Closes the sockets as a killed daemon does: without a word."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join(DEADLINE_S)
            self._thread = None

    def say(self, message: dict) -> None:
        """Sends a message to the client that spoke last."""
        with self.changed:
            self._outgoing.append(message)

    def of_type(self, kind: str) -> List[dict]:
        with self.changed:
            return [message for message in self.control if message["type"] == kind]

    def whole(self) -> Dict[Tuple[int, str, int], bytes]:
        """The tensors that arrived in full, by layer number, kind and step."""
        found: Dict[Tuple[int, str, int], bytearray] = {}
        totals = {}
        with self.changed:
            for header, payload in self.tensors:
                if header["type"] == "tensor":
                    key = (header["layer"], header["kind"], header["step"])
                    if header["offset"] == 0:
                        found[key] = bytearray()
                    assert header["offset"] == len(found[key]), "pieces with gaps"
                    found[key] += payload
                    totals[key] = header["total"]
        return {key: bytes(data) for key, data in found.items() if len(data) == totals[key]}

    def wait_for(self, condition: Callable[[], object], what: str = "") -> None:
        """Waits until `condition` holds, which is looked at whenever a message arrives."""
        with self.changed:
            assert self.changed.wait_for(
                condition, DEADLINE_S
            ), f"never came: {what}; heard {self.control[-5:]}"

    # ---- the thread ------------------------------------------------------------------------------

    def _serve(self) -> None:
        context = zmq.Context()
        control, tensors = context.socket(zmq.ROUTER), context.socket(zmq.ROUTER)
        for bound, address in ((control, self.endpoint), (tensors, self.endpoint + ".tensors")):
            bound.setsockopt(zmq.LINGER, 0)
            bound.setsockopt(zmq.RCVHWM, 2)
            bound.bind(address)
        while not self._stopping:
            if control.poll(5):
                self._client, header = control.recv_multipart()
                self._hear(wire.decode(header))
            while self.reading_tensors and tensors.poll(0):
                frames = tensors.recv_multipart()
                self._hear(
                    wire.decode(frames[1]), frames[2] if len(frames) > 2 else None, on_tensors=True
                )
            with self.changed:
                while self._outgoing and self._client:
                    control.send_multipart([self._client, wire.encode(self._outgoing.pop(0))])
        context.destroy(linger=0)

    def _hear(
        self, message: dict, payload: Optional[bytes] = None, on_tensors: bool = False
    ) -> None:
        with self.changed:
            if on_tensors:
                self.tensors.append((message, payload))
            else:
                self.control.append(message)
            if message["type"] in self.answers:
                self._answer(message)
            self.changed.notify_all()

    def _answer(self, message: dict) -> None:
        kind = message["type"]
        if kind == "hello":
            self._sessions += 1
            ticket = self._sessions.to_bytes(16, "big")
            known = {
                "version": 1,
                "attempt": self._sessions,
                "tensors": self.endpoint + ".tensors",
                "ticket": ticket,
            }
            self._outgoing.append({"type": "welcome", **known, **self.welcome, "daemon": "0"})
        elif kind == "heartbeat":
            self._outgoing.append({"type": "pulse", "dropped": 0})
        elif kind == "want":
            self._outgoing.append({"type": "grant", "tensor": message["tensor"]})
        elif kind == "flush":
            token = message["token"]
            self._flushes[token] = self._flushes.get(token, 0) + 1
            if self._flushes[token] == 2:
                del self._flushes[token]
                self._outgoing.append({"type": "flushed", "token": token, "dropped": 0})


def eventually(condition: Callable[[], object], what: str) -> None:
    """Waits for something that no message announces."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        threading.Event().wait(0.005)
