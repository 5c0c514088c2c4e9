"""A client made of two bare DEALER sockets: it says whatever a test wants it to say, right or wrong."""

import time

import msgpack
import numpy as np
import pytest
import zmq

from foreshock import wire
from harness import DEADLINE

PIECE = 16 * 1024 * 1024


def pack(header):
    """A header as bytes: a dict as it is, without any check; bytes as they are."""
    return header if isinstance(header, bytes) else msgpack.packb(header, use_bin_type=True)


class Raw:
    """One session. `endpoint` is the daemon's control endpoint; `identity` ZeroMQ's; `more` goes into the hello."""

    def __init__(self, endpoint, run="r", session="s", rank=0, world=1, identity=None, **more):
        self.header = {"type": "hello", "version": 1, "run": run, "session": session, "rank": rank, "world": world, **more}
        self.endpoint = endpoint
        self.identity = identity
        self.context = zmq.Context()
        self.control = self._connect(endpoint)
        self.tensors = None
        self.welcome = None
        self.kept = []  # received, and not yet asked for
        self.number = 0  # of the next tensor
        self.token = 0

    def _connect(self, endpoint):
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if self.identity is not None:
            socket.setsockopt(zmq.IDENTITY, self.identity)
        socket.connect(endpoint)
        return socket

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Goes without a word."""
        self.context.destroy(linger=0)

    # ---- control socket --------------------------------------------------------------------------

    def send(self, *frames):
        self.control.send_multipart([pack(frame) for frame in frames])

    def receive(self, kind, where=lambda message: True, deadline=None):
        """The next message of that type for which `where` holds; others are kept for later."""
        end = time.monotonic() + (deadline or DEADLINE)
        while True:
            for message in self.kept:
                if message["type"] == kind and where(message):
                    self.kept.remove(message)
                    return message
            assert time.monotonic() < end, f"no {kind} came; what came: {self.kept}"
            self._read()

    def answer(self, header):
        """Says something and returns what comes next, whatever it is."""
        self.kept.clear()
        self.send(header)
        end = time.monotonic() + DEADLINE
        while not self.kept:
            assert time.monotonic() < end, "no answer came"
            self._read()
        return self.kept.pop()

    def _read(self):
        for socket in (self.control, self.tensors):
            if socket is not None and socket.poll(10):
                self.kept.append(wire.decode(socket.recv_multipart()[0]))

    def hello(self, **changed):
        """Opens the session, or resumes it; connects the tensor socket. Returns the welcome. What was sent while a connection
        broke is gone, so it asks again."""
        end = time.monotonic() + DEADLINE
        self.welcome = None
        while not self.welcome:
            self.send({**self.header, **changed})
            try:
                self.welcome = self.receive("welcome", deadline=min(3, DEADLINE))
            except AssertionError:
                if time.monotonic() > end:
                    raise
        if self.tensors is not None:
            self.tensors.close(linger=0)
        self.tensors = self._connect(self.welcome["tensors"])
        return self.welcome

    def error(self, code=None):
        return self.receive("error", lambda message: code in (None, message["code"]))

    def errors(self):
        """All errors that are told before the next pulse."""
        self.pulse()
        told = [message for message in self.kept if message["type"] == "error"]
        self.kept = [message for message in self.kept if message["type"] != "error"]
        return told

    def pulse(self, dropped=0):
        """A heartbeat and its answer: what was sent before on the control socket has been read."""
        self.send({"type": "heartbeat", "dropped": dropped})
        return self.receive("pulse")

    def declare(self, number=0, name="l", shape=(8, 8), dtype="float32", **more):
        self.send({"type": "layer", "layer": number, "name": name, "shape": list(shape), "dtype": dtype, **more})
        self.pulse()

    def scalars(self, step, **values):
        self.send({"type": "scalars", "step": step, "values": values})

    def bye(self, dropped=0):
        self.send({"type": "bye", "dropped": dropped})

    # ---- tensor socket ---------------------------------------------------------------------------

    def tensor_header(self, array, step=0, layer=0, kind="weights", **changed):
        """The header of the first piece of an array as the next tensor; None takes a key out."""
        header = {
            "type": "tensor", "ticket": self.welcome["ticket"], "tensor": self.number, "kind": kind, "layer": layer,
            "step": step, "dtype": str(array.dtype), "shape": list(array.shape), "offset": 0, "total": array.nbytes,
            **changed,
        }
        self.number += 1
        return {key: value for key, value in header.items() if value is not None}

    def send_tensor(self, header, *payload):
        self.tensors.send_multipart([pack(header), *payload])

    def tensor(self, array, step=0, layer=0, kind="weights", **changed):
        """Sends an array whole, in pieces of at most 16 MiB."""
        array = np.ascontiguousarray(array)
        header, data = self.tensor_header(array, step, layer, kind, **changed), array.tobytes()
        for offset in range(0, len(data), PIECE):
            self.send_tensor({**header, "offset": offset}, data[offset:offset + PIECE])

    def flush(self):
        """Returns when the daemon has committed everything, with the count of dropped samples."""
        self.token += 1
        self.send({"type": "flush", "token": self.token})
        self.send_tensor({"type": "flush", "ticket": self.welcome["ticket"], "token": self.token})
        return self.receive("flushed", lambda message: message["token"] == self.token)["dropped"]


def goes_on(daemon, client, step=100):
    """A good sample of the same session is stored."""
    client.declare(99, "good", (8, 8))
    client.tensor(np.eye(8, dtype=np.float32) * 3, step=step, layer=99)
    client.flush()
    assert daemon.series("r", "spectral.sigma1", "good")[step] == pytest.approx(3, abs=1e-6)
    assert daemon.request("/healthz")[0] == 200
