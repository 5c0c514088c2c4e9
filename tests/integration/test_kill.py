"""Killed at any instant, the daemon comes back with everything that it had acknowledged or served, once."""

import random
import threading
import time

import numpy as np
import pytest

import foreshock
from harness import until

STEPS = 480
LAYERS = ("a", "b")


def stream(rng):
    """Weights and scalars of a made-up training: drifting layers, a loss that rises and comes back, one that is NaN."""
    W = {name: rng.standard_normal((32, 24)).astype(np.float32) for name in LAYERS}
    for step in range(STEPS):
        W = {name: w + 0.01 * rng.standard_normal(w.shape).astype(np.float32) for name, w in W.items()}
        X = {name: rng.standard_normal((16, 24)).astype(np.float32) for name in LAYERS}
        loss = 2.0 + 0.02 * rng.standard_normal() + (3.0 if 410 <= step < 450 else 0.0)
        yield step, W, X, float("nan") if step == 250 else loss


def feed(endpoint, run_id, flushed=lambda step: None, pause=0.0):
    with foreshock.Run(run_id, endpoint=endpoint, wait=120) as run:
        for name in LAYERS:
            run.declare(name, shape=(32, 24))
        for step, W, X, loss in stream(np.random.default_rng(7)):
            for name in LAYERS:
                run.weights(step, name, W[name])
                run.activations(step, name, X[name])
            run.log(step, loss=loss)
            time.sleep(pause)
            if step % 10 == 9:
                assert run.flush(timeout=120)
                flushed(step)
        assert run.flush(timeout=120)
        assert run.dropped.daemon == 0 and run.dropped.client == 0


class Killer(threading.Thread):
    """Kills and restarts the daemon at random moments, and checks after each start what must be there."""

    def __init__(self, daemon, limit, seed=3):
        super().__init__()
        self.daemon, self.limit, self.random = daemon, limit, random.Random(seed)
        self.kills, self.flushed, self.served, self.firing = 0, -1, {}, {}
        self.done = threading.Event()
        self.failure = None

    def run(self):
        try:
            while self.kills < self.limit and not self.done.is_set():
                self.look()
                self.done.wait(self.random.uniform(0, 0.25))
                self.daemon.kill()
                self.kills += 1
                acknowledged = self.flushed
                self.daemon.start()
                self.compare(acknowledged)
        except BaseException as failure:  # told by the test's own thread
            self.failure = failure

    def look(self):
        layers = "/api/v1/runs/killed/series?metric=*&layer=a"
        if self.daemon.request(layers)[0] == 200:
            self.served = self.daemon.series("killed", "spectral.sigma1", "a")
            self.firing = {a["id"]: a["rule"] for a in self.daemon.alerts("killed", state="firing")}

    def compare(self, acknowledged):
        if acknowledged < 0 and not self.served:
            return
        now = self.daemon.series("killed", "spectral.sigma1", "a")
        assert set(range(acknowledged + 1)) <= set(now), "a flush was acknowledged, and its figures are gone"
        assert self.served.items() <= now.items(), "figures that were served are gone or changed"
        known = {a["id"] for a in self.daemon.alerts("killed")}
        assert set(self.firing) <= known, "an alert that was served is gone"


def alerts_of(daemon, run):
    return sorted((a["rule"], a["severity"], a["started_step"], a["state"], tuple(a["layers"])) for a in daemon.alerts(run))


@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=pytest.mark.long)])
def test_many_kills(daemon, kills):
    calm, killed = daemon(), daemon()
    feed(calm.endpoint, "killed")
    killer = Killer(killed, kills)
    killer.start()
    feed(killed.endpoint, "killed", lambda step: setattr(killer, "flushed", step), pause=0.02)
    # The rest of the kills, with nothing to lose any more.
    until(lambda: not killer.is_alive(), "the kills", 120)
    if killer.failure:
        raise killer.failure
    assert killer.kills == kills
    for metric, layer in (("loss", ""), ("rotation.from_init", "a"), ("weights.drift", "b"), ("sa.tokens", "b")):
        assert killed.series("killed", metric, layer) == calm.series("killed", metric, layer), (metric, layer)
    with_kills, without = (d.series("killed", "spectral.sigma1", "b") for d in (killed, calm))
    assert with_kills.keys() == without.keys() == set(range(STEPS))
    assert all(abs(with_kills[s] / without[s] - 1) <= 4e-6 for s in without)
    assert alerts_of(killed, "killed") == alerts_of(calm, "killed")
    assert {a["rule"] for a in killed.alerts("killed")} >= {"loss_high", "nonfinite"}
    assert killed.api("/api/v1/runs/killed")["attempt"] == 1


def test_an_open_alert_survives_a_kill_and_resolves(daemon):
    d = daemon()
    with foreshock.Run("open", endpoint=d.endpoint, wait=60) as run:
        run.declare("l", shape=(8, 8))
        bad = np.eye(8, dtype=np.float32)
        bad[0, 0] = np.nan
        run.weights(0, "l", np.eye(8, dtype=np.float32))
        run.weights(1, "l", bad)
        assert run.flush(timeout=30)
        (alert,) = d.alerts("open", state="firing")
        d.kill()
        d.start()
        assert [a["id"] for a in d.alerts("open", state="firing")] == [alert["id"]]
        for step in range(2, 600):
            run.weights(step, "l", np.eye(8, dtype=np.float32))
        assert run.flush(timeout=60)
        (resolved,) = d.alerts("open", rule="nonfinite")
        assert resolved["id"] == alert["id"] and resolved["state"] == "resolved"
        assert resolved["started_step"] == 1


def test_rotation_is_measured_from_the_true_beginning_after_a_kill(daemon):
    d = daemon()
    with foreshock.Run("rotate", endpoint=d.endpoint, wait=60) as run:
        run.declare("l", shape=(2, 2))
        run.weights(0, "l", np.array([[1.0, 0], [0, 1]]))
        assert run.flush(timeout=30)
        d.kill()
        d.start()
        run.weights(5, "l", np.array([[0.0, 1], [-1, 0]]))
        assert run.flush(timeout=30)
        assert abs(d.series("rotate", "rotation.from_init", "l")[5] - 1) < 1e-12
        assert d.series("rotate", "rotation.baseline_step", "l")[5] == 0
