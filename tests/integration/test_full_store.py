"""A store that cannot keep up: its queue fills, figures are lost and counted, and nothing else is."""

import contextlib
import json
import sqlite3
import threading
import time
import urllib.request

import numpy as np

import foreshock
from harness import until
from raw import Raw
from receiver import Receiver

EYE = np.eye(8, dtype=np.float32)
LAYERS = 2500  # more than the store's queue keeps room for


@contextlib.contextmanager
def held(daemon):
    """Another process holds the database: nothing is committed."""
    db = sqlite3.connect(daemon.state_dir / "foreshock.db", isolation_level=None, timeout=30)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def fill(daemon, raw):
    """Logs scalars until the store's queue takes no more."""
    step = 0
    while daemon.metric("foreshock_dropped_scalars_total") == 0:
        for _ in range(2000):
            raw.scalars(step, filler=1.0)
            step += 1
        raw.pulse()


def test_rows_are_written_again(daemon):
    """Runs, attempts, sessions, layers, MLP blocks and ends that came while there was no room."""
    d = daemon()
    with Raw(d.endpoint) as raw, Raw(d.endpoint, run="late", session="l") as late, Raw(d.endpoint, run="brief", session="b") as brief:
        brief.hello()
        brief.pulse()
        until(lambda: d.api("/api/v1/runs"), "the first run")
        with held(d):
            raw.hello()
            fill(d, raw)
            for n in range(LAYERS):
                raw.send({"type": "layer", "layer": n, "name": f"layer.{n}", "shape": [8, 8], "dtype": "float32"})
            raw.send({"type": "layer", "layer": LAYERS, "name": "in", "shape": [8, 8], "dtype": "float32", "role": "mlp.in",
                      "block": "mlp"})
            raw.send({"type": "layer", "layer": LAYERS + 1, "name": "out", "shape": [8, 8], "dtype": "float32",
                      "role": "mlp.out", "block": "mlp"})
            raw.pulse()
            late.hello()
            late.pulse()
            brief.bye()
            assert raw.errors() == []
        until(lambda: d.metric("foreshock_store_queue") == 0, "the store to catch up")
        until(lambda: len(d.api("/api/v1/runs/r")["layers"]) == LAYERS + 3, "the layers")
        until(lambda: d.api("/api/v1/runs/brief")["state"] == "ended", "the end that was lost")
        assert d.api("/api/v1/runs/late")["state"] == "running"
        for n in (0, LAYERS // 2, LAYERS - 1, LAYERS, LAYERS + 1):
            raw.tensor(EYE, step=10**6, layer=n)
        raw.flush()
        layers = {layer["name"]: layer["last"] for layer in d.api("/api/v1/runs/r")["layers"]}
        for name in ("layer.0", f"layer.{LAYERS // 2}", f"layer.{LAYERS - 1}", "in", "out"):
            assert layers[name]["weights.norm"]["step"] == 10**6, name
        assert "gate.count.enrichment" in layers["mlp"]
        d.kill()  # what counts is what the database holds
        d.start()
        assert d.api("/api/v1/runs/brief")["state"] == "ended" and d.alerts("brief") == []


def test_nothing_overtakes_the_rows_that_it_refers_to(daemon):
    """Weights and scalars that come just as there is room again: the layer is there before them, so no figure is left out, and its
    w(0) is kept."""
    d = daemon()
    with Raw(d.endpoint) as filler, Raw(d.endpoint, run="late") as late:
        filler.hello()
        with held(d):
            fill(d, filler)
            late.hello()
            for n in range(LAYERS):
                late.send({"type": "layer", "layer": n, "name": f"layer.{n}", "shape": [8, 8], "dtype": "float32"})
            late.pulse()
        for step in range(300):  # from before there is room until after
            late.scalars(step, loss=1.0)
            for n in (0, LAYERS - 2, LAYERS - 1):
                late.tensor(EYE, step=step, layer=n)
            time.sleep(0.002)
        late.flush()
        assert "the schema refuses" not in d.log()
        kept = sqlite3.connect(f"file:{d.state_dir}/foreshock.db?mode=ro", uri=True)
        (baselines,) = kept.execute("SELECT count(*) FROM baseline").fetchone()
        kept.close()
        assert baselines == 3


@contextlib.contextmanager
def alert_events(daemon):
    """The alerts of the event stream, in order, as a list that grows."""
    events = []
    stream = urllib.request.urlopen(daemon.url + "/api/v1/events", timeout=60)

    def read():
        name = ""
        with contextlib.suppress(OSError, ValueError):
            for line in stream:
                key, _, value = line.decode().rstrip("\n").partition(": ")
                name = value if key == "event" else name
                if key == "data" and name == "alert":
                    events.append(json.loads(value))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield events


def test_alerts_go_out_while_the_store_does_not_write(daemon):
    """Ten seconds after the last commit alerts go out marked; they are recorded, once, when the store writes again."""
    with Receiver() as receiver:
        d = daemon(config=json.dumps({"notifiers": {"hook": {"type": "webhook", "url": receiver.url}}}))
        with foreshock.Run("r", endpoint=d.endpoint, wait=20) as run, alert_events(d) as events:
            run.log(1, loss=1.0)
            assert run.flush(timeout=20)
            with held(d):
                began = time.monotonic()
                run.log(2, loss=float("nan"))
                [alert] = until(run.alerts, "the alert at the training")
                assert time.monotonic() - began > 9
                assert (alert.rule, alert.state, alert.recorded) == ("nonfinite", "firing", False)
                until(lambda: events, "the alert in the event stream")
                assert [(e["id"], e["state"], e["recorded"]) for e in events] == [(alert.id, "firing", False)]
                assert d.metric("foreshock_alerts_unrecorded") == 1
                assert "an alert is not recorded yet" in d.log()
                assert d.alerts("r") == [] and receiver.taken() == []
                with Raw(d.endpoint, run="r", session="another", rank=1, world=2) as raw:
                    raw.hello()
                    told = raw.receive("alert")
                    assert (told["id"], told["recorded"]) == (alert.id, False)
            until(lambda: receiver.events(), "the alert at the webhook")
            [row] = d.alerts("r")
            assert (row["id"], row["state"], row["recorded"]) == (alert.id, "firing", True)
            until(lambda: [a.recorded for a in run.firing] == [True], "the record at the training")
            assert run.alerts() == []  # no news
            assert d.metric("foreshock_alerts_unrecorded") == 0
            until(lambda: len(events) == 2, "the record in the event stream")
            assert events[1]["recorded"]
            assert receiver.events() == [("firing", "critical", alert.id)]
        d.kill()
        d.start()
        assert [row["id"] for row in d.alerts("r")] == [alert.id]


def test_the_number_of_an_alert_that_a_kill_has_lost_is_not_given_again(daemon):
    d = daemon()
    with foreshock.Run("r", endpoint=d.endpoint, wait=20) as run:
        run.log(1, loss=1.0)
        assert run.flush(timeout=20)
        with held(d):
            run.log(2, loss=float("nan"))
            [lost] = until(run.alerts, "the alert at the training")
            d.kill()
        d.start()
        run.log(3, loss=float("nan"))
        [row] = until(lambda: d.alerts("r"), "the alert")
        assert row["id"] > lost.id and not lost.recorded


def test_an_alert_waits_for_the_row_of_its_run(daemon):
    """An alert of a run whose own row still waits for room comes with the rows of another run: it is written once its run is."""
    with Receiver() as receiver:
        d = daemon(config=json.dumps({"limits": {"lease_seconds": 2}, "notifiers": {"hook": {"type": "webhook", "url": receiver.url}}}))
        raw = Raw(d.endpoint, run="first")
        raw.hello()
        until(lambda: d.api("/api/v1/runs"), "the first run")
        with held(d):
            fill(d, raw)
            for layer in range(2500):
                raw.send({"type": "layer", "layer": layer, "name": f"layer.{layer}", "shape": [8, 8], "dtype": "float32"})
            raw.pulse()
            lost = Raw(d.endpoint, run="second", session="a")
            lost.hello()
            lost.close()

            def is_lost():
                raw.pulse()
                return "alert fires" in d.log() and "run=second" in d.log()

            until(is_lost, "the alert")
            raw.scalars(10**6, filler=1.0)
        for step in range(60):
            raw.scalars(10**6 + 1 + step, filler=1.0)
            raw.pulse()
            time.sleep(0.05)
        until(lambda: [alert["rule"] for alert in d.alerts("second")] == ["run_lost"], "the row of the alert")
        until(lambda: receiver.events(), "the notification")
