"""A store that cannot keep up: its queue fills, figures are lost and counted, and nothing else is."""

import contextlib
import sqlite3
import time

import numpy as np

from harness import until
from raw import Raw

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
