"""The HTTP side of the real daemon: what the server with made-up runs cannot show."""
import os
import stat
import threading

import numpy as np
import pytest

import foreshock
from harness import until

from test_http_events import Stream

LAYER = "a/<b>"


def train(daemon, key, steps=3):
    """A short run with one layer; everything is committed when it returns. The run is still open."""
    run = foreshock.Run(key, endpoint=daemon.endpoint, wait=20)
    run.declare(LAYER, shape=(24, 16))
    draw = np.random.default_rng(7)
    for step in range(steps):
        run.weights(step, LAYER, draw.standard_normal((24, 16), dtype=np.float32))
        run.activations(step, LAYER, draw.standard_normal((40, 16), dtype=np.float32))
        run.log(step, loss=2.0 - step)
    assert run.flush(timeout=20)
    return run


def test_health_and_version(daemon):
    d = daemon()
    assert until(lambda: d.request("/healthz")[0] == 200, "healthz")
    assert d.request("/readyz")[0] == 200
    assert 'foreshock_info{version="' in d.request("/metrics")[2].decode()


def test_admin_token_is_its_owners(daemon):
    d = daemon()
    assert stat.S_IMODE(os.stat(d.state_dir / "admin.token").st_mode) == 0o600
    headers = {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    assert d.request("/api/v1/alerts/1/ack", "POST", headers, b"{}")[0] == 401
    assert d.change("/api/v1/alerts/1/ack")[0] == 404


def test_delete(daemon):
    d = daemon()
    run = train(d, "gone")
    assert d.change("/api/v1/runs/gone", "DELETE")[0] == 409
    run.close()
    until(lambda: d.api("/api/v1/runs/gone")["state"] == "ended", "the run to end")
    assert d.change("/api/v1/runs/gone", "DELETE")[0] == 200
    assert d.request("/api/v1/runs/gone")[0] == 404
    assert d.api("/api/v1/runs") == {"runs": []}
    assert d.change("/api/v1/runs/gone", "DELETE")[0] == 404
    d.restart()
    assert d.api("/api/v1/runs") == {"runs": []}


def test_events_follow_a_training(daemon):
    d = daemon()
    d.port = int(d.url.rsplit(":", 1)[1])
    stream = Stream(d, "?run=told")
    training = threading.Thread(target=lambda: train(d, "told").close())
    training.start()
    _, _, loss = stream.until(lambda kind, data: kind == "sample" and data["layer"] == "" and data["step"] == 2)
    assert loss["values"]["loss"] == 0.0
    _, _, last = stream.until(lambda kind, data: kind == "run" and data["state"] == "ended")
    assert last["id"] == "told" and last["last_step"] == 2
    training.join()
    stream.close()


def test_events_follow_an_alert(daemon):
    """It fires, is silenced, is told again, is acknowledged, is resolved: each is an event."""
    d = daemon()
    d.port = int(d.url.rsplit(":", 1)[1])
    stream = Stream(d, "?run=told")
    alert = lambda **want: stream.until(lambda kind, data: kind == "alert" and want.items() <= data.items())
    with foreshock.Run("told", endpoint=d.endpoint, wait=20) as run:
        run.log(1, loss=float("nan"))
        alert(state="firing", silenced=False, rule="nonfinite")
        _, made = d.change("/api/v1/silences", body=b'{"run": "told", "for": 60}')
        alert(state="firing", silenced=True)
        d.change(f"/api/v1/silences/{made['id']}", "DELETE")
        alert(state="firing", silenced=False)
        d.change("/api/v1/alerts/1/ack")
        alert(acknowledged=True)
    alert(state="resolved", silenced=False)
    stream.close()


def test_what_the_page_asks_for(daemon):
    d = daemon()
    run = train(d, "page")
    detail = d.api("/api/v1/runs/page")
    [layer] = [layer for layer in detail["layers"] if layer["name"] == LAYER]
    assert layer["shape"] == [24, 16] and layer["role"] == "linear" and layer["block"] is None
    assert layer["last"]["spectral.sigma1"]["step"] == 2
    tokens = d.api("/api/v1/runs/page/histogram?metric=sa&layer=a/%3Cb%3E")["histograms"][0]["counts"]
    assert np.sum(tokens, axis=0).tolist() == [40, 40, 40]
    gauges = d.request("/metrics")[2].decode()
    assert f'foreshock_spectral_sigma1{{run="page",layer="{LAYER}"}} ' in gauges
    run.close()


@pytest.mark.parametrize("path", ["/api/v1/runs", "/metrics", "/openapi.json", "/", "/nowhere"])
def test_token(daemon, path):
    d = daemon(config="http:\n  token: a-token-that-is-long-enough\n")
    assert d.request("/healthz")[0] in (200, 503)
    assert d.request(path)[0] == 401
    assert d.request(path, headers={"Authorization": "Bearer a-token-that-is-long-enough"})[0] in (200, 404)
