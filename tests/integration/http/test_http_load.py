"""What large questions may cost: they end at their deadline, with their client and with the daemon, and hold nobody else up."""
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import time

import pytest

from harness import Daemon, until
from serving import Server

pytestmark = pytest.mark.xdist_group("load")  # one at a time: each loads the machine by itself

WIDE = "/api/v1/runs/wide/series?metric=*&points=1000"
SERIES = 40000  # about 90 MB of answer, and seconds of work
QUEUE = 16  # HTTP_QUEUE_MAX
THREADS = 2  # POOL_THREADS


@pytest.fixture(scope="module")
def wide_state(tmp_path_factory):
    """A state directory with a run of many series."""
    folder = tmp_path_factory.mktemp("wide")
    running = Server(folder, options=["--wide", SERIES])
    assert running.stop() == 0
    return folder


@pytest.fixture
def daemon(wide_state, tmp_path):
    """The real daemon on a copy of that directory."""
    shutil.copytree(wide_state, tmp_path / "d" / "state")
    (tmp_path / "d" / "state").chmod(0o700)
    running = Daemon(tmp_path / "d").start()
    running.port = int(running.url.rsplit(":", 1)[1])
    yield running
    assert running.close() == []


def send(port, path=WIDE):
    """Asks and does not read."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return client


def read(client):
    """Status, headers (names in lower case) and body of the answer."""
    with client, client.makefile("rb") as stream:
        status = int(stream.readline().split()[1])
        headers = dict(line.decode().rstrip().lower().split(": ", 1) for line in iter(stream.readline, b"\r\n"))
        return status, headers, stream.read(int(headers["content-length"]))


def processor_seconds(pid):
    """What the process has used so far."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_idle(pid):
    before = processor_seconds(pid)
    time.sleep(0.3)
    return processor_seconds(pid) - before < 0.1


@pytest.mark.threads
def test_others_are_answered_meanwhile(daemon):
    daemon.request("/healthz")
    with contextlib.ExitStack() as stack:
        for _ in range(QUEUE + THREADS):
            stack.enter_context(send(daemon.port))
        time.sleep(0.2)
        for path in ("/healthz", "/", "/openapi.json", "/readyz", "/metrics", "/api/v1/runs", "/api/v1/alerts"):
            begun = time.monotonic()
            assert daemon.request(path, timeout=20)[0] == 200
            assert time.monotonic() - begun < 1, path
    until(lambda: is_idle(daemon.pid), "an end of the work for clients that have left", 10)


@pytest.mark.threads
def test_a_change_does_not_wait_for_queries(daemon):
    with contextlib.ExitStack() as stack:
        for _ in range(QUEUE):
            stack.enter_context(send(daemon.port))
        begun = time.monotonic()
        assert daemon.change("/api/v1/alerts/2/ack")[0] == 200
        assert time.monotonic() - begun < 3


def test_above_the_queue_is_refused(daemon):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(send(daemon.port)) for _ in range(2 * (QUEUE + THREADS))]
        refused = until(lambda: [c for c in select.select(clients, [], [], 0)[0] if c.recv(12, socket.MSG_PEEK)[-3:] == b"503"],
                        "a refusal")
        _, headers, body = read(refused[0])
        assert headers["content-type"] == "application/problem+json"
        assert (headers["retry-after"], headers["connection"]) == ("1", "close")
        assert json.loads(body)["detail"] == f"{QUEUE} requests of this kind wait already"
    status, _, body = until(lambda: (a := read(send(daemon.port)))[0] == 200 and a, "room after the others have left")
    assert len(json.loads(body)["series"]) == SERIES


@pytest.mark.parametrize("path", [WIDE, "/api/v1/runs/wide"])
def test_ends_with_its_client(daemon, path):
    before = processor_seconds(daemon.pid)
    client = send(daemon.port, path)
    until(lambda: processor_seconds(daemon.pid) > before + 0.02, "the query's begin")
    client.close()
    until(lambda: is_idle(daemon.pid), "the query's end", 2)


@pytest.mark.threads
@pytest.mark.parametrize("path", [WIDE, "/api/v1/runs/wide", "/metrics"])
def test_sigterm_ends_the_daemon_soon(daemon, path):
    clients = [send(daemon.port, path) for _ in range(QUEUE + THREADS)]
    time.sleep(0.3)
    begun = time.monotonic()
    daemon.process.terminate()
    assert daemon.process.wait(20) == 0
    assert time.monotonic() - begun < 5
    for client in clients:
        client.close()


def test_sigterm_reaches_those_who_wait_for_a_slow_reader(daemon):
    client = send(daemon.port)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    until(lambda: client.recv(1, socket.MSG_PEEK), "the answer's begin")
    begun = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(20) == 0
    assert time.monotonic() - begun < 5
    client.close()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server whose deadline is short and whose memory for answers is small."""
    running = Server(
        tmp_path_factory.mktemp("hasty"),
        options=["--wide", 20000, "--query-ms", 50, "--answers-bytes", 4 << 20],
    )
    yield running
    assert running.stop() == 0


def test_deadline(hasty):
    begun = time.monotonic()
    problem = hasty.problem(WIDE)
    assert problem["status"] == 503 and time.monotonic() - begun < 2
    assert problem["detail"] == "the answer was not ready within 0.05 s; ask for fewer series, points or steps"
    assert hasty.get("/api/v1/runs/gpt-small")["id"] == "gpt-small"


def test_answers_share_a_bound_of_memory(tmp_path):
    running = Server(tmp_path, options=["--wide", 4000, "--answers-bytes", 4 << 20])
    try:
        status, headers, body = running.ask(WIDE)
        assert status == 400 and "retry-after" not in headers
        assert "fewer series or points" in json.loads(body)["detail"]
        part = "/api/v1/runs/wide/series?metric=m000*"
        for _ in range(20):
            assert len(running.get(part)["series"]) == 100  # what was sent counts no more
    finally:
        assert running.stop() == 0
