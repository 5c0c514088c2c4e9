"""Leases, attempts, ranks and rewinds: what the daemon makes of sessions that come, go, stall, vanish and come back."""

import contextlib
import os
import signal
import time

import numpy as np
import pytest

import foreshock
import reference
from harness import until
from raw import Raw

EYE = np.eye(8, dtype=np.float32)
LEASE = 1.0
SHORT = f"limits: {{lease_seconds: {LEASE}, sample_deadline_seconds: 0.5}}\n"


def turned(degrees):
    """[8, 8] whose angle to the identity, as a vector, is known: cos = (6 + 2 cos(degrees)) / 8."""
    W = EYE.copy()
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    W[:2, :2] = [[c, -s], [s, c]]
    return W


def state(daemon, run="r"):
    return daemon.api(f"/api/v1/runs/{run}")["state"]


def gauges(daemon):
    return daemon.metric("foreshock_sessions"), daemon.metric("foreshock_runs_running")


def lost(daemon, run="r"):
    return daemon.alerts(run, rule="run_lost")


@contextlib.contextmanager
def session(daemon, *args, **more):
    """A session that has said hello and declared one layer 0, named l."""
    with Raw(daemon.endpoint, *args, **more) as raw:
        raw.hello()
        raw.declare()
        yield raw


def stall(daemon, seconds):
    """The daemon is stopped for so long."""
    os.kill(daemon.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(daemon.pid, signal.SIGCONT)


# ---- leases ---------------------------------------------------------------------------------------

def test_a_silent_session_is_lost_and_may_come_back(daemon):
    d = daemon(config=SHORT)
    with session(d) as raw:
        raw.tensor(EYE)
        raw.flush()
        assert gauges(d) == (1, 1)
        (alert,) = until(lambda: lost(d), "the lease to run out")
        assert (alert["state"], alert["severity"], alert["layers"]) == ("firing", "critical", [])
        assert "Rank 0 has been silent" in alert["summary"]
        assert state(d) == "lost" and gauges(d) == (0, 0)
        assert d.metric("foreshock_leases_lost_total") == 1
        assert 'msg="lease ran out without a bye" session="r s"' in d.log()
        raw.send({"type": "heartbeat", "dropped": 0})
        assert raw.error()["code"] == "unknown_session"
        raw.tensor(EYE, step=1)
        assert raw.error()["code"] == "unknown_ticket"
        assert raw.hello()["attempt"] == 1
        until(lambda: lost(d)[0]["state"] == "resolved", "the alert to resolve")
        assert state(d) == "running" and gauges(d) == (1, 1) and len(lost(d)) == 1
        raw.declare()
        raw.tensor(EYE, step=1)
        assert raw.flush() == 0 and set(d.series("r", "spectral.sigma1", "l")) == {0, 1}
        raw.bye()
        until(lambda: state(d) == "ended", "the bye")
        assert gauges(d) == (0, 0)


def test_a_bye_ends_a_run_without_an_alert(daemon):
    d = daemon(config=SHORT)
    with session(d) as raw:
        raw.tensor(EYE)
        raw.bye(dropped=3)
        until(lambda: state(d) == "ended", "the bye")
        assert d.api("/api/v1/runs/r")["dropped"] == 3 and d.metric("foreshock_dropped_client_total") == 3
        assert gauges(d) == (0, 0)
    with session(d, run="other") as other:  # its lease runs out: that of `r` has had as long
        other.flush()
        until(lambda: state(d, "other") == "lost", "the other's lease")
        assert lost(d) == [] and state(d) == "ended"


def test_a_lost_run_is_ended_by_hand(daemon):
    """A crashed training that nobody starts again: what fires is resolved, also for the next daemon."""
    d = daemon(config=SHORT)
    end = lambda run="r": d.change(f"/api/v1/runs/{run}/end")
    with session(d, world=2) as raw, session(d, session="s2", rank=1, world=2) as other:
        raw.tensor(np.full((8, 8), np.nan, np.float32))
        raw.flush()
        assert end()[0] == 409  # it runs
        until(lambda: state(d) == "lost" and lost(d) and d.alerts("r", rule="nonfinite"), "both leases to run out")
        assert end("nowhere")[0] == 404
        d.restart()  # what is lost, is lost for the next daemon too
        assert state(d) == "lost" and {alert["state"] for alert in d.alerts("r")} == {"firing"}
        assert end() == (200, {"id": "r", "ended": True}) and end()[0] == 200
        assert state(d) == "ended" and {alert["state"] for alert in d.alerts("r")} == {"resolved"}
        assert 'msg="run ended by hand" run=r' in d.log()
        d.restart()
        assert state(d) == "ended" and {alert["state"] for alert in d.alerts("r")} == {"resolved"}
        assert gauges(d) == (0, 0)
        assert other.hello()["attempt"] == 2 and raw.hello()["attempt"] == 2  # they return together
        assert state(d) == "running" and gauges(d) == (2, 1) and d.alerts("r", state="firing") == []


def test_a_daemon_that_stood_still_blames_nobody(daemon):
    d = daemon(config=SHORT)
    with session(d) as raw, foreshock.Run("python", endpoint=d.endpoint) as run:
        run.declare("l", shape=(8, 8))
        run.weights(0, "l", EYE)
        assert run.flush(timeout=30)
        stall(d, 2 * LEASE)
        raw.pulse()
        run.weights(1, "l", EYE)
        assert run.flush(timeout=30)
        for _ in range(8):  # both go on for more than a lease
            time.sleep(LEASE / 6)
            raw.pulse()
        assert lost(d) == [] and lost(d, "python") == []
        assert gauges(d) == (2, 2) and d.metric("foreshock_leases_lost_total") == 0
        assert d.metric("foreshock_stalls_total") >= 1 and "the loop stood still" in d.log()
        assert set(d.series("python", "spectral.sigma1", "l")) == {0, 1}


def test_a_restart_gives_every_session_a_full_lease(daemon):
    d = daemon(config=SHORT)
    with session(d) as raw, session(d, run="gone") as gone:
        raw.tensor(EYE)
        raw.flush()
        gone.flush()
        d.kill()
        time.sleep(1.5 * LEASE)
        d.start()
        assert gauges(d) == (2, 2) and state(d) == state(d, "gone") == "running"
        assert raw.hello()["attempt"] == 1
        raw.declare()
        raw.tensor(EYE, step=0)  # what the daemon before has stored is known: not refused, not counted
        raw.tensor(EYE, step=1)
        assert raw.flush() == 0 and raw.errors() == []
        while state(d, "gone") != "lost":
            raw.pulse()
        assert state(d) == "running" and lost(d) == [] and gauges(d) == (1, 1)
        assert set(d.series("r", "spectral.sigma1", "l")) == {0, 1}
        assert d.series("r", "rotation.baseline_step", "l") == {0: 0, 1: 0}


def test_a_rank_that_is_lost_comes_back_after_a_restart(daemon):
    """The run goes on with its other rank meanwhile: its state does not say that a rank is lost."""
    d = daemon(config=SHORT)
    with session(d, session="a", rank=0, world=2) as a, session(d, session="b", rank=1, world=2) as b:
        while not lost(d):
            a.pulse()
        assert state(d) == "running" and gauges(d) == (1, 1)
        d.restart()
        a.hello()
        assert [x["state"] for x in lost(d)] == ["firing"]
        b.hello()
        until(lambda: lost(d)[0]["state"] == "resolved", "the alert to resolve")
        a.bye()
        b.bye()
        until(lambda: state(d) == "ended", "both byes")


def test_what_is_sent_again_after_a_reconnect_is_known(daemon):
    d = daemon()
    with session(d, lossless=True) as raw:
        for step in range(4):
            raw.tensor(turned(step), step=step)
            raw.tensor(EYE, step=step, kind="activations")
            raw.scalars(step, loss=float(step))
        raw.flush()
        assert raw.hello()["attempt"] == 1
        raw.declare()
        for step in range(2, 6):
            raw.tensor(turned(step), step=step)
            raw.tensor(EYE, step=step, kind="activations")
            raw.scalars(step, loss=float(step))
        assert raw.flush() == 0 and raw.errors() == []
        for metric in ("spectral.sigma1", "sa.tokens"):
            assert set(d.series("r", metric, "l")) == set(range(6))
        assert d.series("r", "loss") == {step: step for step in range(6)}
        assert d.metric("foreshock_tensors_analysed_total") == 12


def test_room_that_was_granted_and_not_used_comes_back(daemon):
    d = daemon()
    with session(d, lossless=True) as raw:
        for tensor in (0, 1, 2):
            raw.send({"type": "want", "tensor": tensor, "bytes": 1000})
            assert raw.receive("grant")["tensor"] == tensor
        assert d.metric("foreshock_ingest_bytes") == 3000
        raw.number = 2  # tensors 0 and 1 will not come
        raw.tensor(EYE)
        raw.flush()
        assert d.metric("foreshock_ingest_bytes") == 0


# ---- attempts -------------------------------------------------------------------------------------

def series(daemon, metric, attempt=None, layer="l"):
    of = "" if attempt is None else f"&attempt={attempt}"
    answer = daemon.api(f"/api/v1/runs/r/series?metric={metric}&layer={layer}&points=1000{of}")
    return {step: last for s in answer["series"] for step, last in zip(s["step"], s["last"])}


def test_a_new_session_of_a_rank_begins_an_attempt_and_an_unseen_rank_joins_it(daemon):
    d = daemon()
    with session(d, session="a", world=2, lossless=True) as a:
        for step in (0, 1, 2, 3):
            a.tensor(EYE * (step + 1), step=step)
        a.flush()
        with session(d, session="b", rank=1, world=2) as b:
            assert b.welcome["attempt"] == 1
            b.bye()
        a.bye()
        until(lambda: state(d) == "ended", "the byes")
    with session(d, session="c", world=2, lossless=True) as c, session(d, session="e", rank=1, world=2) as e:
        assert c.welcome["attempt"] == 2 and e.welcome["attempt"] == 2
        assert c.hello()["attempt"] == 2  # and the same again is no other
        c.declare()
        for step in (2, 3, 4):
            c.tensor(EYE * 10 * (step + 1), step=step)
        c.flush()
        assert d.api("/api/v1/runs/r")["attempt"] == 2
    near = lambda figures: {step: round(value, 4) for step, value in figures.items()}
    assert near(series(d, "spectral.sigma1", 1)) == {0: 1, 1: 2, 2: 3, 3: 4}
    assert near(series(d, "spectral.sigma1", 2)) == {2: 30, 3: 40, 4: 50}
    assert near(series(d, "spectral.sigma1")) == {0: 1, 1: 2, 2: 30, 3: 40, 4: 50}


def test_two_ranks_that_rewind_share_one_attempt(daemon):
    d = daemon()
    with session(d, session="a", world=2) as a, session(d, session="b", rank=1, world=2) as b:
        for raw in (a, b):
            raw.tensor(EYE, step=10)
            raw.tensor(EYE, step=10, kind="activations")
            raw.scalars(10, loss=1.0)
        a.flush(), b.flush()
        for raw in (a, b):
            raw.send({"type": "rewind", "step": 5})
            raw.pulse()
        for raw in (a, b):
            raw.scalars(5, loss=2.0)
            raw.tensor(EYE, step=5)
            raw.tensor(EYE, step=5, kind="activations")
        assert a.flush() == 0 and b.flush() == 0 and a.errors() == b.errors() == []
        assert d.api("/api/v1/runs/r")["attempt"] == 2
        assert set(series(d, "spectral.sigma1", 2)) == {5} and series(d, "sa.tokens", 2) == {5: 16}
        assert series(d, "loss", 2, "") == {5: 2.0} and series(d, "loss", 1, "") == {10: 1.0}
        assert d.log().count('msg="attempt begins"') == 2


def test_a_rewind_that_was_read_is_not_sent_again_after_a_kill(daemon):
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint, wait=60) as run:
        run.declare("l", shape=(8, 8))
        for attempt, begins in ((1, 0), (2, 1), (3, 1)):
            for step in range(begins, begins + 3):
                run.log(step, loss=float(step))
                run.weights(step, "l", EYE)
            until(lambda: d.request("/api/v1/runs/r")[0] == 200 and d.api("/api/v1/runs/r")["attempt"] == attempt,
                  "the attempt")
            d.kill()
            d.start()
        assert run.flush(timeout=30)
        assert d.api("/api/v1/runs/r")["attempt"] == 3
        for attempt, begins in ((1, 0), (2, 1), (3, 1)):
            assert series(d, "loss", attempt, "") == {step: step for step in range(begins, begins + 3)}
            assert set(series(d, "spectral.sigma1", attempt)) == set(range(begins, begins + 3))


@pytest.mark.parametrize("begins,baseline,angle", [(5, 0, 90), (0, 0, 0)])
def test_the_baseline_is_kept_by_an_attempt_that_begins_after_it(daemon, begins, baseline, angle):
    d = daemon()
    with session(d, lossless=True) as raw:
        raw.tensor(EYE, step=0)
        raw.tensor(turned(30), step=6)
        raw.flush()
        raw.send({"type": "rewind", "step": begins})
        raw.pulse()
        raw.tensor(turned(90), step=begins)
        raw.tensor(turned(90), step=begins + 1)
        assert raw.flush() == 0
        expected = reference.one_minus_cos(turned(90).astype(np.float64), turned(90 - angle).astype(np.float64))
        for step in (begins, begins + 1):
            assert series(d, "rotation.from_init", 2)[step] == pytest.approx(expected, abs=1e-7)
            assert series(d, "rotation.baseline_step", 2)[step] == baseline
        # A restart changes nothing of it.
        d.restart()
        raw.hello()
        raw.declare()
        raw.tensor(turned(90), step=begins + 2)
        raw.flush()
        assert series(d, "rotation.from_init", 2)[begins + 2] == pytest.approx(expected, abs=1e-7)


# ---- baselines ------------------------------------------------------------------------------------

def test_newer_samples_do_not_replace_a_first_one_that_waits(daemon):
    """A model that is sampled faster than it is analysed: rotation is measured from its first weights all the same."""
    d = daemon(config="workers: 1\n")
    rng, layers = np.random.default_rng(0), 24
    for run in (f"r{i}" for i in range(10)):  # on a busy machine sending may be the slower part
        with session(d, run=run) as raw:
            for n in range(1, layers + 1):
                raw.declare(n, f"layer.{n}", (512, 512))
            for step in range(6):
                for n in range(1, layers + 1):
                    raw.tensor(rng.standard_normal((512, 512)).astype(np.float32), step=step, layer=n)
            dropped = raw.flush()
        for n in range(1, layers + 1):
            steps = d.series(run, "rotation.baseline_step", f"layer.{n}")
            assert min(steps) == 0 and set(steps.values()) == {0}, f"layer.{n}: {steps}"
        if dropped:
            break
    assert dropped > 0 and d.metric("foreshock_dropped_superseded_total") > 0  # or it shows nothing


# ---- late points ----------------------------------------------------------------------------------

def test_a_scalar_of_a_lower_step_is_a_late_point_of_its_series(daemon):
    """A validation that ends after its step opens no attempt, and disarms no detector."""
    d = daemon()
    with session(d) as raw:
        for step in range(0, 1000, 10):
            raw.scalars(step, loss=2.0)
            if step % 100 == 90:
                raw.scalars(step - 50, **{"val/loss": 3.0})
        raw.scalars(70, loss=5.0, fresh=1.0)  # the first of that step stands; a new name begins where it begins
        raw.scalars(75, loss=6.0)
        raw.scalars(5, fresh=0.5)
        raw.flush()
        run = d.api("/api/v1/runs/r")
        assert (run["attempt"], run["last_step"]) == (1, 990)
        assert d.series("r", "val/loss") == dict.fromkeys(range(40, 1000, 100), 3.0)
        assert d.series("r", "loss") == {**dict.fromkeys(range(0, 1000, 10), 2.0), 75: 6.0}
        assert d.series("r", "fresh") == {5: 0.5, 70: 1.0}
        assert raw.errors() == []


# ---- ranks ----------------------------------------------------------------------------------------

def test_activations_of_two_ranks_make_one_distribution(daemon):
    d = daemon(config="limits: {sample_deadline_seconds: 0.5}\n")
    draw = np.random.default_rng(5)
    W, X = draw.standard_normal((8, 8)), draw.standard_normal((5, 60, 8))
    with session(d, session="a", world=2) as a, session(d, session="b", rank=1, world=2) as b:
        for raw in (a, b):
            raw.declare(1, "w", (8, 8), "float64")
        a.tensor(W, step=0, layer=1)
        a.tensor(X[0], step=0, layer=1, kind="activations")
        a.flush()
        assert series(d, "sa.tokens", layer="w") == {}
        b.tensor(W, step=0, layer=1)  # the same weights from another rank: known
        b.tensor(X[1][:20], step=0, layer=1, kind="activations")
        assert b.flush() == 0
        v1 = np.linalg.svd(W)[2][0]
        union = np.concatenate([X[0], X[1][:20]])
        names = ("sa.mean", "sa.std", "sa.p05", "sa.p50", "sa.p95", "sa.tokens", "sa.input_mean", "activation.rms",
                 "activation.max_abs")
        got = {name: series(d, name, layer="w")[0] for name in names}
        expected = min((reference.alignment(union, v)[0] for v in (v1, -v1)),
                       key=lambda e: abs(e["sa.mean"] - got["sa.mean"]))
        assert got == {name: pytest.approx(expected[name], abs=2e-3) for name in got}
        assert got["sa.tokens"] == 80 and got["activation.rms"] == pytest.approx(expected["activation.rms"], rel=1e-6)
        # A rank that is silent is waited for until the deadline; what it sends later is counted.
        a.tensor(X[2], step=1, layer=1, kind="activations")
        until(lambda: (a.pulse(), b.pulse(), series(d, "sa.tokens", layer="w").get(1))[2] == 60, "the deadline")
        b.tensor(X[3], step=1, layer=1, kind="activations")
        assert b.flush() == 0
        assert d.metric("foreshock_activations_late_total") == 1
        assert series(d, "sa.tokens", layer="w")[1] == 60
        # A rank that has left is not waited for.
        b.bye()
        b.close()
        until(lambda: d.metric("foreshock_sessions") == 1, "the bye")
        a.tensor(X[4], step=2, layer=1, kind="activations")
        a.flush()
        assert series(d, "sa.tokens", layer="w")[2] == 60


# ---- what newer samples drive out -------------------------------------------------------------------

def test_a_newer_sample_drives_out_whole_older_ones(daemon):
    d = daemon(config="workers: 1\n")
    draw = np.random.default_rng(1)
    W = draw.standard_normal((2, 768, 512)).astype(np.float32)
    X = draw.standard_normal((64, 512)).astype(np.float32)
    steps = 40
    with session(d) as raw:
        raw.declare(1, "up", (768, 512), role="mlp.in", block="mlp")
        raw.declare(2, "down", (512, 768), role="mlp.out", block="mlp")
        for step in range(steps):
            raw.tensor(W[0] + step, step=step, layer=1)
            raw.tensor(W[1].T + step, step=step, layer=2)
            raw.tensor(X, step=step, layer=1, kind="activations")
        dropped = raw.flush()
        kept = set(series(d, "sa.tokens", layer="up"))
        assert 0 < len(kept) < steps and dropped == steps - len(kept)
        assert steps - 1 in kept
        for metric, layer in (("weights.norm", "up"), ("weights.norm", "down"), ("gate.beyond_chance", "mlp")):
            assert set(series(d, metric, layer=layer)) == kept, (metric, layer)
        assert d.metric("foreshock_dropped_superseded_total") == 3 * dropped
        until(lambda: raw.pulse()["dropped"] == dropped, "the pulse")
        raw.scalars(steps, loss=1.0)
        raw.flush()
        assert d.api("/api/v1/runs/r")["dropped"] == dropped


# ---- alerts on their way to the training ------------------------------------------------------------

def spoil(raw, step=1):
    bad = EYE.copy()
    bad[0, 0] = np.nan
    raw.tensor(EYE, step=0)
    raw.tensor(bad, step=step)
    raw.flush()


def test_alerts_are_pushed_and_pushed_again_to_who_comes_back(daemon):
    d = daemon()
    with session(d, lossless=True) as raw:
        spoil(raw)
        told = raw.receive("alert")
        (alert,) = d.alerts("r")
        same = ("id", "rule", "severity", "state", "title", "summary", "layers")
        assert told == {"type": "alert", **{key: alert[key] for key in same}, "step": alert["started_step"]}
        assert told["rule"] == "nonfinite" and told["layers"] == ["l"] and told["step"] == 1
        raw.hello()
        assert raw.receive("alert") == told
        d.kill()
        d.start()
        raw.hello()
        assert raw.receive("alert") == told


def test_alerts_reach_the_python_client_once(daemon):
    d = daemon()
    bad = EYE.copy()
    bad[0, 0] = np.inf
    with foreshock.Run("r", endpoint=d.endpoint, wait=30) as run:
        run.declare("l", shape=(8, 8))
        run.weights(0, "l", EYE)
        run.weights(1, "l", bad)
        (alert,) = until(run.alerts, "the alert")
        assert (alert.rule, alert.severity, alert.state) == ("nonfinite", "critical", "firing")
        assert (alert.layers, alert.step) == (("l",), 1)
        assert run.firing == [alert] and run.alerts() == []
        d.restart()
        run.log(2, loss=1.0)
        assert run.flush(timeout=30)
        assert run.alerts() == [] and run.firing == [alert]  # told again by the daemon: no news


def test_an_alert_that_is_only_observed_is_recorded_and_not_pushed(daemon):
    d = daemon(config="rules: {nonfinite: {mode: observe}}\n")
    with session(d, lossless=True) as raw:
        spoil(raw)
        (alert,) = d.alerts("r")
        assert alert["rule"] == "nonfinite" and alert["observed"] is True and alert["state"] == "firing"
        raw.hello()
        raw.pulse()
        raw.flush()
        assert [message for message in raw.kept if message["type"] == "alert"] == []
