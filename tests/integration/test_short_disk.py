"""A disk that others fill costs no history: figures stop, alerts and readers go on, and so does all when there is room again."""

import json
import os

import numpy as np
import pytest

import foreshock
from harness import until
from raw import Raw

pytestmark = pytest.mark.xdist_group("disk")  # one at a time: each fills or counts on the same disk

EYE = np.eye(8, dtype=np.float32)


def free_bytes(folder):
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def health(d):
    return json.loads(d.request("/healthz")[2])


def log_losses(d, run, steps, loss):
    with foreshock.Run(run, endpoint=d.endpoint, wait=20) as r:
        for step in steps:
            r.log(step, loss=loss)
        assert r.flush(timeout=20)


def test_others_fill_the_disk_and_make_room(daemon, folder):
    gap = min(1 << 30, free_bytes(folder) // 8)
    d = daemon(config=f"retention: {{disk_free_min: {free_bytes(folder) - gap}}}\n")
    for run in ("first", "second", "third"):
        log_losses(d, run, range(50), 2.0)
    assert health(d)["parts"]["disk"] == {"ok": True, "age_seconds": 0}

    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * gap)
    until(lambda: d.request("/healthz")[0] == 503, "the disk to be found short")
    assert health(d)["part"] == "disk" and "figures are not stored" in health(d)["detail"]
    assert d.request("/readyz")[0] == 503
    assert d.metric("foreshock_store_disk_short") == 1
    with foreshock.Run("fourth", endpoint=d.endpoint) as lossy:
        for step in range(50):
            lossy.log(step, loss=float("nan"))
        assert lossy.flush(timeout=20)
        until(lambda: [error.code for error in lossy.errors] == ["disk_short"], "the word of it")
    patient = foreshock.Run("patient", endpoint=d.endpoint, wait=60)
    patient.log(0, loss=1.0)
    assert patient.flush(timeout=1) is False  # what must not be lost waits
    assert d.metric("foreshock_figures_dropped_disk_total") >= 50
    assert d.series("fourth", "loss") == {}
    assert [a["rule"] for a in d.alerts("fourth")] == ["nonfinite"]  # a warning needs no room
    until(lambda: health(d)["parts"]["disk"]["age_seconds"] > 3, "retention to have had time")
    assert {r["id"] for r in d.api("/api/v1/runs")["runs"]} == {"first", "second", "third", "fourth", "patient"}
    assert len(d.series("first", "loss")) == 50

    ballast.unlink()
    until(lambda: d.request("/healthz")[0] == 200, "room to be found")
    assert d.metric("foreshock_store_disk_short") == 0
    assert patient.flush(timeout=20)
    patient.close()
    assert d.series("patient", "loss") == {0: 1.0}
    log_losses(d, "fifth", range(50), 2.0)
    assert len(d.series("fifth", "loss")) == 50
    assert d.log().count("figures and baselines are not stored") == 1
    assert d.log().count("has room again") == 1


def test_a_layer_that_begins_on_a_short_disk(daemon, folder):
    """Its clients are told; it has no w(0) yet and nothing is damaged; the first weights after it are its w(0)."""
    gap = min(1 << 30, free_bytes(folder) // 8)
    d = daemon(config=f"retention: {{disk_free_min: {free_bytes(folder) + gap}}}\n")
    until(lambda: d.metric("foreshock_store_disk_short") == 1, "the disk to be found short")
    with Raw(d.endpoint) as raw:
        raw.hello()
        error = raw.error("disk_short")
        assert "not stored" in error["expected"] and not error["fatal"]
        raw.declare()
        raw.tensor(EYE, step=0)
        raw.flush()
        until(lambda: "rotation will be measured from a later step" in d.log(), "the word of it")
        d.config.write_text("retention: {disk_free_min: 0}\n")
        d.restart()
        raw.hello()
        raw.declare()
        for step in (1, 2):
            raw.tensor(EYE * (step + 1), step=step)
            raw.flush()
        assert d.series("r", "rotation.baseline_step", "l") == {1: 1, 2: 1}
        assert d.alerts("r") == []
