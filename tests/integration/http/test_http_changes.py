"""Requests that change something, and what survives a restart."""
import json

from serving import Server


def test_acknowledge(new_server):
    server = new_server()
    status, alert = server.change("/api/v1/alerts/2/ack", "POST")
    assert status == 200 and alert["id"] == 2 and alert["acknowledged"] is True and alert["acknowledged_at"] > 0
    listed = {a["id"]: a["acknowledged"] for a in server.get("/api/v1/alerts")["alerts"]}
    assert listed == {1: False, 2: True, 3: False}


def test_acknowledge_nothing(new_server):
    server = new_server()
    assert server.change("/api/v1/alerts/99/ack", "POST")[0] == 404
    for bad in ("x", "0", "-1", "1x", "99999999999999999999"):
        assert server.change(f"/api/v1/alerts/{bad}/ack", "POST")[0] == 404


def test_acknowledge_bodies(new_server):
    server = new_server()
    headers = {"Authorization": "Bearer admin-secret", "Content-Type": "application/json"}
    for body in (b"[]", b'{"a":1}', b"{", b"\xff", b"x" * 1000):
        assert server.ask("/api/v1/alerts/1/ack", "POST", headers, body)[0] == 400
    assert server.ask("/api/v1/alerts/1/ack", "POST", headers, b"")[0] == 200
    status, _, body = server.ask("/api/v1/alerts/1/ack", "POST", headers, b" " * 70000)
    assert status == 413 and json.loads(body)["status"] == 413


def test_silence(new_server):
    """What a silence covers is marked at once, and no longer when it ends."""
    server = new_server()
    marks = lambda: {a["id"]: a["silenced"] for a in server.get("/api/v1/alerts")["alerts"]}
    assert marks() == {1: False, 2: False, 3: False}
    status, made = server.post("/api/v1/silences", {"run": "gpt-*", "for": 60.5, "reason": "\u00e9", "created_by": "me"})
    assert status == 201 and made["expires_at"] == made["created_at"] + 60.5
    assert marks() == {1: False, 2: True, 3: False}  # the first is resolved: what it was told stays
    _, other = server.post("/api/v1/silences", {"run": "exploded.1", "layer": "*", "until": made["expires_at"] - 30})
    assert marks()[3] is False  # it is about the run itself
    assert server.get("/api/v1/silences")["silences"] == [other, made]
    assert server.change(f"/api/v1/silences/{made['id']}", "DELETE") == (200, made)
    assert marks() == {1: False, 2: False, 3: False}
    assert server.change(f"/api/v1/silences/{made['id']}", "DELETE")[0] == 404


def test_silences_are_bounded(new_server):
    server = new_server()
    for _ in range(1000):
        assert server.post("/api/v1/silences", {"run": "x", "for": 60})[0] == 201
    assert server.post("/api/v1/silences", {"run": "x", "for": 60})[0] == 409


def test_delete(new_server):
    server = new_server()
    assert server.change("/api/v1/runs/gpt-small", "DELETE")[0] == 409
    assert server.change("/api/v1/runs/exploded.1", "DELETE") == (200, {"id": "exploded.1", "deleted": True})
    assert server.change("/api/v1/runs/exploded.1", "DELETE")[0] == 404
    assert [run["id"] for run in server.get("/api/v1/runs")["runs"]] == ["gpt-small"]
    assert {alert["run"] for alert in server.get("/api/v1/alerts")["alerts"]} == {"gpt-small"}


def test_end(new_server):
    server = new_server()
    assert server.change("/api/v1/runs/gpt-small/end", "POST")[0] == 409  # it runs
    assert server.change("/api/v1/runs/exploded.1/end", "POST") == (200, {"id": "exploded.1", "ended": True})
    assert server.change("/api/v1/runs/nowhere/end", "POST")[0] == 404
    assert server.post("/api/v1/runs/exploded.1/end", {"why": "crashed"})[0] == 400
    assert server.change("/api/v1/runs/exploded.1/end", "DELETE")[0] == 405


def test_restart(tmp_path):
    """What was acknowledged is there after a restart (the second fill finds its points already there)."""
    first = Server(tmp_path)
    assert first.change("/api/v1/alerts/2/ack", "POST")[0] == 200
    loss = first.get("/api/v1/runs/gpt-small/series?metric=loss")
    assert first.stop() == 0
    second = Server(tmp_path)
    assert [a["acknowledged"] for a in second.get("/api/v1/alerts?run=gpt-small")["alerts"]] == [True, False]
    assert second.get("/api/v1/runs/gpt-small/series?metric=loss") == loss
    assert second.stop() == 0
