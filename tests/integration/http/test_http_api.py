"""Runs, series, histograms and alerts, against the formulas that filled the store."""
import math
from urllib.parse import quote

import pytest

from formulas import BLOCKS, EXPLODES_AT, HOSTILE, LAYER_METRICS, LAYERS, STARTED, STEPS, loss, sa_counts, sigma1

COLUMNS = ("step", "time", "min", "mean", "max", "last", "nonfinite")


def series_of(server, run, query):
    answer = server.get(f"/api/v1/runs/{run}/series?{query}")
    assert answer["run"] == run
    return answer["series"]


def test_runs(server):
    runs = {run["id"]: run for run in server.get("/api/v1/runs")["runs"]}
    assert set(runs) == {"gpt-small", "exploded.1"}
    assert runs["gpt-small"] == {
        "id": "gpt-small", "name": "GPT small, seed 3", "state": "running", "started_at": STARTED,
        "last_step": 1190, "last_seen_at": STARTED + 1200, "layers": 11, "alerts_firing": 1,
        "tags": {"cluster": "a", "lr": "3e-4"}, "clients": 1, "dropped": 12,
    }  # fmt: skip
    assert runs["exploded.1"]["state"] == "ended" and runs["exploded.1"]["clients"] == 0


def test_run(server):
    run = server.get("/api/v1/runs/gpt-small")
    assert run["last"]["loss"] == {"step": 1190, "time": STARTED + 1190, "value": pytest.approx(loss(1190), abs=0)}
    assert run["attempt"] == 1 and run["undefined"] == 3
    layers = {layer["name"]: layer for layer in run["layers"]}
    assert set(layers) == {*LAYERS, *BLOCKS, HOSTILE}
    gate = layers["blocks.0.mlp.gate_proj"]
    assert {key: gate[key] for key in ("kind", "shape", "dtype", "role", "block")} == {
        "kind": "layer", "shape": [1024, 384], "dtype": "bfloat16", "role": "mlp.gate", "block": "blocks.0.mlp",
    }  # fmt: skip
    assert sorted(gate["last"]) == LAYER_METRICS
    assert gate["last"]["spectral.sigma1"]["value"] == pytest.approx(sigma1(3, 1190), rel=1e-15)
    block = layers["blocks.1.mlp"]
    assert (block["kind"], block["shape"], block["role"]) == ("block", None, None)
    assert "gate.in_out.p50" in block["last"]


def test_run_with_a_nan(server):
    assert server.get("/api/v1/runs/exploded.1")["last"]["loss"]["value"] is None


def test_series_of_single_points(server):
    [series] = series_of(server, "gpt-small", "metric=loss&layer=")
    assert (series["layer"], series["metric"], series["attempt"]) == ("", "loss", 1)
    assert series["step"] == STEPS
    assert series["time"] == [STARTED + step for step in STEPS]
    assert series["last"] == pytest.approx([loss(step) for step in STEPS], rel=1e-15)
    assert series["min"] == series["mean"] == series["max"] == series["last"]
    assert series["nonfinite"] == [0] * len(STEPS)


def test_series_bucketed(server):
    [series] = series_of(server, "gpt-small", "metric=loss&layer=&points=7&from=95&to=905")
    steps = [step for step in STEPS if 95 <= step <= 905]
    assert 1 <= len(series["step"]) <= 7
    assert all(len(series[column]) == len(series["step"]) for column in COLUMNS)
    begin = 0
    for i, last in enumerate(series["step"]):
        inside = [loss(step) for step in steps if begin <= step <= last]
        begin = last + 1
        assert series["max"][i] == pytest.approx(max(inside), rel=1e-15)
        assert series["min"][i] == pytest.approx(min(inside), rel=1e-15)
        assert series["mean"][i] == pytest.approx(math.fsum(inside) / len(inside), rel=1e-14)
    assert begin == steps[-1] + 1


def test_attempts_and_nonfinite(server):
    first, second = series_of(server, "exploded.1", "metric=loss&layer=")
    assert (first["attempt"], first["step"][-1], second["attempt"], second["step"][0]) == (1, 590, 2, 600)
    bad = [step for step in STEPS if step > EXPLODES_AT]
    assert [s for s, n in zip(second["step"], second["nonfinite"]) if n] == bad
    assert all(second[column][-1] is None for column in ("min", "mean", "max", "last"))
    assert second["last"][second["step"].index(EXPLODES_AT)] == 400
    [alone] = series_of(server, "exploded.1", "metric=loss&layer=&attempt=1")
    assert alone["attempt"] == 1 and alone["step"] == first["step"]
    assert series_of(server, "exploded.1", "metric=loss&layer=&attempt=9") == []


def test_patterns(server):
    pairs = {(s["layer"], s["metric"]) for s in series_of(server, "gpt-small", "metric=spectral.s*&layer=*.up_proj")}
    assert pairs == {(f"blocks.{n}.mlp.up_proj", f"spectral.sigma{k}") for n in (0, 1) for k in (1, 2)}
    every = series_of(server, "gpt-small", "metric=*&points=1")
    assert len(every) == 1 + 11 * len(LAYER_METRICS) + 2 * 5
    assert every == series_of(server, "gpt-small", "metric=*&layer=*&points=1")
    assert every == sorted(every, key=lambda s: (s["layer"], s["metric"]))
    two = series_of(server, "gpt-small", "metric=loss&metric=sa.diversity&layer=&layer=blocks.0.attn.q_proj")
    assert [(s["layer"], s["metric"]) for s in two] == [("", "loss"), ("blocks.0.attn.q_proj", "sa.diversity")]
    assert len(series_of(server, "gpt-small", f"metric=sa.diversity&layer={quote(HOSTILE)}")) == 1
    assert series_of(server, "gpt-small", "metric=not.logged") == []


def test_histogram_single_steps(server):
    answer = server.get("/api/v1/runs/gpt-small/histogram?metric=sa&layer=blocks.0.attn.o_proj&from=100&to=190")
    [part] = answer["histograms"]
    assert answer["edges"] == [-1 + i / 32 for i in range(65)]
    assert part["step"] == part["first_step"] == list(range(100, 200, 10))
    assert len(part["counts"]) == 64
    for column, step in enumerate(part["step"]):
        assert [row[column] for row in part["counts"]] == sa_counts(2, step)


def test_histogram_summed(server):
    answer = server.get("/api/v1/runs/gpt-small/histogram?metric=sa&layer=blocks.0.attn.o_proj&columns=4")
    [part] = answer["histograms"]
    assert len(part["step"]) <= 4
    for column, (first, last) in enumerate(zip(part["first_step"], part["step"])):
        each = [sa_counts(2, step) for step in STEPS if first <= step <= last]
        assert [row[column] for row in part["counts"]] == [sum(bins) for bins in zip(*each)]


def test_histogram_that_is_not(server):
    assert server.get("/api/v1/runs/gpt-small/histogram?metric=sa&layer=blocks.0.mlp")["histograms"] == []


def test_alerts(server):
    alerts = server.get("/api/v1/alerts")["alerts"]
    assert [alert["id"] for alert in alerts] == sorted((a["id"] for a in alerts), reverse=True)
    by_id = {alert["id"]: alert for alert in alerts}
    assert by_id[2]["layers"] == ["blocks.1.mlp.up_proj", HOSTILE]
    assert by_id[2]["evidence"][0]["metric"] == "spectral.sigma1"
    assert by_id[2]["resolved_at"] is None and by_id[1]["resolved_at"] == STARTED + 412
    assert by_id[3]["evidence"][0]["value"] is None


@pytest.mark.parametrize(
    "query, ids",
    [
        ("run=gpt-small", {1, 2}),
        ("state=firing", {2, 3}),
        ("state=resolved", {1}),
        ("severity=warning", {1}),
        ("run=exploded.1&state=resolved", set()),
        (f"since={STARTED + 905}", {3}),
        ("limit=1", {3}),
    ],
)
def test_alert_filters(server, query, ids):
    assert {alert["id"] for alert in server.get(f"/api/v1/alerts?{query}")["alerts"]} == ids


@pytest.mark.parametrize(
    "path, status, parameter",
    [
        ("/api/v1/runs/none", 404, "run"),
        ("/api/v1/runs/.bad", 404, "run"),
        ("/api/v1/runs/" + "a" * 10000, 404, "run"),
        ("/api/v1/runs?x=1", 400, "x"),
        ("/api/v1/runs/gpt-small/series", 400, "metric"),
        ("/api/v1/runs/gpt-small/series?metric=loss&points=0", 400, "points"),
        ("/api/v1/runs/gpt-small/series?metric=loss&points=1e3", 400, "points"),
        ("/api/v1/runs/gpt-small/series?metric=loss&from=5&to=4", 400, "to"),
        ("/api/v1/runs/gpt-small/series?metric=loss&from=-1", 400, "from"),
        ("/api/v1/runs/gpt-small/series?metric=loss&attempt=0", 400, "attempt"),
        ("/api/v1/runs/gpt-small/series?metric=loss&point=3", 400, "point"),
        ("/api/v1/runs/gpt-small/series?metric=loss&from=1&from=2", 400, "from"),
        ("/api/v1/runs/gpt-small/series?metric=loss&layer=nope", 404, "layer"),
        ("/api/v1/runs/gpt-small/histogram?metric=sa", 400, "layer"),
        ("/api/v1/runs/gpt-small/histogram?layer=blocks.0.mlp", 400, "metric"),
        ("/api/v1/runs/gpt-small/histogram?metric=sa&layer=nope", 404, "layer"),
        ("/api/v1/alerts?state=open", 400, "state"),
        ("/api/v1/alerts?severity=info", 400, "severity"),
        ("/api/v1/alerts?since=yesterday", 400, "since"),
        ("/api/v1/alerts?run=none", 404, "run"),
        ("/page/../../etc/passwd", 404, None),
        ("/page/nope.js", 404, "file"),
    ],
)
def test_precise_problems(server, path, status, parameter):
    problem = server.problem(path)
    assert problem["status"] == status
    assert problem.get("parameter") == parameter
    if parameter:
        assert problem["expected"] and problem["expected"] in problem["detail"]


@pytest.mark.parametrize("path", ["/api/v1/runs/%ff", "/api/v1/runs/a%0ab", "/api/v1/runs?a=%", "/api/v1/runs/a%00"])
def test_bad_escapes(server, path):
    assert server.problem(path)["status"] == 400


def test_methods(server):
    status, headers, body = server.ask("/api/v1/runs", "HEAD")
    assert (status, body) == (200, b"") and headers["content-type"] == "application/json"
    status, headers, _ = server.ask("/api/v1/runs/gpt-small", "PUT", body=b"x")
    assert status == 405 and headers["allow"] == "GET, HEAD, DELETE"
    assert server.ask("/api/v1/events", "HEAD")[0] == 200
    assert server.problem("/nothing")["status"] == 404
