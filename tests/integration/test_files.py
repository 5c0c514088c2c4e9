"""The limit of open files: raised at the start, and never reached by connections."""

import contextlib
import resource
import shlex
import socket

import numpy as np
import pytest

import harness
from harness import until
from raw import Raw

EYE = np.eye(8, dtype=np.float32)


class Limited(harness.Daemon):
    """Started with these limits of open files, as `ulimit -n` or systemd sets them."""

    def __init__(self, folder, soft, hard):
        super().__init__(folder)
        self.files = f"ulimit -Sn {soft} && ulimit -Hn {hard} && exec "

    def command(self):
        return ["bash", "-c", self.files + shlex.join(super().command())]


@contextlib.contextmanager
def limited(folder, soft, hard):
    d = Limited(folder, soft, hard)
    try:
        yield d.start()
    finally:
        problems = d.close()
        assert not problems, "\n".join(problems)


@contextlib.contextmanager
def connections(d, count):
    """So many bare connections to the control socket, as far as it takes them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    held = []
    try:
        for _ in range(count):
            s = socket.socket(socket.AF_UNIX)
            held.append(s)
            s.connect(d.endpoint.removeprefix("ipc://"))
        yield held
    finally:
        for s in held:
            s.close()


def test_a_soft_limit_is_raised(folder):
    """systemd's default of 1,024 files is 384 trainers; the configuration says 4,000."""
    with limited(folder / "d", 1024, 16384) as d, connections(d, 1200):
        with Raw(d.endpoint) as raw:
            raw.hello()
            raw.declare()
            raw.tensor(EYE)
            assert raw.flush() == 0
        assert d.metric("foreshock_connections_refused_total") == 0
        assert "fewer sessions" not in d.log()


def test_connections_beyond_the_hard_limit_are_refused(folder):
    with limited(folder / "d", 512, 1024) as d:
        assert "fewer sessions than limits.sessions" in d.log() and "sessions=384" in d.log()
        with Raw(d.endpoint) as raw:
            raw.hello()
            raw.declare()
            with connections(d, 1500):
                until(lambda: d.metric("foreshock_connections_refused_total") > 0, "a refusal")
                assert d.request("/healthz")[0] == 200
                raw.tensor(EYE)
                assert raw.flush() == 0  # who is there goes on
                assert len(d.series("r", "spectral.sigma1", "l")) == 1
                until(lambda: "connections are closed at once" in d.log(), "the line in the log")
                late = Raw(d.endpoint, run="next")
                late.send(late.header)
                assert not late.control.poll(500)
            with late:  # there is room again
                assert late.receive("welcome")["attempt"] == 1


def test_a_limit_that_is_too_low_is_named(folder):
    d = Limited(folder / "d", 128, 128)
    with pytest.raises(AssertionError, match=r"did not start \(1\)"):
        d.start()
    assert "limit of open files is 128, expected more than 256" in d.log()
    d.process.stdout.close()
