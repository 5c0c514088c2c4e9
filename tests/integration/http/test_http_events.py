"""The event stream: what it tells, how it is resumed, how it ends."""
import http.client
import json
import threading
import time

import pytest

from serving import Server

pytestmark = pytest.mark.threads


class Stream:
    """An open event stream, read event by event."""

    def __init__(self, server, query="", last_id=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        self.connection.request("GET", "/api/v1/events" + query, headers={"Last-Event-ID": last_id} if last_id else {})
        self.answer = self.connection.getresponse()
        self.comments = 0

    def next(self):
        """The next event as (id, type, data); None at the end of the stream."""
        fields = {}
        while True:
            line = self.answer.readline().decode()
            if not line:
                return None
            line = line.rstrip("\n")
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                return fields["id"], fields["event"], json.loads(fields["data"])
            else:
                fields = {}

    def until(self, wanted):
        """The first event for which `wanted(type, data)` holds."""
        while True:
            event = self.next()
            assert event, "the stream ended"
            if wanted(event[1], event[2]):
                return event

    def close(self):
        self.connection.close()


def test_samples_are_committed(new_server):
    server = new_server(live_ms=200)
    stream = Stream(server, "?run=gpt-small")
    assert stream.answer.headers["Content-Type"] == "text/event-stream"
    _, _, sample = stream.until(lambda kind, data: kind == "sample" and data["layer"] == "")
    assert sample["run"] == "gpt-small" and sample["attempt"] == 1
    step = sample["step"]
    answer = server.get(f"/api/v1/runs/gpt-small/series?metric=loss&layer=&from={step}&to={step}")
    [series] = answer["series"]
    assert series["last"] == [sample["values"]["loss"]]
    _, _, layer = stream.until(lambda kind, data: kind == "sample" and data["layer"] == "blocks.0.attn.q_proj")
    assert "sa.diversity" in layer["values"] and "spectral.sigma1" in layer["values"]
    stream.close()


def test_filter(new_server):
    server = new_server(live_ms=200)
    stream = Stream(server, "?run=exploded.1")
    others = Stream(server)
    for _ in range(20):
        assert others.next()[2]["run"] == "gpt-small"
    server.change("/api/v1/alerts/3/ack", "POST")
    _, kind, data = stream.next()
    assert (kind, data["run"], data["id"], data["acknowledged"]) == ("alert", "exploded.1", 3, True)
    stream.close()
    others.close()


def test_resume(new_server):
    server = new_server(live_ms=200)
    first = Stream(server)
    seen = [first.next() for _ in range(40)]
    first.close()
    second = Stream(server, last_id=seen[9][0])
    assert [second.next() for _ in range(30)] == seen[10:]
    second.close()
    old = Stream(server, last_id="5")
    number, kind, _ = old.next()
    assert kind == "reset" and int(number) >= int(seen[-1][0])
    old.close()


def test_bad_last_id(server):
    assert server.problem("/api/v1/events", headers={"Last-Event-ID": "x"})["parameter"] == "Last-Event-ID"


def test_deleted_run_is_told(new_server):
    server = new_server()
    stream = Stream(server)
    server.change("/api/v1/runs/exploded.1", "DELETE")
    _, kind, data = stream.until(lambda kind, data: data.get("id") == "exploded.1")
    assert (kind, data["state"]) == ("run", "deleted")
    stream.close()


def test_comments_and_clients_that_go(new_server):
    server = new_server()  # a beat a second
    streams = [Stream(server) for _ in range(8)]
    assert all(stream.answer.status == 200 for stream in streams)
    refused = Stream(server)
    assert refused.answer.status == 503 and json.loads(refused.answer.read())["status"] == 503
    line = b""
    while line != b":\n":
        line = streams[0].answer.readline()
    for stream in streams:
        stream.answer.close()
        stream.close()
    deadline = time.monotonic() + 15
    while b"foreshock_sse_clients 0\n" not in server.ask("/metrics")[2]:
        assert time.monotonic() < deadline, "streams of clients that went stay open"
        time.sleep(0.2)


def test_stop_ends_streams(tmp_path):
    """A server with open streams, some of them waiting, stops at once and ends them properly."""
    server = Server(tmp_path)
    streams = [Stream(server) for _ in range(5)]
    time.sleep(0.3)
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 5
    assert [stream.next() for stream in streams] == [None] * 5


def test_many_questions_at_once(new_server):
    server = new_server(live_ms=100)
    failures = []

    def ask():
        try:
            run = "/api/v1/runs/gpt-small"
            for path in ("/api/v1/runs", run, "/metrics", f"{run}/series?metric=*") * 3:
                status, _, body = server.ask(path)
                assert status == 200, body
        except Exception as error:  # told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
