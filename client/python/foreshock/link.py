"""The ZeroMQ side of the sending thread: the control and tensor sockets, their reconnects, and a
bell that other threads ring to wake it. All methods but `ring` belong to the sending thread."""

import socket
from typing import Iterator, List, Optional

import zmq
from zmq.utils.monitor import recv_monitor_message

TENSOR_PIECES_QUEUED = (
    4  # pieces of at most 16 MiB that ZeroMQ may hold beyond the bound of the outbox
)
CONTROL_MESSAGES_QUEUED = 1_000
BYE_LINGER_MS = 300
RECONNECT_MS = 100
RECONNECT_MAX_MS = 2_000


class Link:
    """Sockets to one daemon. Nothing here blocks but `poll`, for as long as it is told."""

    def __init__(self, endpoint: str) -> None:
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._context = zmq.Context()
        self._tensors: Optional[zmq.Socket] = None
        self._control = self._socket(CONTROL_MESSAGES_QUEUED)
        self._monitor = self._control.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        self._control.connect(endpoint)

    def ring(self) -> None:
        """Wakes `poll`. From any thread, also when the link is closed."""
        try:
            self._bell.send(b"\0")
        except OSError:
            pass  # full: it will wake anyway; closed: nobody listens

    def poll(self, timeout_ms: int, control_full: bool, tensors_full: bool) -> None:
        """Waits until something arrives, the bell rings, or a socket that was full has room
        again."""
        poller = zmq.Poller()
        poller.register(self._ear.fileno(), zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self._control, zmq.POLLIN | (zmq.POLLOUT if control_full else 0))
        if self._tensors is not None:
            poller.register(self._tensors, zmq.POLLIN | (zmq.POLLOUT if tensors_full else 0))
        poller.poll(timeout_ms)
        try:
            self._ear.recv(4096)
        except BlockingIOError:
            pass

    def connections(self) -> Iterator[bool]:
        """What happened to the control connection: True for each that came up, False for each that
        went down."""
        while self._monitor.poll(0):
            yield recv_monitor_message(self._monitor)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED

    def received(self) -> Iterator[List[bytes]]:
        """The frames of each message that has arrived; on the tensor socket those are errors."""
        for made in (self._control, self._tensors):
            while made is not None and not made.closed:
                try:
                    yield made.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    break

    def send_control(self, header: bytes) -> bool:
        """False: no connection, or its queue is full."""
        try:
            self._control.send(header, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def send_tensor(self, frames: list) -> "Optional[zmq.MessageTracker]":
        """Sends without copying: the frames must stay as they are until the tracker is done. None:
        not sent."""
        if self._tensors is None:
            return None
        try:
            return self._tensors.send_multipart(frames, zmq.DONTWAIT, copy=False, track=True)
        except zmq.Again:
            return None

    def open_tensors(self, endpoint: str) -> None:
        """A fresh tensor socket; what the one before still held is discarded."""
        self.close_tensors()
        self._tensors = self._socket(TENSOR_PIECES_QUEUED)
        self._tensors.connect(endpoint)

    def close_tensors(self) -> None:
        if self._tensors is not None:
            self._tensors.close(linger=0)
            self._tensors = None

    def close(self, linger: bool) -> None:
        """Closes everything; with `linger` a last control message has a moment to leave."""
        self.close_tensors()
        self._control.disable_monitor()
        self._control.close(linger=BYE_LINGER_MS if linger else 0)
        self._monitor.close(linger=0)
        self._context.term()
        self._bell.close()
        self._ear.close()

    def _socket(self, queued: int) -> zmq.Socket:
        made = self._context.socket(zmq.DEALER)
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.IMMEDIATE, 1)
        made.setsockopt(zmq.SNDHWM, queued)
        made.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        made.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        return made
